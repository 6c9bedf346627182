"""The page over many runs: what differs, the summary, a line per group with a band over seeds, a table of all runs.

With an adapted regime one group may last 20 times longer than another; on a linear axis the short one would be
a sliver at the left edge. So the x axis begins logarithmic where the longest curve is 4 times the shortest or more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from bokeh.core.enums import NamedColor

from bigbatch.errors import UserError
from bigbatch.messages import counted, suggest
from utils.reports.columns import columns_beside, describe_column
from utils.reports.groups import Group
from utils.reports.heat_maps import HeatMap
from utils.reports.pages.charts import Chart, LineStyle, embed, line_chart, shared_scales
from utils.reports.pages.comparison_tables import run_table, settings_that_differ
from utils.reports.pages.curves import Averages, Curve, are_far_apart, average, average_distances, curves_of
from utils.reports.pages.heat_map import heat_map_values
from utils.reports.pages.html import write_page
from utils.reports.point_plots import PointPlot, point_plots
from utils.reports.style import COLORS, X_LABELS, look
from utils.reports.tables import WORDS, Section, explain, summary_cells
from utils.runs.columns import COMPARED, DISTANCE

MANY_LINES = 30  # with more, bands only hide each other
BESIDE = 'dotdash'  # the dash of other weights than those that were trained


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
        path: file to write; its folder must exist.
        summary, sections, heat_maps: made from the same groups.
        x_axis: 'epoch', 'step' (updates) or 'seconds' (of training), which the charts begin with; distances begin with
            updates.
        columns: of results.csv, a chart each.
        colors: CSS names or #rrggbb, cycled over the groups; a colour-blind-safe set if empty.
        reloads: whether the page loads itself again while it is open.

    Raises:
        UserError: x_axis is unknown, or a colour is.
    """
    path = Path(path)
    if x_axis not in X_LABELS:
        raise UserError(f'unknown x axis {x_axis!r}: {suggest(x_axis, X_LABELS)}')
    colors = check_colors(colors) or COLORS
    styles = [LineStyle(group.label, *look(row, colors)) for row, group in enumerate(groups)]
    by_label = {style.name: style for style in styles}
    plots = [chart for plot in point_plots(groups, summary) if (chart := _point_chart(plot, by_label))]
    curves = curves_of(groups)
    head, charts = embed([*plots, *_charts(curves, styles, columns, x_axis)])
    drawn = [run for curve in curves for run in curve.runs]
    return write_page(
        path, 'comparison.html', title='Comparison of runs', head=head, reloads=reloads,
        num_rows=counted(len(groups), 'row'), num_runs=counted(sum(len(group.runs) for group in groups), 'run'),
        heat_maps=list(map(heat_map_values, heat_maps)), **settings_that_differ(groups),
        summary=summary_cells(summary), explanation=explain(summary), words=WORDS,
        plots=charts[: len(plots)], charts=charts[len(plots) :], x_labels=X_LABELS,
        entries=[(style, group.title) for group, style in zip(groups, styles, strict=True)],
        many_lines=MANY_LINES, has_bands=len(curves) <= MANY_LINES, beside=columns_beside(drawn, 'val_error1'),
        sections=sections, **run_table(groups, path.parent),
    )  # fmt: skip


def check_colors(colors: Sequence[str]) -> Sequence[str]:
    """Return the colours.

    Raises:
        UserError: one is neither a CSS name nor #rgb or #rrggbb.
    """
    for color in colors:
        if color not in NamedColor and not re.fullmatch('#([0-9a-fA-F]{3}){1,2}', color):
            raise UserError(f'unknown color {color!r}: give #rrggbb or a CSS name such as seagreen')
    return colors


def _point_chart(plot: PointPlot, by_label: Mapping[str, LineStyle]) -> Chart | None:
    """Return the chart of a plot, or None where no point has a value."""
    styles = [by_label[name] if plot.by_group else LineStyle(name, *look(row)) for row, name in enumerate(plot.names)]
    different = list(dict.fromkeys(styles))
    return line_chart(
        plot.title, styles, plot.points, x_labels={plot.x: plot.x_label}, x=plot.x, y_label=plot.y_label,
        log_x=plot.log_base is not None, parts=('bars', 'marks'), legend=different if len(different) > 1 else (),
        ticks=sorted(plot.points[plot.x].unique()) if plot.has_ticks else None,
    )  # fmt: skip


def _charts(
    curves: Sequence[Curve], styles: Sequence[LineStyle], columns: Sequence[str], x_axis: str
) -> list[Chart | None]:
    """Return a chart for each column, None where no run has values in it."""
    runs = [curve.runs for curve in curves]
    if not any(map(len, runs)):
        return []  # no run has finished an epoch
    styles = [replace(styles[curve.row], diverged=curve.diverged) for curve in curves]
    results, charts = average(runs), []
    for column in columns:
        if column == DISTANCE:
            charts.append(_chart(column, curves, styles, average_distances(runs), 'step', ('linear', 'log')))
        else:
            charts.append(_chart(column, curves, styles, results, x_axis, _shared_scales(column, columns, results)))
    return charts


def _shared_scales(column: str, columns: Sequence[str], averages: Averages) -> tuple[str, ...] | None:
    """Return scales for training and validation of one measure, which stand side by side; None: each its own."""
    measure = column.removeprefix('val_').removeprefix('train_')
    alike = [name for name in (f'val_{measure}', f'train_{measure}') if name in columns]
    if column not in alike or len(alike) == 1:
        return None
    return shared_scales(pd.concat([averages.points(name)['mean'] for name in alike]).to_numpy(dtype=float))


def _chart(
    column: str, curves: Sequence[Curve], styles: Sequence[LineStyle], averages: Averages, x_axis: str,
    y_scales: tuple[str, ...] | None,
) -> Chart | None:  # fmt: skip
    runs = [run for curve in curves for run in curve.runs]
    shown = describe_column(column, runs)
    parts, all_styles = [averages.points(column)], list(styles)
    for other in columns_beside(runs, column):
        beside = averages.points(other.name)
        parts.append(beside.assign(curve=beside['curve'] + len(all_styles)))
        all_styles += [replace(style, dash=BESIDE) for style in styles]
    points = pd.concat(parts, ignore_index=True)
    ends = points.groupby('curve')[x_axis].max()
    ends = [end for curve, end in ends.items() if not all_styles[curve].diverged]
    # Distance grows with the logarithm of updates, so a linear distance over log updates is the view to have.
    return line_chart(
        shown.title, all_styles, points, x_labels=X_LABELS, x=x_axis, y_label=shown.label or column,
        log_x=column == DISTANCE or are_far_apart(ends), y_scales=y_scales,
        parts=('bands',) if len(curves) <= MANY_LINES else (),
    )  # fmt: skip
