"""Each script as a process of its own, from another folder, as users start them."""

import subprocess
import sys
import time

import pytest

from tests.conftest import PROJECT, TINY_GBN, TINY_NORMAL, read_json

pytestmark = pytest.mark.slow


def start(folder, *command, status=0):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


def test_the_scripts_run_one_after_the_other(tmp_path):
    python = sys.executable
    start(tmp_path, python, PROJECT / 'main_normal.py', *TINY_NORMAL, '--save', 'normal')
    start(tmp_path, python, PROJECT / 'main_gbn.py', *TINY_GBN, '--save', 'ghost')
    shown = start(tmp_path, python, PROJECT / 'compare_experiments.py', 'TrainingResults').stdout
    for word in ('normal', 'ghost', 'page: TrainingResults/comparison.html'):
        assert word in shown
    assert (tmp_path / 'TrainingResults' / 'comparison.html').stat().st_size > 100_000
    config = read_json(tmp_path / 'TrainingResults' / 'ghost' / 'config.json')
    assert config['command'].startswith('python main_gbn.py ')
    resumed = start(tmp_path, python, PROJECT / 'main_gbn.py', '--resume', 'TrainingResults/ghost', '--epochs', '4')
    assert 'epoch 4/4' in resumed.stdout


def test_bad_input_is_one_line_without_a_traceback(tmp_path):
    for flags in (('--model', 'resnett'), ('--dataset', 'fake:64:1x8x8:4', '--b', '100')):
        done = start(tmp_path, sys.executable, PROJECT / 'main_gbn.py', *flags, status=2)
        assert len(done.stderr.strip().splitlines()) == 1
        assert not list(tmp_path.iterdir())


def test_a_diverged_run_exits_with_3(tmp_path):
    flags = (*TINY_NORMAL, '--clip-grad', '0', '--regime', "{0: {'lr': 1e30}}", '--save', 'run')
    done = start(tmp_path, sys.executable, PROJECT / 'main_normal.py', *flags, status=3)
    assert 'diverged in epoch 1' in done.stderr.splitlines()[-1]


def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path):
    """A real SIGKILL in the middle of training, at a moment that nobody chose."""
    flags = (*TINY_GBN, '--dataset', 'fake:2000:1x8x8:4', '--epochs', '12')
    command = [sys.executable, PROJECT / 'main_gbn.py', *flags]
    start(tmp_path, *command, '--save', 'straight')
    killed = subprocess.Popen([*command, '--save', 'killed'], cwd=tmp_path, stdout=subprocess.DEVNULL)
    table = tmp_path / 'TrainingResults' / 'killed' / 'results.csv'
    while not table.is_file() or len(table.read_text().splitlines()) < 5:
        assert killed.poll() is None, 'it ended before it was killed'
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert read_json(table.parent / 'config.json')['status'] == 'running'
    start(tmp_path, sys.executable, PROJECT / 'main_gbn.py', '--resume', 'TrainingResults/killed')
    rows, expected = (
        [line.split(',')[:11] for line in (tmp_path / 'TrainingResults' / run / 'results.csv').read_text().splitlines()]
        for run in ('killed', 'straight')
    )
    assert rows == expected
