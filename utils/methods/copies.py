"""Batch augmentation (Hoffer et al. 2019, arXiv 1901.09335): several copies of each example in a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from utils.methods.base import RunSettings, as_flag
from utils.parser import whole

if TYPE_CHECKING:
    from bigbatch.training.gradients.base import Estimator

TITLE = 'batch augmentation'


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Copies of each example; one by default."""

    duplicates: int  # transformed copies of each example in a batch
    copies: str  # those of an image spread over the ghosts, or together in one
    cutout: int | None  # side of the square that is blanked, pixels
    adapt_grad_norm: int | None  # updates between two measurements of the copies' gradients


def add_args(group) -> None:
    """Add the flags."""
    group.add_argument(
        '--duplicates', type=whole(1), default=1, metavar='M',
        help='copies of each example in a batch, each transformed anew; B counts examples, ghosts, micro-batches and '
        'images per second count copies',
    )
    group.add_argument(
        '--copies', choices=('spread', 'together'), default='spread',
        help='spread: copy after copy, so that no ghost holds two copies of an image; together: all of them in one '
        'ghost',
    )
    group.add_argument(
        '--cutout', nargs='?', type=whole(1), const=16, metavar='PIXELS',
        help='blank a square of so many pixels a side at a random place of each training image; 16 if none are given',
    )
    group.add_argument(
        '--adapt-grad-norm', type=whole(1), metavar='N',
        help='every N updates measure how much the mean over the copies shortens the gradient, and make up for it',
    )


def check(own: Copies, run: RunSettings) -> None:
    """Refuse what refines copies that are not there, and ghosts that cannot hold them.

    Raises:
        UserError: in one line, what is wrong and what would be right.
    """
    num, batch, ghost = own.duplicates, run.batch_size, run.ghost_batch_size
    refining = {'copies': own.copies != 'spread', 'adapt_grad_norm': own.adapt_grad_norm}
    given = [as_flag(name, getattr(own, name)) for name, is_on in refining.items() if is_on]
    if num == 1 and given:
        raise UserError(f'{given[0]} is about the copies of an image, of which there is one: add --duplicates, as 4')
    if num > 1 and run.noise_scale:
        raise UserError(
            f'--noise-scale needs independent examples, which the copies of --duplicates {num} are not: leave out one'
        )
    if own.copies == 'together' and ghost is None:
        raise UserError('--copies together puts copies into one ghost, of which there are none: see main_gbn.py')
    if own.copies == 'together' and ghost % num:
        sizes = [num * divisor for divisor in range(1, batch + 1) if batch % divisor == 0]
        sizes = [*[size for size in sizes if size < ghost][-1:], *[size for size in sizes if size > ghost][:1]]
        raise UserError(
            f'--mini-batch-size {ghost} does not hold whole images of --duplicates {num} copies that --copies together '
            f'asks for: {" or ".join(map(str, sizes))} does'
        )
    if num > 1 and own.copies == 'spread' and ghost is not None and ghost > batch:
        raise UserError(
            f'--mini-batch-size {ghost}: a ghost would hold two copies of an image of a batch of {batch}, which '
            f'--copies spread keeps apart: give at most {batch}, or --copies together'
        )


def describe(own: Copies, run: RunSettings) -> str:
    """Say what is done, in words; empty where there is one copy."""
    if own.duplicates == 1:
        return ''
    layouts = {'spread': 'no two of them in one ghost', 'together': 'all of them in one ghost'}
    ghosts = f', {layouts[own.copies]}' if run.ghost_batch_size else ''
    every = own.adapt_grad_norm
    when = f'measured every {every} updates' if every != 1 else 'measured at every update'
    scaled = f'; gradient scaled by |g of a copy| / |g|, {when}' if every else ''
    return f'{own.duplicates} of each image{ghosts}{scaled}'


def wrap(own: Copies, inner: Estimator) -> Estimator:
    """Return an estimator that makes up for shortened gradients around another one; that one where it is off."""
    if not own.adapt_grad_norm:
        return inner
    from bigbatch.training.gradients import create_estimator

    return create_estimator('adapt_grad_norm', inner=inner, every=own.adapt_grad_norm)
