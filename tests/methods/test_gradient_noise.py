"""Multiplicative gradient noise: normal numbers that belong to examples, and the covariance of a smaller batch."""

import math
from statistics import NormalDist

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bigbatch.seeding import derive_seed, make_generator
from bigbatch.training.gradients.gradient_noise import GradientNoise, normal_numbers
from bigbatch.training.gradients.plain import PlainGradient
from tests.conftest import TINY, main_normal
from tests.methods.test_noise_scale import Linear
from tests.methods.test_smoothout import SUM, First, batch_of, gradient, make_batch, tiny_network

NUM_BATCHES, BATCH, RATIO = 1500, 32, 8


def splitmix64(seed: int, num: int) -> list[int]:
    """Return the first numbers of the generator, in Python's whole numbers."""
    mask, found = 2**64 - 1, []
    for _ in range(num):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ seed >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        found.append(z ^ z >> 31)
    return found


def test_the_numbers_are_those_of_splitmix64_and_belong_to_an_example():
    # as published for this seed
    assert splitmix64(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    order = torch.randperm(1000, generator=make_generator(1))
    for seed in (1234567, 2**63 - 1):
        expected = [NormalDist().inv_cdf(((bits >> 11) + 0.5) / 2**53) for bits in splitmix64(seed, 1000)]
        found = normal_numbers(torch.arange(1000), seed)
        assert found.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert torch.equal(normal_numbers(order, seed), found[order])


MEAN = (1.0, -2.0, 0.5)
ROOT = ((1.0, 0.0, 0.0), (0.5, 0.8, 0.0), (-0.3, 0.2, 0.6))  # times its transpose: the covariance of the gradients


def gradients_of(estimator, batch_size: int) -> torch.Tensor:
    """Return the mean gradients of fresh batches, (NUM_BATCHES, 3)."""
    generator, model, found = make_generator(batch_size), Linear(3).double(), []
    noise = torch.randn(NUM_BATCHES, batch_size, 3, generator=generator, dtype=torch.float64)
    inputs = torch.tensor(MEAN) + noise @ torch.tensor(ROOT, dtype=torch.float64).T
    for step in range(NUM_BATCHES):
        model.weight.grad = None
        estimator(model, First(), make_batch(inputs[step]), step=step)
        found.append(model.weight.grad)
    return torch.stack(found)


def test_the_covariance_is_that_of_a_small_batch_and_an_excess_along_the_mean():
    noisy = gradients_of(GradientNoise(sigma=math.sqrt(RATIO - 1), seed=3), BATCH)
    mean, root = torch.tensor(MEAN, dtype=torch.float64), torch.tensor(ROOT, dtype=torch.float64)
    of_small, excess = root @ root.T * RATIO / BATCH, (RATIO - 1) / BATCH * mean.outer(mean)
    diagonal = (of_small + excess).diagonal()
    errors = ((diagonal.outer(diagonal) + (of_small + excess).square()) / NUM_BATCHES).sqrt()
    assert ((noisy.T.cov() - of_small - excess).abs() <= 5 * errors).all()
    assert (excess.abs() > 10 * errors).any() and (of_small.abs() > 10 * errors).any()  # so that this can fail
    assert ((noisy.mean(0) - mean).abs() <= 5 * (noisy.var(0) / NUM_BATCHES).sqrt()).all()


def test_losses_are_weighted_and_scores_are_not():
    sigma, step, batch = 2.0, 4, batch_of(12, 4)
    estimator = GradientNoise(sigma=sigma, seed=5)
    found = gradient(estimator, tiny_network(), batch, step=step)
    model, (inputs, targets, indices) = tiny_network().train(), next(iter(batch_of(12)))
    z = 1 + sigma * normal_numbers(indices, derive_seed(5, 'gradient noise', step))
    losses = F.cross_entropy(model(inputs), targets, reduction='none')
    expected = torch.autograd.grad((losses * z).sum() / 12, list(model.parameters()))
    torch.testing.assert_close(found, torch.cat([each.flatten() for each in expected]), rtol=1e-12, atol=1e-14)
    sums, plain = (each(tiny_network().train(), SUM, batch, step=0) for each in (estimator, PlainGradient()))
    assert sums.scores().loss == pytest.approx(plain.scores().loss, rel=1e-12)
    assert sums.scores().error1 == plain.scores().error1


def test_micro_batches_and_places_change_nothing():
    estimator = GradientNoise(sigma=2.0, seed=5)
    (inputs, targets, indices), order = next(iter(batch_of(24))), [*range(12, 24), *range(12)]
    batches = [batch_of(24, micro) for micro in (None, 4, 8)]
    batches.append(make_batch(inputs[order], targets[order], indices=indices[order]))
    found = [gradient(estimator, tiny_network(), batch, step=1) for batch in batches]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-12, atol=1e-14)


def test_a_criterion_that_gives_one_number_is_refused(refused, monkeypatch):
    class Summed(nn.Module):
        reduction = 'sum'

        def forward(self, logits, targets):
            return F.cross_entropy(logits, targets, reduction='sum')

    monkeypatch.setattr('utils.engine.network.summed_criterion', lambda criterion: Summed())
    refused(*TINY, '--gradient-noise', '1', words=("reduction='none'",), script=main_normal)
