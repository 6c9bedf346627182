"""Charts of a page: bokeh figures that fit a phone, which charts.js fills as the reader chooses.

A figure holds its points once, with every x axis that a reader may choose, and one glyph each for all lines, bands and
marks: a glyph for each curve would take a minute to write for 500 of them. Both of its axes are there twice, linear
and log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from bokeh.core.properties import value
from bokeh.document import Document
from bokeh.embed import components
from bokeh.models import (
    Axis,
    BasicTickFormatter,
    ColumnDataSource,
    CustomJSHover,
    CustomJSTicker,
    CustomJSTickFormatter,
    FixedTicker,
    GlyphRenderer,
    Grid,
    HoverTool,
    LogAxis,
    LogScale,
    MultiLine,
    NoOverlap,
    Patches,
    Range1d,
    SaveTool,
    Scatter,
)
from bokeh.plotting import figure
from bokeh.resources import Resources

from utils.reports.pages.curves import thin
from utils.reports.pages.html import breakable, text

LONG_LEGEND = 8  # entries; a longer one stands below its chart and scrolls in a window of its own
LOG_BY_DEFAULT = 30.0  # curves that span more than this factor are first shown on a log axis
CHART_HEIGHT = 300  # pixels; page.css keeps the room
POINTS_PER_CHART = 40_000  # shared among its curves
POINTS_PER_CURVE = (100, 2000)  # at least and at most
# The marks of charts.js, around the middle of a swatch.
SHAPES = {
    'solid': 'M10 5a4 4 0 1 0 8 0a4 4 0 1 0-8 0', 'dashed': 'M10 1h8v8h-8z', 'dotted': 'M14 0l5 9h-10z',
    'dotdash': 'M14 0l5 5l-5 5l-5-5z',
}  # fmt: skip
STROKES = {'solid': '', 'dashed': '6', 'dotted': '2 4', 'dotdash': '2 4 6 4'}  # of SVG
# Decades, with 2 and 5 between them where there are few; bokeh's own ticks crowd at one end of a short axis.
LOG_TICKS = """
const {start, end} = cb_data, ticks = [];
if (!(start > 0 && end > start)) return ticks;
const decades = Math.log10(end / start), skip = Math.ceil(decades / 8);
if (decades < 0.6) {
  const wanted = (end - start) / 4, size = 10 ** Math.floor(Math.log10(wanted));
  const step = size * [1, 2, 5, 10].find(factor => factor * size >= wanted);
  for (let tick = Math.ceil(start / step); tick * step <= end; tick++) ticks.push(tick * step);
} else for (let decade = Math.floor(Math.log10(start)); decade <= Math.log10(end); decade++)
  for (const mantissa of decades <= 3 ? [1, 2, 5] : decade % skip ? [] : [1]) {
    const tick = mantissa * 10 ** decade;
    if (start <= tick && tick <= end) ticks.push(tick);
  }
return ticks;
"""
LOG_TICK = """
const value = Number(tick.toPrecision(6));
return value >= 1e6 || value < 1e-5 ? value.toExponential().replace('e+', 'e') : String(value);
"""
FIVE_DIGITS = "return Number.isFinite(value) ? Number(value.toPrecision(5)).toLocaleString('en') : '-';"


@dataclass(frozen=True)
class LineStyle:
    """How a curve is drawn; name is what the key hides it by, and '' for a curve that stays."""

    name: str
    color: str
    dash: str = 'solid'
    diverged: bool = False


@dataclass(frozen=True)
class Legend:
    """The key of one chart, as HTML; a long one stands below its chart."""

    html: str
    is_long: bool


@dataclass(frozen=True)
class Chart:
    """A titled figure and what its controls offer.

    Args:
        title: above it.
        figure: as bokeh writes it; charts.js fills it.
        x_labels: the x axes to choose from, name to label.
        x: the one that is shown at first.
        log_x: whether its log axis is shown at first.
        y_scales: scales of the y axis, 'linear', 'log' or both, best first.
        notes: sentences below it.
        legend: its key.
    """

    title: str
    figure: figure
    x_labels: Mapping[str, str]
    x: str
    log_x: bool
    y_scales: tuple[str, ...]
    notes: Sequence[str] = ()
    legend: Legend | None = None


def line_chart(
    title: str, styles: Sequence[LineStyle], points: pd.DataFrame, *, x_labels: Mapping[str, str], x: str, y_label: str,
    log_x: bool = False, y_scales: Sequence[str] | None = None, parts: Sequence[str] = (),
    legend: Legend | None = None,
) -> Chart | None:  # fmt: skip
    """Return a chart of curves, or None where no point has a value.

    Args:
        title: above the chart.
        styles: one a curve.
        points: columns curve (position in styles, ascending), the names of x_labels, mean, std, n.
        x_labels: the x axes that a reader may choose from.
        x: the one to begin with.
        y_label: quantity and unit.
        log_x: begin with a log x axis.
        y_scales: for the y axis; by default those that suit the values.
        parts: any of 'bands' and 'bars', one deviation to either side, and 'marks' at the points of short curves.
        legend: its key.
    """
    y = points['mean'].to_numpy(dtype=float)
    if not np.isfinite(y).any():
        return None
    y_scales = tuple(y_scales or scales_for(y))
    kept = thin(points['curve'].to_numpy(), int(np.clip(POINTS_PER_CHART // len(styles), *POINTS_PER_CURVE)))
    notes = [f'Drawn: {len(kept):,} of {len(points):,} points.'] if len(kept) < len(points) else []
    if 'log' in y_scales and np.nanmin(y) <= 0:
        notes.append('Zeros have no place on the log scale and are left out there.')
    fig = _empty_figure(title, x_labels[x], y_label)
    fig.tags = list(parts)
    _add_glyphs(fig, styles, points.iloc[kept], list(x_labels))
    return Chart(title, fig, x_labels, x, log_x, y_scales, notes, legend)


def use_ticks(chart: Chart, ticks: Sequence[float]) -> None:
    """Put the ticks of the x axes at the given values."""
    for axis in chart.figure.xaxis:
        axis.ticker = FixedTicker(ticks=list(ticks))


def scales_for(values: np.ndarray) -> tuple[str, ...]:
    """Return the scales that suit values, best first: log where they span decades, none where all are missing."""
    finite = values[np.isfinite(values)]
    above = finite[finite > 0]
    if not len(above):
        return ('linear',) if len(finite) else ()
    spans_decades = above.max() > LOG_BY_DEFAULT * np.quantile(above, 0.02)
    # A log axis hides zeros, such as an error that is learnt away, so it is not what a reader sees first.
    return ('log', 'linear') if spans_decades and len(above) == len(finite) else ('linear', 'log')


def shared_scales(values: np.ndarray) -> tuple[str, ...] | None:
    """Return scales for charts side by side, of all their values; None: a zero in one must not decide for the other."""
    return scales_for(values) or None if (values[np.isfinite(values)] > 0).all() else None


def key(entries: Sequence[tuple[LineStyle, str]], x_labels: Mapping[str, str]) -> str:
    """Return the key that all charts share, a button for each style and its label, and buttons for all charts at once.

    It wraps on a phone, which the legend of a figure does not.
    """
    buttons = ''.join(
        f'<button type="button" aria-pressed="true" data-name="{text(style.name)}">{_swatch(style)}'
        f'<span>{breakable(label)}</span></button>\n'
        for style, label in entries
    )
    show = ''.join(
        f'<button type="button" data-show="{pressed}">{words}</button>'
        for pressed, words in (('true', 'show all'), ('false', 'hide all'))
    )
    axes = ''.join(
        f'<button type="button" data-x-of-all="{name}">{text(label)}</button>' for name, label in x_labels.items()
    )
    every = f'<div class="all">{show}<span>every chart over</span>{axes}</div>'
    return f'<div class="key"><div>\n{buttons}</div>{every}</div>'


def legend(styles: Sequence[LineStyle], *, marked: bool = False) -> Legend:
    """Return a legend of one chart, which hides nothing.

    Args:
        marked: whether the swatches show the marks of the points too.
    """
    entries = ''.join(f'<span>{_swatch(style, marked)}<span>{breakable(style.name)}</span></span>' for style in styles)
    is_long = len(styles) > LONG_LEGEND
    return Legend(f'<div class="legend{" many" if is_long else ""}">{entries}</div>', is_long)


def embed(charts: Sequence[Chart]) -> tuple[str, list[str]]:
    """Return the scripts for the head of a page, bokeh itself included, and the HTML of each chart."""
    if not charts:
        return '', []
    figures = {f'chart{index}': chart.figure for index, chart in enumerate(charts)}
    document = Document()
    with document.models.freeze():  # once for all roots: bokeh would walk through all of them after each
        for name, fig in figures.items():
            fig.name = name
            document.add_root(fig)
    script, divs = components(figures)
    blocks = [_chart_html(name, chart, divs[name]) for name, chart in zip(figures, charts, strict=True)]
    resources = Resources(mode='inline', components=['bokeh'])
    return f'{resources.render()}\n{script}', blocks


def grid(blocks: Sequence[str]) -> str:
    """Lay out charts side by side, or say why there are none."""
    if not blocks:
        return '<p>Nothing to draw: no epoch has finished.</p>'
    return f'<div class="charts">\n{"".join(blocks)}</div>'


def _empty_figure(title: str, x_label: str, y_label: str) -> figure:
    """Return a figure as wide as its column; no tool is active, so a finger scrolls the page."""
    fig = figure(
        height=CHART_HEIGHT,
        sizing_mode='stretch_width',
        x_range=Range1d(0, 1),
        y_range=Range1d(0, 1),
        tools='box_zoom,pan,wheel_zoom,reset',
        active_drag=None,
        active_scroll=None,
        toolbar_location='above',
    )
    fig.add_tools(SaveTool(filename=re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')))
    for dimension, (place, grid, label) in enumerate((('below', fig.xgrid, x_label), ('left', fig.ygrid, y_label))):
        name = 'xy'[dimension]
        getattr(fig, f'{name}axis').tags = grid.tags = [name, 'linear']
        _add_log_axis(fig, name, dimension, place)
        for axis in getattr(fig, f'{name}axis'):
            _style(axis, label)
    fig.toolbar.logo = None
    fig.xaxis[0].formatter = BasicTickFormatter(use_scientific=False)
    fig.grid.grid_line_color = '#e6e6e6'
    fig.outline_line_color = None
    return fig


def _add_log_axis(fig: figure, name: str, dimension: int, place: str) -> None:
    """Add a hidden log axis with a range and a grid of its own."""
    setattr(fig, f'extra_{name}_ranges', {'log': Range1d(1, 10)})
    setattr(fig, f'extra_{name}_scales', {'log': LogScale()})
    settings = {f'{name}_range_name': 'log', 'tags': [name, 'log'], 'visible': False}
    ticker, formatter = CustomJSTicker(major_code=LOG_TICKS), CustomJSTickFormatter(code=LOG_TICK)
    axis = LogAxis(ticker=ticker, formatter=formatter, **settings)
    fig.add_layout(axis, place)
    fig.add_layout(Grid(dimension=dimension, axis=axis, **settings))


def _style(axis: Axis, label: str) -> None:
    axis.axis_label = label + (', log scale' if isinstance(axis, LogAxis) else '')
    axis.axis_label_text_font_style = 'normal'
    axis.axis_label_text_font_size = '13px'
    axis.major_label_text_font_size = '12px'
    axis.major_label_policy = NoOverlap(min_distance=8)


def _add_glyphs(fig: figure, styles: Sequence[LineStyle], points: pd.DataFrame, x_names: list[str]) -> None:
    """Add the glyphs: points, which hold the data and answer the pointer, and empty bands, lines and marks."""
    curve = points['curve'].to_numpy()
    places = range(len(styles))
    curves = {
        'name': [style.name for style in styles],
        'color': [style.color for style in styles],
        'dash': [style.dash for style in styles],
        'width': [1 if style.diverged else 2 for style in styles],
        'diverged': [style.diverged for style in styles],
        'start': np.searchsorted(curve, places, 'left').tolist(),
        'end': np.searchsorted(curve, places, 'right').tolist(),
        'xs': [[] for _ in styles],
        'ys': [[] for _ in styles],
    }
    columns = {name: points[name].to_numpy(dtype=np.float32) for name in (*x_names, 'mean', 'std', 'n')}
    bands = Patches(xs='xs', ys='ys', fill_color='color', fill_alpha=0.18, line_color=None)
    lines = MultiLine(xs='xs', ys='ys', line_color='color', line_dash='dash', line_width='width')
    marks = Scatter(
        x='x', y='y', marker='marker', size='size', line_color='color', fill_color='color', line_width=2
    )  # fmt: skip
    hover = Scatter(x=x_names[0], y='mean', size=9, fill_alpha=0.0, line_alpha=0.0, marker=value('circle'))
    fig.add_glyph(_empty_source('xs', 'ys', 'color'), bands, name='bands')
    fig.add_glyph(ColumnDataSource(curves), lines, name='lines')
    fig.add_glyph(_empty_source('x', 'y', 'color', 'marker', 'size'), marks, name='marks')
    source = ColumnDataSource({**columns, 'curve': curve.astype(np.int32)})
    renderer = fig.add_glyph(source, hover, name='points')
    fig.add_tools(_hover_tool(renderer, [style.name for style in styles], x_names, has_seeds=columns['n'].max() > 1))


def _empty_source(*columns: str) -> ColumnDataSource:
    return ColumnDataSource({name: [] for name in columns})


def _hover_tool(renderer: GlyphRenderer, names: list[str], x_names: list[str], *, has_seeds: bool) -> HoverTool:
    """Show name, place and value of the points under the pointer."""
    tips = {'step': 'updates', 'batch_size': 'batch size', 'start_epoch': 'started from epoch'}
    rows = [('', '@curve{custom}')] if any(names) else []
    rows += [(tips.get(name, name), f'@{name}{{custom}}') for name in x_names]
    if has_seeds:
        rows += [('mean', '@mean{custom}'), ('std over seeds', '@std{custom}'), ('runs', '@n')]
    else:
        rows.append(('value', '@mean{custom}'))
    figures = CustomJSHover(code=FIVE_DIGITS)
    formatters = {f'@{name}': figures for name in (*x_names, 'mean', 'std')}
    formatters['@curve'] = CustomJSHover(args={'names': names}, code='return names[value];')
    return HoverTool(renderers=[renderer], tooltips=rows, formatters=formatters, mode='mouse', limit=3, visible=False)


def _swatch(style: LineStyle, marked: bool = False) -> str:
    mark = f'<path d="{SHAPES[style.dash]}" fill="{text(style.color)}"/>' if marked else ''
    return (
        '<svg width="28" height="10" aria-hidden="true"><line x1="0" y1="5" x2="28" y2="5" stroke-width="3" '
        f'stroke="{text(style.color)}" stroke-dasharray="{STROKES[style.dash]}"/>{mark}</svg>'
    )


def _chart_html(name: str, chart: Chart, div: str) -> str:
    """Return a chart under its title and controls."""
    controls = ''
    if len(chart.x_labels) > 1:
        options = ''.join(
            f'<option value="{each}"{" selected" if each == chart.x else ""}>{text(label)}</option>'
            for each, label in chart.x_labels.items()
        )
        controls += f'<select name="x" aria-label="x axis" autocomplete="off">{options}</select>'
        controls += _checkbox('log-x', 'log x', chart.log_x)
    if len(chart.y_scales) > 1:
        controls += _checkbox('log-y', 'log y', chart.y_scales[0] == 'log')
    controls += '<button type="button" class="save">Save SVG</button>'
    notes = ''.join(f'<p class="soft">{text(note)}</p>' for note in chart.notes)
    label = text(chart.x_labels[chart.x])
    key_html = chart.legend.html if chart.legend else ''
    above, below = ('', key_html) if chart.legend and chart.legend.is_long else (key_html, '')
    return (
        f'<section class="chart" data-root="{name}" data-x="{chart.x}" data-x-label="{label}" '
        f'data-log-x="{str(chart.log_x).lower()}" data-log-y="{str(chart.y_scales[0] == "log").lower()}">'
        f'<h3>{text(chart.title)}</h3><div class="picks">{controls}</div>'
        f'{above}<div class="plot">{div}</div>{below}{notes}</section>\n'
    )


def _checkbox(name: str, label: str, checked: bool) -> str:
    attribute = ' checked' if checked else ''
    return f'<label><input type="checkbox" name="{name}" autocomplete="off"{attribute}>{label}</label>'
