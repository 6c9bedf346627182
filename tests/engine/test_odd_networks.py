"""Networks as people write them: what they are made of must not matter to training."""

import math
import random
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bigbatch.seeding import rng_bytes
from bigbatch.training import parallel
from bigbatch.training.parallel import Parallel, has_idle_parameters
from tests.conftest import main_gbn, read_json, read_rows
from tests.engine.test_ranks_torchrun import SECONDS, torchrun
from tests.networks import registry  # noqa: F401
from tests.test_docs import copy_project

TINY = ('--dataset', 'fake:64:1x8x8:4', '--b', '16', '-mb', '4', '--epochs', '2', '--device', 'cpu')
SKIPPING = """
import torch
from torch import nn


class Skipping(nn.Module):
    regime = {0: {'optimizer': 'SGD', 'lr': 0.05, 'momentum': 0.9}}

    def __init__(self, num_classes):
        super().__init__()
        self.first, self.block, self.last = nn.Linear(64, 8), nn.Linear(8, 8), nn.Linear(8, num_classes)

    def forward(self, inputs):
        hidden = self.first(inputs.flatten(1)).relu()
        if not self.training or torch.rand(()) < 0.98:
            hidden = hidden + self.block(hidden).relu()
        return self.last(hidden)


def skipping(num_classes=10):
    return Skipping(num_classes)
"""


class ActNorm(nn.BatchNorm1d):
    def forward(self, inputs):
        return F.relu(super().forward(inputs))


def networks():
    wrap, norms = nn.utils.parametrizations, nn.utils
    middles = {
        'weight_norm': lambda: norms.weight_norm(nn.Linear(8, 8)),
        'spectral_norm': lambda: norms.spectral_norm(nn.Linear(8, 8)),
        'parametrized weight_norm': lambda: wrap.weight_norm(nn.Linear(8, 8)),
        'orthogonal': lambda: wrap.orthogonal(nn.Linear(8, 8)),
        'derived batch norm': lambda: ActNorm(8), 'no bias': lambda: nn.BatchNorm1d(8, bias=False),
        'no running statistics': lambda: nn.BatchNorm1d(8, track_running_stats=False),
        'lazy': lambda: nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d()),
    }  # fmt: skip
    for name, middle in middles.items():
        yield name, lambda middle=middle: nn.Sequential(nn.Flatten(), nn.Linear(64, 8), middle(), nn.Linear(8, 4))


@pytest.mark.filterwarnings('ignore:.*is deprecated')
def test_layers_of_all_kinds_train_and_a_network_of_this_program_alone_is_named(registry, tmp_path, capsys):  # noqa: F811
    failures = []
    for name, build in networks():
        registry['odd'] = lambda build=build: build()
        status = main_gbn.main([*TINY, '--model', 'odd', '--results_dir', str(tmp_path), '--save', name])
        said = 'odd is registered by this program alone: no other command can open its runs' in capsys.readouterr().err
        rows = read_rows(tmp_path / name / 'results.csv') if status == 0 else []
        if not (said and len(rows) == 2 and math.isfinite(float(rows[-1]['val_loss']))):
            failures.append((name, status, said, len(rows)))
    assert not failures, failures


def test_lazy_layers_that_cannot_take_the_examples_are_one_line(registry, tmp_path, capsys):  # noqa: F811
    registry['odd'] = lambda: nn.Sequential(nn.LazyConv2d(4, 99), nn.Flatten(), nn.LazyLinear(4))
    assert main_gbn.main([*TINY, '--model', 'odd', '--results_dir', str(tmp_path), '--save', 'x']) == 2
    assert 'odd has lazy layers, which cannot take examples of (1, 8, 8)' in capsys.readouterr().err.splitlines()[-1]


def test_blocks_that_are_left_out_at_random_are_found_however_rarely_and_leave_no_trace():
    namespace: dict = {}
    exec(SKIPPING, namespace)
    examples, failures = (torch.randn(2, 1, 8, 8), torch.arange(2)), []
    draws = {'torch': torch.rand, 'Python': lambda _: random.random(), 'NumPy': lambda _: np.random.rand()}
    for kind, draw in {**draws, 'dropout alone': None}.items():
        model = namespace['skipping'](4).train()
        model.last = nn.Sequential(nn.Dropout(0.5), model.last)
        if draw:  # one time in a million
            model.block.register_forward_hook(lambda block, _, output, draw=draw: output if draw(()) > 1e-6 else 0)
        namespace['torch'] = types.SimpleNamespace(rand=lambda _: 0.0)  # the block's own choice
        before = rng_bytes()
        found = has_idle_parameters(model, nn.CrossEntropyLoss(reduction='sum'), examples)
        grads = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        modes = [module.training for module in model.modules()]
        if found != bool(draw) or rng_bytes() != before or grads or not all(modes):
            failures.append((kind, found, grads, modes))
    assert not failures, failures


def test_gradients_that_some_ranks_lack_are_means_and_those_that_all_lack_stay_none(monkeypatch):
    model = nn.ParameterList([nn.Parameter(torch.zeros(2)) for _ in range(3)])
    model[0].grad, model[1].grad = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 6.0])
    # flags are sums, gradients means
    of_the_other = [torch.tensor([1.0, 0.0, 0.0]), torch.tensor([3.0, 5.0, 0.0, 0.0]) / 2]
    monkeypatch.setattr(parallel, 'sum_over_ranks', lambda tensor: tensor + of_the_other.pop(0).to(tensor))
    Parallel(model, parallel.Ranks(0, 2), has_idle_parameters=True).reduce_gradients()
    assert [each.grad if each.grad is None else each.grad.tolist() for each in model] == [[2.0, 3.5], [2.0, 3.0], None]


@pytest.mark.slow
def test_blocks_that_ranks_leave_out_at_random_train_alike_on_all_of_them(tmp_path):
    copy_project(tmp_path)
    (tmp_path / 'models' / 'skipping.py').write_text(SKIPPING)
    table = tmp_path / 'models' / '__init__.py'
    table.write_text(table.read_text().replace('= {\n', "= {\n    'skipping': 'models.skipping',\n", 1))
    flags = ('--model', 'skipping', '--dataset', 'digits', '--b', '64', '--epochs', '2', '--save', 'run')
    process = torchrun('main_normal.py', *flags, cwd=tmp_path)
    text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, text[-3000:]
    run = tmp_path / 'TrainingResults' / 'run'
    assert read_json(run / 'config.json')['status'] == 'done'
    first, last = read_rows(run / 'results.csv')
    assert float(last['val_loss']) < float(first['val_loss'])
