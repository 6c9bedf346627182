"""Figures for a paper: the files, what is drawn against numpy, and that nothing is cut off or covered."""

import re

import numpy as np
import pytest

from tests.fake_runs import groups_of
from utils.reports.figures import comparison as figures
from utils.reports.figures.comparison import write_figures
from utils.reports.groups import rename_groups
from utils.reports.summary import summarise


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Return a function that draws groups and returns the figures by name, laid out as when they are saved."""
    found = {}

    def save(figure, path):
        figure.draw_without_rendering()
        found[path.stem] = figure
        return path

    monkeypatch.setattr(figures, 'save_figure', save)

    def draw(groups, columns=('val_error1',), **more):
        found.clear()
        write_figures(groups, summarise(groups), tmp_path / 'figures', columns=columns, **more)
        return dict(found)

    return draw


def test_files_are_vector_graphics_a_column_wide_with_embedded_fonts(tmp_path):
    groups = groups_of(tmp_path, a_seed1={}, a_seed2={'seed': 2}, b={'batch_size': 64})
    paths = write_figures(groups, summarise(groups), tmp_path / 'figures', columns=('val_error1', 'lr'))
    assert [path.name for path in paths] == ['val_error1.pdf', 'lr.pdf', 'weight_distance.pdf']
    for path in paths:
        content = path.read_bytes()
        assert content.startswith(b'%PDF')
        assert float(re.search(rb'/MediaBox \[ ?0 0 ([\d.]+)', content)[1]) == pytest.approx(3.4 * 72)
        assert b'/FontFile2' in content  # a TrueType font, embedded
        assert b'/Type3' not in content
        assert not re.search(rb'/Image(?![BCI])', content)
    again = write_figures(groups, summarise(groups), tmp_path / 'again', columns=('val_error1',))
    assert again[0].read_bytes() == paths[0].read_bytes()


def test_lines_are_means_and_bands_deviations(tmp_path, drawn):
    errors = [(8.0, 4.0, 3.0), (9.0, 6.0, 2.0), (7.0, 4.0, 4.0)]
    runs = {f'a_seed{seed}': {'seed': seed, 'errors': each} for seed, each in enumerate(errors)}
    groups = groups_of(tmp_path, **runs)
    figures_of = drawn(groups, x_axis='step')
    axes = figures_of['weight_distance'].axes[0]
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_xlabel()) == ('log', 'linear', 'updates')
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), 2.0 ** np.arange(10))
    axes = figures_of['val_error1'].axes[0]
    line, band = axes.lines[0], axes.collections[0].get_paths()[0].vertices
    mean, std = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1)
    np.testing.assert_allclose(line.get_xdata(), 97 * np.arange(1, 4))
    np.testing.assert_allclose(line.get_ydata(), mean)
    for x, low, high in zip(line.get_xdata(), mean - std, mean + std, strict=True):
        np.testing.assert_allclose(sorted(set(band[band[:, 0] == x][:, 1].round(9))), [low, high], atol=1e-8)
    assert axes.get_xlabel() == 'updates'
    assert axes.get_ylabel() == 'Validation error@1 (%)'


def test_legend_covers_no_curve_and_is_not_cut_off(tmp_path, drawn):
    groups = groups_of(tmp_path, **{f'run{size}': {'batch_size': size} for size in (64, 128, 256, 512)})
    for labels in (
        ['a', 'b', 'c', 'd'],
        ['W' * 10] * 4,
        ['cifar10_resnet44_bs2048_regime_adaptation', 'cifar10_resnet44_bs2048_ghost_bn256', '_hidden $x', 'x'],
        ['a rather long name in words that has to go on in a second line ' * 2, 'b', 'c', 'd'],
    ):
        groups = rename_groups(groups, [f'{label}{row}' for row, label in enumerate(labels)])
        figures_of = drawn(groups)
        for figure in (figures_of['val_error1'], figures_of['weight_distance']):
            legend, whole = figure.legends[0].get_window_extent(), figure.bbox
            assert not legend.overlaps(figure.axes[0].get_window_extent())
            assert whole.x0 <= legend.x0 <= legend.x1 <= whole.x1
            assert whole.y0 <= legend.y0
            assert figure.axes[0].get_window_extent().height > 0.55 * figures.HEIGHT * figure.dpi
            shown = [text.get_text().replace('\n', ' ') for text in figure.legends[0].get_texts()]
            assert shown == [re.sub(r'\s+', ' ', group.label) for group in groups]


def test_many_rows_have_no_legend_and_one_has_none_either(tmp_path, drawn, caplog):
    groups = groups_of(tmp_path, **{f'run{size}': {'batch_size': size} for size in range(1, 31)})
    assert all(not figure.legends for figure in drawn(groups).values())
    assert '30 rows are more than 24' in caplog.text
    assert all(not figure.legends for figure in drawn(groups[:1]).values())


def test_final_error_against_batch_size_is_a_line_for_what_differs_in_nothing_else(tmp_path, drawn):
    runs = {
        f'{size} {ghost}': {
            'batch_size': size, 'errors': (1.0, size / (32 if ghost else 16)),
            'settings': {'micro_batch_size': None, 'ghost_batch_size': ghost},
        }
        for ghost in (None, 32) for size in (64, 128, 256)
    }  # fmt: skip
    figures_of = drawn(groups_of(tmp_path, **runs), colors=['seagreen', '#ff0000'])
    figure = figures_of['error_vs_batch_size']
    lines = [container.lines[0] for container in figure.axes[0].containers]
    assert [line.get_xdata().tolist() for line in lines] == [[64, 128, 256]] * 2
    assert sorted(line.get_ydata().tolist() for line in lines) == [[2, 4, 8], [4, 8, 16]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['ghost batch size 32', 'no ghost batch size']
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ['64', '128', '256']
    curves = figures_of['val_error1'].axes[0].lines
    assert [line.get_color() for line in curves] == ['seagreen', '#ff0000'] * 3  # cycled
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == 6


def test_a_diverged_run_ends_in_a_cross_and_squeezes_no_other(tmp_path, drawn):
    groups = groups_of(
        tmp_path, a_seed1={'errors': (12.0, 8.0, 7.0)},
        a_seed2={'seed': 2, 'errors': (12.0, 99.0), 'status': 'diverged', 'settings': {'num_epochs': 3}},
    )  # fmt: skip
    axes = drawn(groups)['val_error1'].axes[0]
    assert axes.get_ylim()[1] < 20
    cross = next(line for line in axes.lines if line.get_marker() == 'x')
    assert cross.get_xdata().tolist() == [2.0]
    assert cross.get_ydata() == pytest.approx(axes.get_ylim()[1])
