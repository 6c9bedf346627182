"""A suite's --dry-run, which waits for plans of other processes, ends when a signal comes."""

import os
import signal
import threading
import time

from utils.sweeps import __main__ as suites


def test_a_signal_ends_a_dry_run_though_plans_are_not_there_yet(tmp_path, monkeypatch, capsys):
    started = []

    def plan(*arguments):
        started.append(arguments)
        time.sleep(3)

    monkeypatch.setattr(suites, '_plan', plan)
    threads, start = {*threading.enumerate()}, time.monotonic()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    assert suites.main(['quickstart', '--dry-run', '--jobs', '2', '--results_dir', str(tmp_path)]) == 75
    assert time.monotonic() - start < 2.5  # of nine seconds
    assert capsys.readouterr().err == 'stopped: by SIGTERM\n'
    timer.join()
    assert len(started) == 2
    assert [thread for thread in threading.enumerate() if thread not in threads and not thread.daemon] == []
