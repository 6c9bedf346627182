"""The figure of a measured line for a paper: one PDF, a column wide, in the style of the other figures.

Loss on a log axis to the left, accuracy to the right, training solid and validation dashed, as in figure 3 of Keskar et
al. 2016 (arXiv 1609.04836) and in the published SmoothOut scripts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from utils.reports.figures.comparison import STYLE, add_legend, draw_mean, new_figure, plain_log_ticks, save_figure
from utils.reports.landscape import FIGURE, SPLIT_NAMES, Landscape, load_landscape
from utils.reports.style import COLORS, SPLIT_DASHES

LOSS, ACCURACY = COLORS[0], COLORS[1]
MARK: dict[str, Any] = {'color': '#808080', 'linewidth': 0.6, 'linestyle': 'dotted'}


def write_landscape_figure(folder: Path) -> Path:
    """Write line.pdf from line.json and line.csv and return its path."""
    with matplotlib.rc_context({**STYLE, 'axes.grid': False}):
        return save_figure(_draw(load_landscape(folder)), folder / FIGURE)


def _draw(landscape: Landscape) -> Figure:
    names = [*(SPLIT_NAMES[split] for split in landscape.splits), *landscape.marks.values()]
    figure, loss = new_figure(names)
    accuracy = loss.twinx()
    accuracy.spines['right'].set_visible(True)
    losses = landscape.rows[[f'{split}_loss' for split in landscape.splits]].to_numpy()
    if (losses[np.isfinite(losses)] > 0).any():
        loss.set_yscale('log')
    for axes, name, label, color in (
        (loss, 'loss', 'loss per example', LOSS),
        (accuracy, 'accuracy', 'accuracy (%)', ACCURACY),
    ):
        for split in landscape.splits:
            points = landscape.average(f'{split}_{name}').replace([np.inf, -np.inf], np.nan)
            draw_mean(axes, points.rename(columns={'alpha': 'x'}), {'color': color, 'linestyle': SPLIT_DASHES[split]})
        axes.set_ylabel(label, color=color)
        axes.tick_params(axis='y', labelcolor=color)
    plain_log_ticks(loss)
    for place, letter in enumerate(landscape.marks):
        _mark(loss, place, letter)
    loss.set_xlabel('alpha')
    handles = [Line2D([], [], color='black', linestyle=SPLIT_DASHES[split]) for split in landscape.splits]
    add_legend(figure, [*handles, *(Line2D([], [], **MARK) for _ in landscape.marks)], names)
    return figure


def _mark(axes: Axes, place: float, letter: str) -> None:
    """Draw a line at a network's place, with its letter beside it where that is in view."""
    low, high = axes.get_xlim()
    if low <= place <= high:
        axes.axvline(place, zorder=0, **MARK)
        axes.annotate(
            letter, (place, 1), xycoords=('data', 'axes fraction'), xytext=(0, 2), textcoords='offset points',
            ha='center', va='bottom', color='#595959',
        )  # fmt: skip
