"""What torchrun itself starts: SWAP, whose phases are processes of their own, and two machines that are one."""

import os
import shutil
import subprocess
import sys
import time

import pytest
import torch

import main_swap
from tests.conftest import PROJECT, TINY, read_json, read_rows

SWAP = (
    *TINY, '--type', 'torch.DoubleTensor', '--b', '32', '--epochs', '2', '-mb', '8', '--swap-workers', '3',
    '--swap-batch-size', '16', '--swap-epochs', '1',
)  # fmt: skip
SECONDS = 170


def torchrun(*words, launch=('--standalone', '--nproc-per-node', '2'), cwd=PROJECT):
    """Start torchrun; its output is to be read by communicate()."""
    return subprocess.Popen(
        [sys.executable, '-m', 'torch.distributed.run', *launch, *words], cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )  # fmt: skip


@pytest.mark.slow
def test_swap_spreads_its_workers_over_ranks(tmp_path):
    place = ('--results_dir', str(tmp_path))
    assert main_swap.main([*SWAP, *place, '--save', 'alone']) == 0
    process = torchrun('main_swap.py', *SWAP, *place, '--save', 'ranks')
    text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, text[-3000:]
    assert '32 = 2 ranks x 1 micro-batch of 16; 4 ghosts of 8' in text
    assert read_json(tmp_path / 'ranks' / 'phase1' / 'config.json')['ranks'] == 2
    assert [read_json(tmp_path / 'ranks' / f'worker{k}' / 'config.json')['ranks'] for k in range(3)] == [1, 1, 1]
    check_same_average(tmp_path)
    shutil.rmtree(tmp_path / 'ranks' / 'worker1')
    process = torchrun('main_swap.py', '--resume', str(tmp_path / 'ranks'))
    text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, text[-3000:]
    check_same_average(tmp_path)


def check_same_average(folder):
    states = [
        torch.load(folder / name / 'checkpoint.pth.tar', weights_only=True)['state_dict'] for name in ('alone', 'ranks')
    ]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_a_rank_that_is_killed_ends_the_other_on_another_machine(tmp_path):
    launch = ('--nnodes', '2', '--nproc-per-node', '1', '--master-addr', '127.0.0.1', '--master-port', '29533')
    words = ('main_gbn.py', *TINY, '-mb', '4', '--epochs', '100000', '--results_dir', str(tmp_path), '--save', 'run')
    machines = [torchrun(*words, launch=(*launch, '--node-rank', str(rank))) for rank in range(2)]
    try:
        wait_for(lambda: (tmp_path / 'run' / 'results.csv').exists() and read_rows(tmp_path / 'run' / 'results.csv'))
        children = subprocess.check_output(['pgrep', '-P', str(machines[1].pid)], text=True).split()
        start = time.monotonic()
        os.kill(int(children[0]), 9)
        text, _ = machines[0].communicate(timeout=SECONDS)
        assert time.monotonic() - start < 30
        assert machines[0].returncode != 0
        assert text.count('error: another rank is gone without a word') == 1, text
        config = read_json(tmp_path / 'run' / 'config.json')
        assert config['status'] == 'failed'
        assert config['message'].startswith('another rank is gone')
    finally:
        for machine in machines:
            machine.kill()
            machine.communicate()


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)
