"""The gradient of a batch with several copies of each example, as long as that of one copy (Hoffer et al. 2019,
"Augment your batch", arXiv 1901.09335; the option --adapt-grad-norm of its code).

The mean over M copies is shorter than the gradient of one, as their differences average out. Every so many updates the
factor mean_j |g_j| / |mean_j g_j| is measured, g_j being the gradient of copy j alone; every gradient is multiplied by
the latest one. Where we differ: the passes that measure leave the running statistics of batch norm and the random
generators alone; the gradient of all copies is the mean of theirs, which is what one pass over them all gives without
batch norm or with ghosts that hold one copy each, so M passes do in place of M + 1 of up to M times the size; it is
measured with plain gradients, whatever noise the run adds; the factor is part of a checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bigbatch.distributed import sum_over_ranks
from bigbatch.training.gradients.base import Estimator, Wrapper
from bigbatch.training.gradients.passes import bare, untouched
from bigbatch.training.scoring import ScoreSums, forward_loss


class AdaptGradNorm(Wrapper):
    """Multiply the gradient of another estimator by what the mean over copies takes from its length.

    The factor is measured before the first update and `every` so many updates.
    """

    def __init__(self, inner: Estimator, every: int):
        super().__init__(inner)
        self._every = every
        self._factor = torch.ones(())

    def __call__(self, model: nn.Module, criterion: nn.Module, batch, *, step: int) -> ScoreSums:
        if step % self._every == 0:
            with untouched(model):
                self._factor = copies_factor(bare(model), criterion, batch)
        sums = self.inner(model, criterion, batch, step=step)
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(self._factor)
        return sums

    def training_part(self) -> Estimator:
        """Return the inner estimator's."""
        return self.inner.training_part()

    def state_dict(self) -> dict:
        """Return the factor, beside the state of the inner estimator."""
        return {**super().state_dict(), 'copies_factor': self._factor}

    def load_state_dict(self, state: dict) -> None:
        """Take over what state_dict returned."""
        super().load_state_dict(state)
        self._factor = state.get('copies_factor', self._factor)


def copies_factor(model: nn.Module, criterion: nn.Module, batch) -> Tensor:
    """Return mean_j |g_j| / |mean_j g_j| over the copies j of a batch, at least 1; 1 where the mean is 0.

    Runs the network as it stands, so running statistics and random generators move.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    total, norms = torch.zeros(()), []
    for number in range(batch.duplicates):
        gradient = sum_over_ranks(_gradient(model, criterion, batch.copy(number), parameters))
        norms.append(gradient.norm())
        total = total + gradient
    shortened, mean = total.norm() / batch.duplicates, torch.stack(norms).mean()
    return torch.where(shortened > 0, mean / shortened, torch.ones_like(mean))


def _gradient(model: nn.Module, criterion: nn.Module, batch, parameters: list[nn.Parameter]) -> Tensor:
    """Return what is here of the gradient of the mean loss of a whole batch as one vector, without touching `.grad`."""
    total = torch.cat([torch.zeros_like(parameter).flatten() for parameter in parameters])
    for inputs, targets, _ in batch:
        loss_sum, _ = forward_loss(model, criterion, inputs, targets)
        gradients = torch.autograd.grad(
            loss_sum / batch.whole_size, parameters, allow_unused=True, materialize_grads=True
        )
        total += torch.cat([gradient.flatten() for gradient in gradients])
    return total
