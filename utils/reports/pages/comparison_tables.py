"""Tables of the comparing page: the settings that differ, and every run with a link to its own page."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from utils.reports.groups import Group, shorten_table, varying_between
from utils.reports.pages.html import fact_table, number, table, text
from utils.reports.tables import WORDS, Section
from utils.runs.layout import PAGE
from utils.runs.reader import Run

MOST_ROWS = 20  # of settings that differ, one a group; with more groups the values of each setting are counted
MOST_VALUES = 12  # of a setting that are named
RUN_COLUMNS = (
    'run', 'status', 'seed', 'val error %', 'val acc %', 'best acc %', 'epochs', 'updates', 'seconds', 'images/s',
)  # fmt: skip


def settings_that_differ(groups: Sequence[Group]) -> str:
    """Lay out the settings in which groups differ, a row a group, or a row a setting where there are many groups."""
    settings = shorten_table(varying_between(groups))
    settings.columns = [name.replace('_', ' ') for name in settings]
    seeds = [[str(run.settings.get('seed', '-')) for run in group.runs] for group in groups]
    if len(groups) > MOST_ROWS:
        counts = {name: _counted(settings[name].tolist(), 'row') for name in settings}
        counts['seed'] = _counted([seed for each in seeds for seed in each], 'run')
        return fact_table(counts.items())
    headings = ['run', *settings, 'seeds']
    rows = [
        [group.label, *values, _listed(each)]
        for group, values, each in zip(groups, settings.to_numpy().tolist(), seeds, strict=True)
    ]
    return table(headings, rows, left=headings, sortable=True)


def section_table(section: Section) -> str:
    """Lay out a section: its table, what the columns mean, and the same of each run to unfold."""

    def lay_out(cells: pd.DataFrame) -> str:
        return table(list(cells), cells.to_numpy().tolist(), left=WORDS, sortable=True)

    runs = '' if section.runs is None else f'<details><summary>Each run</summary>{lay_out(section.runs)}</details>'
    explanation = f'<p class="soft">{text(section.explanation)}</p>'
    return f'<h2>{text(section.title)}</h2>{lay_out(section.cells)}{explanation}{runs}'


def run_table(groups: Sequence[Group], page_folder: Path) -> str:
    """Lay out every run in a table to sort, its name leading to its own page.

    Args:
        groups: from group_runs.
        page_folder: where the comparing page lies, which links start from.
    """
    runs = [run for group in groups for run in group.runs]
    rows = [[run.name, run.status, str(run.settings.get('seed', '-')), *_figures(run)] for run in runs]
    links = [_link(run, page_folder) for run in runs]
    return table(list(RUN_COLUMNS), rows, left=('run', 'status'), links=links, sortable=True)


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
    return '-' if value != value else f'{value:.2f}'  # missing values differ from themselves


def _link(run: Run, page_folder: Path) -> str | None:
    """Return the address of a run's page as seen from a folder, or None where it has no page."""
    page = run.folder.resolve() / PAGE
    if not page.is_file():
        return None
    return quote(Path(os.path.relpath(page, page_folder.resolve())).as_posix())


def _counted(values: Sequence[str], noun: str) -> str:
    """Count equal values: `256 (3 rows), 512 (1 row)`."""
    counts = Counter(values).items()
    return _listed([f'{value} ({count} {noun}{"" if count == 1 else "s"})' for value, count in counts])


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_VALUES
    return ', '.join(texts[:MOST_VALUES]) + (f' and {more} more' if more > 0 else '')
