"""The flags of the methods that repair a large batch; those of SmoothOut keep their published spellings.

This file answers `--help`, so it imports nothing heavy.
"""

from __future__ import annotations

from argparse import BooleanOptionalAction

from utils.method_config import SMOOTHING_DEFAULTS
from utils.parser import Parser, auto_or, real, whole


def add_method_args(parser: Parser) -> None:
    """Add the flags of every method to the parser of a training script."""
    _add_smoothing_args(parser)
    _add_noise_args(parser)
    _add_copies_args(parser)
    _add_average_args(parser)


def _add_smoothing_args(parser: Parser) -> None:
    group = parser.add_argument_group('SmoothOut: noise on the weights while the gradient is computed')
    group.add_argument(
        '--sharpness-smoothing', '--ss', type=real(0, 1e6), default=0.0, metavar='A',
        help='strength of the noise; 0 is off',
    )
    group.add_argument(
        '--adapt-type', choices=('none', 'weight', 'filter'),
        help='scale the noise by nothing, by each weight, or by the norm of each filter (AdaSmoothOut)',
    )
    group.add_argument(
        '--noise-type', choices=('uniform', 'normal'),
        help='uniform between -1 and 1, or normal, before it is scaled',
    )
    group.add_argument(
        '--smoothing-type', choices=('constant', 'anneal', 'tanh'),
        help='strength over the run: the same, falling with the updates, or rising in the middle',
    )
    group.add_argument(
        '--anneal-index', '--ai', type=real(0), metavar='X',
        help='anneal multiplies the strength by (1 + t)**(-X / 2) after t updates',
    )
    group.add_argument(
        '--tanh-scale', '--ts', type=real(0), metavar='S',
        help='tanh multiplies the strength by (1 + tanh(S * (t / T - 0.5))) / 2 after t of T updates',
    )
    group.add_argument(
        '--exclude-bn', action=BooleanOptionalAction, help='no noise on the parameters of batch norm'
    )
    group.add_argument(
        '--denoise', action=BooleanOptionalAction,
        help='take the noise out before the update; else it stays in the weights and adds up',
    )
    group.add_argument(
        '--noise-per', choices=('ghost', 'step'),
        help='fresh noise for each ghost, as published, or one draw for the whole batch, in one pass',
    )
    parser.set_defaults(**SMOOTHING_DEFAULTS)


def _add_noise_args(parser: Parser) -> None:
    group = parser.add_argument_group('other noise')
    group.add_argument(
        '--gradient-noise', type=auto_or(real(0, above=True)), metavar='auto|SIGMA',
        help='multiply the loss of each example by a normal number of mean 1 and this deviation; auto: the one that '
        'makes up for a batch B at the rate of B0',
    )
    group.add_argument(
        '--relu_noise', type=real(0, 1), metavar='R',
        help='multiply each output of a ReLU by a uniform number between 1 - R and 1 + R while training',
    )
    group.add_argument(
        '--dropout', type=real(0, 1, below=True), metavar='P', help='probability in place of that of the network'
    )


def _add_copies_args(parser: Parser) -> None:
    group = parser.add_argument_group('batch augmentation')
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


def _add_average_args(parser: Parser) -> None:
    group = parser.add_argument_group('averaging and stopping')
    group.add_argument(
        '--swa-start', type=whole(1), metavar='E',
        help='average the weights after epoch E and each later one, and score the average too',
    )
    group.add_argument(
        '--stop-accuracy', type=real(0, 100, above=True), metavar='PERCENT',
        help='end the run after the first epoch whose accuracy while training reaches this',
    )
