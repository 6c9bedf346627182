"""The gradient with multiplicative noise (Hoffer et al. 2017, arXiv 1705.08741, section 4).

Each example's loss is weighted by z from N(1, sigma**2), so the mean gradient over B examples keeps its mean mu and
gets the covariance (Sigma + sigma**2 * (Sigma + mu mu^T)) / B. With sigma**2 = r - 1 that is r / B * Sigma, the
covariance of a batch of B / r, and an excess of (r - 1) * mu mu^T / B along the mean gradient itself.

The paper alone has this method, its code does not. z is a pure function of (seed, step, example): it depends neither
on micro-batches or ranks nor on the place of the example in the batch, copies of an example share it, and it is the
same on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bigbatch.seeding import derive_seed
from bigbatch.training.gradients.base import Estimator
from bigbatch.training.gradients.passes import with_one_sum
from bigbatch.training.scoring import ScoreSums, with_reduction
from bigbatch.weights import device_of

# The stream of SplitMix64 (Steele et al. 2014): number i from a seed is mix(seed + i * GOLDEN), as signed integers.
GOLDEN = 0x9E3779B97F4A7C15 - 2**64
MIXES = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))


def normal_numbers(indices: Tensor, seed: int) -> Tensor:
    """Return a standard normal number, float64 (n,), for each index, int64 (n,) from 0: a function of (seed, index)."""
    bits = (indices + 1) * GOLDEN + seed
    for shift, factor in MIXES:
        bits = (bits ^ _shift_right(bits, shift)) * factor
    bits = bits ^ _shift_right(bits, 31)
    uniform = (_shift_right(bits, 11).double() + 0.5) * 2.0**-53
    return torch.special.ndtri(uniform)


class GradientNoise(Estimator):
    """Compute the gradient of losses that are weighted by z from N(1, sigma**2); the scores are of plain losses."""

    def __init__(self, sigma: float, seed: int):
        self._sigma = sigma
        self._seed = seed

    def __call__(self, model: nn.Module, criterion: nn.Module, batch, *, step: int) -> ScoreSums:
        sums = ScoreSums(device_of(model))
        criterion = loss_of_each(criterion)
        seed = derive_seed(self._seed, 'gradient noise', step)
        for inputs, targets, indices in with_one_sum(model, batch):
            logits = model(inputs)
            losses = criterion(logits, targets)
            weights = 1 + self._sigma * normal_numbers(indices, seed)
            ((losses * weights.to(losses.dtype)).sum() / batch.num_examples).backward()
            sums.add(losses.sum(), logits, targets)
        return sums


def loss_of_each(criterion: nn.Module) -> nn.Module:
    """Return a criterion that gives the loss of each example, from one that sums them or does so already."""
    return with_reduction(criterion, 'none')


def _shift_right(bits: Tensor, num: int) -> Tensor:
    """Shift as if without a sign."""
    return (bits >> num) & (2 ** (64 - num) - 1)
