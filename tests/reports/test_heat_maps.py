"""Heat maps of error: what is in a cell, what is usable and best, where rows are a grid; pages, tables and figures."""

import csv
import io
import re

import numpy as np
import pytest

import compare_experiments
from bigbatch.errors import UserError
from tests.fake_runs import groups_of, write_run
from utils.reports.figures.heat_map import write_heat_map_figures
from utils.reports.heat_maps import find_heat_maps, short_text, usable_ranges, write_value
from utils.reports.pages.comparison_page import write_comparison_page
from utils.reports.pages.heat_map import color_of
from utils.reports.summary import summarise

# final errors by batch (columns: 2, 8, 32) and rate (2^-3, 2^-5, 2^-7); None: not run, 'D': diverged
ERRORS = {2**-3: (4.0, 9.0, 'D'), 2**-5: (4.9, 3.0, 30.0), 2**-7: (20.0, None, 6.0)}
BATCHES = (2, 8, 32)


def run_settings(batch: int, rate: float, error, seed: int = 0, **more) -> dict:
    """Return settings with what follows from batch and rate, as in a real run."""
    settings = {'base_lr_per_example': rate, 'lr': rate * batch, 'base_batch_size': 2, 'num_epochs': 2, **more}
    errors, status = ([90.0], 'diverged') if error == 'D' else ([90.0, error + 0.1 * seed], 'done')
    config = {'regime': [{'epoch': 0, 'lr': rate * batch}]}
    return {
        'batch_size': batch, 'seed': seed, 'errors': errors, 'status': status, 'settings': settings, 'config': config,
    }  # fmt: skip


def grid_runs(seeds: int = 1) -> dict[str, dict]:
    return {
        f'bs{batch}_{write_value(rate)}_seed{seed}': run_settings(batch, rate, error, seed)
        for rate, row in ERRORS.items() for batch, error in zip(BATCHES, row, strict=True) if error is not None
        for seed in range(seeds)
    }  # fmt: skip


@pytest.fixture
def grid(tmp_path):
    return groups_of(tmp_path / 'runs', **grid_runs())


def the_map(groups, **settings):
    [heat_map] = find_heat_maps(groups, **settings)
    return heat_map


def page_of(groups, heat_map) -> str:
    folder = groups[0].runs[0].folder.parent
    return write_comparison_page(groups, folder / 'page.html', summarise(groups), heat_maps=[heat_map]).read_text()


def marks(heat_map, column: str) -> set[tuple[float, float]]:
    found = heat_map.cells[heat_map.cells[column]]
    return set(zip(found['x'], found['y'], strict=True))


def test_every_place_holds_its_error_in_a_shade_that_grows_with_it(grid):
    heat_map = the_map(grid)
    assert (heat_map.x, heat_map.y, heat_map.family) == ('batch_size', 'base_lr_per_example', '')
    for rate, row in ERRORS.items():
        for batch, error in zip(BATCHES, row, strict=True):
            cell = heat_map.at(batch, rate)
            expected = '' if error is None else 'div.' if error == 'D' else f'{(90 + error) / 2:.2f}'
            assert short_text(cell) == expected, (batch, rate)  # of two epochs the median is the mean
    shades = [heat_map.shade(error) for error in sorted(heat_map.cells['error'].dropna())]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == (0.0, 1.0)
    assert [write_value(value) for value in (2**-9, 0.5, 1.0, 32.0, 0.3)] == ['2^-9', '2^-1', '1', '32', '0.3']


def test_the_error_is_the_median_of_the_last_five_epochs_and_the_mean_over_seeds(tmp_path):
    curves = {0: [90, 80, 1.0, 5.0, 2.0, 9.0, 3.0], 1: [90, 80, 4.0, 4.5, 60.0, 4.2, 4.1]}
    runs = grid_runs(2)
    for seed, curve in curves.items():
        runs[f'bs2_2^-3_seed{seed}']['errors'] = curve
    cell = the_map(groups_of(tmp_path, **runs)).at(2, 2**-3)
    medians = [3.0, 4.2]  # by hand, of the last five
    assert cell['error'] == pytest.approx(np.mean(medians))
    assert cell['std'] == pytest.approx(np.std(medians, ddof=1))
    assert (cell['n'], cell['num_runs'], cell['num_diverged']) == (2, 2, 0)


def test_a_place_where_some_runs_diverged_says_so_and_is_not_usable(tmp_path):
    runs = grid_runs(3)
    runs['bs8_2^-5_seed1'].update(errors=[90.0], status='diverged')
    heat_map = the_map(groups_of(tmp_path, **runs))
    cell = heat_map.at(8, 2**-5)
    assert short_text(cell).endswith('!')
    assert (cell['n'], cell['num_diverged'], cell['is_usable'], cell['is_best']) == (2, 1, False, False)
    assert (8.0, 2**-3) in marks(heat_map, 'is_best')


def test_the_best_rate_of_each_batch_and_the_usable_ones_next_to_it(grid):
    # errors are medians of two epochs, so that half of each difference is left: 4.0 and 4.9 are 0.45 apart
    heat_map = the_map(grid)
    assert marks(heat_map, 'is_best') == {(2, 2**-3), (8, 2**-5), (32, 2**-7)}
    assert marks(heat_map, 'is_usable') == {(2, 2**-3), (2, 2**-5), (8, 2**-5), (32, 2**-7)}
    assert heat_map.best_x == 8
    strict = the_map(grid, margin=0.1)
    assert marks(strict, 'is_usable') == marks(strict, 'is_best')
    wide = the_map(grid, margin=50.0)
    assert marks(wide, 'is_usable') == {(cell.x, cell.y) for cell in wide.cells.itertuples() if cell.n}


def test_a_gap_ends_what_is_usable(tmp_path):
    runs = {
        f'bs{batch}_{k}': run_settings(batch, 2**-k, error) for batch in (4, 16)
        for k, error in enumerate((3.1, 60.0, 3.0, 3.2, 'D', 3.1), start=1)
    }  # fmt: skip
    heat_map = the_map(groups_of(tmp_path, **runs))
    assert {y for x, y in marks(heat_map, 'is_usable') if x == 4} == {2**-3, 2**-4}
    row = usable_ranges(heat_map).iloc[0].to_dict()
    assert row['best base rate per example'] == '2^-3'
    assert (row['usable from'], row['to'], row['usable'], row['diverged']) == ('2^-4', '2^-3', '2 of 6', '1 of 6')


def test_texts_can_be_read_on_every_shade():
    for shade in np.linspace(0, 1, 33):
        light, dark = sorted((luminance(color) for color in color_of(shade)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.1, contrast of text


def luminance(color: str) -> float:
    """Relative luminance of #rrggbb, as WCAG 2.1 defines it."""
    values = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_rows_that_are_no_grid_make_no_map(tmp_path):
    for name, make in (
        ('line', lambda batch: run_settings(batch, 2**-5, 5.0)),
        ('diagonal', lambda batch: run_settings(batch, 1 / batch, 5.0)),
        ('plain', lambda batch: {'batch_size': batch}),
    ):
        groups = groups_of(tmp_path / name, **{f'bs{batch}': make(batch) for batch in (2, 8, 32)})
        assert find_heat_maps(groups) == [], name


def test_other_settings_make_maps_of_their_own(tmp_path):
    runs = grid_runs()
    for name, run in grid_runs().items():
        runs[f'{name}_warm'] = {**run, 'settings': {**run['settings'], 'warmup_epochs': 4.1}}
    maps = find_heat_maps(groups_of(tmp_path, **runs))
    assert [each.family for each in maps] == ['no warmup epochs', 'warmup epochs 4.1']
    assert [len(each.cells) for each in maps] == [8, 8]


def test_ghosts_and_batches_make_a_map_at_the_best_rate_of_each_place(tmp_path):
    runs = {
        f'g{ghost}_bs{batch}_{rate}': run_settings(batch, rate, error, ghost_batch_size=ghost)
        for batch, ghost, rate, error in (
            (32, 2, 0.5, 9.0), (32, 8, 0.5, 5.0), (128, 2, 0.25, 8.0), (128, 8, 0.25, 6.0), (128, 8, 0.125, 4.0),
        )
    }  # fmt: skip
    heat_map = the_map(groups := groups_of(tmp_path, **runs))
    assert (heat_map.x, heat_map.y) == ('batch_size', 'ghost_batch_size')
    assert heat_map.at(128, 8)['error'] == (90 + 4.0) / 2
    assert heat_map.best_x == 128
    assert 'share a place' in page_of(groups, heat_map)


def test_a_map_over_any_two_settings(tmp_path):
    runs = {
        f'm{momentum}_w{decay}': {'settings': {'momentum': momentum, 'weight_decay': decay}}
        for momentum in (0.0, 0.9) for decay in (0.0, 1e-4, 1e-3)
    }  # fmt: skip
    groups = groups_of(tmp_path, **runs)
    assert find_heat_maps(groups) == []
    heat_map = the_map(groups, axes=('momentum', 'weight_decay'))
    assert (heat_map.values('x'), heat_map.values('y')) == ([0.0, 0.9], [0.0, 1e-4, 1e-3])
    for axes, words in (
        (('model', 'weight_decay'), '--heat-map model: no row has one number for it'),
        (('momentum', 'momentum'), 'two settings'), (('batch_size', 'seed'), 'no two rows differ in these alone'),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            find_heat_maps(groups, axes)


@pytest.mark.slow
def test_the_page_the_tables_and_the_figure_hold_it(tmp_path, capsys):
    groups_of(tmp_path / 'runs', **grid_runs(2))
    figures = tmp_path / 'figures'
    assert compare_experiments.main([str(tmp_path / 'runs'), '--figures', str(figures)]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.split('\npage: ')[0].splitlines())) <= 120
    assert re.search(r'2\^-3 +47\.0\d\* +49\.5\d +div\.', shown), shown
    assert '8 (best)' in shown
    assert (figures / 'heat_map_batch_size_base_lr_per_example.pdf').read_bytes().startswith(b'%PDF')
    page = (tmp_path / 'runs' / 'comparison.html').read_text()
    for part in ('<figure class="heat">', 'class="diverged"', 'class="blank"'):
        assert page.count(part) == 1
    assert compare_experiments.main([str(tmp_path / 'runs'), '--format', 'csv']) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    row = next(row for row in rows if row['label'] == 'bs8_2^-5')
    assert float(row['median5_val_error1']) == pytest.approx(np.mean([46.5, 46.55]))
    assert row['usable base_lr_per_example'] == 'yes'


def test_flags_of_the_map_reach_it(grid, tmp_path, capsys):
    main = compare_experiments.main
    assert main([str(tmp_path / 'runs'), '--heat-map', 'batch_size', 'lr', '--margin', '25']) == 0
    shown = capsys.readouterr().out
    assert 'Error over batch size and learning rate' in shown
    assert 'at most 25 higher' in ' '.join(shown.split())
    write_run(tmp_path / 'one' / 'run')
    assert main([str(tmp_path / 'one'), '--margin', '2']) == 0
    assert '--margin 2 has no effect' in capsys.readouterr().err


def test_a_map_of_runs_that_all_diverged_has_no_best(tmp_path):
    runs = {f'bs{b}_{k}': run_settings(b, 2.0**-k, 'D') for b in (2, 8) for k in (1, 2)}
    heat_map = the_map(groups := groups_of(tmp_path, **runs))
    assert heat_map.best_x is None
    assert page_of(groups, heat_map).count('<td class="diverged"') == 4
    assert set(usable_ranges(heat_map)['error %']) == {'-'}
    first, again = (write_heat_map_figures([heat_map], tmp_path)[0].read_bytes() for _ in range(2))
    assert first == again
