"""A refusal is one line and nothing before it: what is noted during the checks waits until they are over."""

import logging
import subprocess
import sys

import numpy as np
import pytest

import compare_experiments
import evaluate
import main_gbn
import main_normal
import main_swap
import measure_sharpness
import visualize_sharpness
from bigbatch.errors import UserError
from tests.conftest import TINY
from utils.command import command, user_errors

log = logging.getLogger('bigbatch')


@command
def noting(argv) -> int:
    """Note something in the checks and behind them, and raise what argv holds in either place."""
    with user_errors():
        log.info('an early note')
        log.warning('an early warning')
        if 'early' in argv:
            raise ValueError('cannot hold')
    print('work')
    log.info('a late note')
    if 'late' in argv:
        raise UserError('the disk is full')
    return 0


def test_notes_are_printed_when_the_checks_are_over_and_not_before_a_refusal(capsys):
    cases = {
        'early': (2, '', 'error: cannot hold\n'),
        'late': (2, 'an early note\nwork\na late note\n', 'warning: an early warning\nerror: the disk is full\n'),
        'never': (0, 'an early note\nwork\na late note\n', 'warning: an early warning\n'),
    }
    assert {case: (noting([case]), *capsys.readouterr()) for case in cases} == cases


def test_warnings_of_packages_wait_as_well(project):
    code = """
import warnings
from utils.command import command, user_errors

@command
def main(argv):
    with user_errors():
        warnings.warn('of a package')
        if argv:
            raise ValueError('cannot hold')
    return 0

print(main([]), main(['early']))
"""
    done = subprocess.run([sys.executable, '-c', code], cwd=project, capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert done.stdout == '0 2\n' and len(lines) == 2, done
    assert 'UserWarning: of a package' in lines[0] and lines[1] == 'error: cannot hold'


@pytest.fixture
def odd(tmp_path) -> str:
    """A data set that is warned about: labels with a gap, and an array that is not used."""
    images, labels = np.zeros((32, 8, 8), np.uint8), np.arange(32) % 4 * 2
    np.savez(tmp_path / 'odd.npz', x_train=images, y_train=labels, x_test=images, y_test=labels, more=labels)
    return str(tmp_path / 'odd.npz')


def test_scripts_print_nothing_before_a_refusal(odd, run, tmp_path, capsys):
    own = ('--model', 'alexnetv2', '--start-epoch', '8', '--dry-run')
    small = ('--model', 'mnist_f1', '--results_dir', str(tmp_path))
    (tmp_path / 'evaluation.csv').mkdir()
    cases = [
        (main_swap, '--dataset', 'digits', *own, '--b', '4096'),
        (main_normal, '--dataset', 'digits', *own, '--b', '4096', '--workers', '3', '--flip'),
        (main_normal, '--dataset', odd, *small, '--b', '64'),
        (main_normal, '--dataset', odd, *small, '--b', '8', '--gpus', '7', '--input_size', '99', '--download'),
        (main_gbn, *TINY, '-mb', '4', '--download', '--workers', '3', '--results_dir', run.parent, '--save', run.name),
        (evaluate, '--evaluate', tmp_path / 'none.pth.tar', '--model', 'mnist_f1', '--dataset', odd),
        (evaluate, '--evaluate', run, '--gpus', '7', '--dataset', odd),
        (measure_sharpness, '--evaluate', run, '--gpus', '7', '--dataset', odd),
        (visualize_sharpness, '--evaluate', run, '--slave-evaluate', run, '--results_dir', run.parent, '--save', 'run'),
        (compare_experiments, run, '--compare', 'none', '--margin', '1'),
        (compare_experiments, run, '--colors', 'none', '--margin', '1'),
    ]
    for script, *flags in cases:
        capsys.readouterr()
        assert script.main([*map(str, flags)]) == 2, flags
        out, err = capsys.readouterr()
        assert (out, err.count('\n')) == ('', 1) and 'error: ' in err, (flags, out, err)
