"""One process at a time writes a run folder: it holds a lock on a file in it, which the system drops when it dies.

A POSIX record lock: it is not inherited by forked workers, so that it is gone with the process that took it, and holds
over NFS between hosts. The process that holds it must not open the file a second time: closing that would drop it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from bigbatch.errors import UserError
from utils.files import UNSUPPORTED, naming_file

LOCK = '.lock'
NO_LOCKS = {errno.ENOLCK, *UNSUPPORTED}  # what a file system without them answers
ATTEMPTS, SECONDS_BETWEEN_ATTEMPTS = 5, 0.1  # holder_of takes the lock of a free folder for an instant

log = logging.getLogger('bigbatch')


class RunLock:
    """Hold a run folder, which may be renamed, until it is released or this process ends.

    On a disk without locks a warning takes their place.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """

    def __init__(self, folder: Path):
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(SECONDS_BETWEEN_ATTEMPTS)
            if file := _take(folder / LOCK):
                self._file = file
                return
        holder = holder_of(folder) or 'another process'
        raise UserError(f'{folder} is being written by {holder}: wait until it has ended, or stop it')

    def release(self, folder: Path) -> None:
        """Let go of the folder, which may have another name by now."""
        with contextlib.suppress(OSError):  # a disk that is read-only by now: no process holds what is left there
            (folder / LOCK).unlink(missing_ok=True)  # while it is held: nobody else's is taken away
        self._file.close()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder within the block, as RunLock does."""
    lock = RunLock(folder)
    try:
        yield
    finally:
        lock.release(folder)


def holder_of(folder: Path) -> str:
    """Return which process holds a run folder, as `process 12 on host`; empty where none does."""
    try:
        with open(folder / LOCK, encoding='utf-8') as file:
            try:
                _lock(file, shared=True)
            except (BlockingIOError, PermissionError):
                return file.read().strip() or 'another process'
    except OSError:
        pass
    return ''


def _take(path: Path) -> TextIO | None:
    """Return the locked file; None where another process holds it."""
    with naming_file(path):
        file = open(path, 'a+', encoding='utf-8')  # noqa: SIM115 - closing it drops the lock
        try:
            _lock(file)
            is_current = os.path.exists(path) and os.path.samestat(os.fstat(file.fileno()), os.stat(path))
        except (BlockingIOError, PermissionError):
            is_current = False
        if not is_current:  # held, or removed by the one that held it until now
            file.close()
            return None
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        file.flush()
    return file


def _lock(file: TextIO, *, shared: bool = False) -> None:
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows has no such locks, and goes without
        return
    try:
        fcntl.lockf(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        log.warning('this disk has no file locks (%s): let no second process write the same run', error.strerror)
