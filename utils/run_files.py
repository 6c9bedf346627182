"""Read the files of runs: `config.json`, `results.csv`, `weight_distance.csv`.

Runs that crashed, diverged or still go on are read like any other: missing tables are empty, half a last line is
left out.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from utils.errors import UserError, suggest
from utils.layout import CONFIG, DISTANCE_COLUMNS, DISTANCES, RESULT_COLUMNS, RESULTS

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, eq=False)
class Run:
    """One run as its files tell it; distances is empty where the run has no `weight_distance.csv`."""

    name: str
    folder: Path
    config: dict
    results: pd.DataFrame
    distances: pd.DataFrame

    @property
    def status(self) -> str:
        """Return running, done, failed or diverged; a folder without a `config.json` counts as done."""
        return str(self.config.get('status', 'done'))

    @property
    def settings(self) -> dict:
        """Return the resolved settings."""
        return self.config.get('settings') or {}


def load_run(folder: str | os.PathLike) -> Run:
    """Read one run folder; missing tables are empty.

    Raises:
        UserError: `config.json` or a table is there but cannot be read.
    """
    folder = Path(folder)
    return Run(
        name=folder.resolve().name,
        folder=folder,
        config=_read_config(folder / CONFIG),
        results=_read_table(folder / RESULTS, RESULT_COLUMNS),
        distances=_read_table(folder / DISTANCES, DISTANCE_COLUMNS),
    )


def load_runs(paths: Iterable[str | os.PathLike]) -> list[Run]:
    """Read runs from run folders, and from folders that hold some up to two levels below.

    Runs are in the order of the paths, those of one folder in the order of their start. A run without a finished epoch,
    or with unreadable files, is skipped with a warning if others are left.

    Raises:
        UserError: a path does not exist, or no run is left.
    """
    paths = [Path(path) for path in paths]
    folders: dict[Path, tuple[int, Path]] = {}
    for place, path in enumerate(paths):
        for folder in _run_folders(path):
            folders.setdefault(folder.resolve(), (place, folder))
    runs, skipped = [], []
    for place, folder in folders.values():
        try:
            run = load_run(folder)
            is_result = len(run.results) or run.status == 'diverged'
            reason = '' if is_result else f'{folder} has no finished epoch yet (status: {run.status})'
        except UserError as error:
            reason = str(error)
        if reason:
            skipped.append(reason)
        else:
            runs.append((place, _start_order(run), run))
    if not runs:
        looked = ', '.join(map(str, paths))
        why = '; '.join(skipped[:3]) or 'no results.csv or config.json there or up to two levels below'
        raise UserError(f'no runs with results in {looked}: {why}')
    for reason in skipped:
        log.warning('skipped: %s', reason)
    return [run for *_, run in sorted(runs, key=lambda found: found[:2])]


def _start_order(run: Run) -> tuple[str, str]:
    return str(run.config.get('started') or '9999'), run.name


def _run_folders(path: Path) -> list[Path]:
    """List the run folders at a path: itself, or those one or two levels below it."""
    if not path.is_dir():
        around = path.parent if path.parent.is_dir() else Path('.')
        names = [child.name for child in around.iterdir() if child.is_dir()]
        raise UserError(f'no folder {str(path)!r}; in {str(around)!r} {suggest(path.name, names)}')
    if _is_run(path):
        return [path]
    children = sorted(child for child in path.iterdir() if _is_visible(child))
    return [folder for child in children for folder in ([child] if _is_run(child) else _runs_below(child))]


def _runs_below(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if _is_visible(child) and _is_run(child))


def _is_visible(path: Path) -> bool:
    """Leave out folders that a killed process was still making."""
    return path.is_dir() and not path.name.startswith('.')


def _is_run(folder: Path) -> bool:
    return (folder / RESULTS).is_file() or (folder / CONFIG).is_file()


def _read_config(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'{path} is not readable JSON ({error}): mend it or leave that folder out') from error
    if not isinstance(config, dict) or not isinstance(config.get('settings') or {}, dict):
        raise UserError(f'{path} is not the config.json of a run: it needs an object with "settings"')
    return config


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV of numbers up to its last complete line, because a killed run may leave half a line."""
    if not path.is_file():
        return pd.DataFrame(columns=list(columns), dtype=float)
    text = path.read_text(encoding='utf-8', errors='replace')
    lines = text[: text.rfind('\n') + 1].splitlines() or [','.join(columns)]
    header = [name.strip() for name in lines[0].split(',')]
    if columns[0] not in header or len(set(header)) < len(header):
        raise UserError(f'{path} needs a column {columns[0]!r} and none twice, it has {", ".join(header)[:200]!r}')
    whole = [line for line in lines[1:] if line.count(',') == len(header) - 1]
    table = pd.read_csv(io.StringIO('\n'.join(whole)), names=header, header=None, quoting=csv.QUOTE_NONE)
    for name in table.select_dtypes(exclude='number'):
        table[name] = pd.to_numeric(table[name], errors='coerce')
    table = table.reindex(columns=[*columns, *(name for name in header if name not in columns)]).astype(float)
    table = table.dropna(subset=columns[0]).drop_duplicates(columns[0], keep='last')
    return table.sort_values(columns[0]).reset_index(drop=True)
