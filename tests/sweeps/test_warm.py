"""Runs that are forked: what they are told, how they end, what a killed server leaves, weights that are the same."""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import pytest
import torch

from tests.conftest import PROJECT
from tests.sweep_helpers import LONG, NORMAL, other_process
from tests.sweeps.test_sweep_processes import finish, wait_for_rows
from utils.runs.layout import has_old_page
from utils.sweeps import warm
from utils.sweeps.warm import LOST, Starter

SCRIPT = """
import multiprocessing, os, random, sys, time

def main(argv):
    print(argv, sys.argv[1:], os.environ.get('MORE'), os.environ.get('PYTHONPATH'), os.getcwd(), flush=True)
    print(multiprocessing.get_start_method(), sys.stdin.read() == '', random.random(), file=sys.stderr)
    if argv[0] == 'raise':
        raise RuntimeError('no such thing')
    if argv[0] == 'wait':
        time.sleep(60)
    return int(argv[0])
"""


@pytest.fixture
def starter(tmp_path, monkeypatch):
    """A server of its own folder, which finds a script there."""
    (tmp_path / 'odd_script.py').write_text(SCRIPT)
    monkeypatch.syspath_prepend(tmp_path)
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path), 'OMP_NUM_THREADS': '1'}
    monkeypatch.setattr(warm, 'PRELOADED', ['random'])
    monkeypatch.setattr(Starter, '_of_server', {})
    made = Starter(environment, is_warm=True)
    while not made.is_ready():
        time.sleep(0.01)
    assert made.is_warm
    return made


def run(starter, *argv, more=None):
    with tempfile.TemporaryFile('w+') as output:
        process = starter.start('odd_script.py', argv, more or {}, output)
        code = process.wait()
        output.seek(0)
        return code, output.read()


@pytest.mark.slow
def test_a_fork_has_words_variables_output_and_status_of_its_own(starter, tmp_path):
    before = dict(os.environ)
    code, first = run(starter, '5', more={'MORE': 'more'})
    assert code == 5
    assert f"['5'] ['5'] more {tmp_path} {os.getcwd()}\n" in first
    assert f'{multiprocessing.get_start_method()} True ' in first  # as in a Python of its own
    code, text = run(starter, 'raise')
    assert code == 1 and 'RuntimeError: no such thing' in text and ' None ' in text
    drawn = [re.search(r'True (0\.\d+)', run(starter, '0')[1])[1] for _ in range(3)]
    assert len({*drawn}) == 3, 'the random state of the server'
    assert dict(os.environ) == before


@pytest.mark.slow
def test_a_fork_may_be_killed_and_so_may_the_server(starter, tmp_path):
    with tempfile.TemporaryFile('w+') as output:
        process = starter.start('odd_script.py', ['wait'], {}, output)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process = starter.start('odd_script.py', ['wait'], {}, output)
        server = int(subprocess.check_output(['ps', '-o', 'ppid=', str(process._process.pid)]))
        os.kill(server, signal.SIGKILL)
        time.sleep(0.2)
        assert process.poll() is None, 'it goes on'
        process.send_signal(signal.SIGTERM)
        assert process.wait() == LOST
    assert run(starter, '3')[0] == 3, 'of a new server'


@pytest.mark.slow
@pytest.mark.parametrize('threads', [1, 2])
def test_runs_of_a_suite_equal_those_of_the_scripts_and_have_their_pages(write, tmp_path, threads):
    large = NORMAL.replace('ok_small', 'large') + " --model_config \"{'width': 512, 'depth': 3}\""
    path = write(NORMAL, large, f'{NORMAL.replace("ok_small", "again")} --workers 2', name='suite')
    finish(path, '--results_dir', tmp_path, '--jobs', '1', threads=threads)
    for line in (NORMAL, large):
        name = line.split()[3]
        command = [sys.executable, *shlex.split(line)[1:], '--results_dir', str(tmp_path / 'alone')]
        subprocess.run(command, cwd=PROJECT, env={**os.environ, 'OMP_NUM_THREADS': str(threads)}, check=True)
        states = [
            torch.load(folder / name / 'checkpoint.pth.tar', weights_only=True)['state_dict']
            for folder in (tmp_path / 'suite', tmp_path / 'alone')
        ]
        torch.testing.assert_close(states[0], states[1], rtol=0, atol=0)
        assert not has_old_page(tmp_path / 'suite' / name)


@pytest.mark.slow
def test_a_suite_whose_server_is_killed_loses_nothing(write, tmp_path):
    path = write(LONG, NORMAL, name='suite')
    process = other_process(path, '--results_dir', str(tmp_path), '--jobs', '1', threads=1)
    wait_for_rows(tmp_path / 'suite' / 'long' / 'results.csv', 3)
    servers = subprocess.check_output(['pgrep', '-g', str(process.pid), '-f', 'forkserver'], text=True).split()
    os.kill(min(map(int, servers)), signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    assert ': 2 done' in out and 'Traceback' not in err
    assert not any(has_old_page(tmp_path / 'suite' / name) for name in ('long', 'ok_small'))
