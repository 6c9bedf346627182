"""Words for people: the end of a run in a sentence, and names, which hold few spaces, broken or cut where words end."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

LOSS_OF_A_MINIMUM, TIMES_APART = 0.1, 10  # a loss per example above both, the latter of another network's, is none
SINGLE_QUOTED = re.compile(r"""[^"$`!\\]*'[^"$`!\\]*""")
WORD_END = re.compile(r'(?<=[_/,=])(?=.)|(?<=-)(?=\D)|(?<=\s)(?=\S)')  # not in the midst of 1e-3


def all_epochs_done(number: int) -> str:
    """Say that a run has nothing left to do."""
    return f'all {number:,} epochs are done' if number > 1 else 'its only epoch is done'


def losses_apart(losses: Mapping[str, float]) -> str:
    """Say which of networks that are compared is at no minimum while another is; empty where their losses compare."""
    low, high = min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)
    if losses[high] < LOSS_OF_A_MINIMUM or losses[high] < TIMES_APART * losses[low]:
        return ''
    return (
        f'the loss of {high} is {losses[high]:.3g}, that of {low} {losses[low]:.3g}: the first is at no minimum yet, '
        'so how sharp they are does not compare; train it longer'
    )


def typed(command: Iterable[str]) -> str:
    """Quote words as people do: double quotes around single ones, where the shell reads nothing else in them."""
    return ' '.join(f'"{word}"' if SINGLE_QUOTED.fullmatch(word) else shlex.quote(word) for word in command)


def words(name: str) -> list[str]:
    """Return the parts between which a name may be broken, each with the sign or the spaces that end it."""
    return WORD_END.split(name)


def wrap(name: str, width: int, *, indent: str = '') -> list[str]:
    """Break a name into lines, indented but for the first, within a word only where that alone is longer."""
    lines: list[str] = []
    line = ''
    for word in words(name):
        if line.strip() and len(f'{line}{word}'.rstrip()) > width:
            lines, line = [*lines, line.rstrip()], indent
        while len(f'{line}{word}'.rstrip()) > width:
            room = width - len(line)
            lines, line, word = [*lines, line + word[:room]], indent, word[room:]
        line += word
    return [*lines, line.rstrip()]


def cut(name: str, length: int) -> str:
    """Leave out the middle of a long name, whole words where that leaves at least half of either end."""
    if len(name) <= length:
        return name
    half = length // 2 - 1
    head, tail = name[:half], name[-half:]
    ends = [match.end() for match in WORD_END.finditer(name) if half // 2 <= match.end() <= half]
    starts = [match.end() for match in WORD_END.finditer(name) if half // 2 <= len(name) - match.end() <= half]
    return f'{name[: ends[-1]] if ends else head}..{name[starts[0] :] if starts else tail}'
