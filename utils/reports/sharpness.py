"""Tables of measured sharpness and Hessians: the columns of their files, and how people read them.

A row of sharpness.csv is one search of the largest loss in the box of metric 2.1 (Keskar et al. 2016, arXiv
1609.04836), a row of hessian.csv one Hessian. Pages and tables are made from these rows alone.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.config.measure import CONDITIONS
from utils.files import write_atomically
from utils.quantities import plus_minus
from utils.rows import RowFile
from utils.text_table import text_table

SETTING = ('digest', *CONDITIONS, 'mode', 'batch_norm', 'batch_size')  # batch_size: empty where it does not count
SOLVER_WORDS = {'CONVERGENCE': 'converged', 'STOP': 'iteration limit'}
WORDS = ('checkpoint', 'data', 'space', 'solver')  # headings of columns that hold no numbers


def summarise_sharpness(rows: Iterable[Mapping]) -> list[dict]:
    """Return one row for the repetitions of each setting: mean, sample deviation (None for one) and largest sharpness.

    max_loss is the largest of them, evaluations and seconds are sums; below_resolution is 1 where no search found a
    loss that can be told from that of the solution.
    """
    groups: dict[tuple, list[Mapping]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in SHARPNESS.key if name != 'repeat'), []).append(row)
    return [_mean(group) for group in groups.values()]


def _mean(rows: Sequence[Mapping]) -> dict:
    values = [row['sharpness'] for row in rows]
    varying = ('repeat', 'start', 'max_loss', 'sharpness', 'evaluations', 'nonfinite', 'status', 'seconds')
    return {name: rows[0][name] for name in SHARPNESS.columns if name not in varying} | {
        'times': len(rows),
        'max_loss': max(row['max_loss'] for row in rows),
        'sharpness': statistics.fmean(values),
        'sharpness_std': statistics.stdev(values) if len(values) > 1 else None,
        'sharpness_max': max(values),
        'below_resolution': int(all(row['max_loss'] - row['loss'] <= row['resolution'] for row in rows)),
        'evaluations': sum(row['evaluations'] for row in rows),
        'nonfinite': sum(row['nonfinite'] for row in rows),
        'status': '; '.join(dict.fromkeys(row['status'] for row in rows)),
        'seconds': sum(row['seconds'] for row in rows),
    }


def sharpness_cells(summaries: Sequence[Mapping]) -> list[dict[str, str]]:
    """Return rows of summarise_sharpness as text for people, by heading."""
    cells = [
        {
            'checkpoint': row['checkpoint'],
            'data': _data(row),
            'space': f'{row["manifolds"]}-dim {row["subspace"]}' if row['manifolds'] else 'full',
            'epsilon': f'{row["epsilon"]:g}',
            'loss': f'{row["loss"]:.4g}',
            'worst loss': f'{row["max_loss"]:.4g}',
            'sharpness': _sharpness(row),
            'largest': f'{row["sharpness_max"]:.4g}' if row['times'] > 1 else '-',
            'searches': str(row['times']),
            'evaluations': str(row['evaluations']) + (f' ({row["nonfinite"]} not finite)' if row['nonfinite'] else ''),
            'solver': ', '.join(dict.fromkeys(_short(text) for text in row['status'].split('; '))),
        }
        for row in summaries
    ]
    if all(row['times'] == 1 for row in summaries):
        cells = [{name: text for name, text in row.items() if name not in ('largest', 'searches')} for row in cells]
    return cells


def _sharpness(row: Mapping) -> str:
    if row['below_resolution']:
        return f'below resolution ({100 * row["resolution"] / (1 + row["loss"]):.1g})'
    return plus_minus(row['sharpness'], row['sharpness_std'], '.4g')


def _short(status: str) -> str:
    first = status.partition(':')[0]
    return SOLVER_WORDS.get(first, first.lower())


def hessian_cells(rows: Iterable[Mapping]) -> list[dict[str, str]]:
    """Return rows of hessian.csv as text for people, by heading."""
    return [
        {
            'checkpoint': row['checkpoint'],
            'data': _data(row),
            'loss': f'{row["loss"]:.4g}',
            'top eigenvalues': ', '.join(f'{float(value):.4g}' for value in str(row['eigenvalues']).split()),
            'trace': plus_minus(row['trace'], row['trace_error'], '.4g'),
            'products': str(row['products']),
        }
        for row in rows
    ]


def _data(row: Mapping) -> str:
    norm = '' if row['batch_norm'] == 'fixed' else ', batch statistics'
    return f'{row["dataset"]} {row["mode"]}, {row["examples"]:,}{norm}'


@dataclass(frozen=True)
class Table:
    """A kind of rows: its file, the columns that tell rows apart, those that are measured, and how it is shown."""

    title: str
    file: str
    key: tuple[str, ...]
    measured: tuple[str, ...]
    note: str
    summarise: Callable[[Iterable[Mapping]], Sequence[Mapping]]
    cells: Callable[[Sequence[Mapping]], list[dict[str, str]]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the file."""
        return ('checkpoint', *self.key, *self.measured)

    def open(self, folder: Path) -> RowFile:
        """Return the rows of a folder; the file need not exist."""
        return RowFile(folder / self.file, self.columns, self.key)

    def line(self, row: Mapping) -> str:
        """Return a row in one line of text."""
        [cells] = self.cells(self.summarise([row]))
        return '  '.join(text if name in WORDS else f'{name} {text}' for name, text in cells.items())


SHARPNESS = Table(
    'Sharpness',
    'sharpness.csv',
    (*SETTING, 'epsilon', 'manifolds', 'subspace', 'max_iterations', 'repeat'),
    (
        'examples', 'start', 'loss', 'max_loss', 'resolution', 'sharpness', 'evaluations', 'nonfinite', 'status',
        'seconds',
    ),
    'Sharpness is 100 (worst loss - loss) / (1 + loss); the worst loss is the largest found in a box around the '
    'weights x, of half-width epsilon (|x| + 1). Deviations are over searches from other starts, in other subspaces.',
    summarise_sharpness,
    sharpness_cells,
)  # fmt: skip
HESSIAN = Table(
    'Hessian',
    'hessian.csv',
    (*SETTING, 'num_eigenvalues', 'trace_samples'),
    ('examples', 'loss', 'eigenvalues', 'trace', 'trace_error', 'products', 'seconds'),
    'Of the mean loss: the largest eigenvalues, and the trace with its standard error.',
    list,
    hessian_cells,
)
TABLES = (SHARPNESS, HESSIAN)


def align(cells: Sequence[Mapping[str, str]]) -> str:
    """Lay cells out as lines of text, words to the left and numbers to the right."""
    headings = list(cells[0])
    return '\n'.join(text_table(headings, [[row[name] for name in headings] for row in cells], left=WORDS))


def write_csv(path: Path, rows: Sequence[Mapping]) -> None:
    """Write rows of the same names as a CSV file, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))
