"""Sums of losses and errors that stay on the device until somebody reads them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.distributed import has_ranks, sum_over_ranks


@dataclass(frozen=True)
class Scores:
    """Mean loss and errors over examples; error1 and error5 in percent, 0 to 100."""

    loss: float
    error1: float
    error5: float  # top min(5, classes)


class ScoreSums:
    """Sum losses and count errors on the device: one wait for a GPU when `scores` is called, none before.

    Args:
        device: where the logits live.
    """

    def __init__(self, device: torch.device | str):
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)  # loss, top-1 correct, top-5 correct
        self.num_examples = 0

    @torch.no_grad()
    def add(self, loss_sum: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Add a forward pass.

        Args:
            loss_sum: scalar, summed over the examples.
            logits: (N, classes).
            targets: (N,), class indices.
        """
        top = logits.detach().topk(min(5, logits.shape[1]), dim=1).indices == targets.unsqueeze(1)
        self._sums += torch.stack([loss_sum.detach().double(), top[:, 0].sum().double(), top.sum().double()])
        self.num_examples += len(targets)

    def merge(self, other: ScoreSums) -> None:
        """Add the sums of another meter."""
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
