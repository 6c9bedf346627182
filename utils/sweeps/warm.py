"""Processes of a suite that need not import anything: forks of a server which has imported it all.

A Python of its own takes seconds until it trains, a fork some hundredths of one. The server is that of multiprocessing;
it starts nothing before a fork: no threads, no GPU, no random numbers. Each run is a process of its own, which may be
killed without harm to the others. Where the system cannot fork, each run is a Python of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import forkserver, reduction
from pathlib import Path
from typing import IO, Any, ClassVar

from utils.files import PROJECT

LOST = 255  # what multiprocessing says of a process when the server that would know has been killed
PRELOADED = ['main_normal', 'main_gbn', 'evaluate', 'measure_sharpness', 'utils.engine.experiment']


class Fork:
    """A forked process, with what is used here of subprocess.Popen."""

    def __init__(self, process: Any):
        self._process = process
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, LOST where nobody can tell it any more; None while the process runs."""
        if self._process.exitcode != LOST or not _exists(self._process.pid):
            self.returncode = self._process.exitcode
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        while (code := self.poll()) is None:
            self._process.join(0.1)
        return code


class Starter:
    """Start scripts, each in a process of its own.

    A Python has one server, and its libraries have read their variables, such as OMP_NUM_THREADS, when it began: a
    Starter of another environment has none.

    Args:
        environment: of the server, and of all that is started but for what it is given besides.
        is_warm: whether to fork; a single run would wait for the server as long as for itself.
    """

    _of_server: ClassVar[dict[str, str]] = {}

    def __init__(self, environment: Mapping[str, str], *, is_warm: bool):
        self._environment = dict(environment)
        self._server: threading.Thread | None = None  # ends when the server is there, or cannot be had
        self._is_warm = False
        is_other = bool(self._of_server) and self._of_server != self._environment
        if is_warm and not is_other and 'forkserver' in multiprocessing.get_all_start_methods():
            self._of_server.update(self._environment)
            self._context = multiprocessing.get_context('forkserver')
            self._context.set_forkserver_preload(PRELOADED)
            with contextlib.suppress(OSError), self._as_environment():
                forkserver.ensure_running()
                self._server = threading.Thread(target=self._wait_for_server, daemon=True)
                self._server.start()

    @property
    def is_warm(self) -> bool:
        """Whether there is a server to fork."""
        return self._is_warm

    def is_ready(self) -> bool:
        """Tell whether a start would not wait for the server."""
        return self._server is None or not self._server.is_alive()

    def start(self, script: str, argv: Sequence[str], more: Mapping[str, str], output: IO) -> Fork | subprocess.Popen:
        """Start a script with variables besides; what it prints goes to a file."""
        environment = {**self._environment, **more}
        if self._is_warm and (fork := self.fork(_run_script, script, [*argv], environment, _Stream(output.fileno()))):
            return fork
        return subprocess.Popen(
            [sys.executable, str(PROJECT / script), *argv], env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def fork(self, target: Callable, *arguments: object) -> Fork | None:
        """Call a function in a fork; None where there is no server."""
        process = self._context.Process(target=target, args=arguments)
        try:
            with self._as_environment():  # of a new server, where somebody has killed the first
                process.start()
        except (OSError, EOFError):
            self._is_warm = False
            return None
        return Fork(process)

    def _wait_for_server(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            process = self._context.Process(target=int)
            process.start()
            process.join()
            self._is_warm = True

    @contextlib.contextmanager
    def _as_environment(self) -> Iterator[None]:
        """Have this process the environment of the server, which takes it over."""
        before, path = dict(os.environ), os.environ.get('PYTHONPATH')
        found = {**self._environment, 'PYTHONPATH': f'{PROJECT}{os.pathsep}{path}' if path else str(PROJECT)}
        set_environment(found)
        try:
            yield
        finally:
            set_environment(before)


class _Stream:
    """An open file that goes with a process to be forked, which has none of those that are open here."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor

    def __reduce__(self):
        return _received, (reduction.DupFd(self.descriptor),)


def _received(duplicate: Any) -> _Stream:
    return _Stream(duplicate.detach())


def _run_script(script: str, argv: list[str], environment: dict[str, str], output: _Stream) -> None:
    """Be a Python that runs a script: what it prints, its words and its environment are its own."""
    for stream in (1, 2):
        os.dup2(output.descriptor, stream)
    set_environment(environment)
    multiprocessing.set_start_method(None, force=True)  # of what it starts in its turn
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [str(PROJECT / script), *argv]
    sys.exit(importlib.import_module(Path(script).stem).main(argv))


def set_environment(values: Mapping[str, str]) -> None:
    """Give this process other variables in place of its own."""
    for name in os.environ.keys() - values.keys():
        del os.environ[name]
    os.environ.update(values)


def _exists(number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, 0)
        return True
    return False
