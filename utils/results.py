"""Write the files of a run: config.json, results.csv, weight_distance.csv, log.txt, checkpoints, the page.

A run folder appears whole, with its first checkpoint in it, or not at all. Rows are appended as epochs end; checkpoints
and the page are written as often as their share of the run's time allows, and at the end. A resumed run cuts the rows
past its checkpoint and makes them again.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from utils.checkpoint import save_checkpoint, write_atomically
from utils.errors import UserError
from utils.layout import (
    BEST,
    CONFIG,
    DISTANCE_COLUMNS,
    DISTANCES,
    INITIAL,
    LATEST,
    PAGE,
    RESULT_COLUMNS,
    RESULTS,
)
from utils.trainer import EpochReport

CHECKPOINT_SHARE, PAGE_SHARE = 0.02, 0.02  # of a run's time
FIRST_PAGE_SECONDS = 1.5  # a guess at the first page, which also loads the plotting library

log = logging.getLogger('bigbatch')


class Budget:
    """Allow a job as long as it takes no more than a share of the time since the start.

    Args:
        share: of the elapsed time, 0 to 1.
        expected: seconds that the first job is thought to take.
    """

    def __init__(self, share: float, expected: float = 0.0, clock: Callable[[], float] = time.perf_counter):
        self._share, self._expected, self._clock = share, expected, clock
        self._start, self._spent = clock(), 0.0

    def allows(self) -> bool:
        """Tell whether one more job of the last one's length fits."""
        return self._spent + self._expected <= self._share * (self._clock() - self._start)

    def run(self, job: Callable[[], object]) -> None:
        """Do the job and count its time."""
        start = self._clock()
        job()
        self._expected = self._clock() - start
        self._spent += self._expected


class RunWriter:
    """Write what a run yields into its folder.

    Args:
        folder: an existing run folder.
        manifest: the content of config.json.
        make_checkpoint: returns the present state as a checkpoint, given (epoch, step, best).
        best: {'epoch', 'val_error1'} so far, or None.
        save_all: keep the checkpoint of every epoch.
    """

    def __init__(
        self, folder: Path, manifest: dict, *, make_checkpoint: Callable[[int, int, dict | None], dict],
        best: dict | None = None, save_all: bool = False,
    ):
        self._folder, self._manifest = folder, manifest
        self._make_checkpoint, self._best, self._save_all = make_checkpoint, best, save_all
        self._pending_best: dict | None = None
        self._start = time.perf_counter()
        self._seconds_before = manifest.get('seconds') or 0.0
        self._checkpoints, self._pages = Budget(CHECKPOINT_SHARE), Budget(PAGE_SHARE, FIRST_PAGE_SECONDS)

    def add(self, report: EpochReport, *, is_last: bool) -> None:
        """Append an epoch's rows and save what is due."""
        _append_rows(self._folder / DISTANCES, [(d.step, d.weight_distance, d.train_loss) for d in report.distances])
        _append_rows(self._folder / RESULTS, [report_row(report)])
        improved = self._best is None or report.val.error1 < self._best['val_error1']
        if improved:
            self._best = {'epoch': report.epoch, 'val_error1': report.val.error1}
            self._pending_best = copy.deepcopy(self._make_checkpoint(report.epoch, report.step, self._best))
        if is_last or self._save_all or self._checkpoints.allows():
            self._checkpoints.run(lambda: self._save(report))
        if not is_last and self._pages.allows():
            self._pages.run(self._write_page)

    def finish(self, status: str, message: str = '', **more) -> None:
        """Set the run's status, how long it took and what else is known at its end, and write the last page."""
        seconds = self._seconds_before + time.perf_counter() - self._start
        self._manifest.update(status=status, message=message, seconds=round(seconds, 3), **more)
        write_manifest(self._folder, self._manifest)
        self._write_page()

    def _save(self, report: EpochReport) -> None:
        # The best one first: if the next write never happens, the epochs since the latest one are made again.
        if self._pending_best is not None:
            save_checkpoint(self._folder / BEST, self._pending_best)
            self._pending_best = None
        save_checkpoint(self._folder / LATEST, self._make_checkpoint(report.epoch, report.step, self._best))
        if self._save_all:
            shutil.copyfile(self._folder / LATEST, self._folder / f'checkpoint_epoch_{report.epoch}.pth.tar')

    def _write_page(self) -> None:
        from utils.plots import write_run_page  # loads the plotting library, which the first page pays for

        try:
            write_run_page(self._folder)
        except Exception:  # a page that cannot be drawn must not end the training it shows
            log.warning('the page %s could not be written', self._folder / PAGE, exc_info=True)


def report_row(report: EpochReport) -> tuple:
    """Return a report in the order of RESULT_COLUMNS."""
    train, val = report.train, report.val
    return (
        report.epoch, report.step, report.lr, train.loss, val.loss, train.error1, val.error1, train.error5, val.error5,
        report.grad_norm, report.weight_distance, report.epoch_seconds, report.images_per_second,
    )


def create_run_folder(folder: Path, manifest: dict, *, initial: dict, checkpoint: dict) -> None:
    """Create a run folder with config.json, the initial weights, the first checkpoint and empty tables, or nothing.

    Raises:
        UserError: the folder exists already or cannot be written.
    """
    check_new_folder(folder)
    partial = folder.with_name(f'.{folder.name}.{os.getpid()}.partial')
    try:
        partial.mkdir(parents=True)
        write_manifest(partial, manifest)
        save_checkpoint(partial / INITIAL, initial)
        save_checkpoint(partial / LATEST, checkpoint)
        _write_rows(partial / RESULTS, [RESULT_COLUMNS])
        _write_rows(partial / DISTANCES, [DISTANCE_COLUMNS])
        os.rename(partial, folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror
        raise UserError(f'--save {folder.name}: {folder} cannot be written ({reason}): see --results_dir') from error


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that exists already, or whose place cannot be written; creates nothing.

    Raises:
        UserError: see above.
    """
    if folder.exists():
        raise UserError(f'--save {folder.name}: {folder} exists: choose another name, or go on with --resume {folder}')
    parent = next(place for place in folder.absolute().parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f'--save {folder.name}: {parent} is no folder that can be written: see --results_dir')


def copy_run_folder(source: Path, folder: Path, *, checkpoint: Path) -> None:
    """Start a fork: the files of a run with another of its checkpoints as the latest."""
    check_new_folder(folder)
    partial = folder.with_name(f'.{folder.name}.{os.getpid()}.partial')
    partial.mkdir(parents=True)
    for name in (CONFIG, RESULTS, DISTANCES, INITIAL, BEST):
        if (source / name).is_file():
            shutil.copyfile(source / name, partial / name)
    shutil.copyfile(checkpoint, partial / LATEST)
    os.rename(partial, folder)


def cut_tables(folder: Path, *, epoch: int, step: int) -> None:
    """Take out the rows of epochs past a checkpoint, and a torn last line."""
    for name, columns, last in ((RESULTS, RESULT_COLUMNS, epoch), (DISTANCES, DISTANCE_COLUMNS, step)):
        path = folder / name
        with open(path, newline='') as file:
            rows = [row for row in list(csv.reader(file))[1:] if len(row) == len(columns) and row[0].isdecimal()]
        _write_rows(path, [columns, *(row for row in rows if int(row[0]) <= last)])


def write_manifest(folder: Path, manifest: dict) -> None:
    """Write config.json."""
    text = json.dumps(manifest, indent=1, default=str) + '\n'
    write_atomically(folder / CONFIG, lambda file: file.write(text.encode()))


def _write_rows(path: Path, rows: list) -> None:
    write_atomically(path, lambda file: file.write(_as_csv(rows).encode()))


def _append_rows(path: Path, rows: list) -> None:
    with open(path, 'a', newline='') as file:
        file.write(_as_csv(rows))


def _as_csv(rows: list) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return text.getvalue()
