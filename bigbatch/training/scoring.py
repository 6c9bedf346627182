"""Forward passes whose losses and errors are summed up: those of training and of scoring alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bigbatch.distributed import has_ranks, sum_over_ranks
from bigbatch.training.report import Scores
from bigbatch.weights import device_of


def forward_loss(model: Callable, criterion: Callable, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss summed over the examples, a scalar, and the logits (N, classes).

    Args:
        criterion: a loss over the batch, one per example or their sum; see summed_criterion.
    """
    logits = model(inputs)
    return criterion(logits, targets).sum(), logits


@torch.no_grad()
def score(
    model: nn.Module, criterion: nn.Module, loader, advance: Callable[[int], object] = lambda num_examples: None
) -> Scores:
    """Score a model as it stands on every example of a loader once, in the modes that its layers are in.

    Ranks score the part of each batch that their loader gives them; advance gets the size of each forward pass.
    """
    sums = ScoreSums(device_of(model))
    for batch in loader.epoch(0):
        for inputs, targets, _ in batch:
            loss_sum, logits = forward_loss(model, criterion, inputs, targets)
            sums.add(loss_sum, logits, targets)
            advance(len(targets))
    sums.sum_over_ranks()
    return sums.scores()


def evaluate(model: nn.Module, criterion: nn.Module, loader, **settings) -> Scores:
    """Score a model as `score` does, in eval mode; the model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        return score(model, criterion, loader, **settings)
    finally:
        model.train(was_training)


def summed_criterion(criterion: nn.Module | None) -> nn.Module:
    """Return a criterion, None: cross entropy, that sums, so that a batch may be taken in pieces of any size.

    One with class weights sums weighted losses, where torch's mean would divide by the weights of the pieces.
    """
    return with_reduction(nn.CrossEntropyLoss() if criterion is None else criterion, 'sum')


def with_reduction(criterion: nn.Module, reduction: str) -> nn.Module:
    """Return a criterion that is like this one, but for what it makes of the losses of a batch, if it says that."""
    if not hasattr(criterion, 'reduction'):
        return criterion
    changed: Any = copy.copy(criterion)
    changed.reduction = reduction
    return changed


class ScoreSums:
    """Sum losses and count errors on the device of the logits: one wait for a GPU when `scores` is called."""

    def __init__(self, device: torch.device | str):
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)  # loss, top-1 correct, top-5 correct
        self.num_examples = 0

    @torch.no_grad()
    def add(self, loss_sum: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Add a forward pass: its loss, summed over the examples, logits (N, classes) and targets (N,)."""
        top = logits.detach().topk(min(5, logits.shape[1]), dim=1).indices == targets.unsqueeze(1)
        self._sums += torch.stack([loss_sum.detach().double(), top[:, 0].sum().double(), top.sum().double()])
        self.num_examples += len(targets)

    def merge(self, other: ScoreSums) -> None:
        """Add another one's sums."""
        self._sums += other._sums
        self.num_examples += other.num_examples

    def state_dict(self) -> dict:
        """Return the sums as plain values."""
        return {'sums': self._sums.tolist(), 'num_examples': self.num_examples}

    def load_state_dict(self, state: dict) -> None:
        """Take over what state_dict returned."""
        self._sums.copy_(torch.tensor(state['sums'], dtype=torch.float64))
        self.num_examples = state['num_examples']

    def sum_over_ranks(self) -> None:
        """Add up what the ranks have; nothing happens with one."""
        if not has_ranks():
            return
        sums = sum_over_ranks(torch.cat([self._sums, self._sums.new_tensor([self.num_examples])]))
        self._sums, self.num_examples = sums[:3], round(sums[3].item())

    def mean_loss(self) -> Tensor:
        """Return the mean loss as a scalar on the device."""
        return self._sums[0] / self.num_examples

    def scores(self) -> Scores:
        """Return the means over all examples added so far."""
        loss_sum, correct1, correct5 = self._sums.tolist()
        percent = 100.0 / self.num_examples
        return Scores(
            loss=loss_sum / self.num_examples,
            error1=(self.num_examples - correct1) * percent,
            error5=(self.num_examples - correct5) * percent,
        )
