"""A sweep whose output nobody reads any more, or whose system has too little for one more process."""

import errno
import os
import signal
import types

import pytest

from utils.sweeps import execution
from utils.sweeps.execution import Sweep
from utils.sweeps.suite import PlannedRun


class Process:
    def __init__(self):
        self.signals = []

    def poll(self):
        return None

    def wait(self):
        return 0

    def send_signal(self, number):
        self.signals.append(number)


def test_what_ends_a_sweep_ends_the_runs_that_it_has_started(tmp_path, monkeypatch):
    failures = []
    for error, where in ((BrokenPipeError(), 'print'), (OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)), 'start')):
        processes = []

        def start(*_, error=error, where=where, processes=processes, **__):
            if where == 'start' and processes:
                raise error
            processes.append(Process())
            return processes[-1]

        def say(text, *_, error=error, where=where, **__):
            if where == 'print' and text.startswith('start') and 'second' in text:
                raise error

        starter = types.SimpleNamespace(is_ready=lambda: True, is_warm=False, start=start)
        monkeypatch.setattr(execution, 'Starter', lambda *_, starter=starter, **__: starter)
        monkeypatch.setattr(execution, 'print', say, raising=False)
        runs = [PlannedRun(name, name, 'main_gbn.py', ()) for name in ('first', 'second')]
        with pytest.raises(type(error)):
            Sweep(runs, tmp_path, jobs=2, fail_fast=False).execute()
        signals = [process.signals for process in processes]
        failures += [] if signals == [[signal.SIGTERM]] else [(where, signals)]
    assert failures == []
