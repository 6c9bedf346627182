"""The flags of the scripts that draw a network's loss on a line; answers `--help`, so it imports nothing heavy.

Points are the published START:STEP:STOP. As in SmoothOut's published scripts the stop is left out, so that
-1.0:0.1:2.01 has 31 points. Where we differ: sums are decimal, so that 0 and 1 are exact and with them the networks at
the ends; an empty range is refused.
"""

from __future__ import annotations

import argparse
import math
from argparse import BooleanOptionalAction
from decimal import Decimal, InvalidOperation

from utils.config.measure import build_analysis_parser
from utils.parser import Parser, whole

MOST_POINTS = 1000  # each is a pass over the data
SNAP = Decimal('1e-6')  # of a step: nearer to 0 or 1 than this is 0 or 1
MODES = ('linear', 'sin', 'arc')


def build_line_parser(doc: str | None, models: list[str], datasets: list[str], *, prog: str) -> Parser:
    """Build the parser of a line between two checkpoints."""
    parser = build_analysis_parser(doc, models, datasets, prog=prog, batch_size=2048, single=True)
    end = 'the checkpoint at alpha 1; --evaluate is at 0'
    parser.add_argument('-se', '--slave-evaluate', required=True, metavar='CKPT', help=end)
    mode = (
        'linear; sin: slower at the ends and never past them; arc: cos(alpha pi / 2) and sin(alpha pi / 2) times '
        'the ends'
    )
    parser.add_argument('--mode', choices=MODES, default='linear', help=mode)
    bn = (
        'interpolate: on the line like the weights; recompute: measured anew at each point on the training set; '
        'fixed: those at alpha 0; batch: of each batch that is scored'
    )
    _add_grid_args(parser, '-1.0:0.1:2.01', ('interpolate', 'recompute', 'fixed', 'batch'), bn)
    return parser


def build_directions_parser(doc: str | None, models: list[str], datasets: list[str], *, prog: str) -> Parser:
    """Build the parser of random directions around a checkpoint."""
    parser = build_analysis_parser(doc, models, datasets, prog=prog, batch_size=2048, single=True)
    parser.add_argument('--directions', type=whole(1), default=1, metavar='N', help='random directions, from --seed')
    bn = (
        'fixed: those of the checkpoint; recompute: measured anew at each point on the training set; '
        'batch: of each batch that is scored'
    )
    _add_grid_args(parser, '-1:0.1:1.01', ('fixed', 'recompute', 'batch'), bn)
    return parser


def _add_grid_args(parser: Parser, alpha: str, bn: tuple[str, ...], bn_help: str) -> None:
    add, points = parser.add_argument, {'default': alpha, 'metavar': 'START:STEP:STOP'}
    joined = 'points, STOP left out; joined by = where START is negative: --alpha="-0.3:0.02:0.31"'
    add('--alpha', type=alpha_grid, **points, help=joined)
    add('--bn', choices=bn, default=bn[0], help=f'statistics of batch norm: {bn_help}')
    add('--visualize_train', action=BooleanOptionalAction, default=True, help='score the training set too')


def alpha_grid(text: str) -> tuple[float, ...]:
    """Convert START:STEP:STOP, stop excluded, to points in their order, 1 to MOST_POINTS of them; a parser's type."""
    start, step, stop = _numbers(text)
    if step == 0 or (stop - start) * step <= 0:
        raise argparse.ArgumentTypeError(
            f'{text!r} holds no point: from {start} by {step} never comes nearer to {stop}; -1.0:0.1:2.01 has 31 points'
        )
    if (stop - start) / step > MOST_POINTS:
        wider = (stop - start) / MOST_POINTS
        raise argparse.ArgumentTypeError(
            f'{text!r} holds more than {MOST_POINTS} points, each a pass over the data: a step of {wider:.2g} would do'
        )
    count = math.ceil((stop - start) / step)
    return tuple(_snap(start + index * step, step) for index in range(count))


def _numbers(text: str) -> list[Decimal]:
    parts = text.split(':')
    try:
        numbers = [Decimal(part.strip()) for part in parts]
    except InvalidOperation:
        numbers = []
    sane = all(number.is_finite() and -100 < number.adjusted() < 100 for number in numbers)
    if len(numbers) != 3 or not sane:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not START:STEP:STOP, three finite numbers such as -1.0:0.1:2.01 (the stop is left out)'
        )
    return numbers


def _snap(value: Decimal, step: Decimal) -> float:
    for end in (0, 1):
        if abs(value - end) < SNAP * abs(step):
            return float(end)
    return float(value)
