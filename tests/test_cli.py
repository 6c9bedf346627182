"""The scripts as processes of their own, from another folder, as users start them."""

import subprocess
import sys

import pytest

from tests.conftest import PROJECT, TINY_NORMAL

pytestmark = pytest.mark.slow


def test_what_goes_wrong_has_a_status_of_its_own(tmp_path):
    def errors(script, *words, status):
        done = subprocess.run([sys.executable, PROJECT / script, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stderr.strip().splitlines()

    for flags in (('--model', 'resnett'), ('--dataset', 'fake:64:1x8x8:4', '--b', '100')):
        assert len(errors('main_gbn.py', *flags, status=2)) == 1
        assert not list(tmp_path.iterdir())
    wild = ('--clip-grad', '0', '--regime', "{0: {'lr': 1e30}}", '--save', 'run')
    assert 'diverged in epoch 1' in errors('main_normal.py', *TINY_NORMAL, *wild, status=3)[-1]
