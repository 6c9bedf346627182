"""Write what a run yields into its folder: rows, checkpoints, the page, the status.

Rows are appended as epochs end; checkpoints and the page are written as often as their share of the run's time allows,
and at the end, whatever the end is; a checkpoint within an epoch after so many minutes without one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from bigbatch.errors import UserError
from bigbatch.training.report import EpochReport, PartialEpoch
from utils.files import flush_to_disk, naming_file
from utils.runs.checkpoint import copy_to_cpu, save_checkpoint
from utils.runs.columns import COLUMNS, DISTANCE_COLUMNS, head
from utils.runs.folder import append_rows, keep_only, write_manifest
from utils.runs.layout import BEST, DISTANCES, LATEST, PREVIOUS, RESULTS, TENSORBOARD
from utils.runs.tensorboard import TensorBoardExport

CHECKPOINT_SHARE, PAGE_SHARE = 0.02, 0.02  # of a run's time
FIRST_PAGE_SECONDS = 1.5  # a guess at the first page, which also loads the plotting library

log = logging.getLogger('bigbatch')


class Budget:
    """Allow a job, at first of as many seconds as expected, as long as it takes no more than its share of the time."""

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


@dataclass
class RunWriter:
    """Write what a run yields into its folder."""

    folder: Path
    manifest: dict  # the content of config.json
    make_checkpoint: Callable[..., dict]  # of the present state, given (epoch, step, best, PartialEpoch or None)
    draw_page: Callable[[Path], bool]  # of a run folder, from its files; tells whether it has
    best: dict | None = None  # {'epoch', 'val_error1'} so far
    save_all: bool = False  # the checkpoint of every epoch
    save_minutes: float = 0.0  # after so many since the last checkpoint the next one is due; 0: none is due by time
    keep: str = 'all'  # what is left when the run has ended
    export: TensorBoardExport | None = None  # given each epoch's rows as well

    def __post_init__(self) -> None:
        self._unsaved: dict | None = None  # the state after the last epoch, where it is not on disk
        self._unsaved_best: dict | None = None
        self._has_page = False  # drawn by this process
        self._start = self._last_save = time.perf_counter()
        self._seconds_before = self.manifest.get('seconds') or 0.0
        self._checkpoints, self._pages = Budget(CHECKPOINT_SHARE), Budget(PAGE_SHARE, FIRST_PAGE_SECONDS)

    def add(self, report: EpochReport, measured: Mapping[str, float | None], *, is_last: bool) -> None:
        """Append an epoch's rows, with what was measured besides by the names of its columns, and save what is due."""
        distances = [astuple(point) for point in report.distances]
        append_rows(self.folder / DISTANCES, distances)
        row = (*(column.of(report) for column in COLUMNS if column.of), *measured.values())
        append_rows(self.folder / RESULTS, [row])
        if self.export is not None:
            with naming_file(self.folder / TENSORBOARD):
                self.export.add(_named(head(self.manifest), [row]), _named(DISTANCE_COLUMNS, distances))
        improved = self.best is None or report.val.error1 < self.best['val_error1']
        if improved:
            self.best = {'epoch': report.epoch, 'val_error1': report.val.error1}
        saves_now = is_last or self.save_all or self.is_save_due() or self._checkpoints.allows()
        state = self.make_checkpoint(report.epoch, report.step, self.best, None)
        self._unsaved = state if saves_now else copy_to_cpu(state)  # training goes on in the same tensors
        if improved:
            self._unsaved_best = self._unsaved
        if saves_now:
            self._checkpoints.run(self._save)
        if not is_last and self._pages.allows():
            self._pages.run(self._write_page)

    def is_save_due(self) -> bool:
        """Tell whether the last checkpoint was saved too long ago."""
        return 0 < self.save_minutes * 60 <= time.perf_counter() - self._last_save

    def save_within_epoch(self, epoch: int, step: int, partial: PartialEpoch) -> None:
        """Save the present state, so many epochs and updates on, as the latest checkpoint within an epoch."""
        state = self.make_checkpoint(epoch, step, self.best, partial)
        self._checkpoints.run(lambda: self._save_latest(state))
        self._unsaved = None

    def finish(self, status: str, message: str = '', **more) -> None:
        """Save the last finished epoch, set the run's status and what else is known at its end, write the last page."""
        try:
            self._save()
        except UserError as error:
            status, message, more = 'failed', str(error), {}
            raise
        finally:
            seconds = self._seconds_before + time.perf_counter() - self._start
            self.manifest.update(status=status, message=message, seconds=round(seconds, 3), **more)
            write_manifest(self.folder, self.manifest)
        if self.export is not None:
            with naming_file(self.folder / TENSORBOARD):
                self.export.close()
        if status in ('done', 'diverged'):
            keep_only(self.folder, self.keep)
        if status != 'interrupted' or self._has_page:  # loading the plotting library may take longer than is left
            self._write_page()

    def _save(self) -> None:
        """Save what is not on disk yet."""
        if self._unsaved is None:
            return
        if self.save_all:
            save_checkpoint(self.folder / f'checkpoint_epoch_{self._unsaved["epoch"]}.pth.tar', self._unsaved)
        self._save_latest(self._unsaved)
        self._unsaved = None

    def _save_latest(self, state: dict) -> None:
        """Save a state that all rows written so far belong to, last of all: until then its epochs would be repeated."""
        for name in (RESULTS, DISTANCES):
            flush_to_disk(self.folder / name)
        if self._unsaved_best is not None:
            save_checkpoint(self.folder / BEST, self._unsaved_best)
            self._unsaved_best = None
        save_checkpoint(self.folder / LATEST, state, previous=self.folder / PREVIOUS)
        self._last_save = time.perf_counter()

    def _write_page(self) -> None:
        self._has_page = self.draw_page(self.folder) or self._has_page


class SilentWriter:
    """What a rank but the first has in place of a RunWriter: it hands its part of each checkpoint to that one."""

    def __init__(self, make_checkpoint: Callable[..., dict]):
        self._make_checkpoint = make_checkpoint

    def add(self, report: EpochReport, measured: Mapping[str, float | None], *, is_last: bool) -> None:
        """Take part in the checkpoint after an epoch."""
        self._make_checkpoint(report.epoch, report.step, None, None)

    def is_save_due(self) -> bool:
        """Leave that to the first rank."""
        return False

    def save_within_epoch(self, epoch: int, step: int, partial: PartialEpoch) -> None:
        """Take part in a checkpoint."""
        self._make_checkpoint(epoch, step, None, partial)

    def finish(self, status: str, message: str = '', **more) -> None:
        """Leave that to the first rank."""


Writer = RunWriter | SilentWriter


def _named(columns: tuple[str, ...], rows: list[tuple]) -> list[dict]:
    return [dict(zip(columns, row, strict=True)) for row in rows]
