"""Tables of the comparing page: the settings that differ, and every run with the address of its own page."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from bigbatch.messages import counted
from utils.reports.groups import Group, shorten_table, varying_between
from utils.reports.pages.html import number
from utils.runs.layout import PAGE
from utils.runs.reader import Run

MOST_ROWS = 20  # of settings that differ, one a group; with more groups the values of each setting are counted
MOST_VALUES = 12  # of a setting that are named
RUN_COLUMNS = (
    'run', 'status', 'seed', 'val error %', 'val acc %', 'best acc %', 'epochs', 'updates', 'seconds', 'images/s',
)  # fmt: skip


def settings_that_differ(groups: Sequence[Group]) -> dict:
    """Return the settings in which groups differ: `settings`, a row a group, or `counts`, where there are many."""
    settings = shorten_table(varying_between(groups)).rename(columns=lambda name: name.replace('_', ' '))
    seeds = [[str(run.settings.get('seed', '-')) for run in group.runs] for group in groups]
    if len(groups) > MOST_ROWS:
        counts = {name: _counted(settings[name], 'row') for name in settings}
        return {'counts': counts | {'seed': _counted([seed for each in seeds for seed in each], 'run')}}
    return {'counts': None, 'settings': settings.assign(seeds=list(map(_listed, seeds))).reset_index()}


def run_table(groups: Sequence[Group], page_folder: Path) -> dict:
    """Return `runs`, a row each, and `links`, the addresses of their pages as seen from a folder, None without one."""
    runs = [run for group in groups for run in group.runs]
    rows = [[run.name, run.status, str(run.settings.get('seed', '-')), *_figures(run)] for run in runs]
    return {
        'runs': pd.DataFrame(rows, columns=list(RUN_COLUMNS), dtype=object),
        'links': [_link(run, page_folder) for run in runs],
    }


def _figures(run: Run) -> list[str]:
    """Return what the last epoch came to, the best accuracy, and what it took."""
    if not len(run.results):
        return ['-'] * 7
    last, error = run.results.iloc[-1], run.results['val_error1']
    speed = run.results['images_per_second'].mean()
    seconds = run.results['epoch_seconds'].sum()
    return [
        _decimals(last['val_error1']), _decimals(100 - last['val_error1']), _decimals(100 - error.min()),
        number(last['epoch']), number(last['step']), f'{seconds:,.1f}', number(round(speed)) if speed > 0 else '-',
    ]  # fmt: skip


def _decimals(value: float) -> str:
    return '-' if pd.isna(value) else f'{value:.2f}'


def _link(run: Run, page_folder: Path) -> str | None:
    page = run.folder.resolve() / PAGE
    if not page.is_file():
        return None
    return quote(Path(os.path.relpath(page, page_folder.resolve())).as_posix())


def _counted(values: Sequence[str], noun: str) -> str:
    """Count equal values: `256 (3 rows), 512 (1 row)`."""
    return _listed([f'{value} ({counted(count, noun)})' for value, count in Counter(values).items()])


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_VALUES
    return ', '.join(texts[:MOST_VALUES]) + (f' and {more} more' if more > 0 else '')
