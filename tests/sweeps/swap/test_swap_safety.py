# ruff: noqa: F811 - fixtures are imported by name
"""SWAP that is stopped by a signal, or whose runs another process still writes."""

import os
import signal

import pytest

from tests.conftest import read_json, stable_rows
from tests.engine.test_interrupts import default_signals, signalled  # noqa: F401 - fixtures
from tests.runs.test_lock import held_by_another
from tests.sweep_helpers import InThisProcess
from tests.sweeps.swap.test_swap import (  # noqa: F401 - fixtures
    FLAGS,
    finished,
    mark_as_running,
    same_weights,
    started,
    swap,
    whole,
)  # fmt: skip


@pytest.mark.parametrize(('step', 'phase', 'name'), [(3, 'phase1', 'SIGTERM'), (7, 'worker0', 'SIGINT')])
def test_a_signal_within_a_phase_ends_all_and_the_same_command_goes_on(
    swap, whole, signalled, tmp_path, step, phase, name
):
    undo = signalled('Trainer._train_step', step, name)
    status, err = swap(*FLAGS, save='stopped')
    undo()
    folder = tmp_path / 'stopped'
    assert status == 75
    assert err.endswith(f': --resume {folder} goes on\n')
    assert read_json(folder / 'config.json')['status'] == 'interrupted'
    assert read_json(folder / phase / 'config.json')['status'] == 'interrupted'
    assert not (folder / '.lock').exists()
    swap('--resume', str(folder))
    assert read_json(folder / 'config.json')['status'] == 'done'
    assert stable_rows(folder) == stable_rows(whole)
    assert same_weights(folder, whole)


def test_a_signal_to_the_parent_is_passed_on(swap, tmp_path, monkeypatch):
    """While it waits for a run; the stand-ins for processes have ended when they are started."""

    def poll(self):
        os.kill(os.getpid(), signal.SIGTERM)

    ended = []
    with monkeypatch.context() as patched:
        patched.setattr(InThisProcess, 'send_signal', lambda self, number: ended.append(number), raising=False)
        patched.setattr(InThisProcess, 'poll', poll)
        status, err = swap(*FLAGS)
    assert (status, ended) == (75, [signal.SIGTERM])
    assert 'stopped: by SIGTERM: --resume' in err
    assert swap('--resume', str(tmp_path / 'swap')) == tmp_path / 'swap'


def test_what_another_process_writes_is_left_to_it(swap, started, finished):
    folder = finished
    rows = stable_rows(folder)
    for name in ('', 'worker1'):
        mark_as_running(folder / name)
        started.clear()
        with held_by_another(folder / name) as other:
            status, err = swap('--resume', str(folder))
        assert f'is being written by process {other.pid} on ' in err.splitlines()[-1]
        assert status == (75 if name else 2)
        assert started == []
    assert swap('--resume', str(folder)) == folder
    assert stable_rows(folder) == rows
