"""Quantities for people: mean and deviation, and how long something takes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

UNITS = ((86400, 'd'), (3600, 'h'), (60, 'min'), (1, 's'))  # in seconds


def plus_minus(mean: float, deviation: float | None, form: str, *, count: int | None = None) -> str:
    """Write mean and deviation: `98.65 +- 0.30 (3)`.

    Args:
        deviation: None or NaN where there is none, as of a single value.
        form: of the mean, '.2f' or the like; the deviation has as many decimals, two significant digits with 'g'.
        count: of the values; None: it is not said.
    """
    has_deviation = deviation is not None and not math.isnan(deviation)
    spread = f' +- {deviation:{".2g" if form.endswith("g") else form}}' if has_deviation else ''
    return f'{mean:{form}}{spread}' + ('' if count is None else f' ({count})')


def spread(values: Sequence[float], form: str, *, has_count: bool = False) -> str:
    """Write mean and sample deviation of values, if wanted their number, as plus_minus does; `-` for none."""
    if not len(values):
        return '-'
    mean, count = statistics.fmean(values), len(values)
    # As a distance, which may be infinite: statistics.stdev fails on a loss that is not finite.
    deviation = math.dist(values, [mean] * count) / math.sqrt(count - 1) if count > 1 else None
    return plus_minus(mean, deviation, form, count=count if has_count else None)


def duration(seconds: float | None) -> str:
    """Write a time: 1.2 s, 2 min 33 s, 5 h 10 min, 3 d 4 h 12 min; `-` where it is not known. Zeros are left out."""
    if seconds is None or not 0 <= seconds < math.inf:
        return '-'
    if round(seconds, 1) < 60:
        return f'{seconds:.1f}'.removesuffix('.0') + ' s'
    smallest = 1 if round(seconds) < 3600 else 60  # seconds say nothing beside hours
    rest, parts = smallest * round(seconds / smallest), []
    for size, unit in UNITS:
        number, rest = divmod(rest, size)
        parts += [f'{number} {unit}'] if number else []
    return ' '.join(parts)
