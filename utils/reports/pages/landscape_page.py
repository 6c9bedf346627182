"""The page of a measured line: loss and accuracy between two networks, or around one, from line.json and line.csv."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from bokeh.models import Label, Span

from utils.config.measure import CONDITIONS
from utils.reports.landscape import PAGE, SPLIT_NAMES, Landscape, load_landscape
from utils.reports.pages.charts import SPLIT_STYLES, Chart, LineStyle, embed, line_chart
from utils.reports.pages.html import number, write_page

MARK = '#808080'
IN_WORDS = ('pixels', 'augment')  # what the page has sentences for
TOP = 218  # pixels above the x axis, just within the frame of a chart


def write_landscape_page(folder: Path) -> Path:
    """Write line.html from line.json and line.csv and return its path."""
    landscape = load_landscape(folder)
    loss = _chart(landscape, 'loss', 'Loss', 'loss per example', ('log', 'linear'))
    accuracy = _chart(landscape, 'accuracy', 'Accuracy', 'accuracy (%)', ('linear',))
    head, charts = embed([loss, accuracy])
    return write_page(
        folder / PAGE, 'landscape.html', head=head, charts=charts, line=landscape, points=_points(landscape),
        title=f'{"From" if landscape.kind == "line" else "Around"} {" to ".join(landscape.names)}',
        conditions=[name for name in (*CONDITIONS, 'batch_size') if name not in IN_WORDS],
    )  # fmt: skip


def _chart(landscape: Landscape, name: str, title: str, y_label: str, y_scales: tuple[str, ...]) -> Chart | None:
    marks = [LineStyle(words, MARK, 'dotted') for words in landscape.marks.values()]  # without points, for the key
    styles = [*(SPLIT_STYLES[split] for split in landscape.splits), *marks]
    columns = [landscape.average(f'{split}_{name}').assign(curve=place) for place, split in enumerate(landscape.splits)]
    chart = line_chart(
        title, styles, pd.concat(columns, ignore_index=True), x_labels={'alpha': 'alpha'}, x='alpha', y_label=y_label,
        y_scales=y_scales, parts=('bands',), legend=styles,
    )  # fmt: skip
    if chart is not None:
        for place, letter in enumerate(landscape.marks):
            _mark(chart, place, letter, at_top=name == 'loss')
    return chart


def _mark(chart: Chart, place: int, letter: str, *, at_top: bool) -> None:
    """Draw a line at a network's place, with its letter beside it, where the curve of a minimum is not."""
    fig = chart.figure
    fig.add_layout(Span(location=place, dimension='height', line_color=MARK, line_dash='dotted', line_width=1))
    fig.add_layout(Label(
        x=place, y=TOP if at_top else 4, y_units='screen', x_offset=4, text=letter, text_font_size='13px',
        text_baseline='top' if at_top else 'bottom', text_color='#404040', background_fill_color='white',
    ))  # fmt: skip


def _points(landscape: Landscape) -> pd.DataFrame:
    """Return the rows of the table as text for people."""
    rows = landscape.rows
    cells = {'direction': rows['direction'].map('{:.0f}'.format)} if landscape.num_directions > 1 else {}
    cells['alpha'] = rows['alpha'].map('{:g}'.format)
    for split in landscape.splits:
        name = SPLIT_NAMES[split]
        cells[f'{name} loss'] = [number(loss, 5) for loss in rows[f'{split}_loss']]
        cells[f'{name} accuracy %'] = rows[f'{split}_accuracy'].map('{:.2f}'.format)
    return pd.DataFrame(cells)
