"""The pages of the runs of a suite, drawn beside them by one process that has loaded the plotting library."""

from __future__ import annotations

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
        self._waiting: dict[Path, None] = {}
        self._is_drawing = False
        self._process = starter.fork(_draw_all, other)
        other.close()

    def add(self, folder: Path) -> None:
        """Have the page of a run drawn, if it is old when its turn comes."""
        self._waiting[folder] = None

    def are_left(self) -> bool:
        """Have the next page drawn if the last one is there; tell whether there is one yet to be drawn."""
        try:
            if self._is_drawing and self._pipe.poll():
                self._pipe.recv()
                self._is_drawing = False
            if self._waiting and not self._is_drawing:
                folder = next(iter(self._waiting))
                del self._waiting[folder]
                self._pipe.send(folder)
                self._is_drawing = True
        except (EOFError, OSError):  # the process has been killed: the suite draws what is old at its end
            self._is_drawing = False
            self._waiting.clear()
        return self._is_drawing

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
