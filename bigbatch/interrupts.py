"""Signals that ask a process to end: Ctrl-C (SIGINT), a terminal that is closed (SIGHUP), a scheduler about to kill.

Schedulers send SIGTERM, SIGUSR1 or SIGUSR2, and the system SIGXCPU at a limit of processor time. Where nothing has to
be saved the first one ends the process; training finishes its step and saves. Either way a second Ctrl-C ends it at
once. What was started with a signal ignored, as by nohup, goes on ignoring it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from bigbatch.distributed import is_first_rank, world_size
from bigbatch.errors import Interrupted

SIGNALS = ('SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU')


def known_signals() -> list[signal.Signals]:
    """Return those of SIGNALS that this system has."""
    return [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]


class StopRequest:
    """Whether a signal has asked to end; of ranks, also whether their torchrun has died, which passes on few."""

    def __init__(self):
        self.name = ''  # of the first signal
        is_rank = world_size() != '1' and 'TORCHELASTIC_RUN_ID' in os.environ
        self._torchrun = os.getppid() if is_rank else None

    def __call__(self) -> bool:
        if self._torchrun not in (None, os.getppid()):
            self.name = self.name or 'the end of torchrun'
        return bool(self.name)


@contextlib.contextmanager
def ending_by_signal() -> Iterator[None]:
    """Raise Interrupted in the block at the first signal, and KeyboardInterrupt at a Ctrl-C after it."""

    def end(name: str) -> None:
        raise Interrupted(f'by {name}')

    with _asked_to_stop(end):
        yield


@contextlib.contextmanager
def stop_requests(promise: str) -> Iterator[StopRequest]:
    """Give an object that says whether a signal has come, the first of which prints `promise`, what it leads to."""

    def promise_it(name: str) -> None:
        if is_first_rank():  # one of the processes of a run says it for all
            text = f'\n{name}: {promise}; Ctrl-C from here on ends it at once\n'
            with contextlib.suppress(OSError):  # a terminal that is gone
                os.write(2, text.encode())  # print may be in the midst of a line

    with _asked_to_stop(promise_it) as request:
        yield request


@contextlib.contextmanager
def _asked_to_stop(at_first: Callable[[str], None]) -> Iterator[StopRequest]:
    """Give an object that says whether a signal has come; at_first is called with the name of the first."""
    request, owner = StopRequest(), os.getpid()
    if threading.current_thread() is not threading.main_thread():  # signals are for that one
        yield request
        return

    def on_signal(number: int, _) -> None:
        if os.getpid() != owner:  # a forked worker, which inherits this: its parent ends it by SIGTERM
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
        elif not request():
            request.name = signal.Signals(number).name
            at_first(request.name)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in known_signals()}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, on_signal)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
