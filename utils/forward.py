"""One forward pass, for training and scoring alike."""

from __future__ import annotations

from torch import Tensor, nn


def forward_loss(model: nn.Module, criterion: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss summed over the examples, and the logits.

    Args:
        inputs: (N, ...), normalised.
        targets: (N,), class indices.
        criterion: a loss over the batch, in any reduction; one that averages is turned back into a sum.

    Returns:
        (loss_sum, logits): a scalar and (N, classes).
    """
    logits = model(inputs)
    loss = criterion(logits, targets)
    if getattr(criterion, 'reduction', 'sum') == 'mean':
        loss = loss * len(targets)
    return loss.sum(), logits
