"""One forward pass, for training and scoring alike."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from utils.meters import Scores, ScoreSums


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


@torch.no_grad()
def score(
    model: nn.Module, criterion: nn.Module, loader, advance: Callable[[int], object] = lambda num_examples: None
) -> Scores:
    """Score a model as it stands on every example of a loader once, in the modes that its layers are in.

    Ranks score the part of each batch that their loader gives them.

    Args:
        advance: called with the number of examples of each forward pass.
    """
    sums = ScoreSums(next(model.parameters()).device)
    for batch in loader.epoch(0):
        for inputs, targets, _ in batch:
            loss_sum, logits = forward_loss(model, criterion, inputs, targets)
            sums.add(loss_sum, logits, targets)
            advance(len(targets))
    sums.sum_over_ranks()
    return sums.scores()


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
