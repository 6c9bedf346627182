"""A bar on a terminal, plain lines elsewhere: how far a measurement has come, with an estimate of the time left."""

from __future__ import annotations

import contextlib
import sys
import time

from utils.quantities import duration

SECONDS_BETWEEN_LINES = 10.0


class EvaluationProgress:
    """Follow a measurement of so many units, on standard error by default: a bar on a terminal, else plain lines."""

    def __init__(self, total: int, what: str = 'examples', *, stream=None):
        self._total, self._what, self._stream = total, what, stream or sys.stderr
        self._done, self._bar = 0, None

    def __enter__(self) -> EvaluationProgress:
        self._start = self._last_line = time.perf_counter()
        if self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, unit=f' {self._what}', dynamic_ncols=True, file=self._stream)
        return self

    def advance(self, num: int = 1) -> None:
        """Count what was done since the last call."""
        self._done += num
        if self._bar is not None:
            self._bar.update(num)
            return
        now = time.perf_counter()
        if now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line, seconds = now, now - self._start
            left = seconds / max(self._done, 1) * max(0, self._total - self._done)
            times = f'after {duration(seconds)}, about {duration(left)} left'
            with contextlib.suppress(OSError):  # nobody reads on: no reason to stop
                print(f'{self._done:,} of {self._total:,} {self._what} {times}', file=self._stream, flush=True)

    def __exit__(self, *error) -> None:
        if self._bar is not None:
            self._bar.close()
