"""The files of a run folder, whose names are a contract, and which folder and checkpoint a path stands for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bigbatch.errors import UserError

STARTED_VARIABLE = 'BIGBATCH_STARTED'  # of a run of a suite: when that started it, so that tables keep its order
PAGES_VARIABLE = 'BIGBATCH_PAGES'  # of a run of a suite that draws the pages of its runs itself
CONFIG, LOG, PAGE, TENSORBOARD = 'config.json', 'log.txt', 'results.html', 'tensorboard'
LATEST, BEST, INITIAL = 'checkpoint.pth.tar', 'model_best.pth.tar', 'initial.pth.tar'
PREVIOUS = 'checkpoint_previous.pth.tar'  # what LATEST was before, for the case that it is damaged
SWAP_TABLE, SWAP_PAGE = 'swap.csv', 'swap.html'  # of main_swap.py
RESULTS, DISTANCES = 'results.csv', 'weight_distance.csv'


def has_old_page(folder: Path) -> bool:
    """Tell whether a run has changed since its page was drawn, or has none."""
    times = [path.stat().st_mtime_ns for path in (*folder.glob(CONFIG), *folder.glob('*.csv'))]
    page = folder / PAGE
    return bool(times) and (not page.is_file() or page.stat().st_mtime_ns < max(times))


def run_of(path: str | Path) -> Path:
    """Return the run folder that a path (it, or a checkpoint in it) belongs to; a UserError where there is none."""
    found = Path(path)
    if not found.exists():
        raise UserError(f'{path}: no such run or checkpoint (looked in {found.absolute().parent})')
    _check_is_no_parent(found)
    return found.absolute() if found.is_dir() else found.absolute().parent


def checkpoint_of(path: str | Path) -> Path:
    """Return the checkpoint that a path stands for: itself, or the latest of a run; a UserError for many runs."""
    found = Path(path)
    _check_is_no_parent(found)
    return found / LATEST if found.is_dir() else found


def distinct_name(folder: Path, others: Iterable[Path]) -> str:
    """Return the name of a folder, with as many of those above it as tell it from the others."""
    parts = folder.resolve().parts
    different = [each for each in (other.resolve().parts for other in others) if each != parts]
    depth = 1
    while any(parts[-depth:] == each[-depth:] for each in different):
        depth += 1
    return '/'.join(parts[-depth:])


def _check_is_no_parent(path: Path) -> None:
    """Refuse a folder that holds runs, such as that of a suite, where one of them is meant."""
    if not path.is_dir() or (path / CONFIG).is_file() or (path / LATEST).is_file():
        return
    inside = (file.parent for depth in ('*', '*/*') for file in sorted(path.glob(f'{depth}/{CONFIG}')))
    run = next((run for run in inside if not run.name.startswith('.')), None)  # those are half made
    if run:
        raise UserError(f'{path}: a folder of runs, not a run: name one of them, such as {run}')
