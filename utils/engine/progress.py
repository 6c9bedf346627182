"""Show how a run goes: a bar on a terminal, plain lines in a file or pipe."""

from __future__ import annotations

import logging
import sys
import time

from bigbatch.training.report import EpochReport
from bigbatch.training.scoring import ScoreSums
from utils.bar import SECONDS_BETWEEN_LINES

SECONDS_BETWEEN_LOOKS = 0.5  # the bar reads the device's sums no more often than this

log = logging.getLogger('bigbatch')


class Progress:
    """Follow a run of a known number of updates.

    Args:
        num_epochs: epochs of the run; first_epoch of them are done already, and first_index updates of the next one.
        batch_size: examples per update, every copy counted.
        print_freq: updates between two lines; None: a line every 10 seconds.
    """

    def __init__(
        self,
        num_steps: int,
        num_epochs: int,
        *,
        first_epoch: int,
        first_index: int = 0,
        batch_size: int,
        print_freq: int | None = None,
        stream=None,
    ):
        stream = stream or sys.stderr
        self._num_steps, self._num_epochs = num_steps, num_epochs
        self._batch_size, self._print_freq = batch_size, print_freq
        self._bar = None
        if stream.isatty():
            from tqdm import tqdm

            total, done = num_steps * num_epochs, num_steps * first_epoch + first_index
            self._bar = tqdm(total=total, initial=done, unit='update', dynamic_ncols=True, file=stream)
        self._last_line = self._last_look = time.perf_counter()
        self._steps_since_look = 0

    def on_step(self, epoch: int, index: int, sums: ScoreSums) -> None:
        """Count an update; epoch and index from 0, sums of the epoch so far."""
        self._steps_since_look += 1
        now = time.perf_counter()
        line_due = self._line_due(index, now)
        look_due = self._bar is not None and now - self._last_look >= SECONDS_BETWEEN_LOOKS
        if not (line_due or look_due):
            return
        scores = sums.scores()
        rate = self._steps_since_look * self._batch_size / max(now - self._last_look, 1e-9)
        text = f'loss {scores.loss:.4f}  error {scores.error1:.2f} %  {rate:,.0f} images/s'
        if self._bar is not None:
            self._bar.set_postfix_str(f'epoch {epoch + 1}/{self._num_epochs}  {text}', refresh=False)
            self._bar.update(self._steps_since_look)
        if line_due:
            log.info('epoch %d/%d  update %d/%d  %s', epoch + 1, self._num_epochs, index + 1, self._num_steps, text)
            self._last_line = now
        self._last_look, self._steps_since_look = now, 0

    def on_epoch(self, report: EpochReport, *, is_last: bool = False) -> None:
        """Log a finished epoch: always to the log file, to the console as often as lines are due, and the last one."""
        is_last = is_last or report.epoch == self._num_epochs
        now = time.perf_counter()
        due = is_last or self._print_freq is not None or now - self._last_line >= SECONDS_BETWEEN_LINES
        show_now = due or report.epoch == 1
        train, val = report.train, report.val
        text = (
            f'epoch {report.epoch}/{self._num_epochs}  lr {report.lr:.4g}  train loss {train.loss:.4f} '
            f'error {train.error1:.2f} %  val loss {val.loss:.4f} error {val.error1:.2f} %  '
            f'distance {report.weight_distance:.3f}  {report.images_per_second:,.0f} images/s'
        )
        log.log(logging.INFO if show_now else logging.DEBUG, '%s', text)
        if show_now:
            self._last_line = now

    def close(self) -> None:
        """Take the bar down."""
        if self._bar is not None:
            self._bar.update(self._steps_since_look)
            self._bar.close()

    def _line_due(self, index: int, now: float) -> bool:
        if self._print_freq is not None:
            return (index + 1) % self._print_freq == 0
        return self._bar is None and now - self._last_line >= SECONDS_BETWEEN_LINES
