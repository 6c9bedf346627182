"""Plots of docs/reproduction.md: the settings of an ablation beside the published figures, and how far runs travel.

Made from kept runs alone (benchmarks.reproduction.archive). Weight distances are figure 2 of Hoffer et al. 2017 (arXiv
1705.08741), with the fit of utils.reports.diffusion on top.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.reproduction.published import Cell, read_quantity, read_table
from bigbatch.analysis.diffusion import DiffusionFit
from bigbatch.errors import UserError
from bigbatch.messages import suggest
from utils.quantities import spread
from utils.reports.diffusion import fit_run
from utils.reports.figures.comparison import STYLE
from utils.reports.groups import Group
from utils.reports.style import COLORS

COLUMNS = ('file', 'kind', 'title', 'suite', 'table', 'net', 'rows')
ABLATION, DISTANCE = 'ablation', 'distance'
WIDTH, LINE_HEIGHT, DISTANCE_HEIGHT = 6.4, 0.24, 3.4  # inches
SVG = {'svg.hashsalt': 'reproduction', 'savefig.facecolor': 'white'}  # equal results give equal files


@dataclass(frozen=True)
class Plot:
    """A line of plots.csv.

    Args:
        file: its name in docs/images.
        kind: ABLATION: validation accuracy of the last epoch by row; DISTANCE: weight distance against updates.
        title: of its section of the page.
        suite: whose runs it shows.
        table, net: where the published figures of its cells stand; empty: nowhere.
        rows: (cell, names of rows), in the order of reading.
    """

    file: str
    kind: str
    title: str
    suite: str
    table: str
    net: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]

    def lines(self, groups: Mapping[str, Group]) -> Iterator[tuple[str, str, Group]]:
        """Yield (cell, row, runs) of the rows that have runs; all of an ablation's may have diverged."""
        for cell, names in self.rows:
            for name in names:
                group = groups.get(f'{self.suite}/{name}')
                if group is not None and (group.counted or self.kind == ABLATION):
                    yield cell, name, group

    def published(self, cells: Sequence[Cell]) -> dict[str, float]:
        """Return the published accuracy of each cell that has one."""
        return {
            cell.cell: cell.published for cell in cells
            if (cell.table, cell.net) == (self.table, self.net) and not cell.is_sharpness
        }  # fmt: skip


def read_plots(path: Path) -> list[Plot]:
    """Read plots.csv; its rows are written `SB: sb_keep sb_reset; LB: lb_keep`.

    Raises:
        UserError: other columns, or a value that is wrong; the line is named.
    """
    return [_parse_plot(row, f'{path}:{number}') for number, row in read_table(path, COLUMNS)]


def draw(plot: Plot, groups: Mapping[str, Group], cells: Sequence[Cell], path: Path) -> None:
    """Draw a plot, some rows of which have runs, as an SVG file.

    Args:
        groups: from benchmarks.reproduction.published.read_rows.
        cells: the published ones.
        path: of the file; its folder is there.
    """
    lines = list(plot.lines(groups))
    with matplotlib.rc_context({**STYLE, **SVG}):
        figure = _draw_ablation(lines, plot.published(cells)) if plot.kind == ABLATION else _draw_distances(lines)
        figure.savefig(path, format='svg', metadata={'Date': None, 'Creator': None})


def table_of(plot: Plot, groups: Mapping[str, Group], cells: Sequence[Cell]) -> list[dict[str, str]]:
    """Return the numbers of a plot as text, a row a line of it, by heading."""
    if plot.kind == ABLATION:
        published = plot.published(cells)
        return [_ablation_row(cell, name, group, published.get(cell)) for cell, name, group in plot.lines(groups)]
    return [_distance_row(cell, group) for cell, _, group in plot.lines(groups)]


# Ablations


def _accuracies(group: Group) -> list[float]:
    return [read_quantity(run, 'validation accuracy') for run in group.counted]


def _ablation_row(cell: str, name: str, group: Group, published: float | None) -> dict[str, str]:
    values = _accuracies(group)
    diverged = f'{len(group.diverged)} of {len(group.runs)} diverged' if group.diverged else ''
    ours = '; '.join(filter(None, [spread(values, '.2f', has_count=True) if values else '', diverged]))
    row = {'setting': f'`{name}`', 'cell': cell, 'ours %': ours}
    if published is not None:
        gap = f'{statistics.fmean(values) - published:+.2f}' if values else '-'
        row |= {'published %': f'{published:.2f}', 'gap': gap}
    return row


def _draw_ablation(lines: Sequence[tuple[str, str, Group]], published: Mapping[str, float]) -> Figure:
    """Draw a line a setting: its seeds as dots, their mean as a bar, the published figure of its cell as a diamond."""
    figure = Figure(figsize=(WIDTH, LINE_HEIGHT * len(lines) + 0.9), layout='constrained')
    axes = figure.add_subplot()
    order = list(dict.fromkeys(cell for cell, _, _ in lines))
    for place, (cell, _, group) in enumerate(lines):
        color, values = COLORS[order.index(cell) % len(COLORS)], _accuracies(group)
        axes.plot(values, [place] * len(values), 'o', color=color, markersize=4, markerfacecolor='none')
        if values:  # else all of them diverged
            axes.plot(statistics.fmean(values), place, '|', color=color, markersize=12, markeredgewidth=2)
        if cell in published:
            axes.plot(published[cell], place, 'D', color='black', markersize=4)
    axes.set_yticks(range(len(lines)), [f'{cell}  {name}' for cell, name, _ in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlabel('validation accuracy, last epoch (%)')
    looks = [('o', 5, 'one seed'), ('|', 10, 'mean')] + ([('D', 4, 'published')] if published else [])
    handles = [
        Line2D([], [], color='black', linestyle='', marker=marker, markersize=size, label=label,
               markerfacecolor='none' if marker == 'o' else 'black') for marker, size, label in looks
    ]  # fmt: skip
    figure.legend(handles=handles, loc='outside lower center', ncols=len(handles), frameon=False)
    return figure


# Distances


def _mean_distances(group: Group) -> pd.Series:
    """Return the mean distance over runs by update, where all of them have a point."""
    points = [run.distances.set_index('step')['weight_distance'] for run in group.counted]
    return pd.concat(points, axis=1, join='inner').mean(axis=1).loc[lambda curve: curve.index > 0]


def _fits(group: Group) -> list[DiffusionFit]:
    return [fit for run in group.counted if (fit := fit_run(run)) is not None]


def _distance_row(cell: str, group: Group) -> dict[str, str]:
    fits = _fits(group)
    at_drop = [float(run.distances.set_index('step')['weight_distance'].loc[: fit.last_step].iloc[-1])
               for run, fit in zip(group.counted, fits, strict=False)]  # fmt: skip
    ends = [float(run.results['weight_distance'].iloc[-1]) for run in group.counted]
    numbers = {'slope b': 'slope', 'R2 of a + b log t': 'log_r2', 'exponent p': 'exponent', 'R2 of c t^p': 'power_r2'}
    return {
        'run': cell,
        'seeds': str(len(group.counted)),
        'ours %': spread(_accuracies(group), '.2f', has_count=True),
        'first phase, updates': f'{max(fit.last_step for fit in fits):,}' if fits else '-',
        'distance after it': spread(at_drop, '.4g'),
        **{title: spread([getattr(fit, name) for fit in fits], '.3g') for title, name in numbers.items()},
        'updates': f'{group.counted[0].results["step"].iloc[-1]:,.0f}',
        'distance at the end': spread(ends, '.4g'),
    }


def _draw_distances(lines: Sequence[tuple[str, str, Group]]) -> Figure:
    """Draw a curve a row, the mean over seeds, and the law of the logarithm that was fitted to its first phase."""
    figure = Figure(figsize=(WIDTH, DISTANCE_HEIGHT), layout='constrained')
    axes = figure.add_subplot()
    for place, (cell, _, group) in enumerate(lines):
        curve, color = _mean_distances(group), COLORS[place % len(COLORS)]
        marker = 'osD^vP*'[place % 7]
        axes.plot(curve.index, curve, marker, color=color, markersize=3, markerfacecolor='none', label=cell)
        _draw_fit(axes, _fits(group), color)
    axes.plot([], [], '--', color='black', label='a + b log t, first phase')
    axes.set_xscale('log')
    axes.set_ylim(bottom=0)
    axes.set_xlabel('updates')
    axes.set_ylabel('distance from the initial weights (L2)')
    figure.legend(loc='outside lower center', ncols=len(lines) + 1, frameon=False)
    return figure


def _draw_fit(axes: Axes, fits: Sequence[DiffusionFit], color: str) -> None:
    if fits:
        steps = np.geomspace(1, max(fit.last_step for fit in fits), 50)
        intercept, slope = (statistics.fmean(getattr(fit, name) for fit in fits) for name in ('intercept', 'slope'))
        axes.plot(steps, intercept + slope * np.log(steps), '--', color=color, linewidth=1)


def _parse_plot(row: Mapping[str, str], place: str) -> Plot:
    if row['kind'] not in (ABLATION, DISTANCE):
        raise UserError(f'{place}: unknown kind {row["kind"]!r}: {suggest(row["kind"], (ABLATION, DISTANCE))}')
    if not re.fullmatch(r'reproduction_\w+\.svg', row['file']):
        raise UserError(f'{place}: file {row["file"]!r}: a name such as reproduction_f1.svg is needed')
    pairs = [part.partition(':') for part in row['rows'].split(';')]
    rows = tuple((cell.strip(), tuple(names.split())) for cell, _, names in pairs)
    if not all(cell and names for cell, names in rows):
        raise UserError(f'{place}: rows {row["rows"]!r}: write them as "SB: sb_keep sb_reset; LB: lb_keep"')
    return Plot(**{**row, 'rows': rows})
