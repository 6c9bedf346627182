"""docs/reproduction.md: the verdicts, what is kept of a run, and that the page is what the files make."""

from __future__ import annotations

import csv
import json
import shlex
import shutil

import pytest

from benchmarks.reproduction import __main__ as reproduction
from benchmarks.reproduction import published
from benchmarks.reproduction.archive import keep_suite
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


def cell(value: float, name: str = 'LB', *, quantity: str = 'validation accuracy', deviation=None) -> Cell:
    return Cell('P', 'T', 'F1', 'MNIST', quantity, name, str(value), value, deviation, 50, 'verified', 's/r')


def ours(*values: float) -> Measured:
    return Measured(values, Group('r', ()))


SB, LR, RA = cell(98.0, 'SB'), cell(97.5, '+LR'), cell(98.5, '+RA')  # published: above LB of 97
NOISY = cell(98.0, 'SB', deviation=0.5)
SHARPNESS = cell(100, quantity='sharpness, full space, 1e-3')
VERDICTS = [  # published, measured, the other cells with what was measured, verdict
    (cell(97.0), (96.0,), [], 'reproduced'),  # one point, to the digit
    (cell(97.0), (98.0,), [], 'reproduced'),
    (cell(98.27), (97.27,), [], 'reproduced'),  # whose difference is no binary number
    (cell(97.0), (95.99,), [], 'not'),
    (cell(97.0), (94.0, 96.0), [], 'reproduced'),  # 95 +- 1.41: two points below, within 2.83
    (cell(97.0), (93.9, 94.1), [], 'not'),
    (cell(97.0), (90.0,), [(SB, ours(95.0))], 'ordering only'),
    (cell(97.0), (90.0,), [(SB, ours(89.0))], 'not'),  # the other way round
    (cell(97.0), (90.0, 90.2), [(SB, ours(95.0, 95.2))], 'ordering only'),
    (cell(97.0), (90.0, 91.0), [(SB, ours(90.2, 90.9))], 'not'),  # the right way, by less than two standard errors
    (cell(97.0), (90.0, 92.0), [(SB, ours(89.0, 89.5))], 'not'),  # the other way within the noise: no agreement
    (cell(97.0), (), [], 'not'),  # all runs diverged
    (SHARPNESS, (200,), [], 'reproduced'),  # within a factor of two
    (SHARPNESS, (50,), [], 'reproduced'),
    (SHARPNESS, (201,), [], 'not'),
    (SHARPNESS, (49,), [], 'not'),
    # a contradiction within two deviations does not undo an agreement, one beyond does
    (cell(97.0), (90.0, 90.1), [(SB, ours(95.0)), (LR, ours(88.5, 90.0))], 'ordering only'),
    (cell(97.0), (90.0, 90.1), [(SB, ours(95.0)), (LR, ours(85.0, 85.1))], 'not'),
    # what differs within the published noise cannot be contradicted
    (cell(97.0), (90.0,), [(RA, ours(95.0)), (NOISY, ours(80.0))], 'ordering only'),
    (cell(97.0), (90.0,), [(RA, ours(95.0)), (SB, ours(80.0))], 'not'),
    (cell(97.0), (90.0,), [(SB, None), (SB, ours())], 'not'),  # cells without a result say nothing
]


def test_verdicts():
    verdicts = [judge(published, ours(*measured), others) for published, measured, others, _ in VERDICTS]
    assert verdicts == [verdict for *_, verdict in VERDICTS]
    assert judge(cell(97.0), None, [(SB, ours(97.0))]) == 'not run'


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
    config = json.loads(files['mine/a_seed0/config.json'])  # it says what was trained
    start = 'TrainingResults/b_seed0/checkpoint.pth.tar'
    argv = ['--b', '32', '--init-from', start, '--dataset', 'my pictures', '--save', 'a_seed0']
    assert config['argv'] == argv
    assert config['command'] == f'python main_normal.py {shlex.join(argv)}'
    assert (config['settings']['init_from'], config['settings']['dataset']) == (start, 'my pictures')
    assert config['message'] == 'cannot write TrainingResults/a_seed0/log.txt or x: 900 images/s'
    keep_suite(suite, tmp_path / 'runs')
    assert everything(tmp_path / 'runs') == files
    keep_suite(tmp_path / 'runs' / 'mine', tmp_path / 'again')  # what is kept may be kept again
    assert everything(tmp_path / 'again') == files


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


@pytest.fixture
def docs(tmp_path):
    return shutil.copytree(KEPT, tmp_path / 'docs' / 'reproduction').parent


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    docs = shutil.copytree(KEPT, tmp_path_factory.mktemp('drawn') / 'reproduction').parent
    made = reproduction.redraw(docs)
    assert made and all((DOCS / path.relative_to(docs)).is_file() for path in made)
    return docs


def test_the_page_is_what_the_script_makes_of_the_files_which_hold_no_place_of_a_machine(drawn):
    assert (drawn / 'reproduction.md').read_bytes() == (DOCS / 'reproduction.md').read_bytes()
    for path, content in everything(KEPT).items():
        assert [place for place in (b'/home', b'/tmp', b'/root', b'results_dir') if place in content] == [], path


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
    before, after = (everything(folder / 'images') for folder in (drawn, docs))
    others = [name for name in before if not name.startswith('reproduction_f1')]
    assert others and [name for name in others if before[name] != after[name]] == []


def test_the_figures_of_a_distance_plot_are_those_of_the_runs_which_differ_in_the_seed_alone(tmp_path):
    [plot] = [plot for plot in read_plots(KEPT / 'plots.csv') if plot.suite == 'reproduction_ra_digits']
    for seed in range(2):  # 0.1 + 0.7 log2(t) + 0.01 seed: by hand
        write_run(tmp_path / plot.suite / f'sb_seed{seed}', seed=seed, config={'regime': []})
    [row] = table_of(plot, read_rows(tmp_path), [])
    assert (row['run'], row['seeds'], row['slope b'], row['R2 of a + b log t']) == ('SB', '2', '1.01 +- 0', '1 +- 0')
    assert row['distance after it'] == '6.405 +- 0.0071'  # at update 512
    write_run(tmp_path / plot.suite / 'sb_seed2', seed=2, batch_size=64, config={'regime': []})
    with pytest.raises(UserError, match=f'{plot.suite}/sb: its runs differ in batch_size'):
        read_rows(tmp_path)


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


def commands_of(suite: str) -> dict[str, list[str]]:
    return {words[words.index('--save') + 1]: words for words in find_suite(suite).commands}


def test_every_row_that_is_named_is_one_of_a_suite_or_kept_and_kept_runs_are_those_of_their_suite():
    rows = read_rows(KEPT / 'runs')
    named = {cell.row for cell in read_published(KEPT / 'published.csv') if cell.row}
    plots = read_plots(KEPT / 'plots.csv')
    named |= {f'{plot.suite}/{name}' for plot in plots for _, names in plot.rows for name in names}
    for suite, _, name in (row.partition('/') for row in named - set(rows)):
        assert name in commands_of(suite)
    for name, group in rows.items():
        suite, _, row = name.partition('/')
        script, *flags = commands_of(suite)[row]
        asked, kept = json.loads(json.dumps(config_of(script, tuple(flags)).settings())), group.runs[0].settings
        assert len(kept.keys() & asked) > 25
        free = {'save', 'seed', 'device', *(key for key in ('augment', 'flip', 'channels_last') if asked[key] is None)}
        assert {key for key in kept.keys() & asked if kept[key] != asked[key]} <= free, name
    for suite in (KEPT / 'runs').iterdir():
        assert len(load_runs([suite])) == len(list(suite.iterdir()))


def test_a_wrong_line_of_the_tables_is_named(docs):
    values = ('P', 'T', 'F1', 'MNIST', 'validation accuracy', 'LB', '97', '', '', 'recalled', '')
    row = dict(zip(published.COLUMNS, values, strict=True))
    path, plots = docs / 'reproduction' / 'published.csv', docs / 'reproduction' / 'plots.csv'
    for changes, words in (
        ({'published': 'high'}, "published.csv:2: published 'high' is not a number"),
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
    text = plots.read_text()
    for before, after, words in (
        (',ablation,', ',ablatoin,', 'did you mean ablation'),
        ('reproduction_f1.svg', '../x.svg', 'a name such as reproduction_f1.svg is needed'),
        ('SB: sb_keep', 'sb_keep', 'write them as "SB: sb_keep sb_reset; LB: lb_keep"'),
        ('file,kind', 'kind,file', 'needed: file, kind'),
    ):
        plots.write_text(text.replace(before, after, 1))
        assert words in refusal(lambda: read_plots(plots))
