"""Write the summary of a comparison as a table: text for a terminal, CSV, Markdown, LaTeX."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from utils.config.every import fields_of
from utils.quantities import plus_minus
from utils.reports.groups import shorten_table
from utils.settings import Means
from utils.text_table import NARROWEST_LABEL, text_table

FORMATS = ('text', 'csv', 'markdown', 'latex')
TABLE_WIDTH = 120  # characters
WORDS = ('run', 'note')  # columns that are no numbers
LATEX = {
    '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '&': r'\&', '%': r'\%', '$': r'\$', '#': r'\#', '_': r'\_',
    '~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '<': r'\textless{}', '>': r'\textgreater{}',
    '|': r'\textbar{}',
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One more table about the rows of a comparison, such as a law that was fitted to their curves."""

    title: str
    values: pd.DataFrame  # a row a group, in their order; numbers, under the names that they have in CSV
    cells: pd.DataFrame  # the same as text for people, a column a heading, the first of them the names of the rows
    explanation: str  # of the columns, in sentences
    runs: pd.DataFrame | None = None  # like cells, a row a run; None where they would say nothing more


def format_summary(
    summary: pd.DataFrame, settings: pd.DataFrame, style: str = 'text', sections: Sequence[Section] = ()
) -> str:
    """Write a summary in one of FORMATS, the settings that differ between its rows first.

    Args:
        summary: from summarise.
        settings: from varying_between, for the same groups; sections: for them, too, in 'csv' more columns.
        style: 'text' of at most 120 columns; 'csv' with all digits and the column names of the summary; 'markdown';
            'latex', a tabular for \\usepackage{booktabs}.
    """
    sizes = list(fields_of(Means.SUMMARY))
    settings = settings.drop(columns=sizes, errors='ignore')
    short = shorten_table(settings)
    if style == 'text':
        return '\n\n'.join([*_settings_text(short), format_table(summary), *map(format_section, sections)])
    if style == 'csv':
        given = settings.replace('-', '').reset_index(drop=True)
        first = ['label', *sizes]
        more = [section.values for section in sections]
        table = pd.concat([summary[first], given, summary.drop(columns=first), *more], axis=1)
        return table.to_csv(index=False, lineterminator='\n').rstrip('\n')
    cells = summary_cells(summary)
    shown = short.rename(columns=lambda name: name.replace('_', ' ')).reset_index(drop=True)
    first = [name for name in ('run', 'batch', 'ghost') if name in cells]
    cells = pd.concat([cells[first], shown, cells.drop(columns=first)], axis=1)
    write = _markdown if style == 'markdown' else _latex
    more = [write(section.cells, {*WORDS, section.cells.columns[0]}) for section in sections]
    return '\n\n'.join([write(cells, {*WORDS, *shown}), *more])


def summary_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the summary as text for people, a column a heading, in the order of reading."""
    rows, beside = summary.to_dict('records'), summary.attrs['beside']
    cells = {
        'run': [row['label'] for row in rows],
        'batch': [_text(row['batch_size'], '{:d}') for row in rows],
        'ghost': [_text(row['ghost_batch_size'], '{:d}') for row in rows],
        'val acc %': [_mean_text(row, 'val_accuracy') for row in rows],
        'gap': ['ref' if row['is_reference'] else _text(row['gap'], '{:+.2f}') for row in rows],
        'test acc %': [_mean_text(row, 'test_accuracy') for row in rows],
        **{f'{column.prefix} %': [_mean_text(row, name) for row in rows] for name, column in beside.items()},
        'train %': [_text(row['train_accuracy'], '{:.2f}') for row in rows],
        'best %': [_text(row['best_val_accuracy'], '{:.2f}') for row in rows],
        'updates': [_text(row['updates'], '{:,d}') for row in rows],
        'seconds': [_text(row['seconds'], '{:,.0f}' if row['seconds'] >= 100 else '{:.1f}') for row in rows],
        'images/s': [_text(row['images_per_second'], '{:,.0f}') for row in rows],
        'note': [row['note'] for row in rows],
    }
    optional = ('ghost', 'test acc %', *(f'{column.prefix} %' for column in beside.values()), 'note')
    empty = [name for name in optional if not any(text.strip('-') for text in cells[name])]
    return pd.DataFrame(cells, dtype=object).drop(columns=empty)


def explain(summary: pd.DataFrame) -> str:
    """Say in words what the columns of a summary mean."""
    reference = summary.loc[summary['is_reference'], 'label'].iloc[0]
    shown = [column for name, column in summary.attrs['beside'].items() if summary[name].notna().any()]
    more = ''.join(f'{column.prefix} %: the same of the {column.weights} ({column.flag}). ' for column in shown)
    return (
        'val acc %: last epoch, mean +- sample standard deviation over seeds (runs). '
        f'gap: points from the reference row, {reference}. '
        f'{more}best %: best epoch, chosen on the split it is scored on. updates, seconds, images/s: of one run.'
    )


def format_table(summary: pd.DataFrame) -> str:
    """Lay a summary out as aligned text of at most 120 columns, notes and the meaning of the columns below it."""
    cells = summary_cells(summary)
    notes = [f'  {row["run"]}: {row["note"]}' for row in cells.to_dict('records') if row.get('note')]
    lines = _aligned(cells.drop(columns='note', errors='ignore'))
    return '\n'.join([*lines, *notes, '', *textwrap.wrap(explain(summary), TABLE_WIDTH)])


def format_section(section: Section) -> str:
    """Lay a section out as aligned text of at most 120 columns, the meaning of its columns below it."""
    return '\n'.join([
        *textwrap.wrap(section.title, TABLE_WIDTH), '', *_aligned(section.cells), '',
        *textwrap.wrap(section.explanation, TABLE_WIDTH),
    ])  # fmt: skip


def _settings_text(settings: pd.DataFrame) -> list[str]:
    """Lay out the settings that differ, as many as fit; nothing where none does."""
    if settings.empty:
        return []
    cells, room = settings.reset_index().rename(columns={'index': 'run'}), TABLE_WIDTH - NARROWEST_LABEL
    widths = [max(map(len, [name, *cells[name]])) + 2 for name in settings]
    fits = sum(sum(widths[: number + 1]) <= room for number in range(len(widths)))
    left_out = list(settings)[max(fits, 1) :]
    note = f'also in {", ".join(left_out)}; --format csv shows them' if left_out else ''
    lines = ['settings that differ:', *_aligned(cells.drop(columns=left_out))]
    return ['\n'.join([*lines, *textwrap.wrap(note, TABLE_WIDTH)])]


def _aligned(cells: pd.DataFrame) -> list[str]:
    return text_table(list(cells), cells.to_numpy().tolist(), width=TABLE_WIDTH)


def _markdown(cells: pd.DataFrame, left: set[str]) -> str:
    """Write a table of GitHub's Markdown."""
    rows = [list(cells), ['---' if name in left else '---:' for name in cells]]
    for row in cells.to_numpy():
        rows.append([re.sub(r'([\\|`*\[\]])', r'\\\1', escape(_one_line(cell), quote=False)) for cell in row])
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def _latex(cells: pd.DataFrame, left: set[str]) -> str:
    """Write a tabular in the manner of booktabs."""
    columns = ''.join('l' if name in left else 'r' for name in cells)
    shown = pd.DataFrame({_tex(name): [_tex_cell(name, text, left) for text in cells[name]] for name in cells})
    table = shown.style.hide(axis='index').to_latex(hrules=True, column_format=columns)
    return f'% needs \\usepackage{{booktabs}}\n{table.rstrip()}'


def _tex_cell(name: str, text: str, left: set[str]) -> str:
    """Write words as they are, in braces where `\\\\` before them would take them for an option; numbers as maths."""
    if name in left:
        return f'{{{_tex(text)}}}' if text[:1] in ('[', '*') else _tex(text)
    if text == '-':
        return '--'
    return _tex(text).replace('+- ', '$\\pm$ ') if '+- ' in text else re.sub(r'^[+-][\d.,]+$', r'$\g<0>$', text)


def _tex(text: str) -> str:
    return ''.join(LATEX.get(character, character) for character in _one_line(text))


def _one_line(text: str) -> str:
    return ' '.join(text.split())


def _text(value: float | None, form: str) -> str:
    return '-' if value is None or pd.isna(value) else form.format(value)


def _mean_text(row: Mapping, name: str) -> str:
    if name == 'val_accuracy' and not row['n']:
        return 'diverged' if row['num_diverged'] else '-'
    return '-' if pd.isna(row[name]) else plus_minus(row[name], row[f'{name}_std'], '.2f', count=row['n'])
