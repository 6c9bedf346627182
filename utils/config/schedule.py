"""The settings of the regime, the optimizer and what adapts both to the batch size."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from dataclasses import dataclass

from utils.parser import Parser, one_of, real, regime_literal, whole

OPTIMIZERS = ('SGD', 'ASGD', 'Adam', 'AdamW', 'Adamax', 'Adagrad', 'Adadelta', 'Rprop', 'RMSprop')


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How long a run is, and at which rates it learns."""

    base_lr_per_example: float | None  # the rate is this times the batch size
    epochs: int  # before they are stretched
    start_epoch: int
    lr_scaling: str  # none, sqrt or linear
    regime_bb_fix: bool
    regime_bb_multi: int
    warmup_epochs: float
    warmup_start: float | None  # fraction of the rate that warm-up begins at; None: the unscaled rate
    linear_decay: bool  # the rate falls to 0 over the run, on top of the regime
    regime: dict | list | None
    optimizer: str | None
    lr: float | None
    momentum: float | None
    weight_decay: float | None
    reset_momentum: bool
    clip_grad: float


def add_regime_args(parser: Parser) -> None:
    """Add the flags of what adapts the regime to the batch size."""
    group = parser.add_argument_group('adaptation to the batch size B')
    group.add_argument(
        '--lr_bb_fix', action=BooleanOptionalAction,
        help='multiply the learning rate by (B / B0)**0.5; on unless --base-lr-per-example is given',
    )
    group.add_argument(
        '--lr_fix_policy', choices=('sqrt', 'linear'),
        help='what --lr_bb_fix multiplies by: the root (default) or B / B0',
    )
    group.add_argument(
        '--regime_bb_fix', action=BooleanOptionalAction, default=False,
        help='multiply epochs and drop points by ceil(B / B0)',
    )
    group.add_argument(
        '-rbm', '--regime_bb_multi', type=whole(1), default=1, metavar='N',
        help='one more factor on epochs and drop points',
    )
    group.add_argument(
        '--base-lr-per-example', type=real(0, above=True), metavar='ETA',
        help='start the regime at the rate ETA times B, in place of --lr and --lr_bb_fix (Masters & Luschi)',
    )
    group.add_argument(
        '--warmup-epochs', type=real(0), default=0.0, metavar='E',
        help='raise the rate linearly, per update, from the unscaled one over so many epochs, which need not be whole',
    )
    group.add_argument(
        '--warmup-start', type=real(0, 1), metavar='F', help='fraction of the rate that the warm-up begins at'
    )
    group.add_argument(
        '--linear-decay', action='store_true',
        help='multiply the rate by a factor that falls linearly, per update, from 1 to 0 over the run',
    )


def add_optimizer_args(parser: Parser) -> None:
    """Add the flags of the optimizer and of the regime itself."""
    group = parser.add_argument_group('optimizer')
    group.add_argument(
        '--regime', type=regime_literal, metavar='DICT|FILE',
        help='settings by epoch in place of the model\'s, as "{0: {\'lr\': 0.1}, 30: {\'lr\': 0.01}}"',
    )
    group.add_argument(
        '--optimizer', type=one_of('optimizer', OPTIMIZERS), metavar='NAME',
        help=f'class of optimizer in place of the regime\'s: {", ".join(OPTIMIZERS)}',
    )
    group.add_argument(
        '--lr', '--learning_rate', type=real(0, above=True), metavar='RATE',
        help='rescale the regime so that it starts at this rate (before --lr_bb_fix)',
    )
    group.add_argument(
        '--momentum', type=real(0, 1, below=True), metavar='M',
        help='momentum in place of the regime\'s, at every epoch',
    )
    group.add_argument(
        '--weight-decay', '--wd', type=real(0), metavar='W',
        help='weight decay in place of the regime\'s, at every epoch',
    )
    group.add_argument(
        '--reset-momentum', action='store_true', help='empty the momentum at the start of each epoch, as published'
    )
    group.add_argument(
        '--clip-grad', type=real(0), default=5.0, metavar='NORM',
        help='clip the global L2 norm of the gradient; 0 is off',
    )


def resolve_lr_scaling(flags) -> str:
    """Return what --lr_bb_fix multiplies the rate by: none, sqrt or linear."""
    scales = flags.base_lr_per_example is None if flags.lr_bb_fix is None else flags.lr_bb_fix
    return (flags.lr_fix_policy or 'sqrt') if scales else 'none'
