"""Look at the files of runs again and again, and say when they have changed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from utils.runs.layout import CONFIG, DISTANCES, RESULTS
from utils.runs.reader import Run, find_run_folders, load_runs

SECONDS_BETWEEN_LOOKS = 2.0
SECONDS_BETWEEN_PAGES = 5.0
PAGE_SHARE = 0.1  # of the time goes into pages at most
QUIET_SECONDS = 30.0  # between two runs of a suite less than this goes by


def watch(paths: Sequence[str | os.PathLike], draw: Callable[[list[Run]], object]) -> None:
    """Call draw with the runs at paths whenever their files have changed, until all have ended or Ctrl-C.

    They have ended when none says that it is running and no file has changed for half a minute, for the next one of a
    suite may be about to start. Runs that appear meanwhile are taken in.

    Raises:
        UserError: a path does not exist.
    """
    seen: dict[Path, tuple[int, int]] = {}
    runs: list[Run] = []
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            stamps, start = _stamps(paths), time.monotonic()
            has_changed = stamps != seen
            if has_changed:
                runs, seen = load_runs(paths, need_results=False), stamps
            if runs and all(run.status != 'running' for run in runs) and _is_quiet(stamps):
                return
            if has_changed and runs:
                draw(runs)
            spent = time.monotonic() - start
            time.sleep(max(SECONDS_BETWEEN_PAGES, spent / PAGE_SHARE - spent) if has_changed else SECONDS_BETWEEN_LOOKS)


def _stamps(paths: Sequence[str | os.PathLike]) -> dict[Path, tuple[int, int]]:
    """Return when each file of the runs was written, in ns, and its size in bytes."""
    stamps = {}
    for _, folder in find_run_folders(paths):
        for name in (CONFIG, RESULTS, DISTANCES):
            with contextlib.suppress(OSError):  # not there yet, or gone since
                status = (folder / name).stat()
                stamps[folder / name] = (status.st_mtime_ns, status.st_size)
    return stamps


def _is_quiet(stamps: dict[Path, tuple[int, int]]) -> bool:
    newest = max((mtime for mtime, _ in stamps.values()), default=0)
    return time.time() - newest / 1e9 > QUIET_SECONDS
