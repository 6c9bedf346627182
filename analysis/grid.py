"""The points of a line through weight space, from the published START:STEP:STOP.

As in SmoothOut's published scripts the stop is left out, so that -1.0:0.1:2.01 has 31 points. Where we differ: sums are
decimal, so that 0 and 1 are exact and with them the networks at the ends; an empty range is refused. Imports nothing
heavy, for it answers to a parser.
"""

from __future__ import annotations

import argparse
import math
from decimal import Decimal, InvalidOperation

MOST_POINTS = 1000  # each is a pass over the data
SNAP = Decimal('1e-6')  # of a step: nearer to 0 or 1 than this is 0 or 1


def alpha_grid(text: str) -> tuple[float, ...]:
    """Convert START:STEP:STOP, stop excluded, to the points in their order; a parser's type.

    Raises:
        argparse.ArgumentTypeError: it is malformed, empty or too long, in one line.
    """
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
