"""Figures of a comparison for a paper: one PDF a chart, one column wide.

Like the charts of the page: mean over seeds, a band of one sample standard deviation to either side, diverged runs thin
and ending in a cross. Hoffer et al. 2017 (arXiv 1705.08741), figures 1 and 2, have the same axes: error against batch
size, distance from the initial weights against the logarithm of updates.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from utils.reports.columns import describe_column
from utils.reports.groups import Group
from utils.reports.pages.curves import Curve, are_far_apart, average, average_distances, curves_of
from utils.reports.point_plots import PointPlot, point_plots
from utils.reports.style import COLORS, X_LABELS, look
from utils.runs.columns import DISTANCE, Column
from utils.wording import wrap

log = logging.getLogger('bigbatch')

WIDTH, HEIGHT = 3.4, 2.3  # inches; the height without the legend
LEGEND_WIDTHS = {1: 54, 2: 22, 3: 12}  # columns of a legend -> characters of a label
MOST_IN_LEGEND = 24
LOG_FROM = 10.0  # curves that span more than this factor are on a log axis
# Type 42 fonts stay text that can be selected and searched; type 3, the default, is refused by many journals.
STYLE: dict[Any, Any] = {
    'pdf.fonttype': 42, 'font.size': 8, 'axes.labelsize': 8, 'xtick.labelsize': 7, 'ytick.labelsize': 7,
    'legend.fontsize': 7, 'legend.handletextpad': 0.5, 'legend.columnspacing': 1.0, 'legend.borderpad': 0.0,
    'lines.linewidth': 1.2, 'axes.linewidth': 0.6, 'axes.spines.top': False, 'axes.spines.right': False,
    'axes.grid': True, 'axes.axisbelow': True, 'grid.linewidth': 0.4, 'grid.color': '#e0e0e0', 'text.usetex': False,
}  # fmt: skip
MARKERS = 'osD^vP*'


def write_figures(
    groups: Sequence[Group],
    summary: pd.DataFrame,
    folder: Path,
    *,
    columns: Sequence[str],
    x_axis: str = 'epoch',
    colors: Sequence[str] = (),
) -> list[Path]:
    """Write the figures of a comparison as PDFs and return their paths.

    Args:
        groups, summary, x_axis, colors: as those of write_comparison_page; distances are always over updates.
        folder: made if it is missing.
        columns: of results.csv, a figure each; the distance from the initial weights and the plots of
            utils.reports.point_plots come on top.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if len(groups) > MOST_IN_LEGEND:
        log.warning('figures have no legend: %d rows are more than %d', len(groups), MOST_IN_LEGEND)
    colors = colors or COLORS
    curves = curves_of(groups)
    runs = [curve.runs for curve in curves]
    averages, labels, drawn = average(runs), [group.title for group in groups], {}
    with matplotlib.rc_context(STYLE):
        for column in dict.fromkeys([*columns, DISTANCE]):
            is_distance = column == DISTANCE
            points = (average_distances(runs) if is_distance else averages).points(column)
            x_column = 'step' if is_distance else x_axis
            name = re.sub(r'\W+', '_', column)
            drawn[name] = _draw_curves(curves, points, labels, column=column, x=x_column, colors=colors)
        names = [group.label for group in groups]
        drawn |= {plot.name: _draw_points(plot, names, colors) for plot in point_plots(groups, summary)}
        return [save_figure(figure, folder / f'{name}.pdf') for name, figure in drawn.items() if figure is not None]


def save_figure(figure: Figure, path: Path) -> Path:
    """Save a figure as PDF and return its path."""
    figure.savefig(path, format='pdf', metadata={'CreationDate': None})  # equal results give equal files
    return path


def new_figure(labels: Sequence[str]) -> tuple[Figure, Axes]:
    """Return an empty figure with room for the legend of these labels."""
    has_legend = 1 < len(labels) <= MOST_IN_LEGEND
    figure = Figure(figsize=(WIDTH, HEIGHT + (0.15 * _legend_layout(labels)[0] + 0.1 if has_legend else 0)))
    figure.set_layout_engine('constrained')
    return figure, figure.add_subplot()


def _legend_layout(labels: Sequence[str]) -> tuple[int, int, list[str]]:
    """Return lines, columns and the wrapped labels of the lowest legend that breaks no word."""
    layouts = []
    for num_columns, width in LEGEND_WIDTHS.items():
        if num_columns == 1 or all(len(word) <= width for label in labels for word in label.split()):
            wrapped = [wrap(label, width) for label in labels]
            sizes = np.array_split([len(lines) for lines in wrapped], num_columns)
            layouts.append((max(stack.sum() for stack in sizes), num_columns, ['\n'.join(lines) for lines in wrapped]))
    return min(layouts, key=lambda layout: layout[:2])


def add_legend(figure: Figure, handles: Sequence, labels: Sequence[str]) -> None:
    """Put a legend below the axes, where it covers no curve; none for a single line."""
    if 1 < len(labels) <= MOST_IN_LEGEND:
        _, num_columns, wrapped = _legend_layout(labels)
        legend = figure.legend(handles, wrapped, loc='outside lower center', ncols=num_columns, frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)  # a dollar sign in the name of a run is one


def _draw_curves(
    curves: Sequence[Curve], points: pd.DataFrame, labels: Sequence[str], *, column: str, x: str, colors: Sequence[str]
) -> Figure | None:
    """Draw a column of every group, or nothing where none has values in it."""
    if points.empty:
        return None
    parts = [(curves[index], part) for index, part in points.rename(columns={x: 'x'}).groupby('curve')]
    means = [(curve, part) for curve, part in parts if not curve.diverged]
    shown = sorted({curve.row for curve, _ in parts})
    styles = {row: _line_style(row, colors) for row in shown}
    figure, axes = new_figure([labels[row] for row in shown])
    axes.set_yscale('linear' if column == DISTANCE else _scale_for(points['mean'].to_numpy()))
    for curve, part in means:
        draw_mean(axes, part, styles[curve.row])
    limits = axes.get_ylim() if means else None
    for curve, part in parts:
        if curve.diverged:
            _draw_diverged(axes, part, styles[curve.row], limits)
    if column == DISTANCE or are_far_apart([part['x'].iloc[-1] for _, part in means]):
        axes.set_xscale('log')
    axes.set_xlabel(X_LABELS[x])
    axes.set_ylabel(_y_label(describe_column(column, (run for curve in curves for run in curve.runs))))
    plain_log_ticks(axes)
    add_legend(figure, [Line2D([], [], **styles[row]) for row in shown], [labels[row] for row in shown])
    return figure


def _scale_for(values: np.ndarray) -> str:
    """Return log for positive values that span decades: a figure cannot be zoomed."""
    return 'log' if values.min() > 0 and values.max() > LOG_FROM * np.quantile(values, 0.02) else 'linear'


def _line_style(row: int, colors: Sequence[str]) -> dict:
    color, dash = look(row, colors)
    return {'color': color, 'linestyle': 'dashdot' if dash == 'dotdash' else dash}


def draw_mean(axes: Axes, points: pd.DataFrame, style: dict) -> None:
    """Draw a mean and its band of one deviation, on axes of their final scale; points has columns x, mean and std."""
    if points['std'].notna().any():
        low = points['mean'] - points['std']
        if axes.get_yscale() == 'log':  # where a band that reaches zero has no lower edge: end it a decade below
            low = np.maximum(low, points['mean'] / 10)
        high = points['mean'] + points['std']
        axes.fill_between(points['x'], low, high, color=style['color'], alpha=0.2, linewidth=0)
    axes.plot(points['x'], points['mean'], marker='o' if len(points) == 1 else None, markersize=4, **style)


def _draw_diverged(axes: Axes, points: pd.DataFrame, style: dict, limits: tuple[float, float] | None) -> None:
    """Draw a diverged run up to the limits of the means, which would be flat beside it."""
    values = points['mean'].clip(*limits) if limits else points['mean']
    axes.plot(points['x'], values, linewidth=0.6, **style)
    axes.plot(points['x'][-1:], values[-1:], marker='x', color=style['color'], markersize=5, clip_on=False)
    if limits:
        axes.set_ylim(limits)


def _draw_points(plot: PointPlot, labels: Sequence[str], colors: Sequence[str]) -> Figure:
    """Draw points with bars of one deviation, joined by lines; labels are those of the groups."""
    names = list(dict.fromkeys(plot.names))
    figure, axes = new_figure(names)
    handles: dict[str, ErrorbarContainer] = {}
    for curve, points in plot.points.groupby('curve'):
        name = plot.names[curve]
        row = labels.index(name) if plot.by_group else names.index(name)
        turn, place = divmod(names.index(name), len(MARKERS))
        marker = MARKERS[(place + turn) % len(MARKERS)]  # another one each time the colours begin again
        style = _line_style(row, colors) if plot.by_group else {'color': colors[row % len(colors)]}
        style = {**style, 'marker': marker}
        std = points['std'] if points['std'].notna().any() else None
        bars = axes.errorbar(points[plot.x], points['mean'], std, elinewidth=0.8, capsize=2, markersize=4, **style)
        handles.setdefault(name, bars)
    axes.set_yscale(_scale_for(plot.points['mean'].to_numpy()))
    if plot.log_base:
        axes.set_xscale('log', base=plot.log_base)
    plain_log_ticks(axes)
    if plot.has_ticks:
        places = sorted(plot.points[plot.x].unique())
        axes.set_xticks(places, [f'{place:.0f}' for place in places], rotation=45 if len(places) > 6 else 0)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    add_legend(figure, list(handles.values()), names)
    return figure


def _y_label(column: Column) -> str:
    """Return title and unit in one, for a figure has no title."""
    title, unit = column.title, column.label
    start, _, last = title.rpartition(' ')
    if unit.lower().startswith(last.lower()):
        return f'{start} {unit}'.strip().capitalize()
    if unit.lower().startswith(title.lower()):
        return unit.capitalize()
    return f'{title}\n({unit})' if unit else title


def plain_log_ticks(axes: Axes) -> None:
    """Put plain numbers at 1, 2 and 5 of each decade where a log axis spans up to three of them."""
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        if axis.get_scale() == 'log' and limits[1] <= 1000 * limits[0]:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
            axis.set_minor_locator(NullLocator())
