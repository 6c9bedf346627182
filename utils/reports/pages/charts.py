"""Charts of a page: bokeh figures that fit a phone, which charts.js fills as the reader chooses.

A figure holds its points once, with every x axis that a reader may choose, and one glyph each for all lines, bands and
marks: a glyph for each curve would take a minute to write for 500 of them. Both of its axes are there twice, linear
and log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bokeh
import numpy as np
import pandas as pd
from bokeh import models
from bokeh.core.properties import value
from bokeh.document import Document
from bokeh.embed import components
from bokeh.plotting import figure
from bokeh.resources import Resources
from markupsafe import Markup

from utils.files import write_atomically
from utils.reports.pages.curves import thin
from utils.reports.pages.html import templates
from utils.reports.style import COLORS, SPLIT_DASHES

LOG_BY_DEFAULT = 30.0  # curves that span more than this factor are first shown on a log axis
CHART_HEIGHT = 300  # pixels; page.css keeps the room
POINTS_PER_CHART = 40_000  # shared among its curves
POINTS_PER_CURVE = (100, 2000)  # at least and at most
FIVE_DIGITS = "return Number.isFinite(value) ? Number(value.toPrecision(5)).toLocaleString('en') : '-';"


@dataclass(frozen=True)
class LineStyle:
    """How a curve is drawn; name is what the key hides it by, and '' for a curve that stays."""

    name: str
    color: str
    dash: str = 'solid'
    diverged: bool = False


# By the split that a curve was scored on.
SPLIT_STYLES = {
    'val': LineStyle('validation', COLORS[0], SPLIT_DASHES['val']),
    'train': LineStyle('train', COLORS[1], SPLIT_DASHES['train']),
}


@dataclass(frozen=True)
class Chart:
    """A titled figure, which charts.js fills, and what its controls offer."""

    title: str
    figure: figure
    x_labels: Mapping[str, str]  # the x axes to choose from, name to label
    x: str  # the one that is shown at first
    log_x: bool  # whether its log axis is
    y_scales: tuple[str, ...]  # 'linear', 'log' or both, best first
    notes: Sequence[str] = ()  # sentences below it
    legend: Sequence[LineStyle] = ()  # its own key
    root: str = ''  # name of the figure, from embed
    div: str = ''  # markup in its place, from embed


def line_chart(
    title: str, styles: Sequence[LineStyle], points: pd.DataFrame, *, x_labels: Mapping[str, str], x: str, y_label: str,
    log_x: bool = False, y_scales: Sequence[str] | None = None, parts: Sequence[str] = (),
    legend: Sequence[LineStyle] = (), ticks: Sequence[float] | None = None,
) -> Chart | None:  # fmt: skip
    """Return a chart of curves, or None where no point has a value.

    Args:
        title, x_labels, x, log_x, legend: of Chart.
        styles: one a curve.
        points: columns curve (position in styles, ascending), the names of x_labels, mean, std, n.
        y_label: quantity and unit.
        y_scales: for the y axis; by default those that suit the values.
        parts: any of 'bands' and 'bars', one deviation to either side, and 'marks' at the points of short curves.
        ticks: of the x axes, where they do not follow from its range.
    """
    y = points['mean'].to_numpy(dtype=float)
    if not np.isfinite(y).any():
        return None
    y_scales = tuple(y_scales or scales_for(y))
    kept = thin(points['curve'].to_numpy(), int(np.clip(POINTS_PER_CHART // len(styles), *POINTS_PER_CURVE)))
    notes = [f'Drawn: {len(kept):,} of {len(points):,} points.'] if len(kept) < len(points) else []
    if 'log' in y_scales and np.nanmin(y) <= 0:
        notes.append('The log scale leaves out zeros.')
    fig = _empty_figure(title, x_labels[x], y_label)
    fig.tags = list(parts)
    if ticks is not None:
        for axis in fig.xaxis:
            axis.ticker = models.FixedTicker(ticks=list(ticks))
    _add_glyphs(fig, styles, points.iloc[kept], list(x_labels))
    return Chart(title, fig, x_labels, x, log_x, y_scales, notes, legend)


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


def embed(charts: Sequence[Chart | None], shared: Path | None = None) -> tuple[Markup, list[Chart]]:
    """Return the scripts for the head of a page, and the charts, each with its place in it.

    Args:
        shared: the folder above that of the page, where one copy of bokeh's own scripts lies for all pages below it; it
            is written if it is not there. None: they are put into the page.
    """
    drawn = {f'chart{index}': chart for index, chart in enumerate(filter(None, charts))}
    if not drawn:
        return Markup(''), []
    document = Document()
    with document.models.freeze():  # once for all roots: bokeh would walk through all of them after each
        for root, chart in drawn.items():
            chart.figure.name = root
            document.add_root(chart.figure)
    script, divs = components({root: chart.figure for root, chart in drawn.items()})
    resources = Resources(mode='inline', components=['bokeh']).render() if shared is None else _share(shared)
    embedded = [replace(chart, root=root, div=Markup(divs[root])) for root, chart in drawn.items()]
    return Markup(f'{resources}\n{script}'), embedded


def _share(folder: Path) -> Markup:
    """Return the tag of bokeh's scripts in a folder above the page; without them it says what it lacks."""
    path = folder / f'bokeh-{bokeh.__version__}.min.js'
    if not path.is_file():
        text = '\n'.join(Resources(mode='inline', components=['bokeh']).js_raw)
        write_atomically(path, lambda file: file.write(text.encode()))
    return Markup(templates().get_template('shared.html').render(name=path.name))


def _empty_figure(title: str, x_label: str, y_label: str) -> figure:
    """Return a figure as wide as its column; no tool is active, so a finger scrolls the page."""
    ranges = {'x_range': models.Range1d(0, 1), 'y_range': models.Range1d(0, 1)}
    tools = {'tools': 'box_zoom,pan,wheel_zoom,reset', 'active_drag': None, 'active_scroll': None}
    fig = figure(height=CHART_HEIGHT, sizing_mode='stretch_width', toolbar_location='above', **ranges, **tools)
    fig.add_tools(models.SaveTool(filename=re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')))
    for dimension, (place, grid, label) in enumerate((('below', fig.xgrid, x_label), ('left', fig.ygrid, y_label))):
        name = 'xy'[dimension]
        getattr(fig, f'{name}axis').tags = grid.tags = [name, 'linear']
        getattr(fig, f'{name}axis').axis_label = label
        _add_log_axis(fig, name, dimension, place, label)
    fig.axis.axis_label_text_font_style = 'normal'
    fig.axis.axis_label_text_font_size = '13px'
    fig.axis.major_label_text_font_size = '12px'
    fig.axis.major_label_policy = models.NoOverlap(min_distance=8)
    fig.toolbar.logo = None
    fig.xaxis[0].formatter = models.BasicTickFormatter(use_scientific=False)
    fig.grid.grid_line_color = '#e6e6e6'
    fig.outline_line_color = None
    return fig


def _add_log_axis(fig: figure, name: str, dimension: int, place: str, label: str) -> None:
    """Add a hidden log axis with a range and a grid of its own."""
    setattr(fig, f'extra_{name}_ranges', {'log': models.Range1d(1, 10)})
    setattr(fig, f'extra_{name}_scales', {'log': models.LogScale()})
    settings = {f'{name}_range_name': 'log', 'tags': [name, 'log'], 'visible': False}
    ticks, tick = (templates().get_template(name).render() for name in ('log_ticks.js', 'log_tick.js'))
    ticker, formatter = models.CustomJSTicker(major_code=ticks), models.CustomJSTickFormatter(code=tick)
    axis = models.LogAxis(axis_label=f'{label}, log scale', ticker=ticker, formatter=formatter, **settings)
    fig.add_layout(axis, place)
    fig.add_layout(models.Grid(dimension=dimension, axis=axis, **settings))


def _add_glyphs(fig: figure, styles: Sequence[LineStyle], points: pd.DataFrame, x_names: list[str]) -> None:
    """Add the glyphs: points, which hold the data and answer the pointer, and empty bands, lines and marks."""
    curve = points['curve'].to_numpy()
    looks = pd.DataFrame(styles)  # a column a field
    ends = {side: np.searchsorted(curve, looks.index, side).tolist() for side in ('left', 'right')}
    curves = looks.to_dict('list') | {'start': ends['left'], 'end': ends['right']}
    curves |= {'width': np.where(looks['diverged'], 1, 2).tolist(), 'xs': [[]] * len(styles), 'ys': [[]] * len(styles)}
    columns = {name: points[name].to_numpy(dtype=np.float32) for name in (*x_names, 'mean', 'std', 'n')}
    bands = models.Patches(xs='xs', ys='ys', fill_color='color', fill_alpha=0.18, line_color=None)
    lines = models.MultiLine(xs='xs', ys='ys', line_color='color', line_dash='dash', line_width='width')
    marks = models.Scatter(marker='marker', size='size', line_color='color', fill_color='color', line_width=2)
    hover = models.Scatter(x=x_names[0], y='mean', size=9, fill_alpha=0.0, line_alpha=0.0, marker=value('circle'))
    fig.add_glyph(_empty_source('xs', 'ys', 'color'), bands, name='bands')
    fig.add_glyph(models.ColumnDataSource(curves), lines, name='lines')
    fig.add_glyph(_empty_source('x', 'y', 'color', 'marker', 'size'), marks, name='marks')
    source = models.ColumnDataSource({**columns, 'curve': curve.astype(np.int32)})
    renderer = fig.add_glyph(source, hover, name='points')
    fig.add_tools(_hover_tool(renderer, [style.name for style in styles], x_names, has_seeds=columns['n'].max() > 1))


def _empty_source(*columns: str) -> models.ColumnDataSource:
    return models.ColumnDataSource({name: [] for name in columns})


def _hover_tool(
    renderer: models.GlyphRenderer, names: list[str], x_names: list[str], *, has_seeds: bool
) -> models.HoverTool:
    """Show name, place and value of the points under the pointer."""
    tips = {'step': 'updates', 'batch_size': 'batch size', 'start_epoch': 'started from epoch'}
    rows = [('', '@curve{custom}')] if any(names) else []
    rows += [(tips.get(name, name), f'@{name}{{custom}}') for name in x_names]
    if has_seeds:
        rows += [('mean', '@mean{custom}'), ('std over seeds', '@std{custom}'), ('runs', '@n')]
    else:
        rows.append(('value', '@mean{custom}'))
    figures = models.CustomJSHover(code=FIVE_DIGITS)
    formatters = {f'@{name}': figures for name in (*x_names, 'mean', 'std')}
    formatters['@curve'] = models.CustomJSHover(args={'names': names}, code='return names[value];')
    return models.HoverTool(
        renderers=[renderer], tooltips=rows, formatters=formatters, mode='mouse', limit=3, visible=False
    )
