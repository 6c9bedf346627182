"""The benchmarks run; what they measure is for an idle machine, and no test judges it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu_plan
from tests.conftest import PROJECT, read_rows
from tests.official_files import write_mnist

SMALL = '--dataset digits --model mnist_f1 --b 128 --mb 32'
# command -> the rows that it adds to the table
COMMANDS = {
    f'methods.py {SMALL} --pairs 1 --methods SWA "2 copies"': ['2 copies', 'SWA'],
    'sharpness.py --dataset digits --num-examples 200 --batch-sizes 100 --pairs 1': [
        'pass_100', 'solver_full_space', 'memory_full_space', 'solver_100_dimensions', 'memory_100_dimensions',
    ],
    'scaling.py --dataset digits --b 128 --mb 32 --ranks 1 2 --steps 1': ['1_ranks', '2_ranks'],
    'throughput.py --dataset fake:4096:1x28x28:10 --rounds 1 --pairs 1 --device cpu': ['f1', 'f1_step'],
    'throughput.py --row c1 --dataset fake:256:3x32x32:10 --rounds 1 --updates 1 --b 128 --mb 32': ['c1'],
    f'layers.py {SMALL} --ghosts 4 --pairs 1': ['layer_4', 'step_4', 'layer_4_last', 'step_4_last'],
    f'augmentation.py {SMALL} --rounds 1 --updates 1': ['mnist_f1_128'],
    f'jobs.py {SMALL} --runs 2 --epochs 1': ['2_runs_2_jobs'],
    f'first_update.py {SMALL} --calls 1': ['mnist_f1_digits', 'help'],
    'memory.py --dataset fake:2048:1x28x28:10 --batch-sizes 256 2048 --mb 32': ['batch_256', 'batch_2048'],
    f'small_batches.py {SMALL} --pairs 1 --modes default': ['default'],
}  # fmt: skip


def call(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, 'OMP_NUM_THREADS': '1', **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize('command', COMMANDS)
def test_a_benchmark_runs_and_adds_its_figures(command, tmp_path):
    script, *flags = shlex.split(command)
    done = call([sys.executable, str(PROJECT / 'benchmarks' / script), *flags, '--results', 'figures.csv'], tmp_path)
    assert 'Traceback' not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr  # 1: over a limit, as it may be beside other work
    rows = read_rows(tmp_path / 'figures.csv')
    assert sorted(row['row'] for row in rows) == sorted(COMMANDS[command])
    assert all(float(row['ours']) > 0 and row['unit'] and row['machine'] and row['versions'] for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ['figures.csv']


@pytest.mark.slow
def test_the_plan_of_a_gpu_is_tried_out_without_one(tmp_path):
    write_mnist(tmp_path / 'Datasets' / 'mnist', num_train=4096, num_test=64)
    environment = {'PYTHON': sys.executable, 'DATASETS_DIR': str(tmp_path / 'Datasets'), 'CUDA_VISIBLE_DEVICES': ''}
    done = call(['bash', str(PROJECT / 'benchmarks' / 'gpu_plan.sh'), '--minutes', '1'], tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('no GPU here')
    assert "no data set 'cifar10_jpg'" in done.stdout
    assert 'tried out on fake:' in done.stdout
    for program, *_ in gpu_plan.FIGURES:
        assert program in done.stdout
    assert done.stdout.count('updates') >= 5 + 15  # a plan for each row of the two suites
    assert '15 runs: 15 new' in done.stdout
    assert 'f1_lb_lr_gbn_ra_seed2' in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ['Datasets']
