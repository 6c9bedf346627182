"""The frame of a page: style sheet, escaped tables and lists, atomic write.

Whatever comes from a file is escaped here, in `table`, `facts` and `text`; callers pass plain strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from utils.files import write_atomically
from utils.wording import words

RELOAD_SECONDS = 15
LONGEST_WHOLE = 16  # characters without a space that are never broken
TALL_TABLE = 40  # rows; a longer table scrolls in a window of its own
HERE = Path(__file__).resolve().parent  # style sheet and scripts lie beside this file and are written into each page
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{reload}<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
{head}
</head>
<body>
{body}
{scripts}
</body>
</html>
"""


def text(value: object) -> str:
    """Escape a value for HTML, attributes included."""
    return escape(str(value), quote=True)


def breakable(value: object) -> str:
    """Escape a value for HTML; long names in it, which have no spaces, may be broken where their words end."""
    return ''.join(
        '<wbr>'.join(map(text, words(part))) if len(part) > LONGEST_WHOLE else text(part)
        for part in re.split(r'(\s+)', str(value))
    )


def number(value: object, digits: int = 4) -> str:
    """Write a number for people: whole ones with thousands apart, others to some significant digits."""
    if value is None or pd.isna(value):
        return '-'
    if float(value).is_integer() and abs(value) < 1e15:
        return f'{int(value):,}'
    return f'{value:,.0f}' if abs(value) >= 10**digits else f'{value:.{digits}g}'


def percent(value: object) -> str:
    """Write a percentage with two decimals."""
    return '-' if value is None or pd.isna(value) else f'{value:.2f} %'


def cards(facts: Iterable[tuple[str, str]]) -> str:
    """Lay out headline figures, pairs of name and value."""
    items = ''.join(f'<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>' for name, value in facts)
    return f'<dl class="cards">{items}</dl>'


def fact_table(facts: Iterable[tuple[str, object]]) -> str:
    """Lay out pairs of name and value as a table of two columns."""
    rows = ''.join(f'<tr><th scope="row">{text(name)}</th><td>{breakable(value)}</td></tr>' for name, value in facts)
    return f'<table class="facts">{rows}</table>'


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: Sequence[str] = (),
    links: Sequence[str | None] | None = None, sortable: bool = False,
) -> str:  # fmt: skip
    """Lay out rows of text; on a phone each row becomes a card.

    Args:
        headings: one a column.
        rows: the cells of each row.
        left: the headings of columns of words; others hold numbers.
        links: for each row where its first cell leads to, or None.
        sortable: whether a click on a heading sorts the rows.
    """
    kinds = ['' if heading in left else ' class="number"' for heading in headings]
    head = ''.join(_heading(name, kind, sortable) for name, kind in zip(headings, kinds, strict=True))
    rows = list(rows)
    body = []
    for row, link in zip(rows, links or [None] * len(rows), strict=True):
        cells = [breakable(cell) for cell in row]
        if link is not None:
            cells[0] = f'<a href="{text(link)}">{cells[0]}</a>'
        columns = zip(headings, kinds, cells, strict=True)
        body.append(''.join(f'<td data-heading="{text(name)}"{kind}>{cell}</td>' for name, kind, cell in columns))
    style = 'stack sortable' if sortable else 'stack'
    lines = ''.join(f'<tr>{cells}</tr>\n' for cells in body)
    whole = f'<table class="{style}"><thead><tr>{head}</tr></thead><tbody>\n{lines}</tbody></table>'
    attributes = 'class="scroll tall" tabindex="0"' if len(rows) > TALL_TABLE else 'class="scroll"'
    return f'<div {attributes}>{whole}</div>'


def _heading(name: str, kind: str, sortable: bool) -> str:
    if not sortable:
        return f'<th scope="col"{kind}>{text(name)}</th>'
    return f'<th scope="col"{kind} aria-sort="none"><button type="button">{text(name)}</button></th>'


def read_part(name: str) -> str:
    """Return a style sheet or script that lies beside this file."""
    return (HERE / name).read_text(encoding='utf-8')


def write_page(path: Path, *, title: str, body: str, head: str = '', reloads: bool = False) -> Path:
    """Write a page in one move, so that a reader never sees half of it.

    Args:
        path: of the page.
        title: in plain text.
        body: HTML; the scripts that sort its tables, draw its charts and keep a reader's choices follow it.
        head: HTML, the figures among it.
        reloads: whether the page loads itself again every RELOAD_SECONDS.
    """
    reload = f'<meta http-equiv="refresh" content="{RELOAD_SECONDS}">\n' if reloads else ''
    scripts = ''.join(f'<script>\n{read_part(name)}</script>\n' for name in ('page.js', 'charts.js'))
    page = PAGE.format(
        reload=reload, title=text(title), style=read_part('page.css'), head=head, body=body, scripts=scripts
    )
    write_atomically(path, lambda file: file.write(page.encode()))
    return path
