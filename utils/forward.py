"""One forward pass, for training and scoring alike."""

from __future__ import annotations

import copy

from torch import Tensor, nn


def forward_loss(model: nn.Module, criterion: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss summed over the examples, and the logits.

    Args:
        inputs: (N, ...), normalised.
        targets: (N,), class indices.
        criterion: a loss over the batch, one per example or their sum; see summed_criterion.

    Returns:
        (loss_sum, logits): a scalar and (N, classes).
    """
    logits = model(inputs)
    return criterion(logits, targets).sum(), logits


def summed_criterion(criterion: nn.Module | None) -> nn.Module:
    """Return a criterion that does not average, so that a batch may be taken in pieces of any size.

    Args:
        criterion: a network's own; None: cross entropy. One with class weights sums weighted losses, where torch's mean
            would divide by the weights of the pieces.
    """
    if criterion is None:
        return nn.CrossEntropyLoss(reduction='sum')
    if hasattr(criterion, 'reduction'):
        criterion = copy.copy(criterion)
        criterion.reduction = 'sum'
    return criterion
