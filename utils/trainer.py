"""The training loop: one estimator, clip and step for each batch, one report for each epoch.

Losses and errors stay on the device within an epoch. A loss or gradient that stops being finite ends the run before
the weights are updated with it on a CPU, and at most CHECK_EVERY updates later on a GPU, where every look is a wait.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from utils.errors import DivergedError
from utils.forward import score
from utils.meters import Scores, ScoreSums
from utils.optim import RegimeOptimizer
from utils.weights import is_log_spaced, weight_distance, weight_distance_tensor

CHECK_EVERY = 50  # updates between two looks at the loss on a GPU


@dataclass(frozen=True)
class DistancePoint:
    """Weight distance after an update, and the training loss of that update's batch (before the update)."""

    step: int
    weight_distance: float
    train_loss: float


@dataclass(frozen=True)
class EpochReport:
    """What an epoch came to."""

    epoch: int  # finished epochs, from 1
    step: int  # updates made so far
    lr: float  # of the last update
    train: Scores  # while training, in train mode
    val: Scores
    grad_norm: float  # mean over the epoch's updates, before clipping
    weight_distance: float  # L2, from step 0
    epoch_seconds: float  # training and scoring
    images_per_second: float  # training alone
    distances: tuple[DistancePoint, ...]  # at the log-spaced steps of this epoch


class Trainer:
    """Train a model batch by batch.

    Args:
        model: trained in place, on its device.
        criterion: loss over a batch, one per example or their sum.
        optimizer: of the model's parameters, driven by the regime.
        estimator: leaves a gradient in `.grad`; see utils.gradients.
        initial: weights at step 0, which distances are measured from.
        first_step: updates made before, by the run that this one goes on from.
        clip_grad: bound on the global L2 norm of the gradient; 0 is off.
        on_step: called after each update with (epoch, index of the step in it, ScoreSums so far).
    """

    def __init__(
        self, model: nn.Module, criterion: nn.Module, optimizer: RegimeOptimizer, estimator: Callable, *,
        initial: Mapping[str, Tensor], first_step: int = 0, clip_grad: float = 5.0, on_step: Callable | None = None,
    ):
        self.model, self.criterion = model, criterion
        self.optimizer, self.estimator = optimizer, estimator
        self.step = first_step
        self._initial = initial
        self._clip_grad = clip_grad
        self._on_step = on_step or (lambda epoch, index, sums: None)

    def fit(self, train_loader, val_loader, *, num_epochs: int, first_epoch: int = 0) -> Iterator[EpochReport]:
        """Train from first_epoch up to num_epochs and yield a report after each.

        Raises:
            DivergedError: the loss or the gradient is not finite any more.
        """
        for epoch in range(first_epoch, num_epochs):
            start = time.perf_counter()
            train, watch, distances = self._train_epoch(train_loader, epoch)
            train_scores = train.scores()
            train_seconds = time.perf_counter() - start
            val_scores = evaluate(self.model, self.criterion, val_loader)
            distance = weight_distance(self.model, self._initial)
            # the epoch's last update is seen by no later step of it
            if not (math.isfinite(val_scores.loss) and math.isfinite(distance)):
                raise DivergedError(
                    epoch=epoch + 1, step=self.step, lr=self.optimizer.lr, loss=val_scores.loss,
                    grad_norm=watch.last_grad_norm,
                )
            yield EpochReport(
                epoch=epoch + 1,
                step=self.step,
                lr=self.optimizer.lr,
                train=train_scores,
                val=val_scores,
                grad_norm=watch.mean_grad_norm(),
                weight_distance=distance,
                epoch_seconds=time.perf_counter() - start,
                images_per_second=train.num_examples / train_seconds,
                distances=distances,
            )

    def _train_epoch(self, loader, epoch: int) -> tuple[ScoreSums, _Watch, tuple[DistancePoint, ...]]:
        self.model.train()
        self.optimizer.start_epoch(epoch)
        device = next(self.model.parameters()).device
        sums, watch, points = ScoreSums(device), _Watch(device, epoch + 1), []
        for index, batch in enumerate(loader.epoch(epoch)):
            batch_sums = self._train_step(batch, watch)
            sums.merge(batch_sums)
            if is_log_spaced(self.step):
                points.append((self.step, weight_distance_tensor(self.model, self._initial), batch_sums.mean_loss()))
            self._on_step(epoch, index, sums)
        watch.check()
        return sums, watch, tuple(DistancePoint(step, dist.item(), loss.item()) for step, dist, loss in points)

    def _train_step(self, batch, watch: _Watch) -> ScoreSums:
        self.optimizer.zero_grad()
        sums = self.estimator(self.model, self.criterion, batch, step=self.step)
        grad_norm = clip_gradient(self.optimizer.parameters, self._clip_grad)
        watch.see(self.step, sums.mean_loss(), grad_norm, self.optimizer)
        self.optimizer.step(self.step)
        self.step += 1
        return sums


def clip_gradient(parameters: list[nn.Parameter], max_norm: float) -> Tensor:
    """Clip the global L2 norm of the gradient in place and return what it was; max_norm 0 only measures."""
    return nn.utils.clip_grad_norm_(parameters, max_norm if max_norm > 0 else float('inf'))


def evaluate(model: nn.Module, criterion: nn.Module, loader) -> Scores:
    """Score a model on every example of a loader once, in eval mode; the model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        return score(model, criterion, loader)
    finally:
        model.train(was_training)


class _Watch:
    """Look at loss and gradient norm of each update, on a GPU many at a time."""

    def __init__(self, device: torch.device, epoch: int):
        self._epoch = epoch
        self._every = 1 if device.type == 'cpu' else CHECK_EVERY
        self._pending: list[tuple[int, float, Tensor]] = []
        self._norm_sum, self._num_steps = 0.0, 0
        self.last_grad_norm = math.nan

    def see(self, step: int, loss: Tensor, grad_norm: Tensor, optimizer: RegimeOptimizer) -> None:
        self._pending.append((step, optimizer.lr_at(step), torch.stack([loss, grad_norm.to(loss.dtype)])))
        if len(self._pending) >= self._every:
            self.check()

    def check(self) -> None:
        """Raise DivergedError for the first update that was not finite."""
        if not self._pending:
            return
        rows = torch.stack([row for _, _, row in self._pending]).tolist()
        for (step, lr, _), (loss, grad_norm) in zip(self._pending, rows, strict=True):
            if not (abs(loss) < float('inf') and grad_norm < float('inf')):
                raise DivergedError(epoch=self._epoch, step=step + 1, lr=lr, loss=loss, grad_norm=grad_norm)
            self._norm_sum += grad_norm
            self.last_grad_norm = grad_norm
            self._num_steps += 1
        self._pending.clear()

    def mean_grad_norm(self) -> float:
        return self._norm_sum / max(1, self._num_steps)
