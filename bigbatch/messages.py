"""What messages are made of: numbers with their nouns, and names that come near a wrong one."""

from __future__ import annotations

import difflib
import numbers
import unicodedata
from collections.abc import Iterable, Sequence

MOST_NAMES = 5  # in a list within a message


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, in the plural unless there is one: `1 run`, `4,096 examples`, `0.5 epochs`."""
    digits = f'{number:,}' if isinstance(number, numbers.Integral) else f'{number:g}'
    return f'{digits} {noun}{"" if number == 1 else "s"}'


def enumerate_some(names: Sequence[str], total: int | None = None, *, separator: str = ', ') -> str:
    """Join the first five names and count the rest of them, or of `total`."""
    more = (len(names) if total is None else total) - MOST_NAMES
    return separator.join(names[:MOST_NAMES]) + (f' and {more:,} more' if more > 0 else '')


def suggest(word: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Name the nearest known words, see `nearest`, then all of them."""
    names = sorted(known)
    near = nearest(word, names, num=3, cutoff=cutoff)
    hint = f'did you mean {" or ".join(near)}? ' if near else ''
    return f'{hint}known: {", ".join(names) or "none"}'


def nearest(word: str, names: Iterable[str], *, num: int, cutoff: float) -> list[str]:
    """Return up to `num` names, the nearest first; capitals, hyphens and the like count for nothing.

    A name of the same letters is the only one; else those that begin with the word, else those that have it in them,
    else those whose difflib.SequenceMatcher.ratio with it is at least `cutoff`.
    """
    plain = {name: _letters(name) for name in names}
    sought = _letters(word)
    if same := [name for name in plain if plain[name] == sought]:
        return same[:num]
    for begins in (True, False)[: len(sought)]:  # a letter alone is somewhere in every name
        if longer := [name for name in plain if sought in plain[name][: len(sought) if begins else None]]:
            return sorted(longer, key=lambda name: (len(name), name))[:num]
    ratios = {name: difflib.SequenceMatcher(None, plain[name], sought).ratio() for name in plain}
    return sorted((name for name in plain if ratios[name] >= cutoff), key=lambda name: (-ratios[name], name))[:num]


def _letters(name: str) -> str:
    return ''.join(filter(str.isalnum, unicodedata.normalize('NFKC', name).casefold()))
