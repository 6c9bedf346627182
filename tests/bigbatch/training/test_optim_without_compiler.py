"""A run up to its first update never imports the compiler of torch, nor other heavy libraries."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import PROJECT, TINY


def test_a_run_leaves_heavy_libraries_out(tmp_path):
    flags = [*TINY, '--epochs', '1', '-mb', '4', '--results_dir', str(tmp_path), '--save', 'run']
    program = (
        'import os, sys; import main_gbn, bigbatch.training.trainer as trainer\n'
        'step = trainer.Trainer._train_step\n'
        'def first(self, batch, watch):\n'
        '    step(self, batch, watch)\n'
        '    print([name for name in sys.argv[1].split() if name in sys.modules], flush=True)\n'
        '    os._exit(0)\n'
        'trainer.Trainer._train_step = first\n'
        'main_gbn.main(sys.argv[2:])\n'
    )
    heavy = 'torch._dynamo torch._inductor sympy pandas bokeh matplotlib scipy sklearn torchvision tensorboard'
    done = subprocess.run(
        [sys.executable, '-c', program, heavy, *flags], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == '[]', (done.stdout, done.stderr)
