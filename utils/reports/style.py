"""How curves look and what axes are called, the same on pages and in figures.

Colours: Okabe and Ito 2008, "Color Universal Design", without their yellow, which is too pale for a line on white.
"""

from collections.abc import Sequence
from typing import Any

COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
DASHES = ('solid', 'dashed', 'dotted', 'dotdash')
SPLIT_DASHES: dict[str, Any] = {'train': 'solid', 'val': 'dashed'}  # as in figure 3 of Keskar et al. 2016
X_LABELS = {'epoch': 'epochs', 'step': 'updates', 'seconds': 'training time (s)'}
LOG_X_FACTOR = 4.0  # longest curve over shortest, from which on a log x axis shows both


def look(row: int, colors: Sequence[str] = COLORS) -> tuple[str, str]:
    """Return colour and dash of a row: another dash each time the colours are used up."""
    return colors[row % len(colors)], DASHES[row // len(colors) % len(DASHES)]
