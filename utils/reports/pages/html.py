"""Fill the templates that lie beside this file, write pages, and put numbers and names into words for them.

A template escapes whatever it is given. Only `breakable` here and `embed` in charts.py hand it markup, their own.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from utils.files import write_atomically
from utils.quantities import duration
from utils.wording import words

RELOAD_SECONDS = 15
LONGEST_WHOLE = 16  # characters without a space that are never broken
TEMPLATES = Path(__file__).resolve().parent / 'templates'


@functools.cache
def templates() -> Environment:
    """Return the templates, style sheet and scripts among them, with the filters that they use."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {'breakable': breakable, 'number': number, 'percent': percent, 'duration': duration}
    made.globals['RELOAD_SECONDS'] = RELOAD_SECONDS
    return made


def write_page(path: Path, template: str, *, reloads: bool = False, **values: object) -> Path:
    """Fill a template and write the page in one move, so that a reader never sees half of it.

    Args:
        path: of the page.
        template: its name, such as 'run.html'.
        reloads: whether the page loads itself again and again.
        values: what the template names, `title` (plain text) and `head` (from embed) among them.
    """
    page = templates().get_template(template).render(values, reloads=reloads, now=datetime.now())
    write_atomically(path, lambda file: file.write(page.encode()))
    return path


def breakable(value: object) -> Markup:
    """Escape a value for HTML; long names in it, which have no spaces, may be broken where their words end."""
    parts = re.split(r'(\s+)', str(value))
    breaks = Markup('<wbr>')
    return Markup('').join(breaks.join(words(part)) if len(part) > LONGEST_WHOLE else escape(part) for part in parts)


def number(value: float | None, digits: int = 4) -> str:
    """Write a number for people: whole ones with thousands apart, others to some significant digits."""
    if value is None or pd.isna(value):
        return '-'
    if float(value).is_integer() and abs(value) < 1e15:
        return f'{int(value):,}'
    return f'{value:,.0f}' if abs(value) >= 10**digits else f'{value:.{digits}g}'


def percent(value: float | None) -> str:
    """Write a percentage with two decimals."""
    return '-' if value is None or pd.isna(value) else f'{value:.2f} %'
