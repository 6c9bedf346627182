"""The gradient noise scale: right for gradients of known covariance, and without a trace in training."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import torch
from torch import nn

import models
from bigbatch.noise_scale import noise_scale
from bigbatch.training.gradients.noise_scale import NoiseScaleGradient
from data_sets.loader import Batch, MicroBatch
from tests.conftest import TINY, TINY_GBN, main_normal, read_rows, stable_rows
from tests.fake_runs import groups_of
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


class Identity(nn.Module):
    def forward(self, logits, _):
        return logits.squeeze(1)


def batch_of(inputs: torch.Tensor, micro: int | None = None) -> Batch:
    def gather(start, stop):
        return MicroBatch(inputs[start:stop], torch.zeros(stop - start, dtype=torch.int64), torch.arange(start, stop))

    return Batch(torch.arange(len(inputs)), micro or len(inputs), gather)


def measured(batches, *, num_steps=1) -> dict[str, float]:
    model, estimator = Linear(DIM), NoiseScaleGradient(ghost_size=GHOST, num_steps=num_steps)
    for batch in batches:
        model.zero_grad()
        estimator(model, Identity(), batch, step=0)
    return estimator.take_epoch()


# The estimate


def test_a_planted_covariance_is_found():
    generator = torch.Generator().manual_seed(0)
    mean, std, num = torch.full((DIM,), 0.2), torch.linspace(0.1, 2.0, DIM), 200
    draws = [mean + std * torch.randn(BATCH, DIM, generator=generator) for _ in range(num)]
    found = measured(batch_of(inputs) for inputs in draws)
    few, in_pieces = (measured(batch_of(inputs, micro) for inputs in draws[:10]) for micro in (None, 16))
    assert few == pytest.approx(in_pieces, rel=1e-4)
    norm2, variance = float(mean.square().sum()), float(std.square().sum())
    # deviation of the mean of |mean over n|**2 over `num` draws: (4 mean' C mean + 2 tr C**2)**0.5 with C = Sigma / n
    cov = std.double().square()
    big = ((4 * (mean**2 * cov).sum() / BATCH + 2 * (cov**2).sum() / BATCH**2) / num).sqrt()
    assert found['gradient_variance'] == pytest.approx(variance, rel=0.02)
    assert abs(found['gradient_norm2'] - norm2) < 4 * float(big)
    assert found['noise_scale'] == found['gradient_variance'] / found['gradient_norm2']
    assert found['noise_scale'] == pytest.approx(variance / norm2, rel=0.1)


def test_one_batch_against_the_formula_by_hand():
    inputs = torch.randn(BATCH, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float()
    ghosts = inputs.double().view(-1, GHOST, DIM).mean(dim=1)
    small, big = ghosts.square().sum(dim=1).mean().item(), ghosts.mean(dim=0).square().sum().item()
    found = measured([batch_of(inputs)])
    assert found['gradient_norm2'] == pytest.approx((BATCH * big - GHOST * small) / (BATCH - GHOST), rel=1e-5)
    assert found['gradient_variance'] == pytest.approx((small - big) / (1 / GHOST - 1 / BATCH), rel=1e-5)


def test_the_moments_are_averaged_before_they_are_divided():
    signal, noise = torch.full((BATCH, DIM), 1.0), torch.randn(BATCH, DIM, generator=torch.Generator().manual_seed(2))
    each = [measured([batch_of(inputs)]) for inputs in (signal + noise, signal + 5 * noise)]
    both = measured([batch_of(signal + noise), batch_of(signal + 5 * noise)], num_steps=2)
    sums = [sum(one[name] for one in each) for name in ('gradient_variance', 'gradient_norm2')]
    assert both['noise_scale'] == pytest.approx(sums[0] / sums[1])
    assert both['noise_scale'] != pytest.approx(sum(one['noise_scale'] for one in each) / 2, rel=0.01)


def test_what_cannot_be_told_is_missing():
    assert math.isnan(noise_scale(-1.0, 5.0))
    assert all(math.isnan(value) for value in measured([]).values())
    assert all(math.isnan(value) for value in measured([batch_of(torch.ones(GHOST, DIM))]).values())  # one ghost alone


def test_at_most_sixteen_updates_of_an_epoch_are_measured(monkeypatch):
    calls, estimator = [], 'bigbatch.training.gradients.noise_scale.NoiseScaleGradient'
    monkeypatch.setattr(f'{estimator}._measure', lambda *arguments: calls.append(1))
    found = {}
    for num_steps in (1, 16, 17, 40):
        calls.clear()
        estimator = NoiseScaleGradient(ghost_size=GHOST, num_steps=num_steps)
        for _ in range(2):
            for _ in range(num_steps):
                estimator(Linear(DIM), Identity(), batch_of(torch.ones(BATCH, DIM)), step=0)
            estimator.take_epoch()
        found[num_steps] = len(calls)
    assert found == {1: 2 * 1, 16: 2 * 16, 17: 2 * 9, 40: 2 * 14}


# In training


def without_noise(folder):
    return [{key: value for key, value in row.items() if key not in MEASURED} for row in stable_rows(folder)]


@pytest.mark.slow
@pytest.mark.parametrize('more', [
    (), ('--micro-batch-size', '8'),
    ('--dataset', 'fake:64:3x32x32:4', '--model', 'cifar10_shallow', '--model_config', '{}'),  # has dropout
])  # fmt: skip
def test_training_is_the_same_to_the_last_bit(train, more):
    plain, measures = train(*TINY_GBN, *more, save='plain'), train(*TINY_GBN, *more, '--noise-scale', save='measures')
    states = [torch.load(folder / 'checkpoint.pth.tar', weights_only=True) for folder in (plain, measures)]
    for name, value in states[0]['state_dict'].items():
        assert torch.equal(value, states[1]['state_dict'][name]), name
    assert torch.equal(states[0]['rng']['torch'], states[1]['rng']['torch'])
    assert without_noise(measures) == stable_rows(plain)
    assert set(read_rows(measures / 'results.csv')[0]) - set(read_rows(plain / 'results.csv')[0]) == MEASURED
    for row in read_rows(measures / 'results.csv'):
        assert float(row['gradient_variance']) > 0


def test_micro_batches_of_a_network_without_batch_norm(train, monkeypatch):
    monkeypatch.setattr(models, 'MODELS', dict(models.MODELS))

    @models.register_model
    def without_batch_norm(num_classes=4):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))

    flags = ('--model', 'without_batch_norm', '--model_config', '{}', '--micro-batch-size', '4', '--noise-scale')
    rows = read_rows(train(*TINY, *flags, '--epochs', '2', script=main_normal) / 'results.csv')
    assert all(float(row['gradient_variance']) > 0 for row in rows)


def test_one_part_is_refused(refused):
    refused(*TINY, '-mb', '16', '--noise-scale', words=('--noise-scale', '16 is one ghost', '--mini-batch-size'))
    refused(
        *TINY, '--noise-scale', script=main_normal,
        words=('--noise-scale', '--micro-batch-size below 16', 'without batch norm', 'main_gbn.py'),
    )  # fmt: skip
    refused(*TINY, '--noise-scale', '--micro-batch-size', '4', script=main_normal, words=('batch norm', 'main_gbn.py'))


# Afterwards


def test_smoothing_is_of_each_moment_apart():
    results = pd.DataFrame({'gradient_norm2': [1.0, -0.5, 2.0], 'gradient_variance': [10.0, 20.0, 30.0]})
    weights = [0.5 ** (age / 2) for age in (2, 1, 0)]
    expected = sum(w * v for w, v in zip(weights, [10, 20, 30], strict=True))
    expected /= sum(w * v for w, v in zip(weights, [1.0, -0.5, 2.0], strict=True))
    assert smoothed_noise_scale(results).iloc[-1] == pytest.approx(expected)


def test_the_table_has_a_row_for_each_group(tmp_path):
    groups = groups_of(tmp_path, a_seed0={'seed': 0}, a_seed1={'seed': 1}, b={'batch_size': 64})
    assert noise_scale_section(groups) is None
    for seed in (0, 1):
        path = tmp_path / f'a_seed{seed}' / 'results.csv'
        table = pd.read_csv(path).assign(noise_scale=1.0, gradient_norm2=2.0, gradient_variance=50.0 + 20 * seed)
        table.to_csv(path, index=False)
    section = noise_scale_section(group_runs(load_runs([tmp_path])))
    assert section.cells['run'].tolist() == ['a', 'b']
    assert section.cells['runs'].tolist() == ['2', '0']
    assert section.cells['noise scale, last'].tolist() == ['30 +- 7.1', '-']
    assert section.values['noise_scale_last'].tolist()[0] == 30.0
