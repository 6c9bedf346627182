"""The frame of a page: style sheet, escaped tables and lists, atomic write.

Whatever comes from a file is escaped here, in `table`, `facts` and `text`; callers pass plain strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from utils.files import write_atomically

RELOAD_SECONDS = 15
STYLE = """
:root { color-scheme: light; --ink: #1c1c1c; --soft: #595959; --line: #d9d9d9; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1280px; padding: 16px; color: var(--ink); background: #fff;
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.15rem; margin: 28px 0 8px; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 6px 0; max-width: 80ch; }
.soft, .unit { color: var(--soft); font-size: .875rem; }
.status { border-left: 6px solid #0072B2; background: #f4f7fa; padding: 8px 12px; margin: 12px 0; max-width: none; }
.status.failed, .status.diverged { border-color: #D55E00; background: #fdf1ea; }
.status.done { border-color: #009E73; background: #eef8f4; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(135px, 1fr)); gap: 8px; margin: 0; }
.cards div { border: 1px solid var(--line); border-radius: 6px; padding: 8px 10px; }
.cards dt { color: var(--soft); font-size: .8125rem; }
.cards dd { margin: 0; font-size: 1.125rem; font-weight: 600; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
table.facts th { font-weight: 400; color: var(--soft); white-space: nowrap; }
pre { white-space: pre-wrap; background: #f5f5f5; border-radius: 6px; padding: 8px 10px; margin: 0;
  font-size: .8125rem; }
summary { cursor: pointer; padding: 6px 0; }
.columns, .charts { display: grid; gap: 20px 28px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
.columns > *, .chart { min-width: 0; }
.chart { margin: 0; }
.chart input { margin: 0 4px 0 0; vertical-align: -1px; }
.chart label { font-size: .8125rem; margin-right: 12px; padding: 4px 0; display: inline-block; cursor: pointer; }
.picks { min-height: 1.75rem; }
.key { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0; padding: 8px 0; position: sticky; top: 0; z-index: 5;
  background: #fffffff2; border-bottom: 1px solid var(--line); max-height: 40vh; overflow-y: auto; }
.key button { display: inline-flex; align-items: center; gap: 8px; font: inherit; font-size: .875rem; text-align: left;
  color: inherit; background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: 6px 10px;
  cursor: pointer; }
.key button[aria-pressed="false"] { opacity: .45; text-decoration: line-through; }
.key svg { flex: none; }
@media (max-width: 700px) {
  body { padding: 10px; }
  .key { max-height: 25vh; }
  table.stack, table.stack tbody, table.stack tr { display: block; }
  table.stack thead { display: none; }
  table.stack tr { border: 1px solid var(--line); border-radius: 6px; margin-bottom: 8px; padding: 6px 10px; }
  table.stack td, table.stack td.number { display: flex; justify-content: space-between; gap: 12px; border: 0;
    padding: 2px 0; white-space: normal; text-align: right; }
  table.stack td:empty { display: none; }
  table.stack td:first-child { font-weight: 600; }
  table.stack td::before { content: attr(data-heading); color: var(--soft); font-weight: 400; text-align: left; }
}
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{reload}<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
{scripts}
</head>
<body>
{body}
</body>
</html>
"""


def text(value: object) -> str:
    """Escape a value for HTML, attributes included."""
    return escape(str(value), quote=True)


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


def duration(seconds: float | None) -> str:
    """Write a time for people, such as `4 min 10 s`."""
    if seconds is None or not 0 <= seconds < float('inf'):
        return '-'
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f'{minutes} min {rest:02d} s'
    return f'{minutes // 60} h {minutes % 60:02d} min'


def cards(facts: Iterable[tuple[str, str]]) -> str:
    """Lay out headline figures, pairs of name and value."""
    items = ''.join(f'<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>' for name, value in facts)
    return f'<dl class="cards">{items}</dl>'


def fact_table(facts: Iterable[tuple[str, object]]) -> str:
    """Lay out pairs of name and value as a table of two columns."""
    rows = ''.join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in facts)
    return f'<table class="facts">{rows}</table>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: Sequence[str] = ()) -> str:
    """Lay out rows of text; on a phone each row becomes a card. Columns named in `left` are words, others numbers."""
    kinds = ['' if heading in left else ' class="number"' for heading in headings]
    head = ''.join(f'<th scope="col"{kind}>{text(name)}</th>' for name, kind in zip(headings, kinds, strict=True))
    body = ''
    for row in rows:
        cells = zip(headings, kinds, row, strict=True)
        body += '<tr>' + ''.join(f'<td data-heading="{text(h)}"{kind}>{text(c)}</td>' for h, kind, c in cells) + '</tr>'
    return f'<table class="stack"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def write_page(path: Path, *, title: str, body: str, scripts: str, reloads: bool = False) -> Path:
    """Write a page in one move, so that a reader never sees half of it."""
    reload = f'<meta http-equiv="refresh" content="{RELOAD_SECONDS}">\n' if reloads else ''
    page = PAGE.format(reload=reload, title=text(title), style=STYLE, scripts=scripts, body=body)
    write_atomically(path, lambda file: file.write(page.encode()))
    return path
