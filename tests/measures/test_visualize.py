"""visualize_sharpness.py and visualize2_sharpness.py: the published lines, the files, going on, and what is refused."""

import json
import math
import re
import shutil

import pandas as pd
import pytest
import torch

import evaluate
import visualize2_sharpness
import visualize_sharpness
from tests.conftest import TINY_GBN, main_gbn, read_rows
from utils.measures import landscape_run
from utils.reports.figures.landscape import write_landscape_figure
from utils.reports.landscape import load_landscape
from utils.reports.pages.landscape_page import write_landscape_page

NAMED = ('--model', 'mnist_f1', '--model_config', "{'width': 8, 'depth': 2}", '--dataset', 'fake:64:1x8x8:4')
SHORT = ('--alpha=-0.5:0.5:1.6', '-b', '16')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    kinds = {'small': (), 'large': ('--lr', '0.2'), 'other': ('--model_config', "{'width': 9, 'depth': 2}")}
    for name, more in kinds.items():
        assert main_gbn.main([*TINY_GBN, *more, '--results_dir', str(folder), '--save', name]) == 0
    return folder


@pytest.fixture
def pair(trained, tmp_path):
    """Two runs from one start that ended in different places, to be changed, with one of another width beside them."""
    shutil.copytree(trained, tmp_path / 'results')
    return tmp_path / 'results' / 'small', tmp_path / 'results' / 'large'


@pytest.fixture
def draw(tmp_path):
    """Run a script on the pair's results folder and return its exit status."""

    def run(*flags, script=visualize_sharpness):
        return script.main([*map(str, flags), '--results_dir', str(tmp_path / 'results')])

    return run


def error_line(capsys) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith('warning: ')]
    assert len(lines) == 1, lines
    return lines[0]


def test_the_ends_are_what_the_runs_recorded(pair, draw):
    """The last row of results.csv is a pass over the validation set with the same weights, by the trainer."""
    assert draw('--evaluate', pair[0], '--slave-evaluate', pair[1], *SHORT) == 0
    folder = pair[0].parent / 'line_small_to_large'
    assert sorted(path.name for path in folder.iterdir()) == ['line.csv', 'line.html', 'line.json', 'line.pdf']
    distances = json.loads((folder / 'line.json').read_text())['distances']
    states = [torch.load(run / 'checkpoint.pth.tar', weights_only=True)['state_dict'] for run in pair]
    names = [name for name in states[0] if name.endswith(('weight', 'bias'))]
    squares = sum(((states[0][name].double() - states[1][name].double()) ** 2).sum().item() for name in names)
    assert distances['between'] == pytest.approx(math.sqrt(squares), rel=1e-6)
    rows = {float(row['alpha']): row for row in read_rows(folder / 'line.csv')}
    assert list(rows) == [-0.5, 0.0, 0.5, 1.0, 1.5]
    for alpha, run in zip((0.0, 1.0), pair, strict=True):
        last = read_rows(run / 'results.csv')[-1]
        assert float(rows[alpha]['val_loss']) == pytest.approx(float(last['val_loss']), rel=1e-6)
        assert 100 - float(rows[alpha]['val_accuracy']) == pytest.approx(float(last['val_error1']))
        start = distances['start_to_first' if alpha == 0 else 'start_to_second']
        assert start == pytest.approx(float(last['weight_distance']), rel=1e-6)


def test_the_ends_equal_evaluate(pair, draw):
    best, shared = [run / 'model_best.pth.tar' for run in pair], ('-b', '100', '--gpus', '1', *NAMED)
    assert draw(*shared, '--evaluate', best[0], '--slave-evaluate', best[1]) == 0
    rows = load_landscape(pair[0].parent / 'line_small_model_best_to_large_model_best').rows
    assert len(rows) == 31
    rows = rows[rows['alpha'].isin([0.0, 1.0])]
    for split in ('train', 'val'):
        assert draw('--evaluate', *best, '--mode', split, '-b', 100, '--save', split, script=evaluate) == 0
        (table,) = (pair[0].parent / split).glob('*.csv')
        assert list(rows[f'{split}_loss']) == [float(row['loss']) for row in read_rows(table)]
        errors = [float(row['error1']) for row in read_rows(table)]
        assert list(100 - rows[f'{split}_accuracy']) == pytest.approx(errors)
    more = ('--no-visualize_train', '--alpha=-0.3:0.02:0.31')
    assert draw(*shared, '--evaluate', best[1], *more, script=visualize2_sharpness) == 0
    around = load_landscape(pair[0].parent / 'around_large_model_best')
    assert len(around.rows) == 31
    assert not any('train' in name for name in around.rows)


def test_each_row_is_written_at_once_and_a_second_call_goes_on(pair, draw, capsys, monkeypatch):
    seen, folder = [], pair[0].parent / 'line_small_to_large'
    table, ends = folder / 'line.csv', ('--evaluate', pair[0], '--slave-evaluate', pair[1], *SHORT)

    def fail(model, criterion, loader, advance):
        seen.append(len(read_rows(table)) if table.exists() else 0)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return score(model, criterion, loader, advance)

    score = landscape_run.score
    with monkeypatch.context() as patch:
        patch.setattr(landscape_run, 'score', fail)
        assert draw(*ends, '--no-visualize_train') == 130
    assert seen == [0, 1, 2]
    assert capsys.readouterr().out.splitlines()[0] == f'writing {table}'
    assert draw(*ends, '--no-visualize_train') == 0
    assert '2 of 5 points are measured already' in capsys.readouterr().out
    whole = table.read_text()
    lines = whole.splitlines(keepends=True)
    table.write_text(''.join(lines[:5]) + lines[5][:9])  # killed while the fifth row was written
    for measured in (4, 5):
        assert draw(*ends, '--no-visualize_train') == 0
        assert f'{measured} of 5 points are measured already' in capsys.readouterr().out
        assert table.read_text() == whole


def test_other_settings_in_the_same_folder_are_refused(pair, draw, capsys):
    ends = ('--evaluate', pair[0], '--slave-evaluate', pair[1])
    assert draw(*ends, *SHORT, '--no-visualize_train', '--save', 'line') == 0
    before = {path: path.read_bytes() for path in (pair[0].parent / 'line').iterdir()}
    same = ('--no-visualize_train', '--save', 'line')
    for more in (
        ('--mode', 'arc'), ('--bn', 'fixed'), ('--alpha=0:0.5:1.1',), ('--visualize_train',), ('--num-examples', '8'),
        ('--slave-evaluate', pair[1] / 'initial.pth.tar'),
    ):  # fmt: skip
        capsys.readouterr()
        assert draw(*ends, *SHORT, *same, *more) == 2, more
        assert '--save line' in error_line(capsys)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_modes_and_statistics_have_folders_of_their_own(pair, draw):
    ends = ('--evaluate', pair[0], '--slave-evaluate', pair[1], '--alpha=0:1:2', '-b', 16, '--no-visualize_train')
    losses = {}
    for bn in ('interpolate', 'recompute', 'fixed', 'batch'):
        assert draw(*ends, '--mode', 'arc', '--bn', bn) == 0
        name = 'arc_small_to_large' + ('' if bn == 'interpolate' else f'_bn_{bn}')
        losses[bn] = load_landscape(pair[0].parent / name).rows['val_loss']
    assert losses['interpolate'][0] == losses['fixed'][0]
    assert len({tuple(values) for values in losses.values()}) == 4


def test_bad_input_is_one_line_and_makes_nothing(pair, draw, capsys, tmp_path):
    torch.save({'state_dict': {'weight': torch.zeros(3)}}, foreign := tmp_path / 'foreign.pth.tar')
    before = sorted(tmp_path.rglob('*'))
    small, results = pair[0], pair[0].parent
    same = ('--evaluate', small, '--slave-evaluate', small)
    for flags, words in (
        (('--evaluate', small, '--slave-evaluate', results / 'other'), ('other', 'model_config')),
        ((*NAMED, '--evaluate', small, '--slave-evaluate', foreign), ('foreign.pth.tar',)),
        ((*same, '--alpha=1:0.1:0'), ('--alpha', '1:0.1:0')),
        ((*same, '--save', 'small'), ('--save', 'something else')),
        ((*same, '--bn', 'batch', '-b', '1'), ('--batch-size', '2')),
    ):
        capsys.readouterr()
        assert draw(*flags) == 2
        line = error_line(capsys)
        assert all(word in line for word in words), line
        assert sorted(tmp_path.rglob('*')) == before


def test_directions_have_a_mean_and_a_deviation(pair, draw):
    flags = ('--evaluate', pair[0], '--alpha=-0.5:0.5:0.6', '--directions', '3', '--seed', '5')
    assert draw(*flags, script=visualize2_sharpness) == 0
    folder = pair[0].parent / 'around_small'
    rows = read_rows(folder / 'line.csv')
    assert [(int(row['direction']), float(row['alpha'])) for row in rows] == [
        (index, alpha) for index in range(3) for alpha in (-0.5, 0.0, 0.5)
    ]
    landscape = load_landscape(folder)
    average = landscape.average('val_loss').set_index('alpha')
    values = [float(row['val_loss']) for row in rows if float(row['alpha']) == 0.5]
    assert len(set(values)) == 3
    assert average.loc[0.5, 'mean'] == pytest.approx(pd.Series(values).mean())
    assert average.loc[0.5, 'std'] == pytest.approx(pd.Series(values).std(ddof=1))
    assert average.loc[0.0, 'std'] == pytest.approx(0, abs=1e-7)
    last = read_rows(pair[0] / 'results.csv')[-1]
    assert average.loc[0.0, 'mean'] == pytest.approx(float(last['val_loss']), rel=1e-6)
    page = (folder / 'line.html').read_text()
    assert '3 directions were drawn, from random seed 5 (--seed)' in page


def test_page_and_figure_are_drawn_from_the_files_even_where_losses_are_not_finite(pair, draw):
    assert draw('--evaluate', pair[0], '--slave-evaluate', pair[1], *SHORT) == 0
    folder = pair[0].parent / 'line_small_to_large'
    table = (folder / 'line.csv').read_text().splitlines()
    header = [name.strip('"') for name in table[0].split(',')]
    for row, (loss, count) in enumerate(((math.nan, 0), (math.inf, 7)), start=1):
        cells = table[-row].split(',')
        cells[header.index('val_loss')], cells[header.index('clamped')] = str(loss), str(count)
        table[-row] = ','.join(cells)
    clamped = sum(int(line.split(',')[header.index('clamped')]) for line in table[1:])
    (folder / 'line.csv').write_text('\n'.join(table) + '\n')
    page = write_landscape_page(folder).read_text()
    assert re.findall(r'"type":"object","name":"Label".*?"text":"(.*?)"', page) == ['A', 'B'] * 2
    legend = re.sub('<.*?>', '', page.split('class="legend"')[1].split('class="plot"')[0])
    assert 'B: large' in legend
    assert clamped >= 7
    assert f'{clamped} extrapolated variances' in page
    assert page.count('class="chart"') == 2
    assert not re.search(r'<(script|link|img)[^>]*https?://', page)
    pdf = write_landscape_figure(folder).read_bytes()
    assert pdf.startswith(b'%PDF')
    assert float(re.search(rb'/MediaBox \[ ?0 0 ([\d.]+)', pdf)[1]) == pytest.approx(3.4 * 72)
    assert b'/Type3' not in pdf
