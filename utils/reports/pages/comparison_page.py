"""The page over many runs: what differs, the summary, a line per group with a band over seeds, a table of all runs.

With an adapted regime one group may last 20 times longer than another; on a linear axis the short one would be
a sliver at the left edge. So the x axis begins logarithmic where the longest curve is 4 times the shortest or more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from bokeh.core.enums import NamedColor

from bigbatch.errors import UserError
from bigbatch.messages import counted, suggest
from utils.reports.columns import columns_beside, describe_column
from utils.reports.groups import Group
from utils.reports.heat_maps import HeatMap
from utils.reports.pages.charts import Chart, LineStyle, embed, grid, key, line_chart, shared_scales
from utils.reports.pages.comparison_tables import run_table, section_table, settings_that_differ
from utils.reports.pages.curves import Averages, are_far_apart, average, average_distances
from utils.reports.pages.heat_map import heat_map_html
from utils.reports.pages.html import breakable, table, text, write_page
from utils.reports.pages.point_charts import point_chart
from utils.reports.point_plots import point_plots
from utils.reports.style import COLORS, DASHES, X_LABELS
from utils.reports.tables import Section, explain, summary_cells
from utils.runs.columns import COMPARED, DISTANCE
from utils.runs.reader import Run

MANY_LINES = 30  # with more, bands only hide each other
READING = (
    'Each line is the mean over the seeds of a row{bands}. Diverged runs stay out of the mean and are drawn thin, '
    'ending in a cross. Click a name to hide or show its lines in every chart; point at a line to read its values.'
)
BESIDE, READING_BESIDE = 'dotdash', ' Dash-dotted lines are those of the {weights} ({flag}).'
BANDS = ', with a band of one sample standard deviation to either side where there is more than one seed'
NO_BANDS = f', without bands, because there are more than {MANY_LINES} lines'


@dataclass(frozen=True)
class Curve:
    """One curve of every chart: the mean over the counted runs of a group, or a diverged run of its own."""

    style: LineStyle
    runs: Sequence[Run]


def write_comparison_page(
    groups: Sequence[Group],
    path: str | os.PathLike,
    summary: pd.DataFrame,
    *,
    x_axis: str = 'epoch',
    columns: Sequence[str] = COMPARED,
    colors: Sequence[str] = (),
    sections: Sequence[Section] = (),
    heat_maps: Sequence[HeatMap] = (),
    reloads: bool = False,
) -> Path:
    """Write one page that compares groups of runs.

    Args:
        groups: from group_runs.
        path: file to write; its folder must exist.
        summary: from summarise, for the same groups.
        x_axis: 'epoch', 'step' (updates) or 'seconds' (of training), which the charts begin with; distances begin with
            updates.
        columns: of results.csv, a chart each.
        colors: CSS names or #rrggbb, cycled over the groups; a colour-blind-safe set if empty.
        sections: more tables, for the same groups.
        heat_maps: of the same groups; they come first.
        reloads: whether the page loads itself again while it is open.

    Raises:
        UserError: x_axis is unknown, or a colour is.
    """
    path = Path(path)
    if x_axis not in X_LABELS:
        raise UserError(f'unknown x axis {x_axis!r}: {suggest(x_axis, X_LABELS)}')
    styles = _line_styles([group.label for group in groups], colors)
    by_label = {style.name: style for style in styles}
    plots = [chart for plot in point_plots(groups, summary) if (chart := point_chart(plot, by_label))]
    curves = _curves(groups, styles)
    head, blocks = embed([*plots, *_charts(curves, columns, x_axis)])
    cells = summary_cells(summary)
    left = [name for name in cells if name in ('run', 'note')]
    runs = [run for group in groups for run in group.runs]
    body = [
        f'<h1>Comparison of {counted(len(groups), "row")}, {counted(len(runs), "run")}</h1>',
        *(['<h2>Heat maps</h2>', *map(heat_map_html, heat_maps)] if heat_maps else []),
        '<h2>Settings that differ</h2>', settings_that_differ(groups),
        '<h2>Summary</h2>', table(list(cells), cells.to_numpy().tolist(), left=left, sortable=True),
        f'<p class="soft">{breakable(explain(summary))}</p>',
        *(['<h2>Rows against each other</h2>', grid(blocks[: len(plots)])] if plots else []),
        '<h2>Curves</h2>', f'<p>{text(_reading(curves))}</p>',
        key(_labels(groups, styles), X_LABELS), grid(blocks[len(plots) :]), *map(section_table, sections),
        '<h2>Runs</h2>', run_table(groups, path.parent),
    ]  # fmt: skip
    return write_page(path, title='Comparison of runs', body='\n'.join(body), head=head, reloads=reloads)


def _reading(curves: Sequence[Curve]) -> str:
    beside = columns_beside((run for curve in curves for run in curve.runs), 'val_error1')
    bands = BANDS if len(curves) <= MANY_LINES else NO_BANDS
    more = (READING_BESIDE.format(weights=column.weights, flag=column.flag) for column in beside)
    return READING.format(bands=bands) + ''.join(more)


def check_colors(colors: Sequence[str]) -> Sequence[str]:
    """Return the colours.

    Raises:
        UserError: one is neither a CSS name nor #rgb or #rrggbb.
    """
    for color in colors:
        if color not in NamedColor and not re.fullmatch('#([0-9a-fA-F]{3}){1,2}', color):
            raise UserError(f'unknown color {color!r}: give #rrggbb or a CSS name such as seagreen')
    return colors


def _line_styles(labels: Sequence[str], colors: Sequence[str]) -> list[LineStyle]:
    """Give each group a colour, and another dash each time the colours are used up."""
    colors = check_colors(colors) or COLORS
    dash = [DASHES[index // len(colors) % len(DASHES)] for index in range(len(labels))]
    return [LineStyle(label, colors[index % len(colors)], dash[index]) for index, label in enumerate(labels)]


def _labels(groups: Sequence[Group], styles: Sequence[LineStyle]) -> list[tuple[LineStyle, str]]:
    """Return each style with what its button in the key says."""
    labels = []
    for group, style in zip(groups, styles, strict=True):
        diverged = f' ({len(group.diverged)} of {len(group.runs)} diverged)' if group.diverged else ''
        labels.append((style, style.name + diverged))
    return labels


def _curves(groups: Sequence[Group], styles: Sequence[LineStyle]) -> list[Curve]:
    """Return for each group the mean over the counted seeds, then each diverged run."""
    curves = []
    for group, style in zip(groups, styles, strict=True):
        curves.append(Curve(style, group.counted))
        curves += [Curve(replace(style, diverged=True), [run]) for run in group.diverged]
    return curves


def _charts(curves: Sequence[Curve], columns: Sequence[str], x_axis: str) -> list[Chart]:
    """Return a chart for each column in which a run has values."""
    if not any(len(curve.runs) for curve in curves):
        return []  # no run has finished an epoch
    results = average([curve.runs for curve in curves])
    charts = []
    for column in columns:
        if column == DISTANCE:
            charts.append(_chart(column, curves, average_distances([curve.runs for curve in curves]), 'step'))
        else:
            charts.append(_chart(column, curves, results, x_axis, _shared_scales(column, columns, results)))
    return [chart for chart in charts if chart]


def _shared_scales(column: str, columns: Sequence[str], averages: Averages) -> tuple[str, ...] | None:
    """Return scales for training and validation of one measure, which stand side by side; None: each its own."""
    measure = column.removeprefix('val_').removeprefix('train_')
    alike = [name for name in (f'val_{measure}', f'train_{measure}') if name in columns]
    if column not in alike or len(alike) == 1:
        return None
    return shared_scales(pd.concat([averages.points(name)['mean'] for name in alike]).to_numpy(dtype=float))


def _chart(
    column: str, curves: Sequence[Curve], averages: Averages, x_axis: str, y_scales: tuple[str, ...] | None = None
) -> Chart | None:
    """Return the chart of one column, or None where no run has values in it."""
    runs = [run for curve in curves for run in curve.runs]
    shown = describe_column(column, runs)
    points = averages.points(column)
    styles = [curve.style for curve in curves]
    for other in columns_beside(runs, column):
        beside = averages.points(other.name)
        points = pd.concat([points, beside.assign(curve=beside['curve'] + len(styles))], ignore_index=True)
        styles += [replace(curve.style, dash=BESIDE) for curve in curves]
    # Distance grows with the logarithm of updates, so a linear distance over log updates is the view to have.
    is_distance = column == DISTANCE
    return line_chart(
        shown.title, styles, points, x_labels=X_LABELS, x=x_axis, y_label=shown.label or column,
        log_x=is_distance or _lengths_are_far_apart(points, styles, x_axis),
        y_scales=('linear', 'log') if is_distance else y_scales,
        parts=('bands',) if len(curves) <= MANY_LINES else (),
    )  # fmt: skip


def _lengths_are_far_apart(points: pd.DataFrame, styles: Sequence[LineStyle], x_axis: str) -> bool:
    last = points.groupby('curve')[x_axis].max()
    return are_far_apart(last[[not styles[int(index)].diverged for index in last.index]])
