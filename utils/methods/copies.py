"""Batch augmentation (Hoffer et al. 2019, arXiv 1901.09335): several copies of each example in a batch."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from bigbatch.messages import counted
from utils.methods.base import Method, RunSettings
from utils.parser import whole
from utils.settings import changed, setting, written

if TYPE_CHECKING:
    from torch import nn

    from bigbatch.distributed import Ranks
    from bigbatch.training.gradients.base import Estimator

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, kw_only=True)
class Copies(Method):
    """Batch augmentation."""

    LABEL = 'copies'

    duplicates: int = setting(
        '--duplicates', type=whole(1), default=1, metavar='M',
        help='copies of each example in a batch, each transformed anew; B counts examples, ghosts, micro-batches and '
        'images per second count copies',
    )  # fmt: skip
    copies: str = setting(
        '--copies', choices=('spread', 'together'), default='spread',
        help='spread: copy after copy, so that no ghost holds two copies of an image; together: all of them in one '
        'ghost',
    )  # fmt: skip
    cutout: int | None = setting(
        '--cutout', nargs='?', type=whole(1), const=16, metavar='PIXELS',
        help='blank a square of so many pixels a side at a random place of each training image; 16 if none are given',
    )  # fmt: skip
    adapt_grad_norm: int | None = setting(
        '--adapt-grad-norm', type=whole(1), metavar='N',
        help='every N updates measure how much the mean over the copies shortens the gradient, and make up for it',
    )  # fmt: skip

    @property
    def is_on(self) -> bool:
        """Whether there are several copies, or a square is blanked."""
        return self.duplicates > 1 or self.cutout is not None

    @property
    def num_copies(self) -> int:
        """Copies of each example."""
        return self.duplicates

    @property
    def num_copies_in_pass(self) -> int:
        """One, where each copy is measured by itself."""
        return 1 if self.adapt_grad_norm else self.duplicates

    @property
    def tells_copies_apart(self) -> bool:
        """Whether a square is blanked, each time at another place."""
        return self.cutout is not None

    def check(self, run: RunSettings) -> None:
        """Refuse what refines copies that are not there, and ghosts that cannot hold them."""
        num, batch, ghost = self.duplicates, run.batch_size, run.ghost_batch_size
        refined = [name for name in changed(self) if name not in ('duplicates', 'cutout')]
        if num == 1 and refined:
            raise UserError(
                f'{written(self, refined[0])} is about the copies of an image, of which there is one: add '
                '--duplicates, as 4'
            )
        if self.copies == 'together' and ghost is None:
            raise UserError('--copies together puts copies into one ghost, of which there are none: see main_gbn.py')
        if self.copies == 'together' and ghost is not None and ghost % num:
            sizes = [num * divisor for divisor in range(1, batch + 1) if batch % divisor == 0]
            sizes = [*[size for size in sizes if size < ghost][-1:], *[size for size in sizes if size > ghost][:1]]
            raise UserError(
                f'--mini-batch-size {ghost} does not hold whole images of --duplicates {num} copies that --copies '
                f'together asks for: {" or ".join(map(str, sizes))} does'
            )
        if num > 1 and self.copies == 'spread' and ghost is not None and ghost > batch:
            raise UserError(
                f'--mini-batch-size {ghost}: a ghost would hold two copies of an image of a batch of {batch}, which '
                f'--copies spread keeps apart: give at most {batch}, or --copies together'
            )
        if run.amp == 'fp16' and self.adapt_grad_norm:
            raise UserError(
                '--adapt-grad-norm measures gradients, which --amp fp16 scales and may lose: take bf16 or off'
            )

    def check_data(self, run: RunSettings, model: nn.Module, dataset) -> None:
        """Refuse a square where there are no pixels to blank, and warn of copies that are all the same."""
        from torch.nn.modules.dropout import _DropoutNd

        has_own = getattr(model, 'input_transform', None) is not None
        if self.cutout and (has_own or dataset.is_float):
            reason = f'{run.model} has its own input_transform' if has_own else f'{run.dataset} holds features'
            raise ValueError(f'--cutout {self.cutout}: {reason}, in which nothing can be blanked: leave it out')
        drops = any(isinstance(module, _DropoutNd) and module.p > 0 for module in model.modules())
        differ = run.augment or drops or any(method.tells_copies_apart for method in run.methods_on)
        if self.duplicates > 1 and not differ:
            log.warning(
                '--duplicates %d: the copies of an image are all the same, as nothing changes them at random; '
                '--augment, --cutout or a network with dropout does', self.duplicates,
            )  # fmt: skip

    def check_ranks(self, run: RunSettings, ranks: Ranks, *, plain: bool) -> None:
        """Refuse to measure the gradient of each copy where other ghosts than those of one process would do it."""
        ghost = run.ghost_batch_size or 1
        unit = ghost if self.copies == 'spread' else ghost * ranks.size
        if self.adapt_grad_norm and (plain or run.batch_size % unit):
            what = f'a --batch-size that is a multiple of {unit}' if not plain else 'main_gbn.py with ghosts'
            raise ValueError(
                f'--adapt-grad-norm {self.adapt_grad_norm}: on {ranks.size} ranks the gradient of one copy takes {what}'
            )

    def describe(self, run: RunSettings) -> str:
        """Say how many copies there are, and where they lie."""
        if self.duplicates == 1:
            return ''
        layouts = {'spread': 'no two of them in one ghost', 'together': 'all of them in one ghost'}
        ghosts = f', {layouts[self.copies]}' if run.ghost_batch_size else ''
        every = self.adapt_grad_norm
        when = f'measured every {every} updates' if every != 1 else 'measured at every update'
        scaled = f'; gradient scaled by |g of a copy| / |g|, {when}' if every else ''
        return f'{self.duplicates} of each image{ghosts}{scaled}'

    def describe_images(self) -> str:
        """Name the square that is blanked."""
        return f'cutout of {counted(self.cutout, "pixel")}' if self.cutout else ''

    def loading(self) -> dict[str, object]:
        """Return the copies and where they lie."""
        return {'duplicates': self.duplicates, 'copies': self.copies}

    def transform(self) -> dict[str, object]:
        """Return the side of the square."""
        return {'cutout': self.cutout}

    def wrap(self, run: RunSettings, inner: Estimator, model: nn.Module, *, num_steps: int) -> Estimator:
        """Return an estimator that makes up for shortened gradients around another one, if that is asked for."""
        if not self.adapt_grad_norm:
            return inner
        from bigbatch.training.gradients.copies import AdaptGradNorm

        return AdaptGradNorm(inner, self.adapt_grad_norm)
