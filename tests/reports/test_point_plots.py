"""Sharpness in comparisons: which rows of sharpness.csv are shown, in the table, on the page and in figures."""

import itertools
import math
import re

import numpy as np
import pytest

import compare_experiments
from tests.fake_runs import write_run
from utils.reports.figures.comparison import write_figures
from utils.reports.groups import group_runs
from utils.reports.pages.comparison_page import write_comparison_page
from utils.reports.point_plots import point_plots, sharpness_rows, sharpness_section
from utils.reports.sharpness import SHARPNESS
from utils.reports.summary import summarise
from utils.runs.reader import load_runs


def add_row(folder, sharpness, *, epoch=None, digest='d', loss=0.1, **more):
    """Add a row to sharpness.csv as measure_sharpness.py does."""
    usual = {
        'mode': 'train', 'batch_norm': 'fixed', 'epsilon': 1e-3, 'manifolds': 0, 'max_iterations': 10, 'repeat': 0,
        'augment': 0, 'seed': 123, 'status': 'CONVERGENCE', 'digest': digest, 'loss': loss, 'sharpness': sharpness,
    }  # fmt: skip
    name = folder.name if epoch is None else f'{folder.name}/checkpoint_epoch_{epoch}'
    row = {**dict.fromkeys(SHARPNESS.columns), **usual, 'checkpoint': name, **more}
    SHARPNESS.open(folder).add(row)


def load(folder):
    groups = group_runs(load_runs([folder]))
    return groups, summarise(groups)


def plots_of(folder) -> dict:
    return {plot.name: plot for plot in point_plots(*load(folder))}


def test_figure_4_is_error_and_sharpness_against_batch_size(tmp_path, capsys):
    for size, seed in itertools.product((64, 256, 1024), (0, 1)):
        errors, settings = (50.0, size / 100 + seed), {'micro_batch_size': None}
        run = write_run(tmp_path / f'bs{size}_seed{seed}', batch_size=size, seed=seed, errors=errors, settings=settings)
        add_row(run, size + 10.0 * seed, seed=seed)
        add_row(run, size / 2, epsilon=5e-4, seed=seed)
    plots = plots_of(tmp_path)
    assert set(plots) == {'error_vs_batch_size', 'sharpness_vs_batch_size', 'sharpness_2_vs_batch_size'}
    for name, expected in (
        ('error_vs_batch_size', [1.14, 3.06, 10.74]), ('sharpness_vs_batch_size', [69, 261, 1029]),
        ('sharpness_2_vs_batch_size', [32, 128, 512]),
    ):  # fmt: skip
        points = plots[name].points
        assert points['batch_size'].tolist() == [64, 256, 1024]
        assert points['mean'].tolist() == pytest.approx(expected)
        assert points['n'].tolist() == [2, 2, 2]
    assert plots['sharpness_vs_batch_size'].points['std'].tolist() == pytest.approx([np.std([0, 10], ddof=1)] * 3)
    assert plots['sharpness_vs_batch_size'].title == 'Sharpness (epsilon 0.001) against batch size'
    assert plots['sharpness_vs_batch_size'].names == ['']  # nothing else differs
    assert compare_experiments.main([str(tmp_path)]) == 0
    page = (tmp_path / 'comparison.html').read_text()
    for words in ('Final error against batch size', plots['sharpness_vs_batch_size'].title, '69 +- 7.1 (2)'):
        assert words in page
    assert '69 +- 7.1 (2)' in capsys.readouterr().out


def test_many_unlike_rows_have_their_names_in_a_legend_that_takes_no_room_of_the_chart(tmp_path):
    for number in range(25):
        settings = {'rho': number, 'cutout': number % 2 == 0, 'lr': 0.1 * number}
        write_run(tmp_path / f'method_{number}', batch_size=(32, 128, 512)[number % 3], settings=settings)
    groups, summary = load(tmp_path)
    (plot,) = point_plots(groups, summary)
    assert sorted(plot.names) == sorted(f'method_{number}' for number in range(25))
    assert plot.by_group  # in the colours of the key
    write_comparison_page(groups, tmp_path / 'all.html', summary)
    chart = (tmp_path / 'all.html').read_text().split('<section class="chart"')[1]
    assert chart.index('class="plot"') < chart.index('<div class="legend many">')
    marks = re.findall(r'<path d="(.*?)" fill="(.*?)"', chart)
    assert len(set(marks)) == 25


def test_a_family_is_named_by_the_settings_that_it_has(tmp_path):
    for size in (64, 256, 1024):
        for name, settings in (('plain', {}), ('cut', {'cutout': True, 'rho': 0.1}), ('mixed', {'mixup': 0.2})):
            settings = {'micro_batch_size': None, 'cutout': False, **settings}
            write_run(tmp_path / f'{name}{size}', batch_size=size, settings=settings)
    names = plots_of(tmp_path)['error_vs_batch_size'].names
    assert sorted(names) == ['cutout, rho 0.1', 'mixup 0.2', 'without what the others have']


def test_figure_5_is_error_and_sharpness_against_the_epoch_of_the_start(tmp_path):
    write_run(tmp_path / 'small', batch_size=64)
    for epoch in (10, 2, 5):
        start = f'TrainingResults/small/checkpoint_epoch_{epoch}.pth.tar'
        run = write_run(tmp_path / f'from{epoch}', settings={'init_from': start}, errors=(50.0, 20.0 - epoch))
        add_row(run, 100.0 / epoch)
    plots = plots_of(tmp_path)
    found = {name: plot.points[['start_epoch', 'mean']].to_numpy().tolist() for name, plot in plots.items()}
    assert found == {
        'error_vs_starting_epoch': [[2, 18], [5, 15], [10, 10]],
        'sharpness_vs_starting_epoch': [[2, 50], [5, 20], [10, 10]],
    }
    assert [plot.names for plot in plots.values()] == [[''], ['']]


def test_figure_6_is_a_line_a_run_over_its_checkpoints(tmp_path):
    for (name, size), seed in itertools.product((('large', 1024), ('small', 64)), (0, 1)):
        run = write_run(tmp_path / f'{name}_seed{seed}', batch_size=size, seed=seed)
        for epoch in (1, 2, 3):
            add_row(run, size * epoch, epoch=epoch, digest=f'd{epoch}', loss=1 / epoch + seed / 10)
    write_run(tmp_path / 'few', batch_size=256)
    add_row(tmp_path / 'few', 1.0)
    plot = plots_of(tmp_path)['sharpness_vs_loss']
    assert plot.names == ['large', 'large', 'small', 'small']
    first = plot.points[plot.points['curve'] == 0]
    assert first['loss'].tolist() == pytest.approx([1 / 3, 1 / 2, 1])
    assert first['mean'].tolist() == [3072, 2048, 1024]
    last = sharpness_section(load(tmp_path)[0])
    cells = dict(zip(last.cells['run'], last.cells['sharpness, epsilon 0.001'], strict=True))
    assert cells == {'large': '3072 +- 0 (2)', 'small': '192 +- 0 (2)', 'few': '1 (1)'}


def test_repetitions_are_averaged_and_a_checkpoint_trained_further_replaces_its_row(tmp_path):
    run = write_run(tmp_path / 'a')
    add_row(run, 50.0, digest='before')
    for repeat, value in enumerate((10.0, 14.0)):
        add_row(run, value, digest='after', repeat=repeat)
    add_row(run, 99.0, checkpoint='a/model_best', digest='best')  # not along the training
    rows = sharpness_rows(load(tmp_path)[0])
    assert rows['sharpness'].tolist() == [12.0]
    assert rows['epoch'].tolist() == [math.inf]


def test_settings_that_are_not_usual_are_named_and_a_damaged_table_is_left_out(tmp_path, caplog):
    run = write_run(tmp_path / 'a')
    assert sharpness_section(load(tmp_path)[0]) is None
    add_row(run, 1.0, manifolds=100, subspace='gaussian')
    add_row(run, 1.0, mode='val', num_examples=500)
    add_row(run, 1.0, batch_norm='batch', batch_size=256, augment=1, max_iterations=20)
    assert set(sharpness_rows(load(tmp_path)[0])['setting']) == {
        'epsilon 0.001, 100-dim gaussian', 'epsilon 0.001, validation set, 500 examples',
        'epsilon 0.001, batch statistics of 256, augmented, 20 iterations',
    }  # fmt: skip
    (run / 'sharpness.csv').write_text('what,is,this\n1,2,3\n')
    assert sharpness_section(load(tmp_path)[0]) is None
    assert 'sharpness of a is left out' in caplog.text


def test_a_figure_has_a_marker_for_each_point(tmp_path, monkeypatch):
    drawn = {}
    save = 'utils.reports.figures.comparison.save_figure'
    monkeypatch.setattr(save, lambda figure, path: drawn.setdefault(path.stem, figure))
    for seed in (0, 1):
        run = write_run(tmp_path / f'a_seed{seed}', seed=seed)
        for epoch, loss in enumerate((2.0, 0.2, 0.002), start=1):
            add_row(run, 10.0**epoch, epoch=epoch, digest=f'd{epoch}', loss=loss)
    groups, summary = load(tmp_path)
    write_figures(groups, summary, tmp_path / 'figures', columns=['val_error1'])
    axes = drawn['sharpness_vs_loss'].axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ('log', 'log')
    assert len(axes.containers) == 2
    assert len({container.lines[0].get_color() for container in axes.containers}) == 1  # of one group
    assert axes.containers[0].lines[0].get_xdata().tolist() == [0.002, 0.2, 2.0]
    assert drawn['sharpness_vs_loss'].legends == []
