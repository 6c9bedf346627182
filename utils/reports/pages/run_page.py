"""The page of one run, at any moment of it: status, headline figures, settings and curves, from its files alone."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from utils.config.every import fields_of
from utils.reports.columns import columns_beside, known_columns
from utils.reports.pages.charts import SPLIT_STYLES, Chart, LineStyle, embed, line_chart
from utils.reports.pages.curves import Averages, average, average_distances
from utils.reports.pages.html import write_page
from utils.reports.sharpness import TABLES, WORDS
from utils.reports.style import COLORS, X_LABELS
from utils.runs.columns import DISTANCE, PANELS, Column
from utils.runs.layout import PAGE
from utils.runs.reader import Run, load_run
from utils.settings import Means

ONLY = LineStyle('', COLORS[0])  # of a column that is alone in its chart


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
    shared = None if run.settings.get('standalone', True) else run.folder.absolute().parent
    head, charts = embed([_draw(panel, results, distances) for panel in panels], shared)
    measured = [(kind, kind.cells(kind.summarise(kind.open(run.folder).rows()))) for kind in TABLES]
    return write_page(
        run.folder / PAGE, 'run.html', title=readable_name(run.name), head=head, reloads=run.status == 'running',
        run=run, message=str(run.config.get('message') or '').strip(), **_progress(run), **_scores(run),
        charts=charts, entries=_key(panels), x_labels=X_LABELS, words=WORDS,
        measured=[(kind, pd.DataFrame(cells, dtype=object)) for kind, cells in measured if cells],
        key_settings=fields_of(Means.KEY), regime=_regime(run.config.get('regime')),
    )  # fmt: skip


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


def _progress(run: Run) -> dict:
    """Return how far the run got, in words, and the seconds that it took and has left, None where they are unknown."""
    planned, seconds = run.config.get('num_epochs'), run.results['epoch_seconds']
    finished = int(run.results['epoch'].iloc[-1]) if len(run.results) else 0
    left = max(planned - finished, 0) * seconds.tail(20).mean() if planned and finished else None
    where = f'epoch {finished:,} of {planned:,}' if planned else f'epoch {finished}'
    return {'where': where, 'spent': run.config.get('seconds') or seconds.sum(), 'left': left}


def _scores(run: Run) -> dict:
    """Return the row of the last epoch, None before there is one, of the best, and what other weights were scored."""
    if not len(run.results):
        return {'last': None}
    last, errors = run.results.iloc[-1], run.results['val_error1']
    return {
        'last': last, 'best': run.results.loc[errors.idxmin()] if errors.notna().any() else None,
        'beside': [column for column in columns_beside([run], 'val_error1') if not pd.isna(last[column.name])],
    }  # fmt: skip


def _key(panels: Sequence[Sequence[Column]]) -> list[tuple[LineStyle, str]]:
    styles = list(dict.fromkeys(_line_style(column) for panel in panels if len(panel) > 1 for column in panel))
    styles = sorted(styles, key=[*SPLIT_STYLES.values(), *styles].index)
    return [(style, f'{style.name} ({style.dash.replace("dotdash", "dash-dotted")})') for style in styles]


def _regime(entries: object) -> pd.DataFrame | None:
    """Return the regime, every row with all settings in force from its epoch on."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    in_force: list[dict] = list(itertools.accumulate(entries, lambda now, entry: {**now, **entry}))
    names = ['epoch', *dict.fromkeys(name for entry in entries for name in entry if name != 'epoch')]
    headings = ['from epoch', *(name.replace('_', ' ') for name in names[1:])]
    return pd.DataFrame([[_cell(row.get(name)) for name in names] for row in in_force], columns=headings, dtype=object)


def _cell(value: object) -> str:
    return f'{value:.6g}' if isinstance(value, float) else '-' if value is None or value == {} else str(value)


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
    return SPLIT_STYLES.get(column.split, ONLY)


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
