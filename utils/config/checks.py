"""Which settings of a run go together; all of it is known before torch is loaded."""

from __future__ import annotations

import math

from bigbatch.errors import UserError
from utils.config.run import RunConfig
from utils.runs.tensorboard import check_tensorboard
from utils.settings import Means, fields_that_mean, written


def check_settings(config: RunConfig) -> None:
    """Refuse, with a UserError of one line, settings that have no meaning together."""
    _check_sizes(config)
    for method in config.methods:
        method.check(config)
    if config.warmup_start is not None and not config.warmup_epochs:
        raise UserError(f'--warmup-start {config.warmup_start:g} is where a warm-up begins: give --warmup-epochs too')
    if config.amp != 'off' and config.dtype != 'float32':
        raise UserError(
            f'--amp {config.amp} computes parts of a float32 network in half precision, but --type makes it '
            f'{config.dtype}: leave out one'
        )


def check_flags(flags) -> None:
    """Refuse, with a UserError of one line, flags that exclude each other, before they are resolved to settings."""
    if flags.evaluate and flags.init_from:
        raise UserError(f'--init-from {flags.init_from}: --evaluate scores {flags.evaluate}: leave out one of them')
    if flags.bn_per_rank and flags.mini_batch_size is not None:
        raise UserError('--bn-per-rank: ghosts lie within one rank as it is: leave it out')
    if flags.save_all and flags.keep != 'all':
        raise UserError(
            f'--save_all keeps the checkpoint of every epoch, and --keep {flags.keep} does not: leave out one'
        )
    if flags.tensorboard:
        check_tensorboard()
    if flags.lr_fix_policy and flags.lr_bb_fix is False:
        raise UserError(f'--lr_fix_policy {flags.lr_fix_policy} is a way of --lr_bb_fix, but --no-lr_bb_fix is given')
    if flags.val_seed is not None and not flags.val_fraction:
        raise UserError(f'--val-seed {flags.val_seed} chooses the examples of --val-fraction, which is not given')
    if flags.flip and flags.augment is False:
        raise UserError('--flip mirrors training images, but --no-augment leaves them as they are: leave out one')
    asked = [('--lr', flags.lr), ('--lr_bb_fix', flags.lr_bb_fix or None), ('--lr_fix_policy', flags.lr_fix_policy)]
    others = [flag for flag, value in asked if value is not None]
    if flags.base_lr_per_example is not None and others:
        raise UserError(
            f'--base-lr-per-example {flags.base_lr_per_example:g} times the batch is the rate: leave out {others[0]}'
        )


def _check_sizes(config: RunConfig) -> None:
    batch, ghost, micro = config.num_images, config.ghost_batch_size, config.fixed_micro_batch_size
    if ghost is not None and ghost > batch:
        raise UserError(f'--mini-batch-size {ghost} is larger than the batch of {batch}: at most {batch} is possible')
    if ghost is not None and batch % ghost:
        unit = ghost // math.gcd(ghost, config.num_copies)  # batches that are a multiple of it hold whole ghosts
        below, above = config.batch_size // unit * unit, -(-config.batch_size // unit) * unit
        each = f' with {config.num_copies} copies of each example' if config.num_copies > 1 else ''
        raise UserError(
            f'--batch-size {config.batch_size}{each} is not a multiple of --mini-batch-size {ghost}: '
            f'{" and ".join(str(size) for size in (below, above) if size)} {"are" if below else "is"}, '
            f'and ghosts of {_nearest_divisor(batch, ghost)} divide {batch}'
        )
    if micro is not None and micro > batch:
        raise UserError(f'--micro-batch-size {micro} is larger than the batch of {batch}: at most {batch} is possible')
    if micro is not None and ghost is not None and micro % ghost and micro != batch:
        below, above = max(1, micro // ghost) * ghost, -(-micro // ghost) * ghost
        raise UserError(
            f'--micro-batch-size {micro} does not hold whole ghosts of {ghost}: '
            f'{" or ".join(map(str, sorted({below, above})))} does'
        )


def _nearest_divisor(number: int, near: int) -> int:
    around = (size for distance in range(min(near, 10**6)) for size in (near - distance, near + distance))
    return next((size for size in around if number % size == 0), 1)


def shaped_by_length(config: RunConfig) -> str:
    """Return the flag that depends on how long the run is, so that it cannot be extended; '' for none."""
    shaped = [written(config, name) for name in fields_that_mean(type(config), Means.LENGTH) if getattr(config, name)]
    return next((text for text in [*shaped, *(method.shaped_by_length() for method in config.methods_on)] if text), '')
