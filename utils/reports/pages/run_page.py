"""The page of one run: status, headline figures, settings and curves, from its files alone.

Works at any moment of a run: before its first epoch, while it goes on (the page then reloads itself), after it
failed or diverged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from utils.config.every import fields_of
from utils.quantities import duration
from utils.reports.columns import columns_beside, known_columns
from utils.reports.pages.charts import Chart, LineStyle, embed, grid, key, line_chart
from utils.reports.pages.curves import Averages, average, average_distances
from utils.reports.pages.html import (
    RELOAD_SECONDS,
    breakable,
    cards,
    fact_table,
    number,
    percent,
    table,
    text,
    write_page,
)
from utils.reports.sharpness import TABLES, WORDS
from utils.reports.style import COLORS, X_LABELS
from utils.runs.columns import DISTANCE, PANELS, Column
from utils.runs.reader import Run, load_run
from utils.settings import Means

# By the split that a column was scored on; others are alone in their chart.
LINE_STYLES = {'val': LineStyle('validation', COLORS[0]), 'train': LineStyle('train', COLORS[1], 'dashed')}
ONLY = LineStyle('', COLORS[0])


def write_run_page(run_folder: str | os.PathLike) -> Path:
    """Write `results.html` into a run folder, from the files that lie there.

    Returns:
        The path of the page.

    Raises:
        UserError: `config.json` or a table is there but cannot be read.
    """
    run = load_run(run_folder)
    results, distances = average([[run]]), average_distances([[run]])
    panels = _panels(run, results)
    head, charts = embed([chart for panel in panels if (chart := _draw(panel, results, distances)) is not None])
    title = readable_name(run.name)
    name = f'{breakable(run.name)}, ' if run.name != title else ''
    body = '\n'.join([
        f'<h1>{breakable(title)}</h1><p class="soft">{name}page of {datetime.now():%Y-%m-%d %H:%M:%S}</p>',
        _status(run), _headline(run), *(_curves(charts, panels) if charts else []), *_measured(run),
        '<h2>Settings</h2>', _settings(run),
    ])  # fmt: skip
    return write_page(run.folder / 'results.html', title=title, body=body, head=head, reloads=_is_running(run))


def readable_name(name: str) -> str:
    """Return a save name in words: `mnist_bs4096_gbn_seed2` is `mnist batch 4096 ghost batch norm seed 2`."""
    words = {'gbn': 'ghost batch norm', 'bn': 'batch norm', 'lr': 'learning rate'}
    numbered = {'bs': 'batch', 'seed': 'seed', 'bn': 'batch norm', 'gbn': 'ghost batch norm'}
    parts = [part for part in name.split('_') if part]
    for index, part in enumerate(parts):
        match = re.fullmatch(r'([a-z]+)(\d+)', part)
        if match and match[1] in numbered:
            parts[index] = f'{numbered[match[1]]} {match[2]}'
        else:
            parts[index] = words.get(part, part)
    return ' '.join(parts) or name


def _is_running(run: Run) -> bool:
    return run.status == 'running'


def _epochs(run: Run) -> tuple[str, int | None]:
    """Return how far the run got, in words, and the epochs that are left (None if the plan is unknown)."""
    planned = run.config.get('num_epochs')
    finished = int(run.results['epoch'].iloc[-1]) if len(run.results) else 0
    if not planned:
        return f'epoch {finished}', None
    return f'epoch {finished:,} of {planned:,}', max(planned - finished, 0)


def _status(run: Run) -> str:
    where, left = _epochs(run)
    message = str(run.config.get('message') or '').strip()
    spent = duration(run.config.get('seconds') or run.results['epoch_seconds'].sum())
    reloads = f'This page reloads every {RELOAD_SECONDS} s while it is open.'
    words = {
        'running': f'finished {where}{_time_left(run, left)}. {reloads}',
        'done': f'finished {where} in {spent}.',
        'failed': f'stopped after {where}. What is drawn here was finished before that.',
        'interrupted': f'stopped by a signal after {where}; it can be gone on with.',
        'diverged': f'stopped after {where}, because the loss was no longer finite. It is kept as a result.',
    }.get(run.status, f'status unknown to this page, last finished {where}.')
    reason = f'<br>{text(message)}' if message else ''
    kind = {'interrupted': 'failed'}.get(run.status, run.status)
    kind = kind if kind in ('running', 'done', 'failed', 'diverged') else ''
    return f'<p class="status {kind}"><strong>{text(run.status.capitalize())}</strong>: {text(words)}{reason}</p>'


def _time_left(run: Run, epochs_left: int | None) -> str:
    if not epochs_left or not len(run.results):
        return ''
    return f', about {duration(epochs_left * run.results["epoch_seconds"].tail(20).mean())} left'


def _headline(run: Run) -> str:
    """Return the figures of the last epoch, then the best epoch and the test set apart."""
    if not len(run.results):
        early = ' The run diverged in its first one, so there are no curves.' if run.status == 'diverged' else ''
        return f'<p>No epoch has finished yet.{early}</p>'
    last, errors = run.results.iloc[-1], run.results['val_error1']
    beside = [column for column in columns_beside([run], 'val_error1') if not pd.isna(last[column.name])]
    figures = cards([
        ('validation error@1', percent(last['val_error1'])),
        ('train error@1', percent(last['train_error1'])),
        *((f'validation error@1, {column.weights}', percent(last[column.name])) for column in beside),
        ('validation loss', number(last['val_loss'])),
        ('train loss', number(last['train_loss'])),
        ('updates', number(last['step'])),
        ('distance from start', number(last['weight_distance'])),
        ('training time', duration(run.results['epoch_seconds'].sum())),
        ('images per second', number(round(last['images_per_second'])) if last['images_per_second'] > 0 else '-'),
    ])  # fmt: skip
    extra = ''
    if errors.notna().any():
        best = run.results.loc[errors.idxmin()]
        extra += (
            f'<p>Best epoch: {number(best["epoch"])}, validation error@1 {percent(best["val_error1"])}, '
            'chosen on the split it is scored on, so it flatters; compare runs by their last epoch.</p>'
        )
    test = run.config.get('test') or {}
    if test:
        extra += (
            f'<p>Test set, scored once at the end: error@1 {percent(test.get("error1"))}, '
            f'error@5 {percent(test.get("error5"))}, loss {number(test.get("loss"))}.</p>'
        )
    for column in beside:
        scores = run.config.get(f'{column.prefix}_test') or {}
        extra += f'<p>The {column.weights} there: error@1 {percent(scores.get("error1"))}.</p>' if scores else ''
    return f'<h2>Last epoch ({number(last["epoch"])})</h2>{figures}{extra}'


def _curves(charts: Sequence[str], panels: Sequence[Sequence[Column]]) -> list[str]:
    styles = list(dict.fromkeys(_line_style(column) for panel in panels if len(panel) > 1 for column in panel))
    styles = sorted(styles, key=[*LINE_STYLES.values(), *styles].index)
    entries = [(style, f'{style.name} ({style.dash.replace("dotdash", "dash-dotted")})') for style in styles]
    return ['<h2>Curves</h2>', key(entries, X_LABELS), grid(charts)]


def _measured(run: Run) -> list[str]:
    """Return tables of what was measured on the run's checkpoints after training."""
    parts = []
    for kind in TABLES:
        cells = kind.cells(kind.summarise(kind.open(run.folder).rows()))
        if cells:
            rows = [list(row.values()) for row in cells]
            parts.append(f'<h2>{text(kind.title)}</h2>{table(list(cells[0]), rows, left=WORDS)}')
            parts.append(f'<p class="soft">{text(kind.note)}</p>')
    return parts


def _settings(run: Run) -> str:
    config, settings = run.config, run.settings
    shown = [name for name in fields_of(Means.KEY) if settings.get(name) is not None]
    facts = [(name.replace('_', ' '), _plain(settings[name])) for name in shown]
    counts = ('num_epochs', 'steps_per_epoch', 'num_parameters')
    facts += [(name.replace('_', ' '), number(config[name])) for name in counts if config.get(name) is not None]
    git = config.get('git') or {}
    commit = f'{git["commit"]}{", with uncommitted changes" if git.get("dirty") else ""}' if git.get('commit') else None
    versions = ', '.join(f'{name} {version}' for name, version in (config.get('versions') or {}).items())
    named = {'device': config.get('device'), 'versions': versions, 'git commit': commit}
    named |= {'started': config.get('started'), 'finished': config.get('finished')}
    facts += [(name, value) for name, value in named.items() if value]
    every = fact_table((name, _plain(value)) for name, value in sorted(settings.items()))
    return (
        f'<div class="columns"><div>{fact_table(facts)}</div><div>{_regime(config.get("regime"))}'
        f'<h3>Command</h3><pre>{text(config.get("command") or "not recorded")}</pre>'
        f'<details><summary>All settings</summary>{every}</details></div></div>'
    )


def _plain(value: object) -> str:
    return '-' if value is None or value == {} else str(value)


def _regime(entries: object) -> str:
    """Lay out the regime, every row with all settings in force from its epoch on."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return ''
    names = list(dict.fromkeys(name for entry in entries for name in entry if name != 'epoch'))
    rows, now = [], {}
    for entry in entries:
        now = {**now, **entry}
        rows.append([_cell(now.get('epoch')), *(_cell(now.get(name)) for name in names)])
    headings = ['from epoch', *(name.replace('_', ' ') for name in names)]
    return f'<h3>Regime (epochs counted from 0)</h3>{table(headings, rows)}'


def _cell(value: object) -> str:
    return f'{value:.6g}' if isinstance(value, float) else _plain(value)


def _panels(run: Run, results: Averages) -> list[list[Column]]:
    """Return the columns of each chart of the page; those of other weights only where there are values."""
    found: dict[str, list[Column]] = {name: [] for name in PANELS}
    for column in known_columns([run]).values():
        if column.panel and column.name in run.results and not (column.beside and not len(results.points(column.name))):
            found.setdefault(column.panel, []).append(column)
    return [panel for panel in found.values() if panel]


def _line_style(column: Column) -> LineStyle:
    """Return how a column is drawn: by its split, or by the weights that it was scored on."""
    if column.beside:
        return LineStyle(column.weights, COLORS[2], 'dotdash')
    return LINE_STYLES.get(column.split, ONLY)


def _draw(panel: Sequence[Column], results: Averages, distances: Averages) -> Chart | None:
    """Return the chart of a panel, or None where there is nothing to draw."""
    is_distance = panel[0].name == DISTANCE  # of which there are more points than epochs
    averages = distances if is_distance else results
    points = [averages.points(column.name).assign(curve=index) for index, column in enumerate(panel)]
    # Distance grows with the logarithm of updates, so a linear distance over log updates is the view to have.
    return line_chart(
        panel[0].panel, list(map(_line_style, panel)), pd.concat(points), x_labels=X_LABELS,
        x='step' if is_distance else 'epoch', y_label=panel[0].label, log_x=is_distance,
        y_scales=('linear', 'log') if is_distance else None, parts=('marks',),
    )  # fmt: skip
