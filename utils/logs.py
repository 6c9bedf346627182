"""The project's log: progress on standard output, warnings on standard error, everything in a run's log.txt."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path

from bigbatch.distributed import is_first_rank

log = logging.getLogger('bigbatch')


class _ConsoleHandler(logging.Handler):
    """Print lines above the bar: progress to standard output, warnings to standard error, each of those once."""

    def __init__(self, level: int):
        super().__init__(level)
        self._warnings: set[str] = set()
        self.held: list[logging.LogRecord] | None = None  # what waits for the end of the checks; None: nothing does

    def emit(self, record: logging.LogRecord) -> None:
        if self.held is not None:
            self.held.append(record)
            return
        line, stream = self.format(record).rstrip(), sys.stdout
        if record.levelno >= logging.WARNING:
            if (text := record.getMessage()) in self._warnings:
                return
            self._warnings.add(text)
            line, stream = f'{record.levelname.lower()}: {line}', sys.stderr
        with contextlib.suppress(OSError):  # nobody reads on, or the disk is full: no reason to stop training
            if sys.stderr.isatty():
                from tqdm import tqdm

                tqdm.write(line, file=stream)
            else:
                print(line, file=stream, flush=True)


class _FileHandler(logging.FileHandler):
    """Write lines to a file; those that it does not take, as where the disk is full, are lost without a word."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is that of the base class
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


def start_logging() -> None:
    """Send the project's log to the console; safe to call again."""
    _mend_streams()
    log.setLevel(logging.DEBUG)
    log.propagate = False
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    console = _ConsoleHandler(logging.INFO if is_first_rank() else logging.ERROR)
    log.addHandler(console)
    logging.captureWarnings(True)  # of Python and its packages: they wait for the end of the checks as well
    logging.getLogger('py.warnings').handlers = [console]
    logging.getLogger('py.warnings').propagate = False


def hold_notes() -> None:
    """Keep what is logged from the console until `print_notes`, so that a refusal is the only line of a command."""
    for handler in _consoles():
        handler.held = []


def print_notes() -> None:
    """Print what was held back, and from here on everything at once: the checks are over."""
    for handler in _consoles():
        held, handler.held = handler.held or [], None
        for record in held:
            handler.emit(record)


def _consoles() -> list[_ConsoleHandler]:
    return [handler for handler in log.handlers if isinstance(handler, _ConsoleHandler)]


def _mend_streams() -> None:
    """Have standard streams that lead nowhere where there are none, as in a service, and that take any letter."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # else the next file that is opened would be what child processes print to
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, open(os.devnull, mode, encoding='utf-8'))  # noqa: SIM115 - for good
        elif getattr(stream, 'errors', '') in ('strict', 'surrogateescape') and hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')  # of a locale that lacks letters of a name


def log_to_file(path: Path) -> None:
    """Send the project's log to a file as well, every epoch of it."""
    handler = _FileHandler(path, encoding='utf-8')
    handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(message)s'))
    log.addHandler(handler)
