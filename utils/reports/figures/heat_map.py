"""The figure of a heat map for a paper: one PDF, a column wide, in the colours of utils/reports/pages/heat_map.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from utils.config.every import label_of
from utils.reports.figures.comparison import STYLE, WIDTH, save_figure
from utils.reports.heat_maps import HeatMap, short_text, write_value

COLORS, FRAME = 'cividis_r', '#D55E00'
ROW_HEIGHT = 0.22  # inches
INK_CHANGES = 0.5  # shade from which on a text is white


def write_heat_map_figures(heat_maps: Sequence[HeatMap], folder: Path) -> list[Path]:
    """Write a PDF of each heat map into a folder that exists, and return their paths."""
    paths = []
    with matplotlib.rc_context({**STYLE, 'axes.grid': False}):
        for heat_map in heat_maps:
            name = re.sub(r'\W+', '_', f'heat map {heat_map.x} {heat_map.y} {heat_map.family}').strip('_')
            paths.append(save_figure(_draw(heat_map), folder / f'{name}.pdf'))
    return paths


def _draw(heat_map: HeatMap) -> Figure:
    xs, ys = heat_map.values('x'), heat_map.values('y')
    figure = Figure(figsize=(WIDTH, 0.9 + ROW_HEIGHT * len(ys)))
    figure.set_layout_engine('constrained')
    axes = figure.add_subplot()
    for column, x in enumerate(xs):
        for row, y in enumerate(ys):
            _draw_cell(axes, heat_map, heat_map.at(x, y), (column, row))
    axes.set(xlim=(-0.5, len(xs) - 0.5), ylim=(-0.5, len(ys) - 0.5), xlabel=label_of(heat_map.x))
    axes.set_ylabel(label_of(heat_map.y))
    axes.set_xticks(range(len(xs)), [write_value(x) for x in xs])
    axes.set_yticks(range(len(ys)), [write_value(y) for y in ys])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if heat_map.best_x is not None:
        axes.get_xticklabels()[xs.index(heat_map.best_x)].set(fontweight='bold', color=FRAME)
        _add_scale(figure, axes, heat_map)
    return figure


def _draw_cell(axes: Axes, heat_map: HeatMap, cell: dict | None, place: tuple[int, int]) -> None:
    """Draw a place: coloured by its error, hatched where all runs diverged, nothing where there is none."""
    if cell is None or not (cell['n'] or cell['num_diverged']):
        return
    shade = heat_map.shade(cell['error']) if cell['n'] else None
    style = {'facecolor': 'white', 'hatch': '/////', 'edgecolor': '#c8c8c8'} if shade is None else {
        'facecolor': matplotlib.colormaps[COLORS](shade), 'edgecolor': 'white',
    }  # fmt: skip
    corner = (place[0] - 0.5, place[1] - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, linewidth=0.5, **style))
    if cell['is_usable']:
        inner = (corner[0] + 0.05, corner[1] + 0.05)
        axes.add_patch(Rectangle(inner, 0.9, 0.9, fill=False, edgecolor=FRAME, linewidth=1.0))
    axes.text(
        *place, short_text(cell), ha='center', va='center', fontsize=5, fontweight='bold' if cell['is_best'] else None,
        color='white' if shade is not None and shade > INK_CHANGES else 'black',
    )  # fmt: skip


def _add_scale(figure: Figure, axes: Axes, heat_map: HeatMap) -> None:
    """Add the scale of colours, by the logarithm of 1 + error as HeatMap.shade has it."""
    errors = heat_map.cells['error']
    if errors.min() < errors.max():
        norm = FuncNorm((np.log1p, np.expm1), vmin=errors.min(), vmax=errors.max())
        bar = figure.colorbar(matplotlib.cm.ScalarMappable(norm, COLORS), ax=axes, pad=0.02, aspect=30)
        bar.set_label('error@1 (%)')
        bar.outline.set_visible(False)
