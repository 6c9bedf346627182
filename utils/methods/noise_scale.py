"""The gradient noise scale (McCandlish et al. 2018, arXiv 1812.06162), measured while a network is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from bigbatch.training.report import EpochReport
from utils.methods.base import Follower, Method, RunSettings, Training
from utils.runs.columns import Column
from utils.settings import Means, declared, setting, written

if TYPE_CHECKING:
    from bigbatch.distributed import Ranks
    from bigbatch.training.gradients.noise_scale import NoiseScaleGradient

FLAG = '--noise-scale'


@dataclass(frozen=True, kw_only=True)
class NoiseScale(Method):
    """Gradient noise scale."""

    COLUMNS = (
        Column('noise_scale', 'Gradient noise scale', 'examples', flag=FLAG),
        Column('gradient_norm2', 'Squared norm of the mean gradient', 'L2 norm squared, without bias', flag=FLAG),
        Column(
            'gradient_variance', 'Variance of the gradient of an example', 'trace of the covariance', flag=FLAG
        ),
    )  # fmt: skip

    noise_scale: bool = setting(
        FLAG, action='store_true', means=Means.PLACE,
        help='also measure the gradient noise scale, from the gradients of the ghosts or micro-batches of some updates',
    )  # fmt: skip

    def check(self, run: RunSettings) -> None:
        """Refuse to compare the gradients of parts of a batch with its own where that shows something else."""
        if not self.noise_scale:
            return
        batch, part = run.num_images, run.ghost_batch_size or run.fixed_micro_batch_size or run.num_images
        if part == batch:
            name, other = ('ghost', '--mini-batch-size') if run.ghost_batch_size else ('piece', '--micro-batch-size')
            where = '' if run.ghost_batch_size else ' for a network without batch norm, or main_gbn.py for any'
            raise UserError(
                f'{FLAG} compares the gradients of parts of a batch with its own, but a batch of {batch} is one '
                f'{name}: give {other} below {batch}{where}'
            )
        for method in run.methods_on:
            given = written(method, next(iter(declared(type(method)))))
            if method.CHANGES_GRADIENT:
                raise UserError(f'{given} changes the gradient whose own noise {FLAG} measures: leave out one')
            if method.num_copies > 1:
                what = f'independent examples, which the copies of {given} are not'
                raise UserError(f'{FLAG} needs {what}: leave out one')
        if run.amp == 'fp16':
            raise UserError(f'{FLAG} measures gradients, which --amp fp16 scales and may lose: take bf16 or off')

    def check_ranks(self, run: RunSettings, ranks: Ranks, *, plain: bool) -> None:
        """Refuse pieces that are no equal parts of what a rank has."""
        own, micro = run.num_images // ranks.size, run.fixed_micro_batch_size
        if run.ghost_batch_size is None and micro is not None and own % min(micro, own):
            raise ValueError(
                f'{FLAG}: the {own} examples of a rank are not made of whole pieces of --micro-batch-size {micro}'
            )

    def compute(self, run: RunSettings, *, steps_per_epoch: int) -> NoiseScaleGradient:
        """Return the estimator that computes the gradient and measures its noise."""
        from bigbatch.training.gradients.noise_scale import NoiseScaleGradient

        part = run.ghost_batch_size or run.fixed_micro_batch_size
        assert part is not None, 'a batch in one piece is refused'
        return NoiseScaleGradient(part, steps_per_epoch)

    def follow(self, model, num_epochs: int) -> _Reader:
        """Return what reads the estimator after each epoch."""
        return _Reader()


class _Reader(Follower):
    def on_epoch(self, report: EpochReport, training: Training) -> Sequence[float]:
        from bigbatch.training.gradients.noise_scale import NoiseScaleGradient

        assert isinstance(training.estimator, NoiseScaleGradient), 'what would be around it is refused'
        measured = training.estimator.take_epoch()
        return [measured[column.name] for column in NoiseScale.COLUMNS]
