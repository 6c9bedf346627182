"""A run of many epochs: memory, files and threads stay as they are after its first ones.

python -m tests.engine.test_long_runs 2000
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import PROJECT

WATCHED = """
import os, sys
import main_gbn
from utils.runs import writer as writers
from utils.runs.writer import RunWriter

writers.PAGE_SHARE, writers.FIRST_PAGE_SECONDS = 0.2, 0.0  # draw often, and load the library for it at once

def measure():
    pages = int(open('/proc/self/statm').read().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE'), len(os.listdir('/proc/self/fd')), len(os.listdir('/proc/self/task'))

add = RunWriter.add

def watched(writer, report, *rest, **more):
    add(writer, report, *rest, **more)
    print('watched', report.epoch, *measure(), file=sys.stderr, flush=True)

RunWriter.add = watched
sys.exit(main_gbn.main(sys.argv[1:]))
"""
FLAGS = (
    '--dataset', 'digits', '--model', 'mnist_f1', '--model_config', "{'width': 16, 'depth': 2}", '--b', '256',
    '-mb', '64', '--device', 'cpu', '--swa-start', '2', '--checkpoint-minutes', '0.01',
)  # fmt: skip


def assert_flat(num_epochs: int, folder: Path) -> str:
    """Train in a process of its own; assert that nothing grows after the first quarter, with the first pages."""
    command = [sys.executable, '-c', WATCHED, *FLAGS, '--epochs', str(num_epochs), '--save', 'run']
    environment = {**os.environ, 'PYTHONPATH': str(PROJECT), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stderr.splitlines() if line.startswith('watched ')]
    assert [int(line[1]) for line in lines] == list(range(1, num_epochs + 1))
    rows = [tuple(map(int, line[2:])) for line in lines[num_epochs // 4 :]]
    memory, files, threads = zip(*rows, strict=True)
    parts = [max(memory[start : start + len(memory) // 3 + 1]) for start in range(0, len(memory), len(memory) // 3 + 1)]
    text = f'peak MiB by thirds {[round(part / 2**20) for part in parts]}, files {set(files)}, threads {set(threads)}'
    assert parts[-1] <= 1.05 * parts[0], text
    assert len(set(files)) == 1 and len(set(threads)) == 1, text
    return text


@pytest.mark.slow
def test_three_hundred_epochs_take_no_more_memory_than_a_hundred(tmp_path):
    assert_flat(300, tmp_path)


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as name:
        print(assert_flat(int(sys.argv[1]), Path(name)))
