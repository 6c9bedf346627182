"""What messages are made of: numbers with their nouns, and names that come near a wrong one."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, in the plural unless there is one: `1 run`, `4,096 examples`, `0.5 epochs`."""
    digits = f'{number:,}' if isinstance(number, numbers.Integral) else f'{number:g}'
    return f'{digits} {noun}{"" if number == 1 else "s"}'


def suggest(word: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Name the nearest known words, by the cutoff of difflib.get_close_matches, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=3, cutoff=cutoff)
    hint = f'did you mean {" or ".join(near)}? ' if near else ''
    return f'{hint}known: {", ".join(names)}'
