"""The training loop: one estimator, clip and step for each batch, one report for each epoch.

Losses and errors stay on the device within an epoch. A loss or gradient that stops being finite ends the run before
the weights are updated with it on a CPU, and at most CHECK_EVERY updates later on a GPU, where every look is a wait.
With float16 a gradient that is not finite only loses an update, unless that goes on.
A run may be saved and stopped after any update: what the epoch has come to by then is part of the checkpoint. Ranks
hear of each other's losses and requests to stop in one sum of a few numbers with each look, and act on them alike.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from bigbatch.distributed import sum_over_ranks
from bigbatch.errors import DivergedError, Interrupted
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.parallel import Parallel
from bigbatch.training.report import DistancePoint, EpochReport, PartialEpoch
from bigbatch.training.scoring import ScoreSums, evaluate
from bigbatch.weights import device_of, is_log_spaced, weight_distance, weight_distance_tensor

CHECK_EVERY = 50  # updates between two looks at the loss on a GPU
MOST_SKIPPED = 30  # updates in a row that float16 may lose, while the scale of its gradients falls to 2**-30


class Trainer:
    """Train a model batch by batch.

    Args:
        model: trained in place, on its device.
        criterion: loss over a batch, one per example or their sum.
        optimizer: of the model's parameters, driven by the regime.
        estimator: leaves a gradient in `.grad`; see bigbatch.training.gradients.
        initial: weights at step 0, which distances are measured from.
        first_step: updates made before, by the run that this one goes on from.
        clip_grad: bound on the global L2 norm of the gradient; 0 is off.
        on_step: called after each update with (epoch, index of the step in it, ScoreSums so far).
        should_stop: asked after each update, in the scoring of an epoch and before the next; True ends it there.
        should_save: asked after each update.
        save: called with (finished epochs, updates made, PartialEpoch) after an update that one of the two asks for.
        parallel: the same model as this rank trains it, if there are several; each of the three functions is called on
            all of them, and the PartialEpoch is a rank's own.
    """

    def __init__(
        self,
        model: nn.Module,
        criterion: nn.Module,
        optimizer: RegimeOptimizer,
        estimator: Callable,
        *,
        initial: Mapping[str, Tensor],
        first_step: int = 0,
        clip_grad: float = 5.0,
        on_step: Callable = lambda epoch, index, sums: None,
        should_stop: Callable[[], bool] = lambda: False,
        should_save: Callable[[], bool] = lambda: False,
        save: Callable[[int, int, PartialEpoch], object] = lambda epoch, step, partial: None,
        parallel: Parallel | None = None,
    ):
        self.model, self.criterion = model, criterion
        self.optimizer, self.estimator = optimizer, estimator
        self.step = first_step
        self._initial, self._clip_grad = initial, clip_grad
        self._on_step, self._save = on_step, save
        self._should_stop, self._should_save = should_stop, should_save
        self._parallel = parallel or Parallel(model)
        self._asked = (False, False)  # of the ranks, at the last look: whether one is to stop, whether to save
        self._num_skipped = 0  # updates before the present epoch that were lost in a row

    def fit(
        self, train_loader, val_loader, *, num_epochs: int, first_epoch: int = 0, partial: PartialEpoch | None = None
    ) -> Iterator[EpochReport]:
        """Train from first_epoch up to num_epochs and yield a report after each.

        Args:
            partial: what the first of these epochs had come to when it was saved; the optimizer is in that epoch.

        Raises:
            DivergedError: the loss or the gradient is not finite any more.
            Interrupted: should_stop said so; within an epoch `save` has been called.
        """
        for epoch in range(first_epoch, num_epochs):
            if partial is None and self._parallel.any(self._should_stop()):
                raise Interrupted(f'after epoch {epoch} of {num_epochs}')
            progress = self._train_epoch(train_loader, epoch, partial)
            partial, watch = None, progress.watch
            progress.sums.sum_over_ranks()
            self._parallel.statistics.gather()
            train_scores = progress.sums.scores()
            train_seconds = progress.seconds()
            stops = functools.partial(self._stop_in_scoring, progress)
            val_scores = evaluate(self.model, self.criterion, val_loader, advance=stops)
            distance = weight_distance(self.model, self._initial)
            now = epoch + 1, self.step, self.optimizer.lr
            # no later step looks at what the epoch's last update did to the weights: these two do
            if not (math.isfinite(val_scores.loss) and math.isfinite(distance)):
                raise DivergedError(*now, loss=val_scores.loss, grad_norm=watch.last_grad_norm)
            yield EpochReport(
                *now,
                train=train_scores,
                val=val_scores,
                grad_norm=watch.mean_grad_norm(),
                weight_distance=distance,
                epoch_seconds=progress.seconds(),
                images_per_second=progress.sums.num_examples / train_seconds,
                distances=progress.distances(),
            )

    def _train_epoch(self, loader, epoch: int, partial: PartialEpoch | None) -> _EpochProgress:
        """Make the updates of an epoch that are left."""
        self.model.train()
        progress = _EpochProgress(device_of(self.model), epoch, partial, self._mean_over_ranks)
        if partial is None:
            progress.watch.num_skipped = self._num_skipped
            self.optimizer.start_epoch(epoch)
        else:
            self.optimizer.lr = self.optimizer.lr_at(self.step - 1)
        for index, batch in enumerate(loader.epoch(epoch, progress.num_steps), progress.num_steps):
            batch_sums = self._train_step(batch, progress.watch)
            progress.sums.merge(batch_sums)
            progress.num_steps += 1
            if is_log_spaced(self.step):
                distance = weight_distance_tensor(self.model, self._initial)
                progress.points.append((self.step, distance, self._parallel.mean(batch_sums.mean_loss())))
            self._on_step(epoch, index, progress.sums)
            self._save_or_stop(progress)
        progress.watch.check()
        self._num_skipped = progress.watch.num_skipped
        return progress

    def _save_or_stop(self, progress: _EpochProgress) -> None:
        """Save and stop where that is asked for."""
        stops, saves = self._asked
        if self._parallel.ranks.size == 1:
            stops = self._should_stop()
            saves = stops or self._should_save()
        if stops or saves:
            progress.watch.check()
            self._parallel.statistics.gather()
            saved_at = time.perf_counter()
            self._save(progress.epoch, self.step, progress.partial())
            progress.start += time.perf_counter() - saved_at  # left out of its seconds
        if stops:
            raise Interrupted(f'in epoch {progress.epoch + 1} after update {self.step}')
        self._asked = (False, False)

    def _stop_in_scoring(self, progress: _EpochProgress, _: int) -> None:
        """Save and stop, where that is asked for, an epoch that lacks nothing but scores; ranks go on to its end."""
        if self._parallel.ranks.size == 1 and self._should_stop():
            self._save_or_stop(progress)

    def _mean_over_ranks(self, losses: Tensor) -> Tensor:
        """Return the means over the ranks of the losses of some updates, and hear what the ranks ask for."""
        ranks = self._parallel.ranks
        if ranks.size == 1:
            return losses
        asked = [self._should_stop(), ranks.is_first and self._should_save()]
        sums = sum_over_ranks(torch.cat([losses / ranks.size, losses.new_tensor(asked)]))
        self._asked = tuple(flag > 0 for flag in sums[-2:].tolist())
        return sums[:-2]

    def _train_step(self, batch, watch: _Watch) -> ScoreSums:
        self.optimizer.zero_grad()
        with self._parallel.statistics.of_update():
            sums = self.estimator(self._parallel.model, self.criterion, batch, step=self.step)
        self._parallel.reduce_gradients()
        self.optimizer.unscale()
        grad_norm = clip_gradient(self.optimizer.parameters, self._clip_grad)
        watch.record(self.step, sums.mean_loss(), grad_norm, self.optimizer)
        self.optimizer.step(self.step)
        self.step += 1
        return sums


def clip_gradient(parameters: list[nn.Parameter], max_norm: float) -> Tensor:
    """Clip the global L2 norm of the gradient in place and return what it was; max_norm 0 only measures."""
    return nn.utils.clip_grad_norm_(parameters, max_norm if max_norm > 0 else float('inf'))


class _EpochProgress:
    """What the epoch that goes on has come to; epoch from 0, partial: what it had come to when it was saved.

    mean_over_ranks: makes the losses that are looked at those of all ranks.
    """

    def __init__(self, device: torch.device, epoch: int, partial: PartialEpoch | None, mean_over_ranks: Callable):
        self.epoch, self.num_steps = epoch, 0
        self.sums, self.watch = ScoreSums(device), _Watch(device, epoch + 1, mean_over_ranks)
        self.points: list[tuple] = []  # of DistancePoint, the values still on the device
        self._before: tuple[DistancePoint, ...] = ()
        self.start = time.perf_counter()
        if partial is not None:
            self.num_steps, self._before = partial.num_steps, partial.distances
            self.start -= partial.seconds
            self.sums.load_state_dict(partial.score_sums)
            self.watch.load_partial(partial)

    def seconds(self) -> float:
        """Return the time since the epoch began, less what went into saving."""
        return time.perf_counter() - self.start

    def distances(self) -> tuple[DistancePoint, ...]:
        """Return the points, which waits for the device."""
        read = (DistancePoint(step, distance.item(), loss.item()) for step, distance, loss in self.points)
        return (*self._before, *read)

    def partial(self) -> PartialEpoch:
        """Return all of it as plain values."""
        return PartialEpoch(
            self.num_steps, self.seconds(), self.sums.state_dict(), **self.watch.seen(), distances=self.distances()
        )


class _Watch:
    """Look at loss and gradient norm of each update, on a GPU many at a time."""

    SEEN = ('norm_sum', 'num_norms', 'num_skipped', 'last_grad_norm')  # as PartialEpoch has them

    def __init__(self, device: torch.device, epoch: int, mean_over_ranks: Callable[[Tensor], Tensor]):
        self._epoch, self._mean_over_ranks = epoch, mean_over_ranks
        self._every = 1 if device.type == 'cpu' else CHECK_EVERY
        self._pending: list[tuple[int, float, Tensor]] = []
        self.num_skipped, self._may_skip = 0, False
        self.norm_sum, self.num_norms = 0.0, 0
        self.last_grad_norm = math.nan

    def load_partial(self, partial: PartialEpoch) -> None:
        """Take over what was seen of the epoch before."""
        for name in self.SEEN:
            setattr(self, name, getattr(partial, name))

    def seen(self) -> dict:
        """Return what load_partial takes over."""
        return {name: getattr(self, name) for name in self.SEEN}

    def record(self, step: int, loss: Tensor, grad_norm: Tensor, optimizer: RegimeOptimizer) -> None:
        """Take an update's mean loss and gradient norm, and look at those that wait if there are enough."""
        self._may_skip = optimizer.may_skip
        self._pending.append((step, optimizer.lr_at(step), torch.stack([loss, grad_norm.to(loss.dtype)])))
        if len(self._pending) >= self._every:
            self.check()

    def check(self) -> None:
        """Raise DivergedError for the first update that was not finite."""
        if not self._pending:
            return
        losses, norms = torch.stack([row for _, _, row in self._pending], dim=1)
        rows = torch.stack([self._mean_over_ranks(losses), norms], dim=1).tolist()
        for (step, lr, _), (loss, grad_norm) in zip(self._pending, rows, strict=True):
            is_skipped = self._may_skip and math.isfinite(loss) and not math.isfinite(grad_norm)
            self.num_skipped = self.num_skipped + 1 if is_skipped else 0
            if is_skipped and self.num_skipped <= MOST_SKIPPED:
                continue
            if not (math.isfinite(loss) and math.isfinite(grad_norm)):
                raise DivergedError(epoch=self._epoch, step=step + 1, lr=lr, loss=loss, grad_norm=grad_norm)
            self.norm_sum += grad_norm
            self.last_grad_norm = grad_norm
            self.num_norms += 1
        self._pending.clear()

    def mean_grad_norm(self) -> float:
        return self.norm_sum / max(1, self.num_norms)
