"""Heat maps of a page: tables whose cells are coloured by their error, so that they can be read, copied and searched.

Colours: cividis (Nunez, Anderton and Renslow 2018, arXiv 1712.01662), which looks the same to the colour-blind and
gets darker with the error; marks and words say what colour alone would not.
"""

from __future__ import annotations

from bokeh.palettes import Cividis256

from bigbatch.messages import counted
from utils.config.every import label_of
from utils.quantities import plus_minus
from utils.reports.heat_maps import LAST_EPOCHS, HeatMap, explain_ranges, usable_ranges, write_value

NUM_STOPS = 9  # of the scale


def heat_map_values(heat_map: HeatMap) -> dict:
    """Return what the template of a heat map names: its cells, its scale and the table of what is usable."""
    xs, errors = heat_map.values('x'), heat_map.cells['error'].dropna()
    return {
        'title': heat_map.title, 'x_label': label_of(heat_map.x), 'y_label': label_of(heat_map.y),
        'xs': [(write_value(x), x == heat_map.best_x) for x in xs],
        'rows': [(write_value(y), [_cell(heat_map, x, y) for x in xs]) for y in reversed(heat_map.values('y'))],
        'scale': (errors.min(), errors.max()) if len(errors) else None,
        'stops': [color_of(place / (NUM_STOPS - 1))[0] for place in range(NUM_STOPS)],
        'last_epochs': LAST_EPOCHS, 'margin': heat_map.margin, 'shares': heat_map.cells['shares'].any(),
        'ranges': usable_ranges(heat_map), 'explanation': explain_ranges(heat_map),
    }  # fmt: skip


def color_of(shade: float) -> tuple[str, str]:
    """Return the colour of a shade from 0 to 1, light to dark, and that of a text on it."""
    color = Cividis256[round(255 * (1 - shade))]
    red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return color, '#000000' if luminance > 0.18 else '#ffffff'  # whichever has the higher contrast


def _cell(heat_map: HeatMap, x: float, y: float) -> dict:
    """Return how a place looks and what it says; pointing at it gives what is left out."""
    cell = heat_map.at(x, y)
    if cell is None or not (cell['n'] or cell['num_diverged']):
        return {'kind': 'blank'}
    place = f'{label_of(heat_map.x)} {write_value(x)}, {label_of(heat_map.y)} {y:.6g}'
    if not cell['n']:
        diverged = f'{int(cell["num_diverged"])} of {counted(int(cell["num_runs"]), "run")} diverged'
        return {'kind': 'diverged', 'text': 'diverged', 'title': f'{place}: {diverged}'}
    error = plus_minus(cell['error'], cell['std'], '.2f')
    return {
        'kind': 'best usable' if cell['is_best'] else 'usable' if cell['is_usable'] else '',
        'colors': color_of(heat_map.shade(cell['error'])), 'text': f'{cell["error"]:.2f}',
        'small': f'{cell["num_diverged"]}/{cell["num_runs"]} diverged' if cell['num_diverged'] else '',
        'title': f'{place}: {error} % ({counted(int(cell["n"]), "run")})',
    }  # fmt: skip
