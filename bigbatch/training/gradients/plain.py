"""The gradient of the mean loss over a batch, whatever the micro-batches it is computed in.

Losses are summed and divided by the number of examples of the whole batch, so micro-batches of unequal size weigh each
example alike; the published code averages the means of its chunks, where an example of a short chunk weighs more. Of
several ranks, which have equal numbers of examples, each divides by its own, and the mean is taken over the ranks.
"""

from __future__ import annotations

from torch import nn

from bigbatch.training.gradients.base import Estimator
from bigbatch.training.gradients.passes import with_one_sum
from bigbatch.training.scoring import ScoreSums, forward_loss
from bigbatch.weights import device_of


class PlainGradient(Estimator):
    """Accumulate the gradient of sum(loss) / num_examples over the micro-batches of a batch."""

    def __call__(self, model: nn.Module, criterion: nn.Module, batch, *, step: int) -> ScoreSums:
        sums = ScoreSums(device_of(model))
        for inputs, targets, _ in with_one_sum(model, batch):
            loss_sum, logits = forward_loss(model, criterion, inputs, targets)
            (loss_sum / batch.num_examples).backward()
            sums.add(loss_sum, logits, targets)
        return sums
