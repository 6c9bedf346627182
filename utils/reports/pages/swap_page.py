"""The page of SWAP: each worker, their mean and their average, the curves of the phases, from the files alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from utils.config.every import fields_of
from utils.quantities import duration
from utils.reports.columns import describe_column
from utils.reports.pages.charts import Chart, LineStyle, embed, grid, key, legend, line_chart, shared_scales, use_ticks
from utils.reports.pages.html import breakable, cards, fact_table, number, percent, table, text, write_page
from utils.reports.style import COLORS, DASHES
from utils.runs.layout import CONFIG, PAGE, SWAP_PAGE, SWAP_TABLE
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
    workers = [_line_style(name) for name in names]
    curves = [chart for columns in PAIRS for chart in _pair(columns, phases, rows)]
    charts = [_ends(rows), _curves('lr', phases, rows), *curves]
    head, blocks = embed([chart for chart in charts if chart is not None])
    title = f'SWAP: {run.name}'
    body = '\n'.join([
        f'<h1>{breakable(title)}</h1><p class="soft">page of {datetime.now():%Y-%m-%d %H:%M:%S}</p>',
        f'<p>{text(_explain(run, names))}</p>', _headline(rows, run), '<h2>Curves</h2>',
        key([(style, style.name) for style in (PHASE1, *workers, AVERAGE)], X_LABELS), grid(blocks),
        '<h2>Workers</h2>', _table(rows, folder), '<h2>Settings</h2>', _settings(run),
    ])  # fmt: skip
    return write_page(folder / SWAP_PAGE, title=title, body=body, head=head)


def _explain(run: Run, names: Sequence[str]) -> str:
    wanted = run.settings.get('swap_workers', len(names))
    left_out = f' ({wanted - len(names)} of {wanted} were lost and are left out)' if wanted > len(names) else ''
    return (
        f'One run with a large batch, then {len(names)} workers{left_out}, each on its own from there, then the '
        'average of their weights with batch-norm statistics computed anew over the training set.'
    )


def _headline(rows: pd.DataFrame, run: Run) -> str:
    rows = rows.set_index('name')
    last, mean = rows.loc['average'], rows.loc['mean']
    test = run.config.get('test') or {}
    return cards([
        ('validation error@1, average', percent(last['val_error1'])),
        ('mean of the workers', percent(mean['val_error1'])),
        ('end of phase 1', percent(rows.loc['phase1', 'val_error1'])),
        *([('test error@1, average', percent(test.get('error1')))] if test else []),
        ('validation loss, average', number(last['val_loss'])),
        ('training time in turn', duration(last['seconds_in_turn'])),
        ('as if side by side', duration(last['seconds_side_by_side'])),
    ])  # fmt: skip


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
    lines = [(MEAN, 'mean'), (AVERAGE, 'average')]
    points = [(place, 100 - ends[name], curve) for curve, (place, name) in enumerate(zip(places, names, strict=True))]
    points += [(x, 100 - ends[name], len(names) + line) for line, (_, name) in enumerate(lines) for x in span]
    table = pd.DataFrame(points, columns=['worker', 'mean', 'curve']).assign(std=math.nan, n=1)
    styles = [*map(_line_style, names), *(style for style, _ in lines)]
    chart = line_chart(
        'Final accuracy', styles, table, x_labels={'worker': 'worker'}, x='worker', y_label='validation accuracy (%)',
        y_scales=('linear',), legend=legend([MEAN, AVERAGE]),
    )  # fmt: skip
    if chart is not None and len(places) <= 20:
        use_ticks(chart, places)
    return chart


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


def _table(rows: pd.DataFrame, folder: Path) -> str:
    headings = [
        'run', 'epochs', 'updates', 'val error@1', 'val error@5', 'val loss', 'train error@1', 'train loss', 'seconds',
        'after, in turn', 'after, side by side',
    ]  # fmt: skip
    cells, links = [], []
    for row in rows.to_dict('records'):
        cells.append([
            row['name'], number(row['epoch']), number(row['step']), percent(row['val_error1']),
            percent(row['val_error5']), number(row['val_loss']), percent(row['train_error1']),
            number(row['train_loss']), *(f'{row[name]:,.1f}' for name in rows if name.startswith('seconds')),
        ])  # fmt: skip
        page = Path(row['name']) / PAGE
        links.append(page.as_posix() if (folder / page).is_file() else None)
    note = (
        'Scores are those of the last epoch. seconds: of the row alone; after: since the start, with the workers one '
        'after the other and as if they had run side by side. Training scores of the average are the mean of the '
        'workers while training.'
    )
    return f'{table(headings, cells, left=("run",), links=links)}<p class="soft">{text(note)}</p>'


def _settings(run: Run) -> str:
    given = {name: run.settings.get(name) for name in fields_of(Means.KEY)}
    facts = [(name.replace('_', ' '), str(value)) for name, value in given.items() if value not in (None, {})]
    command = text(run.config.get('command') or 'not recorded')
    return f'{fact_table(facts)}<h3>Command</h3><pre>{command}</pre><p class="soft">All settings: {CONFIG}</p>'
