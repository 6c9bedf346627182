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
from utils.reports.pages.html import table, text

NUM_STOPS = 9  # of the scale


def heat_map_html(heat_map: HeatMap) -> str:
    """Lay out a heat map, its scale and the table of what is usable."""
    ranges = usable_ranges(heat_map)
    return '\n'.join([
        f'<figure class="heat"><figcaption>{text(heat_map.title)}</figcaption>', _grid(heat_map), _scale(heat_map),
        '</figure>', f'<p class="soft">{text(_reading(heat_map))}</p>',
        table(list(ranges), ranges.to_numpy().tolist(), left=list(ranges)[:1]),
        f'<p class="soft">{text(explain_ranges(heat_map))}</p>',
    ])  # fmt: skip


def color_of(shade: float) -> tuple[str, str]:
    """Return the colour of a shade from 0 to 1, light to dark, and that of a text on it."""
    color = Cividis256[round(255 * (1 - shade))]
    red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return color, '#000000' if luminance > 0.18 else '#ffffff'  # whichever has the higher contrast


def _grid(heat_map: HeatMap) -> str:
    xs, ys = heat_map.values('x'), heat_map.values('y')
    heads = ''.join(f'<th scope="col"{_best(heat_map, x)}</th>' for x in xs)
    rows = ''.join(
        f'<tr><th scope="row">{text(write_value(y))}</th>{"".join(_cell(heat_map, x, y) for x in xs)}</tr>\n'
        for y in reversed(ys)
    )
    x, y = text(label_of(heat_map.x)), text(label_of(heat_map.y))
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr><th rowspan="2" scope="col">{y}</th>'
        f'<th colspan="{len(xs)}" scope="colgroup">{x}</th></tr><tr>{heads}</tr></thead>'
        f'<tbody>\n{rows}</tbody></table></div>'
    )


def _best(heat_map: HeatMap, x: float) -> str:
    value = text(write_value(x))
    return f' class="best">{value}<small>best</small>' if x == heat_map.best_x else f'>{value}'


def _cell(heat_map: HeatMap, x: float, y: float) -> str:
    """Lay out a place; pointing at it gives what is left out."""
    cell = heat_map.at(x, y)
    if cell is None or not (cell['n'] or cell['num_diverged']):
        return '<td class="blank"></td>'
    place = f'{label_of(heat_map.x)} {write_value(x)}, {label_of(heat_map.y)} {y:.6g}'
    diverged = f'{int(cell["num_diverged"])} of {counted(int(cell["num_runs"]), "run")} diverged'
    if not cell['n']:
        return f'<td class="diverged" title="{text(f"{place}: {diverged}")}">diverged</td>'
    color, ink = color_of(heat_map.shade(cell['error']))
    error = plus_minus(cell['error'], cell['std'], '.2f')
    title = f'{place}: {error} % ({counted(int(cell["n"]), "run")})'
    some = f'<small>{int(cell["num_diverged"])}/{int(cell["num_runs"])} diverged</small>' * bool(cell['num_diverged'])
    kind = ' class="best usable"' if cell['is_best'] else ' class="usable"' if cell['is_usable'] else ''
    return f'<td{kind} style="background:{color};color:{ink}" title="{text(title)}">{cell["error"]:.2f}{some}</td>'


def _scale(heat_map: HeatMap) -> str:
    """Lay out what the colours stand for, between the lowest and the highest error."""
    errors = heat_map.cells['error'].dropna()
    if errors.empty:
        return ''
    stops = ', '.join(color_of(place / (NUM_STOPS - 1))[0] for place in range(NUM_STOPS))
    return (
        f'<p class="scale"><span>{errors.min():.2f} %</span><i style="background:linear-gradient(to right, {stops})">'
        f'</i><span>{errors.max():.2f} %</span></p>'
    )


def _reading(heat_map: HeatMap) -> str:
    shared = ' Where rows share a place, it is the best of them.' if heat_map.cells['shares'].any() else ''
    return (
        f'Error@1 on the validation set (%), median of the last {LAST_EPOCHS} epochs of a run, mean over seeds; '
        f'coloured by the logarithm of 1 + error. Bold and underlined: the lowest of its {label_of(heat_map.x)}. '
        f'Framed: usable, next to that and within {heat_map.margin:g} of it. Hatched: diverged. Blank: not run.{shared}'
    )
