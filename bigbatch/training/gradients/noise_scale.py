"""The plain gradient, and beside it the moments of its noise; see bigbatch.noise_scale.

The gradient that trains is computed as ever. Those of the ghosts come from passes of their own, one a ghost, on copies
of the running statistics and of the random state: training is the same to the last bit with and without them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bigbatch.distributed import sum_over_ranks
from bigbatch.noise_scale import gradient_moments, noise_scale
from bigbatch.training.gradients.base import Estimator
from bigbatch.training.gradients.passes import bare, untouched
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.scoring import ScoreSums, forward_loss

MOST_MEASURED = 16  # updates of an epoch, spread evenly: each costs a second forward and backward pass


class NoiseScaleGradient(Estimator):
    """Compute what PlainGradient does, and on some of the num_steps updates of an epoch the ghosts' gradients too.

    Pieces of another size than ghost_size, at the end of a micro-batch, are left out.
    """

    def __init__(self, ghost_size: int, num_steps: int):
        self._ghost_size = ghost_size
        self._every = -(-num_steps // MOST_MEASURED)
        self._plain = PlainGradient()
        self._index = 0  # of the update in its epoch
        self._measured: list[Tensor] = []  # (|G|**2, tr Sigma) of an update, on the device

    def __call__(self, model: nn.Module, criterion: nn.Module, batch, *, step: int) -> ScoreSums:
        sums = self._plain(model, criterion, batch, step=step)
        if self._index % self._every == 0 and batch.whole_size > self._ghost_size:
            self._measure(bare(model), criterion, batch)
        self._index += 1
        return sums

    def training_part(self) -> Estimator:
        """Return the plain estimator."""
        return self._plain

    def state_dict(self) -> dict:
        """Return what was measured in the epoch that goes on."""
        return {'noise_measured': list(self._measured), 'noise_index': self._index}

    def load_state_dict(self, state: dict) -> None:
        """Take over what state_dict returned."""
        self._measured, self._index = list(state.get('noise_measured', ())), state.get('noise_index', 0)

    def take_epoch(self) -> dict[str, float]:
        """Return noise_scale, gradient_norm2 and gradient_variance of the updates since the last call, and forget them.

        The two moments are means over the measured updates, nan where there was none.
        """
        measured = [each.cpu() for each in self._measured]  # some of them may come from a checkpoint
        moments = torch.stack(measured).mean(dim=0).tolist() if measured else (math.nan, math.nan)
        self._measured, self._index = [], 0
        return {
            'noise_scale': noise_scale(*moments), 'gradient_norm2': moments[0], 'gradient_variance': moments[1],
        }  # fmt: skip

    def _measure(self, model: nn.Module, criterion: nn.Module, batch) -> None:
        parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
        big_norm2 = _norm2([parameter.grad for parameter in parameters if parameter.grad is not None])
        with untouched(model):
            norms = [
                _norm2(_gradient(model, criterion, piece, parameters))
                for inputs, targets, _ in batch
                for piece in zip(inputs.split(self._ghost_size), targets.split(self._ghost_size), strict=True)
                if len(piece[0]) == self._ghost_size
            ]
        sums = sum_over_ranks(torch.stack([sum(norms, big_norm2 * 0), torch.full_like(big_norm2, len(norms))]))
        if norms:
            sizes = {'small': self._ghost_size, 'big': batch.whole_size}
            self._measured.append(torch.stack(gradient_moments(sums[0] / sums[1], big_norm2, **sizes)))


def _gradient(model: nn.Module, criterion: nn.Module, piece: tuple, parameters: list[nn.Parameter]) -> list[Tensor]:
    """Return the gradient of the mean loss over a piece, without touching `.grad`."""
    loss_sum, _ = forward_loss(model, criterion, *piece)
    found = torch.autograd.grad(loss_sum / len(piece[0]), parameters, allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


def _norm2(gradients: list[Tensor]) -> Tensor:
    return torch.stack([torch.linalg.vector_norm(each, dtype=torch.float64) for each in gradients]).square().sum()
