"""The gradient under noise on the weights (Wen et al. 2018, SmoothOut and AdaSmoothOut, arXiv 1805.07898).

Each piece of the batch, a ghost or the whole of it, takes its forward and backward pass at weights with fresh noise, so
that the mean over many updates is the gradient of the loss smoothed by that noise. The update itself starts from the
clean weights. Where we differ: those are restored from a copy, not by subtraction; noise is a pure function of (seed,
step, ghost), so it does not depend on micro-batches or ranks and a resumed run meets the same; one draw may serve the
batch.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator

from torch import nn

from bigbatch.splits import split_evenly
from bigbatch.training.gradients.base import Estimator, Wrapper
from bigbatch.training.gradients.passes import OnePass, bare, with_one_sum
from bigbatch.training.perturbation import add_noise, noise_generator, noisy_parameters, perturbed
from bigbatch.training.scoring import ScoreSums
from bigbatch.weights import device_of


def strength_factor(
    smoothing_type: str, step: int, num_steps: int, *, anneal_index: float = 0.55, tanh_scale: float = 10.0
) -> float:
    """Return the factor on the strength of the noise after `step` of `num_steps` updates.

    constant: 1; anneal: (1 + step)**(-anneal_index / 2); tanh: (1 + tanh(tanh_scale * (step / num_steps - 1/2))) / 2.
    """
    if smoothing_type == 'anneal':
        return (1 + step) ** (-anneal_index / 2)
    if smoothing_type == 'tanh':
        return (1 + math.tanh(tanh_scale * (step / num_steps - 0.5))) / 2
    return 1.0


class SmoothOut(Wrapper):
    """Compute the gradient of another estimator at noisy weights; see bigbatch.training.perturbation.add_noise.

    Args:
        strength: of the noise at an update; 0: the plain gradient.
        ghost_size: examples that share a draw of the noise; None: all of the batch.
        exclude: names of the parameters without noise.
        denoise: take the noise out after each piece; else it stays in the weights and adds up.
    """

    def __init__(
        self,
        inner: Estimator,
        strength: Callable[[int], float],
        *,
        ghost_size: int | None,
        seed: int,
        adapt_type: str = 'none',
        noise_type: str = 'uniform',
        exclude: Collection[str] = (),
        denoise: bool = True,
    ):
        super().__init__(inner)
        self._strength, self._seed = strength, seed
        self._ghost_size = ghost_size
        self._noise = {'adapt_type': adapt_type, 'noise_type': noise_type}
        self._exclude, self._denoise = exclude, denoise

    def __call__(self, model: nn.Module, criterion: nn.Module, batch, *, step: int) -> ScoreSums:
        strength = self._strength(step)
        if not strength:
            return self.inner(model, criterion, batch, step=step)
        sums = ScoreSums(device_of(model))
        size = self._ghost_size or batch.whole_size
        first = batch.start // size
        self._skip(model, strength, step, range(first))
        index = first
        for index, piece in enumerate([batch] if self._ghost_size is None else _ghosts(model, batch, size), first):
            with self._noisy(model, strength, step, index):
                sums.merge(self.inner(model, criterion, piece, step=step))
        self._skip(model, strength, step, range(index + 1, len(split_evenly(batch.whole_size, size))))
        return sums

    def _noisy(self, model: nn.Module, strength: float, step: int, index: int) -> contextlib.AbstractContextManager:
        generator = noise_generator(model, self._seed, step, index)
        if self._denoise:
            return perturbed(bare(model), strength, generator, exclude=self._exclude, **self._noise)
        add_noise(noisy_parameters(bare(model), self._exclude), strength, generator, **self._noise)
        return contextlib.nullcontext()

    def _skip(self, model: nn.Module, strength: float, step: int, indices: range) -> None:
        """Add the noise of ghosts that other ranks have, where it stays in the weights."""
        if not self._denoise:
            for index in indices:
                self._noisy(model, strength, step, index)


def _ghosts(model: nn.Module, batch, size: int) -> Iterator[OnePass]:
    """Cut a batch, whose micro-batches hold whole ghosts, as ghost batch norm does."""
    for micro_batch in with_one_sum(model, batch):
        for start, stop in with_one_sum(model, split_evenly(len(micro_batch[0]), size)):
            yield OnePass(tuple(part[start:stop] for part in micro_batch), batch.num_examples)
