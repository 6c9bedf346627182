"""Scaled gradients of float16: what they come to, the updates that they lose, and where that ends."""

import copy
import functools
import math

import pytest
import torch

from bigbatch.errors import DivergedError
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm1d
from bigbatch.regime import Regime
from bigbatch.training.fast_paths import loss_scaler, use_half_precision
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.trainer import MOST_SKIPPED, Trainer
from tests.conftest import TINY_GBN
from tests.updates import F1, build


def gradients(*flags: str) -> torch.Tensor:
    experiment = build(*F1, *flags)
    experiment.model.train()
    experiment.optimizer.start_epoch(0)
    experiment.estimator(experiment.model, experiment.criterion, next(iter(experiment.data.train.epoch(0))), step=0)
    experiment.optimizer.unscale()
    return torch.cat([parameter.grad.flatten() for parameter in experiment.optimizer.parameters])


def scaled_trainer(scale: float, backoff: float = 0.5) -> tuple:
    """Return an experiment in float16 with a scale to begin with, how to train it, and its first weights."""
    experiment = build(*TINY_GBN, '--amp', 'fp16')
    state = loss_scaler(experiment.model).state_dict()
    loss_scaler(experiment.model).load_state_dict({**state, 'scale': scale, 'backoff_factor': backoff})
    initial = copy.deepcopy(experiment.model.state_dict())
    parts = experiment.model, experiment.criterion, experiment.optimizer, experiment.estimator
    trainer = Trainer(*parts, initial=initial)
    return experiment, functools.partial(trainer.fit, experiment.data.train, experiment.data.val), initial


def test_unscaled_gradients_are_those_of_float32():
    for methods in ((), ('--gradient-noise', '0.5'), ('--ss', '0.01'), ('--micro-batch-size', '32')):
        plain, half = gradients(*methods), gradients(*methods, '--amp', 'fp16')
        assert 0 < (half - plain).norm() < 0.01 * plain.norm(), methods


def test_gradients_that_float16_alone_would_lose_are_kept():
    """Of a batch of 2**20 examples a logit's gradient is below the least number of float16."""
    found = {}
    for amp in ('bf16', 'fp16'):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 4), GhostBatchNorm1d(4, 4), torch.nn.Linear(4, 3))
        use_half_precision(model, amp)
        regime = Regime({0: {'optimizer': 'SGD', 'lr': 0.1}})
        optimizer = RegimeOptimizer(model.parameters(), regime, scaler=loss_scaler(model))
        optimizer.start_epoch(0)
        loss = torch.nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.arange(8) % 3, reduction='sum')
        (loss / 2**30).backward()
        optimizer.unscale()
        found[amp] = model[0].weight.grad
    assert found['fp16'].abs().max() > 0
    assert (found['fp16'] - found['bf16']).norm() < 0.05 * found['bf16'].norm()


def test_updates_of_infinite_gradients_are_skipped_and_the_scale_falls():
    experiment, fit, _ = scaled_trainer(2.0**40)
    reports = list(fit(num_epochs=10))
    # the mean norm is over the updates that were made: none
    assert (reports[0].weight_distance, reports[0].grad_norm, reports[-1].step) == (0, 0, 40)
    assert reports[-1].weight_distance > 0
    assert math.isfinite(reports[-1].grad_norm)
    assert 1 <= loss_scaler(experiment.model).get_scale() < 2.0**30


def test_a_run_that_loses_all_updates_diverges_and_one_whose_loss_is_not_finite_does_at_once():
    experiment, fit, initial = scaled_trainer(2.0**100, backoff=0.99)
    with pytest.raises(DivergedError, match=f'at step {MOST_SKIPPED + 1}: loss [0-9.]+, gradient norm (inf|nan)'):
        list(fit(num_epochs=20))
    assert all(torch.equal(value, initial[name]) for name, value in experiment.model.named_parameters())
    experiment, fit, _ = scaled_trainer(2.0**16)
    with torch.no_grad():
        next(experiment.model.parameters()).fill_(math.nan)
    with pytest.raises(DivergedError, match='at step 1: loss nan'):
        list(fit(num_epochs=1))


def test_a_skipped_first_update_leaves_no_momentum(monkeypatch):
    """The fused kernel, which GPUs take, has momentum in memory that nobody wrote to."""
    weight = torch.nn.Parameter(torch.ones(4))
    settings = {'optimizer': 'SGD', 'lr': 0.5, 'momentum': 0.9}
    driven = RegimeOptimizer([weight], Regime({0: settings}), scaler=torch.amp.GradScaler('cpu'))
    driven.start_epoch(0)
    driven._optimizer.param_groups[0]['fused'] = driven._optimizer._step_supports_amp_scaling = True
    monkeypatch.setattr(torch, 'empty_like', lambda tensor: torch.full_like(tensor, math.nan))
    for gradient, expected in ((math.inf, 1.0), (1.0, 0.5), (1.0, -0.45)):
        weight.grad = driven._scaler.scale(torch.full((4,), gradient))
        driven.unscale()
        driven.step(0)
        torch.testing.assert_close(weight.detach(), torch.full((4,), expected))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('optimizer', ['SGD', 'Adam', 'AdamW'])
def test_on_a_gpu_updates_are_skipped_without_a_wait(optimizer):
    weight = torch.nn.Parameter(torch.ones(4, device='cuda'))
    scaler = torch.amp.GradScaler('cuda')
    driven = RegimeOptimizer([weight], Regime({0: {'optimizer': optimizer, 'lr': 0.1}}), scaler=scaler)
    driven.start_epoch(0)
    finite, before = torch.ones(4, device='cuda'), weight.detach().clone()
    for gradient in (finite * math.inf, finite):
        before.copy_(weight.detach())
        weight.grad = scaler.scale(gradient)
        torch.cuda.set_sync_debug_mode('error')
        try:
            driven.unscale()
            driven.step(0)
        finally:
            torch.cuda.set_sync_debug_mode('default')
        assert torch.equal(before, weight.detach()) == bool(gradient.isinf().any())
    assert scaler.get_scale() == 2.0**15
