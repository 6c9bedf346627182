"""The page over many runs: the summary as a table, then a line per group, mean over seeds with a band.

With an adapted regime one group may last 20 times longer than another; on a linear axis the short one would be
a sliver at the left edge. So the x axis turns logarithmic where the longest curve is 4 times the shortest or more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from bokeh.core.enums import NamedColor
from bokeh.models import ColumnDataSource, Line, Scatter, VArea

from utils.compare import Group, explain, mean_curve, summary_cells
from utils.errors import UserError, suggest
from utils.pages.charts import COLORS, DASHES, Chart, add_hover, draw, embed, fit_axes, new_chart, scales_for, thin
from utils.pages.html import table, text, write_page

COLUMNS = ('val_error1', 'train_error1', 'train_loss', 'val_loss', 'weight_distance')
TITLES = {
    'val_error1': ('Validation error@1', 'error@1 (%)'),
    'train_error1': ('Training error@1', 'error@1 (%)'),
    'val_error5': ('Validation error@5', 'error@5 (%)'),
    'train_error5': ('Training error@5', 'error@5 (%)'),
    'val_loss': ('Validation loss', 'loss per example'),
    'train_loss': ('Training loss', 'loss per example'),
    'lr': ('Learning rate', 'learning rate per update'),
    'grad_norm': ('Gradient norm', 'L2 norm, mean of the epoch'),
    'weight_distance': ('Distance from the initial weights', 'L2 distance'),
    'epoch_seconds': ('Time of an epoch', 'seconds'),
    'images_per_second': ('Speed', 'images per second'),
}
X_LABELS = {'epoch': 'epochs', 'step': 'updates', 'seconds': 'training time (s)'}
LOG_X_FACTOR = 4.0
POINTS_PER_CHART = 40_000  # shared among its lines
MANY_LINES = 30  # with more, bands only hide each other, and a second scale takes too long to write
READING = (
    'Each line is the mean over the seeds of a row, with a band of one sample standard deviation to either side where '
    'there is more than one seed. Diverged runs stay out of the mean and are drawn thin, ending in a cross. '
    'Click a name to hide or show its lines in every chart.'
)


@dataclass(frozen=True)
class Look:
    """How the lines of a group are drawn; name is its label, which the key finds its lines by."""

    name: str
    color: str
    dash: str


@dataclass(frozen=True)
class Curve:
    """One curve of a chart, points with columns x, mean, std, n; a diverged run is a curve of its own."""

    look: Look
    points: pd.DataFrame
    diverged: bool = False


def write_comparison_page(
    groups: Sequence[Group],
    path: str | os.PathLike,
    summary: pd.DataFrame,
    *,
    x_axis: str = 'epoch',
    columns: Sequence[str] = COLUMNS,
    colors: Sequence[str] = (),
) -> Path:
    """Write one page that compares groups of runs.

    Args:
        groups: from group_runs.
        path: file to write; its folder must exist.
        summary: from summarise, for the same groups.
        x_axis: 'epoch', 'step' (updates) or 'seconds' (of training); distances are always over updates.
        columns: of results.csv, a chart each.
        colors: CSS names or #rrggbb, cycled over the groups; a colour-blind-safe set if empty.

    Raises:
        UserError: x_axis is unknown, or a colour is.
    """
    if x_axis not in X_LABELS:
        raise UserError(f'unknown x axis {x_axis!r}: {suggest(x_axis, X_LABELS)}')
    looks = _looks([group.label for group in groups], colors)
    charts = [chart for name in columns if (chart := _draw(name, groups, looks, x_axis)) is not None]
    scripts, figures = embed(charts)
    cells = summary_cells(summary)
    rows = table(list(cells), cells.to_numpy().tolist(), left=('run', 'note'))
    runs = [run for group in groups for run in group.runs]
    body = '\n'.join([
        f'<h1>Comparison of {_count(groups, "row")}, {_count(runs, "run")}</h1>', rows,
        f'<p class="soft">{text(explain(summary))}</p>',
        '<h2>Curves</h2>', f'<p>{READING}</p>', _key(groups, looks), figures,
    ])  # fmt: skip
    return write_page(Path(path), title='Comparison of runs', body=body, scripts=scripts)


def _count(items: Sequence, noun: str) -> str:
    return f'{len(items)} {noun}{"" if len(items) == 1 else "s"}'


def _looks(labels: Sequence[str], colors: Sequence[str]) -> list[Look]:
    """Give each group a colour, and another dash each time the colours are used up."""
    colors = [_checked_color(color) for color in colors] or COLORS
    dash = [DASHES[index // len(colors) % len(DASHES)] for index in range(len(labels))]
    return [Look(label, colors[index % len(colors)], dash[index]) for index, label in enumerate(labels)]


def _checked_color(color: str) -> str:
    digits = color[1:] if color.startswith('#') else ''
    if color not in NamedColor and not (len(digits) in (3, 6) and all(c in '0123456789abcdefABCDEF' for c in digits)):
        raise UserError(f'unknown color {color!r}: give #rrggbb or a CSS name such as seagreen')
    return color


def _key(groups: Sequence[Group], looks: Sequence[Look]) -> str:
    """Return the key that all charts share: it wraps on a phone, which the legend of a figure does not."""
    strokes = {'solid': '', 'dashed': '6', 'dotted': '2 4', 'dotdash': '2 4 6 4'}
    buttons = ''
    for group, look in zip(groups, looks, strict=True):
        line = (
            f'<svg width="28" height="10" aria-hidden="true"><line x1="0" y1="5" x2="28" y2="5" stroke-width="3" '
            f'stroke="{text(look.color)}" stroke-dasharray="{strokes[look.dash]}"/></svg>'
        )
        diverged = f' ({len(group.diverged)} of {len(group.runs)} diverged)' if group.diverged else ''
        label = f'{line}<span>{text(look.name + diverged)}</span>'
        buttons += f'<button type="button" aria-pressed="true" data-name="{text(look.name)}">{label}</button>'
    return f'<div class="key">{buttons}</div>'


def _draw(column: str, groups: Sequence[Group], looks: Sequence[Look], x_axis: str) -> Chart | None:
    """Return the chart of one column, or None where no run has values in it."""
    is_distance = column == 'weight_distance'
    x_axis = 'step' if is_distance else x_axis
    pairs = zip(groups, looks, strict=True)
    curves = [curve for group, look in pairs for curve in _curves(group, look, column, x_axis) if len(curve.points)]
    if not curves:
        return None
    ends = [curve.points['x'].iloc[-1] for curve in curves if not curve.diverged] or [1.0]
    x_log = is_distance or max(ends) >= LOG_X_FACTOR * min(ends)
    x, y = (np.concatenate([curve.points[name] for curve in curves]) for name in ('x', 'mean'))
    scales = ('linear',) if is_distance else scales_for(y)[: 1 if len(curves) > MANY_LINES else 2]
    title, y_label = TITLES.get(column, (column.replace('_', ' '), column))
    chart = new_chart(title, scales, x_label=X_LABELS[x_axis], y_label=y_label, x_log=x_log)
    fit_axes(chart, x, y)
    limit = int(np.clip(POINTS_PER_CHART // len(curves), 100, 1000))
    if max(len(curve.points) for curve in curves) > limit:
        chart.notes.append(f'At most {limit:,} points of a line are drawn.')
    spacing = 'log' if x_log else 'even'
    _draw_curves(chart, [replace(curve, points=thin(curve.points, limit, spacing=spacing)) for curve in curves])
    return chart


def _curves(group: Group, look: Look, column: str, x_axis: str) -> list[Curve]:
    """Return the mean over the counted seeds, then each diverged run."""
    mean = Curve(look, _points(group.counted, column, x_axis))
    return [mean, *(Curve(look, _points([run], column, x_axis), diverged=True) for run in group.diverged)]


def _points(runs: Sequence, column: str, x_axis: str) -> pd.DataFrame:
    """Average a column over runs; distances come from their own, finer file where every run has one."""
    fine = column == 'weight_distance' and all(len(run.distances) for run in runs)
    tables = [run.distances if fine else run.results for run in runs]
    points = mean_curve(tables, column, align='step' if fine else 'epoch', x_axis=x_axis)
    return points[points['x'] > 0]


def _draw_curves(chart: Chart, curves: Sequence[Curve]) -> None:
    """Draw every curve on every scale, bands first so that they cover no line."""
    sources, lines = [_source(curve.points) for curve in curves], []
    banded = [curve.points['std'].notna().any() and len(curves) <= MANY_LINES for curve in curves]
    if len(curves) > MANY_LINES:
        chart.notes.append(f'No bands and one scale: there are more than {MANY_LINES} lines.')
    for scale in chart.scales:
        for curve, source, has_band in zip(curves, sources, banded, strict=True):
            if has_band:
                low = 'log_low' if scale == 'log' else 'low'
                band = VArea(x='x', y1=low, y2='high', fill_color=curve.look.color, fill_alpha=0.18)
                draw(chart, scale, source, band, name=curve.look.name)
        lines += [_draw_line(chart, scale, curve, source) for curve, source in zip(curves, sources, strict=True)]
    tips = [('run', '$name'), (chart.figure.xaxis[0].axis_label, '@x{0,0.[0]}'), ('mean', '@mean{0.[0000]}')]
    add_hover(chart, lines, [*tips, ('std over seeds', '@std{0.[0000]}'), ('runs', '@n')], mode='mouse')


def _source(points: pd.DataFrame) -> ColumnDataSource:
    low = points['mean'] - points['std'].fillna(0.0)
    edges = {'low': low, 'high': points['mean'] + points['std'].fillna(0.0)}
    # A band that reaches zero has no lower edge on a log axis: cut it a decade below the mean.
    edges['log_low'] = np.maximum(low, points['mean'] / 10)
    return ColumnDataSource({name: np.asarray(values) for name, values in {**points, **edges}.items()})


def _draw_line(chart: Chart, scale: str, curve: Curve, source: ColumnDataSource):
    """Draw a mean, or a diverged run: thin, ending in a cross."""
    look = curve.look
    width = 1 if curve.diverged else 2
    line = Line(x='x', y='mean', line_color=look.color, line_dash=look.dash, line_width=width)
    if curve.diverged or len(curve.points) == 1:
        last = ColumnDataSource({name: np.asarray(curve.points[name])[-1:] for name in ('x', 'mean')})
        end = Scatter(x='x', y='mean', marker='x' if curve.diverged else 'circle', size=9, line_width=2)
        end.line_color = end.fill_color = look.color
        draw(chart, scale, last, end, name=look.name)
    return draw(chart, scale, source, line, name=look.name)
