"""The page of one run: status, headline figures, settings and curves, from its files alone.

Works at any moment of a run: before its first epoch, while it goes on (the page then reloads itself), after it
failed or diverged.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from bokeh.models import ColumnDataSource, GlyphRenderer, Legend, LegendItem, Line, Scatter

from utils.pages.charts import COLORS, Chart, add_hover, draw, embed, fit_axes, new_chart, scales_for, thin
from utils.pages.html import RELOAD_SECONDS, cards, duration, fact_table, number, percent, table, text, write_page
from utils.run_files import Run, load_run

MAX_POINTS = 2000  # of one curve
MARKERS_UP_TO = 12  # points; a single one would be invisible as a line
KEY_SETTINGS = (
    'dataset', 'model', 'model_config', 'batch_size', 'ghost_batch_size', 'micro_batch_size', 'base_batch_size',
    'lr_scaling', 'seed',
)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """What one chart of the page shows; columns maps a column to its name in the legend."""

    title: str
    columns: dict[str, str]
    y_label: str
    switch: bool = False  # let the reader choose the scale
    over_updates: bool = False  # weight_distance.csv on a log axis of updates, else results.csv over epochs


BOTH = {'train': 'train (dashed)', 'val': 'validation (solid)'}
PANELS = (
    Panel('Loss', {f'{split}_loss': name for split, name in BOTH.items()}, 'loss per example', True),
    Panel('Error@1', {f'{split}_error1': name for split, name in BOTH.items()}, 'error@1 (%)', True),
    Panel('Error@5', {f'{split}_error5': name for split, name in BOTH.items()}, 'error@5 (%)'),
    Panel('Learning rate', {'lr': 'learning rate'}, 'learning rate per update'),
    Panel('Distance from the initial weights', {'weight_distance': 'distance'}, 'L2 distance', over_updates=True),
    Panel('Gradient norm', {'grad_norm': 'gradient norm'}, 'L2 norm, mean of the epoch'),
)


def write_run_page(run_folder: str | os.PathLike) -> Path:
    """Write `results.html` into a run folder, from the files that lie there.

    Returns:
        The path of the page.

    Raises:
        UserError: `config.json` or a table is there but cannot be read.
    """
    run = load_run(run_folder)
    scripts, charts = embed([chart for panel in PANELS if (chart := _draw(panel, run)) is not None])
    title = readable_name(run.name)
    body = '\n'.join([
        f'<h1>{text(title)}</h1><p class="soft">{text(run.name)}, page of {datetime.now():%Y-%m-%d %H:%M:%S}</p>',
        _status(run), _headline(run), '<h2>Curves</h2>', charts, '<h2>Settings</h2>', _settings(run),
    ])  # fmt: skip
    return write_page(run.folder / 'results.html', title=title, body=body, scripts=scripts, reloads=_is_running(run))


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
        'diverged': f'stopped after {where}, because the loss was no longer finite. It is kept as a result.',
    }.get(run.status, f'status unknown to this page, last finished {where}.')
    reason = f'<br>{text(message)}' if message else ''
    kind = run.status if run.status in ('running', 'done', 'failed', 'diverged') else ''
    return f'<p class="status {kind}"><strong>{text(run.status.capitalize())}</strong>: {text(words)}{reason}</p>'


def _time_left(run: Run, epochs_left: int | None) -> str:
    if not epochs_left or not len(run.results):
        return ''
    return f', about {duration(epochs_left * run.results["epoch_seconds"].tail(20).mean())} left'


def _headline(run: Run) -> str:
    """Return the figures of the last epoch, then the best epoch and the test set apart."""
    if not len(run.results):
        return '<p>No epoch has finished yet.</p>'
    last, errors = run.results.iloc[-1], run.results['val_error1']
    figures = cards([
        ('validation error@1', percent(last['val_error1'])),
        ('train error@1', percent(last['train_error1'])),
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
    return f'<h2>Last epoch ({number(last["epoch"])})</h2>{figures}{extra}'


def _settings(run: Run) -> str:
    config, settings = run.config, run.settings
    facts = [(name.replace('_', ' '), _plain(settings.get(name))) for name in KEY_SETTINGS if name in settings]
    names = ('num_epochs', 'steps_per_epoch', 'num_parameters')
    facts += [(name.replace('_', ' '), number(config[name])) for name in names if config.get(name) is not None]
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


def _draw(panel: Panel, run: Run) -> Chart | None:
    """Return the chart of a panel, or None where there is nothing to draw."""
    full = run.distances if panel.over_updates and len(run.distances) else run.results
    columns = [name for name in panel.columns if np.isfinite(full[name]).any()]
    x, label = ('step', 'updates') if panel.over_updates else ('epoch', 'epochs')
    full = full[full[x] > 0].replace([np.inf, -np.inf], np.nan)
    if not columns or not len(full):
        return None
    y = full[columns].to_numpy().ravel()
    scales = scales_for(y)
    # Distance grows with the logarithm of updates, so a linear distance over log updates is the view to have.
    scales = ('linear',) if panel.over_updates else scales if panel.switch else scales[:1]
    chart = new_chart(panel.title, scales, x_label=label, y_label=panel.y_label, x_log=panel.over_updates)
    fit_axes(chart, full[x].to_numpy(), y)
    data = thin(full, MAX_POINTS, spacing='log' if panel.over_updates else 'even')
    if len(data) < len(full):
        chart.notes.append(f'Drawn: {len(data):,} of {len(full):,} points.')
    if not panel.over_updates:
        chart.figure.xaxis.ticker.min_interval = 1
    _draw_columns(chart, panel, ColumnDataSource({name: data[name].to_numpy() for name in (x, *columns)}))
    return chart


def _draw_columns(chart: Chart, panel: Panel, source: ColumnDataSource) -> None:
    """Draw each column on each scale, with one box of values for all of them."""
    x, *columns = source.data
    lines = {name: [_draw_column(chart, scale, source, name) for scale in chart.scales] for name in columns}
    if len(panel.columns) > 1:
        items = [LegendItem(label=panel.columns[name], renderers=drawn) for name, drawn in lines.items()]
        legend = Legend(items=items, orientation='horizontal', border_line_color=None, padding=0, margin=4, spacing=16)
        chart.figure.add_layout(legend, 'above')
    values = [(panel.columns[name].split(' (')[0], f'@{name}{{0.[0000]}}') for name in columns]
    add_hover(chart, lines[columns[-1]], [(x, f'@{x}{{0,0}}'), *values])


def _draw_column(chart: Chart, scale: str, source: ColumnDataSource, name: str) -> GlyphRenderer:
    """Draw one column and return its line, with markers where points are few; train is dashed."""
    x, train = next(iter(source.data)), name.startswith('train_')
    color, dash = (COLORS[1], 'dashed') if train else (COLORS[0], 'solid')
    if len(source.data[x]) <= MARKERS_UP_TO:
        draw(chart, scale, source, Scatter(x=x, y=name, size=4, line_color=color, fill_color=color))
    return draw(chart, scale, source, Line(x=x, y=name, line_color=color, line_width=2, line_dash=dash))
