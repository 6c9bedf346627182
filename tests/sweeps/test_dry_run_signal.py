"""A suite's --dry-run, whose plans its scripts make in this process, ends when a signal comes."""

import os
import signal
import time

import pytest

from utils.sweeps import __main__ as suites


@pytest.mark.parametrize('where', ['utils.sweeps.__main__.look_at', 'utils.engine.experiment.build_experiment'])
def test_a_signal_ends_a_dry_run_and_no_further_plan_is_made(tmp_path, monkeypatch, capsys, where):
    calls = []

    def wait(*_):
        calls.append(where)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr(where, wait)
    start = time.monotonic()
    assert suites.main(['quickstart', '--dry-run', '--results_dir', str(tmp_path)]) == 75
    assert time.monotonic() - start < 4
    assert capsys.readouterr().err == 'stopped: by SIGTERM\n' and len(calls) == 1
