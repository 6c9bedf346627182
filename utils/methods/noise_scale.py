"""The gradient noise scale (McCandlish et al. 2018, arXiv 1812.06162), measured while a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from utils.methods.base import RunSettings

if TYPE_CHECKING:
    from bigbatch.training.gradients.base import Estimator


@dataclass(frozen=True, kw_only=True)
class NoiseScale:
    """Measurements of the gradient's noise; off by default."""

    noise_scale: bool


def add_args(group) -> None:
    """Add the flag."""
    group.add_argument(
        '--noise-scale', action='store_true',
        help='also measure the gradient noise scale, from the gradients of the ghosts or micro-batches of some updates',
    )


def check(own: NoiseScale, run: RunSettings) -> None:
    """Refuse to compare the gradients of parts of a batch with its own where it has but one part.

    Raises:
        UserError: in one line, what is wrong and what would be right.
    """
    batch, part = run.num_images, run.ghost_batch_size or run.fixed_micro_batch_size or run.num_images
    if own.noise_scale and part == batch:
        name, other = ('ghost', '--mini-batch-size') if run.ghost_batch_size else ('piece', '--micro-batch-size')
        where = '' if run.ghost_batch_size else ' for a network without batch norm, or main_gbn.py for any'
        raise UserError(
            f'--noise-scale compares the gradients of parts of a batch with its own, but a batch of {batch} is one '
            f'{name}: give {other} below {batch}{where}'
        )


def build(own: NoiseScale, run: RunSettings, steps_per_epoch: int) -> Estimator | None:
    """Return the estimator that computes the gradient and measures its noise; None where that is off."""
    if not own.noise_scale:
        return None
    from bigbatch.training.gradients import create_estimator

    ghost_size = run.ghost_batch_size or run.fixed_micro_batch_size
    return create_estimator('noise_scale', ghost_size=ghost_size, num_steps=steps_per_epoch)
