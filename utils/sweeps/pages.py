"""The pages of the runs of a suite, drawn beside them by one process that has loaded the plotting library."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from utils.logs import start_logging
from utils.reports.drawing import draw_old_pages
from utils.sweeps.warm import Starter


class Pages:
    """Draws pages in a process of its own, one after the other."""

    def __init__(self, starter: Starter):
        self._pipe, other = multiprocessing.Pipe()
        self._num_left = 0
        self._process = starter.fork(_draw_all, other)
        other.close()

    def add(self, folder: Path) -> None:
        """Have the page of a run drawn, if it is old when its turn comes."""
        with contextlib.suppress(OSError):  # of a process that has been killed: see draw_old_pages
            self._pipe.send(folder)
            self._num_left += 1

    def are_left(self) -> bool:
        """Tell whether pages are yet to be drawn."""
        try:
            while self._num_left and self._pipe.poll():
                self._pipe.recv()
                self._num_left -= 1
        except (EOFError, OSError):
            self._num_left = 0
        return self._num_left > 0

    def stop(self) -> None:
        """End the process."""
        self._pipe.close()
        if self._process:
            self._process.send_signal(signal.SIGKILL)  # files are renamed when they are whole


def _draw_all(pipe: Connection) -> None:
    """Draw pages until nobody can ask for one any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C ends who asks
    start_logging()
    while True:
        try:
            folder = pipe.recv()
        except EOFError:
            return
        draw_old_pages([folder])
        pipe.send(None)
