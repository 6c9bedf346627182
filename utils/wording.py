"""Numbers in sentences."""

from __future__ import annotations

import numbers


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, in the plural unless there is one: `1 run`, `4,096 examples`, `0.5 epochs`."""
    digits = f'{number:,}' if isinstance(number, numbers.Integral) else f'{number:g}'
    return f'{digits} {noun}{"" if number == 1 else "s"}'


def all_epochs_done(number: int) -> str:
    """Say that a run has nothing left to do."""
    return f'all {number:,} epochs are done' if number > 1 else 'its only epoch is done'
