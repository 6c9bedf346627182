"""The settings of the regime, the optimizer and what adapts both to the batch size."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from dataclasses import dataclass
from typing import ClassVar

from utils.parser import one_of, real, regime_literal, whole
from utils.settings import Means, Setting, asked, setting

OPTIMIZERS = ('SGD', 'ASGD', 'Adam', 'AdamW', 'Adamax', 'Adagrad', 'Adadelta', 'Rprop', 'RMSprop')


@dataclass(frozen=True, kw_only=True)
class AdaptationConfig:
    """Adaptation to the batch size B."""

    lr_scaling: str = setting(means=Means.KEY, default='sqrt')  # none, sqrt or linear
    lr_bb_fix: ClassVar[Setting] = asked(
        '--lr_bb_fix', action=BooleanOptionalAction, means=Means.LARGE | Means.IDLE,
        help='multiply the learning rate by (B / B0)**0.5; on unless --base-lr-per-example is given',
    )  # fmt: skip
    lr_fix_policy: ClassVar[Setting] = asked(
        '--lr_fix_policy', choices=('sqrt', 'linear'), means=Means.LARGE,
        help='what --lr_bb_fix multiplies by: the root (default) or B / B0',
    )  # fmt: skip
    regime_bb_fix: bool = setting(
        '--regime_bb_fix', action=BooleanOptionalAction, default=False, means=Means.LARGE | Means.IDLE,
        help='multiply epochs and drop points by ceil(B / B0)',
    )  # fmt: skip
    regime_bb_multi: int = setting(
        '-rbm', '--regime_bb_multi', type=whole(1), default=1, metavar='N', means=Means.LARGE,
        help='one more factor on epochs and drop points',
    )  # fmt: skip
    base_lr_per_example: float | None = setting(
        '--base-lr-per-example', type=real(0, above=True), metavar='ETA', label='base rate per example',
        means=Means.LARGE | Means.AXIS | Means.DERIVED,
        help='start the regime at the rate ETA times B, in place of --lr and --lr_bb_fix (Masters & Luschi)',
    )  # fmt: skip
    warmup_epochs: float = setting(
        '--warmup-epochs', type=real(0), default=0.0, metavar='E', means=Means.LARGE,
        help='raise the rate linearly, per update, from the unscaled one over so many epochs, which need not be whole',
    )  # fmt: skip
    warmup_start: float | None = setting(  # None: the unscaled rate
        '--warmup-start', type=real(0, 1), metavar='F', means=Means.LARGE,
        help='fraction of the rate that the warm-up begins at',
    )  # fmt: skip
    linear_decay: bool = setting(
        '--linear-decay', action='store_true', means=Means.LARGE | Means.LENGTH,
        help='multiply the rate by a factor that falls linearly, per update, from 1 to 0 over the run',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Optimizer."""

    regime: dict | list | None = setting(
        '--regime', type=regime_literal, metavar='DICT|FILE', means=Means.LARGE,
        help='settings by epoch in place of the model\'s, as "{0: {\'lr\': 0.1}, 30: {\'lr\': 0.01}}"',
    )  # fmt: skip
    optimizer: str | None = setting(
        '--optimizer', type=one_of('optimizer', OPTIMIZERS), metavar='NAME',
        means=Means.REGIME | Means.LARGE | Means.IDLE,
        help=f'class of optimizer in place of the regime\'s: {", ".join(OPTIMIZERS)}',
    )  # fmt: skip
    lr: float | None = setting(
        '--lr', '--learning_rate', type=real(0, above=True), metavar='RATE', label='learning rate',
        means=Means.REGIME | Means.LARGE | Means.IDLE | Means.DERIVED,
        help='rescale the regime so that it starts at this rate (before --lr_bb_fix)',
    )  # fmt: skip
    momentum: float | None = setting(
        '--momentum', type=real(0, 1, below=True), metavar='M', means=Means.REGIME | Means.LARGE | Means.IDLE,
        help='momentum in place of the regime\'s, at every epoch',
    )  # fmt: skip
    weight_decay: float | None = setting(
        '--weight-decay', '--wd', type=real(0), metavar='W', means=Means.REGIME | Means.LARGE | Means.IDLE,
        help='weight decay in place of the regime\'s, at every epoch',
    )  # fmt: skip
    reset_momentum: bool = setting(
        '--reset-momentum', action='store_true', help='empty the momentum at the start of each epoch, as published'
    )
    clip_grad: float = setting(
        '--clip-grad', type=real(0), default=5.0, metavar='NORM',
        help='clip the global L2 norm of the gradient; 0 is off',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LengthConfig:
    """Length."""

    epochs: int = setting(
        '--epochs', type=whole(1), default=200, metavar='E', means=Means.FREE | Means.LARGE | Means.IDLE,
        help='epochs, before they are stretched',
    )  # fmt: skip
    start_epoch: int = setting(
        '--start-epoch', type=whole(0), default=0, metavar='E', means=Means.LARGE | Means.IDLE,
        help='first epoch, counted from 0',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig(OptimizerConfig, LengthConfig, AdaptationConfig):
    """How long a run is, and at which rates it learns."""


def resolve_lr_scaling(flags) -> str:
    """Return what --lr_bb_fix multiplies the rate by: none, sqrt or linear."""
    scales = flags.base_lr_per_example is None if flags.lr_bb_fix is None else flags.lr_bb_fix
    return (flags.lr_fix_policy or 'sqrt') if scales else 'none'
