"""The page of SWAP: each worker, their mean and their average, the curves of the phases, from the files alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from utils.config.every import fields_of
from utils.reports.columns import describe_column
from utils.reports.pages.charts import Chart, LineStyle, embed, line_chart, shared_scales
from utils.reports.pages.html import number, percent, write_page
from utils.reports.style import COLORS, DASHES
from utils.runs.layout import PAGE, SWAP_PAGE, SWAP_TABLE
from utils.runs.reader import Run, load_run
from utils.settings import Means

COLORED, BLACK = COLORS[:-1], COLORS[-1]  # a colour for each worker; what they share is black
PHASE1 = LineStyle('phase 1', BLACK)
AVERAGE = LineStyle('average of the weights', BLACK, 'dashed')
MEAN = LineStyle('mean of the workers', BLACK, 'dotted')
X_LABELS = {'epoch': 'epochs', 'step': 'updates of a worker'}
PAIRS = (('val_error1', 'train_error1'), ('val_loss', 'train_loss'))  # a chart each, of one scale in a pair


def write_swap_page(folder: Path) -> Path:
    """Write swap.html into the folder of a finished SWAP and return its path."""
    run, rows = load_run(folder), pd.read_csv(folder / SWAP_TABLE)
    names = [name for name in rows['name'] if name.startswith('worker')]
    phases = [load_run(folder / name) for name in ('phase1', *names)]
    curves = [chart for columns in PAIRS for chart in _pair(columns, phases, rows)]
    head, charts = embed([_ends(rows), _curves('lr', phases, rows), *curves])
    pages = [Path(name) / PAGE for name in rows['name']]
    return write_page(
        folder / SWAP_PAGE, 'swap.html', title=f'SWAP: {run.name}', head=head, run=run, num_workers=len(names),
        wanted=run.settings.get('swap_workers', len(names)), rows=rows.set_index('name'),
        entries=[(style, style.name) for style in (PHASE1, *map(_line_style, names), AVERAGE)], x_labels=X_LABELS,
        charts=charts, cells=_cells(rows),
        links=[page.as_posix() if (folder / page).is_file() else None for page in pages],
        key_settings=fields_of(Means.KEY),
    )  # fmt: skip


def _line_style(name: str) -> LineStyle:
    """Return how a worker is drawn: as its number says, also where others were lost."""
    number = int(name.removeprefix('worker'))
    turn, place = divmod(number, len(COLORED))
    return LineStyle(f'worker {number}', COLORED[place], DASHES[turn % len(DASHES)])


def _ends(rows: pd.DataFrame) -> Chart | None:
    """Return the chart of final accuracies: a mark a worker, their mean and the average as lines."""
    ends = rows.set_index('name')['val_error1']
    names = [name for name in ends.index if name.startswith('worker')]
    places = [int(name.removeprefix('worker')) for name in names]
    span = (min(places) - 0.5, max(places) + 0.5)
    curves: list[tuple[str, Sequence[float]]] = [(name, [place]) for name, place in zip(names, places, strict=True)]
    curves += [('mean', span), ('average', span)]
    points = [(x, 100 - ends[name], curve) for curve, (name, xs) in enumerate(curves) for x in xs]
    table = pd.DataFrame(points, columns=['worker', 'mean', 'curve']).assign(std=math.nan, n=1)
    styles = [*map(_line_style, names), MEAN, AVERAGE]
    return line_chart(
        'Final accuracy', styles, table, x_labels={'worker': 'worker'}, x='worker', y_label='validation accuracy (%)',
        y_scales=('linear',), legend=[MEAN, AVERAGE], ticks=places if len(places) <= 20 else None,
    )  # fmt: skip


def _pair(columns: Sequence[str], phases: Sequence[Run], rows: pd.DataFrame) -> list[Chart | None]:
    """Return the charts of the validation and the training of one measure, on scales that suit both."""
    values = pd.concat([run.results[column] for run in phases for column in columns])
    scales = shared_scales(values.to_numpy(dtype=float))
    return [_curves(column, phases, rows, scales) for column in columns]


def _curves(
    column: str, phases: Sequence[Run], rows: pd.DataFrame, y_scales: tuple[str, ...] | None = None
) -> Chart | None:
    """Return a chart of the phases; the average, which is known at the end alone, as a line over the second one."""
    start = phases[0].results[['epoch', 'step']].iloc[-1]
    styles, parts = [PHASE1, *(_line_style(run.folder.name) for run in phases[1:])], []
    for place, run in enumerate(phases):
        points = run.results[['epoch', 'step', column]].rename(columns={column: 'mean'})
        points[['epoch', 'step']] += start if place else 0
        parts.append(points.assign(curve=place))
    if column.startswith('val_'):
        end = rows.set_index('name').loc['average']
        styles.append(AVERAGE)
        ends = [{'epoch': at['epoch'], 'step': at['step'], 'mean': end[column]} for at in (start, end)]
        parts.append(pd.DataFrame(ends).assign(curve=len(phases)))
    shown = describe_column(column, phases)
    return line_chart(
        shown.title, styles, pd.concat(parts, ignore_index=True).assign(std=math.nan, n=1), x_labels=X_LABELS,
        x='epoch', y_label=shown.label, y_scales=y_scales, parts=('marks',) if len(phases) <= 5 else (),
    )  # fmt: skip


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Return swap.csv as text for people."""
    headings = {
        'epoch': ('epochs', number), 'step': ('updates', number), 'val_error1': ('val error@1', percent),
        'val_error5': ('val error@5', percent), 'val_loss': ('val loss', number),
        'train_error1': ('train error@1', percent), 'train_loss': ('train loss', number),
        'seconds': ('seconds', '{:,.1f}'.format), 'seconds_in_turn': ('after, in turn', '{:,.1f}'.format),
        'seconds_side_by_side': ('after, side by side', '{:,.1f}'.format),
    }  # fmt: skip
    cells = {heading: rows[name].map(write) for name, (heading, write) in headings.items()}
    return pd.DataFrame({'run': rows['name'], **cells})
