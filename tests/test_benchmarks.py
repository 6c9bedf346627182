"""The benchmarks run; what they measure is for an idle machine, and no test judges it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import PROJECT


@pytest.mark.slow
@pytest.mark.parametrize(('command', 'lines'), [
    ('methods.py --dataset digits --b 128 --mb 32 --pairs 1', {'SmoothOut': 2, 'copies': 2, 'SWA': 1}),
    ('sharpness.py --dataset digits --num-examples 200 --batch-sizes 100 --pairs 1', {'pass': 1, 'solver': 2}),
    ('throughput.py --dataset fake:8192:1x28x28:10 --rounds 1 --pairs 1', {'step': 1, 'share': 1, 'ratio': 1}),
])  # fmt: skip
def test_a_benchmark_runs_and_prints_its_figures(command, lines, tmp_path):
    script, *flags = command.split()
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, str(PROJECT / 'benchmarks' / script), *flags], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 'Traceback' not in done.stderr, done.stderr
    assert done.returncode in (0, 1)  # 1: over a limit, as it may be beside other work
    for word, count in lines.items():
        found = re.findall(rf'^.*{word}.*\d', done.stdout, flags=re.MULTILINE)
        assert len(found) >= count, done.stdout
    assert not list(tmp_path.iterdir())
