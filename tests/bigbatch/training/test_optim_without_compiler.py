"""Optimizers without the compiler of torch: the same updates, and a run that never imports it."""

from __future__ import annotations

import copy
import subprocess
import sys

import torch
from torch import nn

from bigbatch.training.optim import make_update, without_compiler
from tests.conftest import PROJECT, TINY
from utils.config.schedule import OPTIMIZERS


def test_updates_are_those_of_torch():
    for name in OPTIMIZERS:
        torch.manual_seed(0)
        ours = nn.Linear(5, 3)
        theirs = copy.deepcopy(ours)
        options = {'lr': 0.01, 'weight_decay': 0.1} if name != 'Rprop' else {'lr': 0.01}
        kinds = (without_compiler(name), getattr(torch.optim, name))
        optimizers = [kind(model.parameters(), **options) for kind, model in zip(kinds, (ours, theirs), strict=True)]
        for inputs in torch.randn(4, 7, 5):
            for model in (ours, theirs):
                model.zero_grad()
                model(inputs).square().sum().backward()
            make_update(optimizers[0])
            optimizers[1].step()
        assert all(torch.equal(*pair) for pair in zip(ours.parameters(), theirs.parameters(), strict=True)), name
        assert torch.is_grad_enabled()
        assert str(optimizers[0].state_dict()) == str(optimizers[1].state_dict()), name


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
