"""The gradient noise scale: right for gradients of known covariance, and without a trace in training."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from bigbatch.noise_scale import noise_scale
from bigbatch.training.gradients.noise_scale import NoiseScaleGradient
from tests.conftest import TINY, TINY_GBN, main_normal, read_rows, stable_rows
from tests.fake_runs import groups_of
from tests.methods.test_smoothout import First, make_batch
from utils.methods import NoiseScale
from utils.reports.groups import group_runs
from utils.reports.noise_scale import noise_scale_section, smoothed_noise_scale
from utils.runs.reader import load_runs

DIM, GHOST, BATCH = 40, 8, 64
MEASURED = {column.name for column in NoiseScale.COLUMNS}


class Linear(nn.Module):
    """Its loss at an example is the product of weights and inputs, so the inputs are the gradients."""

    def __init__(self, num: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num))

    def forward(self, inputs):
        return (inputs @ self.weight).unsqueeze(1)


def measured(batches, *, num_steps=1) -> dict[str, float]:
    model, estimator = Linear(DIM), NoiseScaleGradient(ghost_size=GHOST, num_steps=num_steps)
    for batch in batches:
        model.zero_grad()
        estimator(model, First(), batch, step=0)
    return estimator.take_epoch()


def test_one_batch_against_the_formula_by_hand():
    inputs = torch.randn(BATCH, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float()
    ghosts = inputs.double().view(-1, GHOST, DIM).mean(dim=1)
    small, big = ghosts.square().sum(dim=1).mean().item(), ghosts.mean(dim=0).square().sum().item()
    norm2, variance = (BATCH * big - GHOST * small) / (BATCH - GHOST), (small - big) / (1 / GHOST - 1 / BATCH)
    for micro in (None, 16):
        found = measured([make_batch(inputs, micro=micro)])
        assert (found['gradient_norm2'], found['gradient_variance']) == pytest.approx((norm2, variance), rel=1e-5)


def test_the_moments_are_averaged_before_they_are_divided():
    noise = torch.randn(BATCH, DIM, generator=torch.Generator().manual_seed(2))
    batches = [make_batch(1 + noise), make_batch(1 + 5 * noise)]
    each, both = [measured([batch]) for batch in batches], measured(batches, num_steps=2)
    sums = [sum(one[name] for one in each) for name in ('gradient_variance', 'gradient_norm2')]
    assert both['noise_scale'] == pytest.approx(sums[0] / sums[1])
    assert both['noise_scale'] != pytest.approx(sum(one['noise_scale'] for one in each) / 2, rel=0.01)


def test_what_cannot_be_told_is_missing():
    assert math.isnan(noise_scale(-1.0, 5.0))
    assert all(math.isnan(value) for value in measured([]).values())
    one_ghost = make_batch(torch.ones(GHOST, DIM))
    assert all(math.isnan(value) for value in measured([one_ghost]).values())


def test_at_most_sixteen_updates_of_an_epoch_are_measured(monkeypatch):
    calls = []
    monkeypatch.setattr(NoiseScaleGradient, '_measure', lambda *_: calls.append(1))
    for num_steps, num_measured in ((1, 1), (16, 16), (17, 9), (40, 14)):
        calls.clear()
        estimator = NoiseScaleGradient(ghost_size=GHOST, num_steps=num_steps)
        for _ in range(2):
            for _ in range(num_steps):
                estimator(Linear(DIM), First(), make_batch(torch.ones(BATCH, DIM)), step=0)
            estimator.take_epoch()
        assert len(calls) == 2 * num_measured, num_steps


@pytest.mark.slow
def test_training_is_the_same_to_the_last_bit(train):
    more = ('--dataset', 'fake:64:3x32x32:4', '--model', 'cifar10_shallow', '--model_config', '{}')  # has dropout
    more += ('--micro-batch-size', '8')
    plain, measures = train(*TINY_GBN, *more, save='plain'), train(*TINY_GBN, *more, '--noise-scale', save='measures')
    states = [torch.load(folder / 'checkpoint.pth.tar', weights_only=True) for folder in (plain, measures)]
    for name, value in states[0]['state_dict'].items():
        assert torch.equal(value, states[1]['state_dict'][name]), name
    assert torch.equal(states[0]['rng']['torch'], states[1]['rng']['torch'])
    without, rows = stable_rows(plain), stable_rows(measures)
    assert [{name: row[name] for name in row if name not in MEASURED} for row in rows] == without
    assert rows[0].keys() - without[0].keys() == MEASURED
    assert all(float(row['gradient_variance']) > 0 for row in rows)


def test_micro_batches_of_a_network_without_batch_norm(train):
    flags = ('--dataset', 'fake:64:3x16x16:4', '--model', 'resnet', '--model_config', "{'depth': 8, 'norm': 'none'}")
    run = train(*TINY, *flags, '--micro-batch-size', '4', '--noise-scale', '--epochs', '1', script=main_normal)
    assert float(read_rows(run / 'results.csv')[0]['gradient_variance']) > 0


def test_smoothing_is_of_each_moment_apart():
    results = pd.DataFrame({'gradient_norm2': [1.0, -0.5, 2.0], 'gradient_variance': [10.0, 20.0, 30.0]})
    weights = [0.5 ** (age / 2) for age in (2, 1, 0)]
    norm2, variance = (np.average(results[name], weights=weights) for name in results)
    assert smoothed_noise_scale(results).iloc[-1] == pytest.approx(variance / norm2)


def test_the_table_has_a_row_for_each_group(tmp_path):
    groups = groups_of(tmp_path, a_seed0={'seed': 0}, a_seed1={'seed': 1}, b={'batch_size': 64})
    assert noise_scale_section(groups) is None
    for seed in (0, 1):
        path = tmp_path / f'a_seed{seed}' / 'results.csv'
        moments = {'noise_scale': 1.0, 'gradient_norm2': 2.0, 'gradient_variance': 50.0 + 20 * seed}
        pd.read_csv(path).assign(**moments).to_csv(path, index=False)
    section = noise_scale_section(group_runs(load_runs([tmp_path])))
    assert section.cells['run'].tolist() == ['a', 'b']
    assert section.cells['runs'].tolist() == ['2', '0']
    assert section.cells['noise scale, last'].tolist() == ['30 +- 7.1', '-']
    assert section.values['noise_scale_last'].tolist()[0] == 30.0
