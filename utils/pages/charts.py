"""Charts of a page: bokeh figures that fit a phone, in colours that colour-blind readers tell apart.

A chart whose y axis can be switched between linear and log holds both axes and both sets of curves, one of them
hidden; two figures would cost twice the time to write. Colours: Okabe and Ito 2008, "Color Universal Design", without
their yellow, which is too pale for a line on white.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from bokeh.document import Document
from bokeh.embed import components
from bokeh.models import (
    ColumnDataSource,
    DataRange1d,
    FixedTicker,
    Glyph,
    GlyphRenderer,
    Grid,
    HoverTool,
    LinearAxis,
    LinearScale,
    LogAxis,
    LogScale,
    PrintfTickFormatter,
)
from bokeh.plotting import figure
from bokeh.resources import Resources

from utils.pages.html import text

COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
DASHES = ('solid', 'dashed', 'dotted', 'dotdash')
LOG_BY_DEFAULT = 30.0  # curves that span more than this factor are first shown on a log axis
CHART_HEIGHT = 300  # pixels
# What is drawn carries its scale as a tag, and the name that a button of the key hides it by.
SWITCHES = """<script>
function updateCharts() {
  const hidden = [...document.querySelectorAll('.key button[aria-pressed="false"]')].map(b => b.dataset.name);
  for (const root of Bokeh.documents.flatMap(doc => doc.roots())) {
    const pick = document.querySelector(`input[name="${root.name}"]:checked`);
    const matches = model => !pick || !model.tags.length || model.tags.includes(pick.value);
    for (const renderer of root.renderers)
      renderer.visible = matches(renderer) && !hidden.includes(renderer.name);
    for (const model of [...root.left, ...root.center]) if (model.tags.length) model.visible = matches(model);
  }
}
for (const pick of document.querySelectorAll('.chart input')) pick.addEventListener('change', updateCharts);
for (const button of document.querySelectorAll('.key button')) button.addEventListener('click', () => {
  button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') === 'false'));
  updateCharts();
});
</script>"""


@dataclass(frozen=True)
class Chart:
    """A titled figure; scales of its y axis are 'linear', 'log' or both, the first one is shown at first."""

    title: str
    figure: figure
    scales: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


def new_chart(title: str, scales: Sequence[str], *, x_label: str, y_label: str, x_log: bool = False) -> Chart:
    """Return an empty chart as wide as its column; no tool is active, so a finger scrolls the page."""
    fig = figure(
        height=CHART_HEIGHT,
        sizing_mode='stretch_width',
        x_axis_type='log' if x_log else 'linear',
        y_axis_type=scales[0],
        x_axis_label=x_label,
        y_axis_label=y_label,
        tools='box_zoom,pan,wheel_zoom,reset,save',
        active_drag=None,
        active_scroll=None,
        toolbar_location='above',
    )
    fig.yaxis.tags = fig.ygrid.tags = [scales[0]]
    if len(scales) > 1:
        _add_second_scale(fig, scales[1])
    for axis in fig.axis:
        if isinstance(axis, LogAxis):
            axis.axis_label += ', log scale'
    fig.toolbar.logo = None
    fig.axis.axis_label_text_font_style = 'normal'
    fig.axis.axis_label_text_font_size = '13px'
    fig.axis.major_label_text_font_size = '12px'
    fig.x_range.only_visible = fig.y_range.only_visible = True
    fig.grid.grid_line_color = '#e6e6e6'
    fig.outline_line_color = None
    return Chart(title, fig, tuple(scales))


def _add_second_scale(fig: figure, scale: str) -> None:
    """Add a hidden y axis of the other scale, with a range and a grid of its own."""
    log = scale == 'log'
    fig.extra_y_ranges = {scale: DataRange1d(only_visible=True)}
    fig.extra_y_scales = {scale: LogScale() if log else LinearScale()}
    settings = {'y_range_name': scale, 'tags': [scale], 'visible': False}
    axis = (LogAxis if log else LinearAxis)(axis_label=fig.yaxis[0].axis_label, **settings)
    fig.add_layout(axis, 'left')
    fig.add_layout(Grid(dimension=1, axis=axis, **settings))


def draw(chart: Chart, scale: str, source: ColumnDataSource, glyph: Glyph, *, name: str = '') -> GlyphRenderer:
    """Draw one glyph on one of the scales of a chart, hidden unless that scale is the first."""
    first = scale == chart.scales[0]
    renderer = chart.figure.add_glyph(source, glyph, name=name or None, tags=[scale], visible=first)
    if not first:
        renderer.y_range_name = scale
    return renderer


def fit_axes(chart: Chart, x: np.ndarray, y: np.ndarray) -> None:
    """Suit the axes of a chart to all values that it shows, and note what an axis cannot show."""
    _label_log_axes(chart.figure.xaxis, x)
    _label_log_axes(chart.figure.yaxis, y)
    finite = y[np.isfinite(y)]
    if chart.scales[0] == 'linear' and finite.min() == finite.max():
        # A curve that never changes: bokeh's axis would go from one below it to one above.
        chart.figure.y_range.default_span = float(abs(finite[0])) or 1.0
    if 'log' in chart.scales and finite.min() <= 0:
        chart.notes.append('Zeros have no place on the log scale and are left out there.')


def _label_log_axes(axes: Sequence, values: np.ndarray) -> None:
    """Put ticks at 1, 2 and 5 on log axes of up to three decades, where bokeh's own crowd at one end."""
    above = values[np.isfinite(values) & (values > 0)]
    if not len(above) or above.max() > 1000 * above.min():
        return
    decades = range(math.floor(math.log10(above.min())) - 1, math.ceil(math.log10(above.max())) + 2)
    ticks = [mantissa * 10.0**decade for decade in decades for mantissa in (1, 2, 5)]
    for axis in axes:
        if isinstance(axis, LogAxis):
            axis.ticker = FixedTicker(ticks=ticks)
            axis.formatter = PrintfTickFormatter(format='%.6g')


def add_hover(chart: Chart, renderers: Sequence, tooltips: Sequence[tuple[str, str]], *, mode: str = 'vline') -> None:
    """Show values under the pointer."""
    tool = HoverTool(renderers=list(renderers), tooltips=list(tooltips), mode=mode, line_policy='nearest')
    chart.figure.add_tools(tool)


def thin(table: pd.DataFrame, limit: int, *, spacing: str = 'even') -> pd.DataFrame:
    """Keep at most `limit` rows, the first and the last among them.

    Args:
        table: one row a point of a curve.
        limit: in rows.
        spacing: 'even', or 'log' for rows that are read on a log axis.
    """
    count = len(table)
    if count <= limit:
        return table
    rows = np.linspace(0, count - 1, limit) if spacing == 'even' else np.geomspace(1, count, limit) - 1
    return table.iloc[np.unique(rows.round().astype(int))]


def scales_for(values: np.ndarray) -> tuple[str, ...]:
    """Return the scales that suit values, best first: log where they span decades, none where all are missing."""
    finite = values[np.isfinite(values)]
    above = finite[finite > 0]
    if not len(above):
        return ('linear',) if len(finite) else ()
    spans_decades = above.max() > LOG_BY_DEFAULT * np.quantile(above, 0.02)
    # A log axis hides zeros, such as an error that is learnt away, so it is not what a reader sees first.
    return ('log', 'linear') if spans_decades and len(above) == len(finite) else ('linear', 'log')


def embed(charts: Sequence[Chart]) -> tuple[str, str]:
    """Return the scripts for the head of a page, bokeh itself included, and the HTML of the charts."""
    if not charts:
        return '', '<p>Nothing to draw yet: the first epoch has not finished.</p>'
    figures = {f'chart{index}': chart.figure for index, chart in enumerate(charts)}
    document = Document()
    with document.models.freeze():  # once for all roots: bokeh would walk through all of them after each
        for name, fig in figures.items():
            fig.name = name
            _bind_ranges(fig)
            document.add_root(fig)
    script, divs = components(figures)
    blocks = ''.join(_chart_html(name, chart, divs[name]) for name, chart in zip(figures, charts, strict=True))
    resources = Resources(mode='inline', components=['bokeh'])
    return f'{resources.render()}\n{script}', f'<div class="charts">{blocks}</div>{SWITCHES}'


def _bind_ranges(fig: figure) -> None:
    """Let each y range follow its own curves: those of the other scale may have no place on it."""
    for scale, y_range in [(fig.yaxis[0].tags[0], fig.y_range), *fig.extra_y_ranges.items()]:
        y_range.renderers = [renderer for renderer in fig.renderers if scale in renderer.tags]


def _chart_html(name: str, chart: Chart, div: str) -> str:
    """Return a chart under its title, with a choice of scales if it has two."""
    picks = ''
    for position, scale in enumerate(chart.scales if len(chart.scales) > 1 else ()):
        checked = '' if position else ' checked'
        radio = f'<input type="radio" name="{name}" value="{scale}" autocomplete="off"{checked}>'
        picks += f'<label>{radio}{scale} scale</label>'
    notes = ''.join(f'<p class="soft">{text(note)}</p>' for note in chart.notes)
    return f'<section class="chart"><h3>{text(chart.title)}</h3><div class="picks">{picks}</div>{div}{notes}</section>'
