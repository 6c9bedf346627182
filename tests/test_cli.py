"""The scripts as processes of their own, from another folder, as users start them."""

import subprocess
import sys

import pytest

from tests.conftest import PROJECT, TINY_GBN, TINY_NORMAL, read_json

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path):
    """Run a script and return what it prints, or the lines of its errors where another status than 0 is expected."""

    def run(script, *words, status=0):
        command = [sys.executable, PROJECT / script, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        return done.stderr.strip().splitlines() if status else done.stdout

    return run


def test_the_scripts_run_one_after_the_other(start, tmp_path):
    start('main_normal.py', *TINY_NORMAL, '--save', 'normal')
    start('main_gbn.py', *TINY_GBN, '--save', 'ghost')
    shown = start('compare_experiments.py', 'TrainingResults')
    assert [word for word in ('normal', 'ghost', 'page: TrainingResults/comparison.html') if word not in shown] == []
    assert (tmp_path / 'TrainingResults' / 'comparison.html').stat().st_size > 100_000
    config = read_json(tmp_path / 'TrainingResults' / 'ghost' / 'config.json')
    assert config['command'].startswith('python main_gbn.py ')
    assert 'epoch 4/4' in start('main_gbn.py', '--resume', 'TrainingResults/ghost', '--epochs', '4')


def test_what_goes_wrong_has_a_status_of_its_own(start, tmp_path):
    for flags in (('--model', 'resnett'), ('--dataset', 'fake:64:1x8x8:4', '--b', '100')):
        assert len(start('main_gbn.py', *flags, status=2)) == 1
        assert not list(tmp_path.iterdir())
    wild = ('--clip-grad', '0', '--regime', "{0: {'lr': 1e30}}", '--save', 'run')
    assert 'diverged in epoch 1' in start('main_normal.py', *TINY_NORMAL, *wild, status=3)[-1]
