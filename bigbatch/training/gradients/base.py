"""What every gradient estimator offers."""

from __future__ import annotations

from torch import nn

from bigbatch.training.scoring import ScoreSums


class Estimator:
    """Leave in `.grad` an estimate of the mean gradient of a batch."""

    def __call__(self, model: nn.Module, criterion: nn.Module, batch, *, step: int) -> ScoreSums:
        """Add the gradient to `.grad` and return the scores.

        Args:
            batch: micro-batches (inputs, targets, indices), which may be run through more than once, with
                `num_examples`, by which sums over them are divided.
            step: updates made before this one, over the whole run.
        """
        raise NotImplementedError

    def training_part(self) -> Estimator:
        """Return the estimator without what only measures gradients, in passes that are no larger than its own."""
        return self

    def state_dict(self) -> dict:
        """Return what a resumed run needs, as tensors and plain values."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Take over what state_dict returned."""


class Wrapper(Estimator):
    """Have another estimator, `inner`, compute the gradient, under conditions that this one sets."""

    def __init__(self, inner: Estimator):
        self.inner = inner

    def state_dict(self) -> dict:
        """Return the state of the inner estimator."""
        return self.inner.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Take over what state_dict returned."""
        self.inner.load_state_dict(state)
