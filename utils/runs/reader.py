"""Read the files of runs: `config.json`, `results.csv`, `weight_distance.csv`.

Runs that crashed, diverged or still go on are read like any other: missing tables are empty, half a last line is
left out.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bigbatch.errors import UserError
from bigbatch.messages import enumerate_some, nearest, suggest
from utils.runs.columns import DISTANCE_COLUMNS, RESULT_COLUMNS
from utils.runs.config_json import load_config_json
from utils.runs.layout import CONFIG, DISTANCES, RESULTS

MOST_NAMES = 20  # in an error line
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
    """Read one run folder: missing tables are empty, a damaged `config.json` or table is a UserError."""
    folder = Path(folder)
    return Run(
        name=folder.resolve().name,
        folder=folder,
        config=load_config_json(folder, 'mend it or leave that folder out') or {},
        results=_read_table(folder / RESULTS, RESULT_COLUMNS),
        distances=_read_table(folder / DISTANCES, DISTANCE_COLUMNS),
    )


def load_runs(paths: Iterable[str | os.PathLike], *, need_results: bool = True) -> list[Run]:
    """Read runs from run folders, and from folders that hold some up to two levels below.

    Runs are in the order of the paths, those of one folder in the order of their start. A run with unreadable files is
    skipped with a warning. The names of runs of one name in several folders begin with those folders.

    Raises:
        UserError: a path does not exist, or, where results are needed, no run there has any; those without a finished
            epoch are warned of. Else what can be read is taken without a word.
    """
    places = [Path(path) for path in paths]
    found, unreadable = [], []
    for place, folder in find_run_folders(places):
        try:
            run = load_run(folder)
            found.append((place, str(run.config.get('started') or '9999'), run.name, run))
        except UserError as error:
            unreadable.append(str(error))
        except OSError as error:  # not ours to read, or gone since it was found
            unreadable.append(f'{folder} cannot be read ({error.strerror})')
    runs = [run for *_, run in sorted(found, key=lambda each: each[:3])]
    if need_results:
        _check_results(runs, places, unreadable)
    if need_results and unreadable:
        log.warning('skipped: %s', enumerate_some(unreadable, separator='; '))
    return _with_unique_names(runs)


def find_run_folders(paths: Iterable[str | os.PathLike]) -> list[tuple[int, Path]]:
    """List the run folders at paths, each once, with the position of its path; a UserError where there is no path."""
    folders: dict[Path, tuple[int, Path]] = {}
    for place, path in enumerate(map(Path, paths)):
        for folder in _run_folders(path):
            folders.setdefault(folder.resolve(), (place, folder))
    return list(folders.values())


def is_run_folder(folder: Path) -> bool:
    """Tell whether a folder is a run's own."""
    return (folder / RESULTS).is_file() or (folder / CONFIG).is_file()


def has_results(runs: Iterable[Run]) -> bool:
    """Tell whether any run has a result to show: a finished epoch, or that it diverged."""
    return any(len(run.results) or run.status == 'diverged' for run in runs)


def seedless(name: str) -> str:
    """Return the name of a run without its seed: `large` for `large_seed3`."""
    return re.sub(r'[_-]seed[_-]?\d+$', '', name, flags=re.IGNORECASE) or name


def _check_results(runs: Sequence[Run], paths: Sequence[Path], unreadable: Sequence[str]) -> None:
    """Warn of runs without results; refuse them where no other is left."""
    empty = [f'{run.folder} ({run.status})' for run in runs if not has_results([run])]
    if not has_results(runs):
        looked = ', '.join(map(str, paths))
        no_epoch = [f'no finished epoch yet in {enumerate_some(empty)}'] if empty else []
        why = '; '.join([*no_epoch, *unreadable[:3]]) or 'no results.csv or config.json there or up to two levels below'
        raise UserError(f'no runs with results in {looked}: {why}')
    if empty:
        log.warning('no finished epoch, so shown with dashes: %s', enumerate_some(empty))


def _with_unique_names(runs: list[Run]) -> list[Run]:
    """Put their folders before the names of runs that share one, and before those of the same runs' other seeds."""
    depth = 1
    while repeated := {seedless(name) for name, count in Counter(run.name for run in runs).items() if count > 1}:
        depth += 1
        names = ['/'.join(run.folder.resolve().parts[-depth:]) for run in runs]
        again = [seedless(run.name) in repeated for run in runs]
        runs = [replace(run, name=names[row]) if again[row] else run for row, run in enumerate(runs)]
    return runs


def _run_folders(path: Path) -> list[Path]:
    """List the run folders at a path: itself, or those one or two levels below it."""
    if not path.is_dir():
        missing = next(each for each in (path, *path.parents) if each.parent.is_dir())
        names = [child.name for child in _folders_in(missing.parent)]
        if len(names) > MOST_NAMES:
            names = nearest(missing.name, names, num=MOST_NAMES, cutoff=0.3)
        why = '' if missing == path else f', because there is no {str(missing)!r}'
        raise UserError(f'no folder {str(path)!r}{why}; in {str(missing.parent)!r} {suggest(missing.name, names)}')
    if is_run_folder(path):
        return [path]
    found: list[Path] = []
    for child in _folders_in(path):
        found += [child] if is_run_folder(child) else filter(is_run_folder, _folders_in(child))
    return found


def _folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder, without those that a killed process was still making."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith('.'))


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV of numbers up to its last complete line, because a killed run may leave half a line."""
    if not path.is_file():
        return pd.DataFrame(columns=list(columns), dtype=float)
    text = path.read_text(encoding='utf-8', errors='replace')
    lines = text[: text.rfind('\n') + 1].splitlines() or [','.join(columns)]
    header = [name.strip() for name in lines[0].split(',')]
    if columns[0] not in header or len(set(header)) < len(header):
        raise UserError(f'{path} needs a column {columns[0]!r} and none twice, it has {", ".join(header)[:200]!r}')
    rows = [cells for line in lines[1:] if len(cells := line.split(',')) == len(header)]
    table = pd.DataFrame(rows, columns=header).map(_number).astype(float)
    table = table.dropna(subset=columns[0]).drop_duplicates(columns[0], keep='last')
    table = table.sort_values(columns[0], ignore_index=True)
    return table.reindex(columns=[*columns, *(name for name in header if name not in columns)])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
