"""Sweeps that start processes: several at a time, stopped and gone on with, shared cores, the shell script."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bigbatch.memory import JOBS_VARIABLE
from tests.conftest import PROJECT, read_json, read_rows, stable_rows
from tests.sweep_helpers import LONG, NORMAL, WILD, other_process, table_rows

FAILS = NORMAL.replace('ok_small', 'bad') + ' --init-from no-such-file.pth.tar'


def finish(*arguments, status: int = 0, **settings) -> tuple[str, str]:
    """Wait for a sweep of its own process; returns standard output and standard error."""
    process = other_process(*map(str, arguments), **settings)
    out, err = process.communicate(timeout=300)
    assert process.returncode == status, (out, err)
    return out, err


@pytest.mark.slow
def test_two_at_a_time_give_what_one_at_a_time_gives(write, tmp_path):
    path = write(NORMAL, FAILS, WILD)
    seen = {}
    for jobs in ('1', '2'):
        results = tmp_path / jobs
        out, err = finish(path, '--results_dir', results, '--jobs', jobs, cwd=tmp_path, threads=1, status=1)
        assert err.splitlines()[-1].startswith('failed: bad: ')
        assert 'no-such-file' in err
        assert 'Traceback' not in err
        assert ': 1 done, 1 failed, 1 diverged' in out or ': 1 done, 1 diverged, 1 failed' in out
        assert table_rows(out) == ['ok_small', 'ok_wild']
        runs = [results / 'mine' / name for name in ('ok_small', 'ok_wild')]
        seen[jobs] = [(stable_rows(run), (run / 'weight_distance.csv').read_text()) for run in runs]
        assert [read_json(run / 'config.json')['status'] for run in runs] == ['done', 'diverged']
    assert seen['1'] == seen['2']


@pytest.mark.slow
def test_cores_and_memory_are_shared_among_the_runs_and_those_of_an_outer_sweep(write, tmp_path, monkeypatch):
    available, cores = [], len(os.sched_getaffinity(0))
    large = f"{NORMAL} --model_config \"{{'width': 4096, 'depth': 2}}\" --micro-batch-size auto"  # worth many threads
    for jobs, outer in ((1, ''), (5, ''), (5, '2')):
        monkeypatch.setenv(JOBS_VARIABLE, outer)
        results = tmp_path / f'{jobs}_{outer}'
        finish(write(large), '--results_dir', results, '--jobs', jobs)
        run = results / 'mine' / 'ok_small'
        assert read_json(run / 'config.json')['num_threads'] == max(1, cores // jobs)
        log = (run / 'log.txt').read_text()
        available.append(float(re.search(r'of the ([\d.]+) GiB available', log).group(1)))
    shares = [available[0] / each for each in available[1:]]
    assert shares == pytest.approx([5, 10], rel=0.2), 'other programs take memory meanwhile'


def wait_for_rows(table: Path, num_rows: int) -> None:
    deadline = time.monotonic() + 60
    while not (table.is_file() and len(read_rows(table)) >= num_rows):
        assert time.monotonic() < deadline, f'{table} has no {num_rows} rows after a minute'
        time.sleep(0.02)


def is_group_alive(group: int, seconds: float = 3.0) -> bool:
    """Tell whether a process of a group is left; what they were forked from sees their end a moment later."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        return True
    return False


@pytest.mark.slow
def test_what_control_c_leaves_the_same_command_finishes(write, tmp_path, sweep, results):
    path = write(LONG, NORMAL)
    command = (path, '--results_dir', str(tmp_path / 'stopped'))
    settings = {'cwd': tmp_path, 'threads': torch.get_num_threads()}  # as this process, which is compared with
    process = other_process(*command, **settings)
    stopped = tmp_path / 'stopped' / 'mine'
    wait_for_rows(stopped / 'long' / 'results.csv', 3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 75, (out, err)
    assert 'Traceback' not in err
    assert ': 0 done, 1 stopped, 1 not started; the same command goes on from here' in err
    assert not is_group_alive(process.pid)
    assert sorted(path.name for path in stopped.iterdir()) == ['long']
    out, _ = finish(*command, **settings)
    assert 'resume   long after epoch ' in out
    assert table_rows(out) == ['long', 'ok_small']
    sweep(path)  # the same without a stop, in this process
    assert stable_rows(stopped / 'long') == stable_rows(results / 'long')
    assert len(stable_rows(results / 'long')) == 150
    assert read_rows(stopped / 'long' / 'weight_distance.csv') == read_rows(results / 'long' / 'weight_distance.csv')


@pytest.mark.slow
def test_a_sweep_that_is_told_to_end_takes_its_runs_with_it(write, tmp_path):
    """Else the same command would resume a run that still goes on, and two processes would write its rows."""
    process = other_process(write(LONG.replace('--epochs 150', '--epochs 100000')), '--results_dir', 'r', cwd=tmp_path)
    try:
        wait_for_rows(tmp_path / 'r' / 'mine' / 'long' / 'results.csv', 1)
        process.terminate()  # the sweep alone, as `timeout` and service managers do
        process.wait(timeout=60)
        assert process.returncode == 75
        assert not is_group_alive(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_list_loads_nothing_heavy():
    show = "print([name for name in ('torch', 'pandas') if name in sys.modules])"
    code = f'import sys; from utils.sweeps.__main__ import main; main([]); {show}'
    done = subprocess.run([sys.executable, '-c', code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'
