"""docs/reproduction.md: the verdicts, what is kept of a run, and that the page is what the files make."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from benchmarks.reproduction import __main__ as reproduction
from benchmarks.reproduction import published
from benchmarks.reproduction.archive import clean_config, keep_suite
from benchmarks.reproduction.plots import read_plots, table_of
from benchmarks.reproduction.published import Cell, Measured, judge, read_published, read_rows
from bigbatch.errors import UserError
from tests.conftest import PROJECT
from tests.data_helpers import refusal
from tests.fake_runs import write_run
from tests.sweeps.test_suites import config_of
from utils.reports.groups import Group
from utils.runs.reader import load_runs
from utils.sweeps.suite import find_suite

DOCS = PROJECT / 'docs'
KEPT = DOCS / 'reproduction'


def cell(value: float, *, name: str = 'LB', quantity: str = 'validation accuracy', deviation=None) -> Cell:
    return Cell('P', 'T', 'F1', 'MNIST', quantity, name, str(value), value, deviation, 50, 'verified', 's/r')


def ours(*values: float) -> Measured:
    return Measured(values, Group('r', ()))


# Verdicts


SB = cell(98.0, name='SB')  # published: 1 above LB of 97
VERDICTS = [  # published, measured, the measured SB, verdict
    (97.0, (96.0,), None, 'reproduced'),  # one point, to the digit
    (97.0, (98.0,), None, 'reproduced'),
    (98.27, (97.27,), None, 'reproduced'),  # whose difference is no binary number
    (97.0, (95.99,), None, 'not'),
    (97.0, (94.0, 96.0), None, 'reproduced'),  # 95 +- 1.41: two points below, within 2.83
    (97.0, (93.9, 94.1), None, 'not'),
    (97.0, (90.0,), (95.0,), 'ordering only'),
    (97.0, (90.0,), (89.0,), 'not'),  # the other way round
    (97.0, (90.0, 90.2), (95.0, 95.2), 'ordering only'),
    (97.0, (90.0, 91.0), (90.2, 90.9), 'not'),  # the right way round, by less than two standard errors
    (97.0, (90.0, 92.0), (89.0, 89.5), 'not'),  # the other way round within the noise: no agreement either
    (97.0, (), None, 'not'),  # all runs diverged
]


def test_an_accuracy_is_reproduced_within_a_point_or_two_deviations_or_its_ordering_is():
    verdicts = [
        judge(cell(value), ours(*large), [] if small is None else [(SB, ours(*small))])
        for value, large, small, _ in VERDICTS
    ]
    assert verdicts == [verdict for *_, verdict in VERDICTS]


def test_a_sharpness_is_reproduced_within_a_factor_of_two():
    published = cell(100, quantity='sharpness, full space, 1e-3')
    verdicts = [judge(published, ours(measured), []) for measured in (200, 50, 201, 49)]
    assert verdicts == ['reproduced', 'reproduced', 'not', 'not']


def test_a_contradiction_within_two_deviations_does_not_undo_an_agreement_and_one_beyond_does():
    lr = cell(97.5, name='+LR')
    agrees, within, beyond = (SB, ours(95.0)), (lr, ours(88.5, 90.0)), (lr, ours(85.0, 85.1))
    assert judge(cell(97.0), ours(90.0, 90.1), [agrees, within]) == 'ordering only'
    assert judge(cell(97.0), ours(90.0, 90.1), [agrees, beyond]) == 'not'


def test_a_published_difference_within_the_published_noise_cannot_be_contradicted():
    noisy = cell(98.0, name='SB', deviation=0.5)
    agrees = (cell(98.5, name='+RA'), ours(95.0))
    assert judge(cell(97.0), ours(90.0), [agrees, (noisy, ours(80.0))]) == 'ordering only'
    assert judge(cell(97.0), ours(90.0), [agrees, (SB, ours(80.0))]) == 'not'


def test_cells_without_a_result_say_nothing():
    assert judge(cell(97.0), None, [(SB, ours(97.0))]) == 'not run'
    assert judge(cell(97.0), ours(90.0), [(SB, None), (SB, ours())]) == 'not'


# What is kept of a run


@pytest.fixture
def suite(tmp_path):
    """A suite of two ended rows and one that goes on; the first was given the places of a machine."""
    folder = tmp_path / 'home of me' / 'TrainingResults' / 'mine'
    places = ['--results_dir', str(folder), '--datasets-dir=/secret/sets', '--resume', str(folder / 'a_seed0')]
    start = f'{folder}/b_seed0/checkpoint.pth.tar'
    argv = ['--b', '32', *places, '--init-from', start, '--dataset', '/secret/my pictures', '--save', 'a_seed0']
    settings = {'datasets_dir': '/secret/sets', 'init_from': start, 'dataset': '/secret/my pictures'}
    config = {'argv': argv, 'message': f'cannot write {folder}/a_seed0/log.txt or ~/x: 900 images/s'}
    write_run(folder / 'a_seed0', config=config, settings=settings)
    write_run(folder / 'b_seed0', status='diverged')
    write_run(folder / 'c_seed0', status='running')
    (folder / 'a_seed0' / 'checkpoint.pth.tar').write_bytes(b'weights')
    return folder


def everything(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_ended_runs_are_kept_without_checkpoints_and_places(suite, tmp_path, caplog):
    kept = keep_suite(suite, tmp_path / 'runs')
    assert [folder.name for folder in kept] == ['a_seed0', 'b_seed0']
    assert 'c_seed0 (running)' in caplog.text
    files = everything(tmp_path / 'runs')
    assert sorted(files) == sorted(
        f'mine/{run}_seed0/{name}' for run in 'ab' for name in ('config.json', 'results.csv', 'weight_distance.csv')
    )
    for text in files.values():
        for place in (b'home of me', b'secret', b'results_dir', b'datasets', str(tmp_path).encode()):
            assert place not in text
    assert files['mine/a_seed0/results.csv'] == (suite / 'a_seed0' / 'results.csv').read_bytes()


def test_the_command_that_is_left_says_what_was_trained(suite):
    config = clean_config(json.loads((suite / 'a_seed0' / 'config.json').read_text()))
    start = 'TrainingResults/b_seed0/checkpoint.pth.tar'
    argv = ['--b', '32', '--init-from', start, '--dataset', 'my pictures', '--save', 'a_seed0']
    assert config['argv'] == argv
    words = f"--b 32 --init-from {start} --dataset 'my pictures' --save a_seed0"
    assert config['command'] == f'python main_normal.py {words}'
    assert (config['settings']['init_from'], config['settings']['dataset']) == (start, 'my pictures')
    assert config['message'] == 'cannot write TrainingResults/a_seed0/log.txt or x: 900 images/s'


def test_keeping_runs_twice_changes_nothing(suite, tmp_path):
    keep_suite(suite, tmp_path / 'runs')
    before = everything(tmp_path / 'runs')
    keep_suite(suite, tmp_path / 'runs')
    assert everything(tmp_path / 'runs') == before
    keep_suite(tmp_path / 'runs' / 'mine', tmp_path / 'again')  # nor does keeping what is kept
    assert everything(tmp_path / 'again') == before


def test_what_is_no_suite_is_refused_in_a_line(suite, capsys, monkeypatch):
    (suite / 'empty').mkdir()
    write_run(suite / 'running' / 'c', status='running')
    write_run(suite / 'half' / 'd')
    (suite / 'half' / 'd' / 'config.json').unlink()
    monkeypatch.setattr(reproduction, 'PROJECT', suite)
    before = everything(suite)
    for path, words in (
        (suite / 'a_seed0', 'is a run itself'),
        (suite.parent, 'no run lies right in it, give'),
        (suite / 'gone', 'no folder'),
        (suite / 'empty', 'no run there'),
        (suite / 'running', 'no run has ended yet: c (running)'),
        (suite / 'half', 'is no whole run'),
    ):
        assert reproduction.main([str(path)]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert words in line
    assert everything(suite) == before


# The page


@pytest.fixture
def docs(tmp_path):
    """A copy of what the page is made from."""
    shutil.copytree(KEPT, tmp_path / 'docs' / 'reproduction')
    return tmp_path / 'docs'


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    """The page and its plots, made anew of such a copy."""
    docs = tmp_path_factory.mktemp('drawn')
    shutil.copytree(KEPT, docs / 'reproduction')
    return docs, reproduction.redraw(docs)


def test_the_page_is_what_the_script_makes_of_the_files(drawn):
    docs, made = drawn
    assert (docs / 'reproduction.md').read_bytes() == (DOCS / 'reproduction.md').read_bytes()
    assert [path for path in made if not (DOCS / path.relative_to(docs)).is_file()] == []


def test_kept_runs_and_tables_hold_no_place_of_a_machine():
    for path in KEPT.rglob('*'):
        if path.is_file():
            text = path.read_text()
            assert [place for place in ('/home', '/tmp', '/root', 'results_dir') if place in text] == [], path


def test_a_new_run_answers_its_cell_and_enters_its_plot_alone(docs, drawn):
    suite = docs / 'reproduction' / 'runs' / 'reproduction_f1'
    shutil.rmtree(suite, ignore_errors=True)
    for seed, error in enumerate((1.5, 1.7, 1.9)):
        settings = {'dataset': 'mnist'}
        config = {'argv': ['--b', '128', '--save', f'sb_reset_seed{seed}', '--seed', str(seed)], 'num_epochs': 25}
        write_run(suite / f'sb_reset_seed{seed}', errors=[50, error], seed=seed, settings=settings, config=config)
    write_run(suite / 'lb_reset_seed0', errors=[90], status='diverged', settings=settings, config=config)
    reproduction.redraw(docs)
    page = (docs / 'reproduction.md').read_text()
    answer = '| 98.27 (r) | 98.30 +- 0.20 (3) | +0.03 | 25 of 50 | **reproduced** |'
    assert f'| F1 | MNIST | SB {answer} `python main_normal.py --b 128 --save sb_reset` |' in page
    assert '| F1 | MNIST | LB | 97.05 (r) | 1 of 1 diverged | - | 25 of 50 | **not** |' in page
    assert '| `lb_reset` | LB | 1 of 1 diverged | 97.05 | - |' in page
    assert '4 runs of `reproduction_f1`: 2026-11-21; cpu, 2 threads; torch 2.11; commit abc1234 with changes.' in page
    assert '| `sb_reset` | SB | 98.30 +- 0.20 (3) | 98.27 | +0.03 |' in page
    assert (docs / 'images' / 'reproduction_f1.svg').stat().st_size > 5000
    others = [path for path in (drawn[0] / 'images').iterdir() if not path.name.startswith('reproduction_f1')]
    assert [path for path in others if path.read_bytes() != (docs / 'images' / path.name).read_bytes()] == []
    assert others


def test_the_figures_of_a_distance_plot_are_those_of_the_runs(tmp_path):
    [plot] = [plot for plot in read_plots(KEPT / 'plots.csv') if plot.suite == 'reproduction_ra_digits']
    for seed in range(2):  # 0.1 + 0.7 log2(t) + 0.01 seed: by hand
        write_run(tmp_path / plot.suite / f'sb_seed{seed}', seed=seed, config={'regime': []})
    [row] = table_of(plot, read_rows(tmp_path), [])
    assert (row['run'], row['seeds'], row['slope b'], row['R2 of a + b log t']) == ('SB', '2', '1.01 +- 0', '1 +- 0')
    assert row['distance after it'] == '6.405 +- 0.0071'  # at update 512


def test_runs_of_a_row_that_differ_in_more_than_the_seed_are_refused(tmp_path):
    write_run(tmp_path / 's' / 'a_seed0', seed=0)
    write_run(tmp_path / 's' / 'a_seed1', seed=1, batch_size=64)
    with pytest.raises(UserError, match=r's/a: its runs differ in batch_size'):
        read_rows(tmp_path)


# The files that are kept by hand


def test_published_figures_are_those_of_the_papers():
    listed = read_published(KEPT / 'published.csv')
    cells = {(cell.table[:7], cell.net, cell.cell, cell.quantity): cell for cell in listed}
    row = [cells['Table 1', 'F1', name, 'validation accuracy'].published for name in ('SB', 'LB', '+LR', '+GBN', '+RA')]
    assert row == [98.27, 97.05, 97.55, 97.60, 98.53]
    large = cells['Table 3', 'F1', 'LB', 'sharpness, full space, 1e-3']
    assert (large.published, large.deviation, large.text) == (205.14, 69.52, '205.14 +- 69.52')
    assert cells['Last ep', 'C3', '+GBN', 'validation accuracy'].published == 27.33
    # 30 cells of Table 1 and 9 of ImageNet, 2 times 3 of the public code, 6 networks with 4 figures in 3 tables
    assert len(listed) == len(cells) == 30 + 9 + 6 + 72


def test_every_row_that_is_named_is_one_of_a_suite_or_kept():
    rows = read_rows(KEPT / 'runs')
    named = {cell.row for cell in read_published(KEPT / 'published.csv') if cell.row}
    plots = read_plots(KEPT / 'plots.csv')
    named |= {f'{plot.suite}/{name}' for plot in plots for _, names in plot.rows for name in names}
    for suite, _, name in (row.partition('/') for row in named - set(rows)):
        assert name in [words[words.index('--save') + 1] for words in find_suite(suite).commands]


def test_kept_runs_are_those_of_their_suite():
    for name, group in read_rows(KEPT / 'runs').items():
        suite, _, row = name.partition('/')
        [(script, *flags)] = [words for words in find_suite(suite).commands if words[words.index('--save') + 1] == row]
        asked, kept = json.loads(json.dumps(config_of(script, tuple(flags)).settings())), group.runs[0].settings
        assert len(kept.keys() & asked) > 25
        free = {'save', 'seed', 'device', *(key for key in ('augment', 'flip', 'channels_last') if asked[key] is None)}
        assert {key for key in kept.keys() & asked if kept[key] != asked[key]} <= free, name


def test_kept_runs_are_read_by_what_reads_runs():
    for suite in (KEPT / 'runs').iterdir():
        assert len(load_runs([suite])) == len(list(suite.iterdir()))


def test_a_wrong_line_of_published_is_named(docs):
    values = ('P', 'T', 'F1', 'MNIST', 'validation accuracy', 'LB', '97', '', '', 'recalled', '')
    row = dict(zip(published.COLUMNS, values, strict=True))
    path = docs / 'reproduction' / 'published.csv'
    for changes, words in (
        ({'published': 'high'}, "published.csv:2: published 'high' is not a number"),
        ({'published': ''}, "published.csv:2: published '' is not a number"),
        ({'epochs': '50.5'}, "epochs '50.5' is not a whole number"),
        ({'quantity': 'validation acuracy'}, 'did you mean validation accuracy'),
        ({'certainty': 'sure'}, "certainty 'sure': one of verified, recalled"),
        ({'row': 'lb'}, "row 'lb' is not SUITE/ROW"),
        ({'row': 'reproduction_f1/lb_kep'}, "suite reproduction_f1 has no row 'lb_kep': did you mean lb_keep"),
    ):
        with path.open('w', newline='') as file:
            writer = csv.DictWriter(file, published.COLUMNS)
            writer.writeheader()
            writer.writerow(row | changes)
        assert words in refusal(lambda: reproduction.redraw(docs))
    assert not (docs / 'reproduction.md').exists()


def test_a_wrong_line_of_plots_is_named(tmp_path):
    path, text = tmp_path / 'plots.csv', (KEPT / 'plots.csv').read_text()
    for before, after, words in (
        (',ablation,', ',ablatoin,', 'did you mean ablation'),
        ('reproduction_f1.svg', '../x.svg', 'a name such as reproduction_f1.svg is needed'),
        ('SB: sb_keep', 'sb_keep', 'write them as "SB: sb_keep sb_reset; LB: lb_keep"'),
        ('file,kind', 'kind,file', 'needed: file, kind'),
    ):
        path.write_text(text.replace(before, after, 1))
        assert words in refusal(lambda: read_plots(path))
