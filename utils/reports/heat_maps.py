"""Error over two settings, such as batch size and learning rate: what of it is usable, and where it is lowest.

Masters & Luschi 2018 (arXiv 1804.07612) draw the final accuracy of each batch size over the base learning rate, eta of
the update eta * (sum of the gradients), and take the median of the last 5 epochs. Theirs are curves, ours a map. They
say in words which rates are usable; here it is those next to the best one whose error is within a margin of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bigbatch.errors import UserError
from bigbatch.messages import suggest
from utils.config.every import fields_of, label_of, names_of
from utils.quantities import plus_minus
from utils.reports.groups import Group
from utils.reports.point_plots import batch_settings, families
from utils.reports.tables import Section
from utils.settings import Means

LAST_EPOCHS = 5  # whose median is the error of a run
MARGIN = 1.0  # points of error
X_AXIS = 'batch_size'  # of the maps that are looked for in every comparison


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Errors of groups over two of their settings.

    cells has a row for each place that has a group, columns: x; y; group (position); error, std (percent, median of a
    run's last epochs, mean and sample deviation over runs, missing where none counts); n; num_runs; num_diverged;
    shares (whether the place had other groups, too, this being the best); is_usable; is_best (of its x).
    """

    x: str  # setting along the x axis; the best value of y and the usable ones are those of each x
    y: str
    family: str  # the other settings, where maps differ in them
    margin: float  # points over the best error of an x up to which a y is usable
    cells: pd.DataFrame

    @property
    def title(self) -> str:
        """Return what is drawn, in words."""
        return f'Error over {label_of(self.x)} and {label_of(self.y)}{f": {self.family}" if self.family else ""}'

    @property
    def best_x(self) -> float | None:
        """Return the x with the lowest error, the smallest of them; None where no run has one."""
        best = self.cells[self.cells['is_best']].sort_values(['error', 'x'])
        return None if best.empty else float(best['x'].iloc[0])

    def values(self, axis: str) -> list[float]:
        """Return the values along an axis, 'x' or 'y', in order."""
        return sorted(self.cells[axis].unique())

    def at(self, x: float, y: float) -> dict | None:
        """Return the cell of a place as a dict, or None where there is no group."""
        found = self.cells[(self.cells['x'] == x) & (self.cells['y'] == y)]
        return None if found.empty else found.iloc[0].to_dict()

    def shade(self, error: float) -> float:
        """Return where an error lies between the lowest and the highest, from 0 to 1, by the logarithm of 1 + error."""
        low, high = np.log1p([self.cells['error'].min(), self.cells['error'].max()])
        return float((np.log1p(error) - low) / (high - low)) if high > low else 0.0


def find_heat_maps(groups: Sequence[Group], axes: Sequence[str] | None = None, margin: float = MARGIN) -> list[HeatMap]:
    """Return the maps that groups make, one for all groups that agree in all other settings.

    Args:
        axes: names of the settings for x and y; None: the batch size and each setting that is looked at against it,
            where more than half of a grid of them is there.
        margin: points over the best error up to which a setting is usable.

    Raises:
        UserError: no group has numbers for `axes`, or they do not differ in them.
    """
    if axes is None:
        found = [each for y in fields_of(Means.AXIS) for each in _maps(groups, X_AXIS, y, margin)]
        return [each for each in found if _is_grid(each)]
    for name in axes:
        _check_axis(groups, name)
    x, y = axes
    if x == y:
        raise UserError(f'--heat-map {x} {y}: a map needs two settings that differ')
    maps = [each for each in _maps(groups, x, y, margin) if len(each.cells) > 1]
    if not maps:
        raise UserError(f'--heat-map {x} {y}: no two rows differ in these alone, so there is nothing to draw')
    return maps


def heat_map_sections(groups: Sequence[Group], maps: Sequence[HeatMap]) -> list[Section]:
    """Return two tables for each map, the map itself and what of it is usable; in CSV the error of each group."""
    sections: list[Section] = []
    places = range(len(groups))
    errors, name = pd.DataFrame([_error(group) for group in groups]), f'median{LAST_EPOCHS}_val_error1'
    values = errors[['error', 'std']].set_axis([name, f'{name}_std'], axis='columns')  # beside the first map alone
    for heat_map in maps:
        usable = heat_map.cells.set_index('group')['is_usable'].map({True: 'yes', False: 'no'})
        values[f'usable {heat_map.y} {heat_map.family}'.rstrip()] = usable.reindex(places, fill_value='')
        sections.append(Section(heat_map.title, values, _matrix(heat_map), explain(heat_map)))
        title = f'Usable {label_of(heat_map.y)} for each {label_of(heat_map.x)}'
        title += f': {heat_map.family}' if heat_map.family else ''
        ranges, values = usable_ranges(heat_map), pd.DataFrame(index=places)
        sections.append(Section(title, pd.DataFrame(index=places), ranges, explain_ranges(heat_map)))
    return sections


def usable_ranges(heat_map: HeatMap) -> pd.DataFrame:
    """Return as text for people, a row for each x, its best y, the error there and the usable values of y."""
    rows, name = [], label_of(heat_map.y)
    for x in heat_map.values('x'):
        cells = heat_map.cells[heat_map.cells['x'] == x]
        best, usable = cells[cells['is_best']], sorted(cells.loc[cells['is_usable'], 'y'])
        rows.append(
            {
                label_of(heat_map.x): _label(heat_map, x),
                f'best {name}': write_value(best['y'].iloc[0]) if len(best) else '-',
                'error %': _error_text(best.iloc[0]) if len(best) else '-',
                'usable from': write_value(usable[0]) if usable else '-',
                'to': write_value(usable[-1]) if usable else '-',
                'usable': f'{len(usable)} of {len(cells)}',
                'diverged': f'{int((cells["num_diverged"] > 0).sum())} of {len(cells)}',
            }
        )
    return pd.DataFrame(rows, dtype=object)


def explain(heat_map: HeatMap) -> str:
    """Say in words what the numbers and marks of a map mean."""
    shared = ' Where rows share a place, the best of them.' if heat_map.cells['shares'].any() else ''
    return (
        f'error@1 on the validation set (%), median of the last {LAST_EPOCHS} epochs of a run, mean over seeds. '
        f'*: lowest of its {label_of(heat_map.x)}; +: usable, next to it and within {heat_map.margin:g} of it; '
        f'div.: all runs diverged; !: some did, and are not in the mean.{shared}'
    )


def explain_ranges(heat_map: HeatMap) -> str:
    """Say in words what the columns of usable_ranges mean."""
    return (
        f'error %: at the best {label_of(heat_map.y)}, mean +- sample standard deviation over seeds (runs). usable: '
        f'the best and those next to it, without a gap, whose error is at most {heat_map.margin:g} higher and with '
        'which no run diverged. diverged: those with which a run did.'
    )


def write_value(value: float) -> str:
    """Write a setting for people; a power of two below one as such: `2^-9`."""
    mantissa, exponent = math.frexp(value)
    return f'2^{exponent - 1}' if mantissa == 0.5 and exponent < 1 else f'{value:.10g}'


def short_text(cell: dict | None) -> str:
    """Write what a place shows in few letters: its error, that its runs diverged, or nothing."""
    if cell is None:
        return ''
    if not cell['n']:
        return 'div.' if cell['num_diverged'] else ''
    return f'{cell["error"]:.2f}{"!" if cell["num_diverged"] else ""}'


def _check_axis(groups: Sequence[Group], name: str) -> None:
    known = {key for group in groups for run in group.runs for key in run.settings}
    if name not in known:
        raise UserError(f'--heat-map {name}: no run has such a setting: {suggest(name, known)}')
    values = {_value(group, name) for group in groups} - {None}
    if not values:
        raise UserError(f'--heat-map {name}: no row has one number for it: give settings such as batch_size and lr')


def _value(group: Group, name: str) -> float | None:
    """Return the number that all runs of a group have for a setting, else None."""
    first, *others = [run.settings.get(name) for run in group.runs]
    if not isinstance(first, (int, float)) or isinstance(first, bool) or any(other != first for other in others):
        return None
    return float(first)


def _maps(groups: Sequence[Group], x: str, y: str, margin: float) -> Iterator[HeatMap]:
    """Yield a map for each family of groups that differ in x, y and what follows from them alone."""
    places = [place for place, group in enumerate(groups) if None not in (_value(group, x), _value(group, y))]
    placed = [groups[place] for place in places]
    names = families(placed, [*batch_settings(), *names_of(Means.DERIVED), x, y]) if placed else []
    for name in dict.fromkeys(names):
        rows = [
            {'x': _value(group, x), 'y': _value(group, y), 'group': place, **_error(group)}
            for place, group, family in zip(places, placed, names, strict=True)
            if family == name
        ]
        yield HeatMap(x, y, name if len(set(names)) > 1 else '', margin, _marked(pd.DataFrame(rows), margin))


def _error(group: Group) -> dict:
    """Return the error of a group, mean and deviation over its runs, and how many of them there are."""
    runs = group.counted
    errors = pd.Series([run.results['val_error1'].tail(LAST_EPOCHS).median() for run in runs], dtype=float)
    return {
        'error': errors.mean(), 'std': errors.std(), 'n': len(runs), 'num_runs': len(group.runs),
        'num_diverged': len(group.diverged),
    }  # fmt: skip


def _marked(cells: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Keep the best group of each place, and mark of each x the best and the usable ones."""
    shares = cells.duplicated(['x', 'y'], keep=False)
    cells = cells.assign(shares=shares, is_best=False, is_usable=False).sort_values(['x', 'y', 'num_diverged', 'error'])
    cells = cells.drop_duplicates(['x', 'y']).reset_index(drop=True)
    for _, column in cells.groupby('x'):
        errors = column['error'].where((column['n'] > 0) & (column['num_diverged'] == 0))
        if errors.isna().all():
            continue
        best, is_near = errors.idxmin(), errors <= errors.min() + margin
        part = (~is_near).cumsum()  # the same for neighbours without a gap between them
        cells.loc[best, 'is_best'] = True
        cells.loc[column.index[is_near & (part == part[best])], 'is_usable'] = True
    return cells


def _is_grid(heat_map: HeatMap) -> bool:
    width, height = len(heat_map.values('x')), len(heat_map.values('y'))
    return width > 1 and height > 1 and 2 * len(heat_map.cells) > width * height


def _matrix(heat_map: HeatMap) -> pd.DataFrame:
    """Lay a map out as text, high values of y first."""
    heading = f'{label_of(heat_map.y)} / {label_of(heat_map.x)}'
    columns = {heading: [write_value(y) for y in reversed(heat_map.values('y'))]}
    for x in heat_map.values('x'):
        cells = [heat_map.at(x, y) for y in reversed(heat_map.values('y'))]
        columns[_label(heat_map, x)] = [f'{short_text(cell)}{_mark(cell)}' for cell in cells]
    return pd.DataFrame(columns, dtype=object)


def _label(heat_map: HeatMap, x: float) -> str:
    return f'{write_value(x)} (best)' if x == heat_map.best_x else write_value(x)


def _mark(cell: dict | None) -> str:
    return ' ' if cell is None else '*' if cell['is_best'] else '+' if cell['is_usable'] else ' '


def _error_text(cell: pd.Series) -> str:
    return plus_minus(cell['error'], cell['std'], '.2f', count=int(cell['n']))
