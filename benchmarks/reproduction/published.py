"""Compare what papers publish, cell by cell, with the runs that answer: mean over seeds, gap, verdict.

The published figures are docs/reproduction/published.csv, the runs docs/reproduction/runs/SUITE/RUN. An accuracy is
reproduced within one point or two sample deviations of ours, whichever is more; a sharpness, which spans decades,
within a factor of two.
"""

from __future__ import annotations

import csv
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigbatch.errors import UserError
from bigbatch.messages import suggest
from utils.reports.groups import Group, group_runs, varying_settings
from utils.reports.sharpness import SHARPNESS
from utils.runs.reader import Run, load_runs, seedless

REPRODUCED, ORDERING, NOT, NOT_RUN = 'reproduced', 'ordering only', 'not', 'not run'
POINTS, FACTOR = 1.0, 2.0  # that still count as the same: of an accuracy in percent, of a sharpness
COLUMNS = (
    'paper', 'table', 'net', 'data', 'quantity', 'cell', 'published', 'deviation', 'epochs', 'certainty', 'row',
)  # fmt: skip
CERTAINTIES = ('verified', 'recalled')
BEST = ', best epoch'
ACCURACIES = {  # quantity -> column of results.csv with the error, in percent
    'validation accuracy': 'val_error1',
    f'validation accuracy{BEST}': 'val_error1',
    'training accuracy': 'train_error1',
}
SHARPNESS_NAME = re.compile(r'sharpness, (full space|(?P<dim>\d+) dimensions), (?P<epsilon>[\d.e-]+)')


@dataclass(frozen=True)
class Cell:
    """A published figure.

    Args:
        paper, table, net, data: where it stands.
        quantity: a key of ACCURACIES, or `sharpness, full space, 1e-3`, `sharpness, 100 dimensions, 1e-3`.
        cell: name of its column in the paper, such as SB.
        text: published and deviation as the paper writes them.
        published: percent, or sharpness (metric 2.1).
        deviation: as published, of the same unit; None: none.
        epochs: that the paper trains for; None: not known.
        certainty: verified: seen in a source; recalled: from memory.
        row: SUITE/ROW that answers it; empty: none.
    """

    paper: str
    table: str
    net: str
    data: str
    quantity: str
    cell: str
    text: str
    published: float
    deviation: float | None
    epochs: int | None
    certainty: str
    row: str

    @property
    def line(self) -> tuple[str, ...]:
        """Return what cells that stand in one line of a table have in common."""
        return self.paper, self.table, self.net, self.data, self.quantity

    @property
    def is_sharpness(self) -> bool:
        """Whether it is a sharpness, not an accuracy."""
        return self.quantity.startswith('sharpness')


@dataclass(frozen=True)
class Measured:
    """What the runs of a row give for a cell.

    Args:
        values: one a run that did not diverge; empty where all did.
        group: the runs.
    """

    values: tuple[float, ...]
    group: Group

    @property
    def mean(self) -> float:
        """Return the mean over runs."""
        return statistics.fmean(self.values)

    @property
    def std(self) -> float:
        """Return the sample deviation over runs; 0 for a single one, about whose spread nothing is known."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0


def read_published(path: Path) -> list[Cell]:
    """Read published.csv.

    Raises:
        UserError: other columns, or a value that is wrong; the line is named.
    """
    return [_parse_cell(row, f'{path}:{number}') for number, row in read_table(path, COLUMNS)]


def read_table(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file that is kept by hand: (number of the line, row), with exactly these columns.

    Raises:
        UserError: the file is missing, or has other columns or a line of another length.
    """
    try:
        with open(path, encoding='utf-8', newline='') as file:
            reader = csv.DictReader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f'{path} is not readable CSV ({error})') from error
    if tuple(reader.fieldnames or ()) != tuple(columns):
        raise UserError(f'{path} has the columns {", ".join(reader.fieldnames or ())}; needed: {", ".join(columns)}')
    for number, row in rows:
        if None in row or None in row.values():
            raise UserError(f'{path}:{number}: a line of {len(columns)} cells is needed: {", ".join(columns)}')
    return rows


def read_rows(runs_folder: Path) -> dict[str, Group]:
    """Return the kept runs by SUITE/ROW, all seeds of a row together.

    Raises:
        UserError: the runs of a row differ in more than their seeds.
    """
    rows = {}
    for suite in sorted(folder for folder in runs_folder.iterdir() if folder.is_dir()):
        members: dict[str, list[Run]] = {}
        for run in load_runs([suite]):
            members.setdefault(seedless(run.folder.name), []).append(run)
        rows |= {f'{suite.name}/{row}': _one_group(runs, suite / row) for row, runs in members.items()}
    return rows


def measure(cell: Cell, rows: Mapping[str, Group]) -> Measured | None:
    """Return what the runs give for a cell; None where its row was not run, or this was not measured on it."""
    group = rows.get(cell.row)
    if group is None:
        return None
    values = [value for run in group.counted if (value := read_quantity(run, cell.quantity)) is not None]
    return Measured(tuple(values), group) if values or not group.counted else None


def read_quantity(run: Run, quantity: str) -> float | None:
    """Return a quantity of a run; None where it was not measured."""
    if quantity in ACCURACIES:
        errors = run.results[ACCURACIES[quantity]]
        return 100 - float(errors.min() if quantity.endswith(BEST) else errors.iloc[-1])
    values = [row['sharpness'] for row in _sharpness_rows(run, quantity)]
    return statistics.fmean(values) if values else None


def sharpness_flags(run: Run, quantity: str) -> list[str]:
    """Return the flags of measure_sharpness.py that a sharpness of a run was measured with."""
    flags = {'--bn': 'batch', '--epsilon': SHARPNESS_NAME.fullmatch(quantity)['epsilon']}
    for row in _sharpness_rows(run, quantity)[:1]:
        given = {'--manifolds': row['manifolds'], '--num-examples': row['num_examples']}
        flags |= {name: str(value) for name, value in given.items() if value}
    return [word for flag in flags.items() for word in flag]


def _sharpness_rows(run: Run, quantity: str) -> list[dict]:
    """Return the searches of a sharpness, by batch statistics, as in Keskar's layers."""
    match = SHARPNESS_NAME.fullmatch(quantity)
    asked = int(match['dim'] or 0), float(match['epsilon']), 'batch'
    rows = SHARPNESS.open(run.folder).rows()
    return [row for row in rows if (row['manifolds'], row['epsilon'], row['batch_norm']) == asked]


def judge(cell: Cell, ours: Measured | None, others: Iterable[tuple[Cell, Measured | None]]) -> str:
    """Return the verdict on a cell.

    Args:
        cell: the published figure.
        ours: what answers it.
        others: the other cells of the same line, with what answers them.

    Returns:
        REPRODUCED where ours is the published figure, see `is_same`. ORDERING where it is not, but differs from the
        other measured cells of the line in the published direction: from one of them by two standard errors at least,
        and from none in the other direction by more than two deviations of either cell. Else NOT; NOT_RUN without a
        run.
    """
    if ours is None:
        return NOT_RUN
    if not ours.values:
        return NOT
    if is_same(cell, ours):
        return REPRODUCED
    signs = [_agreement(cell, ours, other, theirs) for other, theirs in others if theirs is not None and theirs.values]
    return ORDERING if 1 in signs and -1 not in signs else NOT


def is_same(cell: Cell, ours: Measured) -> bool:
    """Say whether ours is the published figure within POINTS or two deviations of ours, a sharpness within FACTOR."""
    if cell.is_sharpness:
        return max(ours.mean, cell.published) <= FACTOR * min(ours.mean, cell.published)
    return abs(ours.mean - cell.published) <= max(POINTS, 2 * ours.std) + 1e-9  # the published has two decimals


def _agreement(cell: Cell, ours: Measured, other: Cell, theirs: Measured) -> int:
    """Return 1 where two cells differ in the published direction, -1 where in the other one, 0 if it cannot be told."""
    published, measured = cell.published - other.published, ours.mean - theirs.mean
    if published * measured > 0:
        error = math.hypot(*(each.std / math.sqrt(len(each.values)) for each in (ours, theirs)))
        return int(abs(measured) >= 2 * error)
    is_noise = abs(published) <= 2 * max(cell.deviation or 0, other.deviation or 0)
    return 0 if is_noise or abs(measured) <= 2 * max(ours.std, theirs.std) else -1


def _one_group(runs: Sequence[Run], row: Path) -> Group:
    groups = group_runs(runs)
    if len(groups) > 1:
        names = [name for name in varying_settings(runs) if name != 'seed']
        raise UserError(f'{row}: its runs differ in {", ".join(names[:5])}: runs of a row differ in the seed alone')
    return groups[0]


def _parse_cell(row: Mapping[str, str], place: str) -> Cell:
    numbers = {'published': float, 'deviation': float, 'epochs': int}
    values: dict[str, object] = dict(row)
    for name, kind in numbers.items():
        try:
            values[name] = kind(row[name]) if row[name] or name == 'published' else None
        except ValueError:
            kinds = {float: 'a number', int: 'a whole number'}
            raise UserError(f'{place}: {name} {row[name]!r} is not {kinds[kind]}') from None
    if row['quantity'] not in ACCURACIES and not SHARPNESS_NAME.fullmatch(row['quantity']):
        known = [*ACCURACIES, 'sharpness, full space, 1e-3', 'sharpness, 100 dimensions, 1e-3']
        raise UserError(f'{place}: unknown quantity {row["quantity"]!r}: {suggest(row["quantity"], known)}')
    if row['certainty'] not in CERTAINTIES:
        raise UserError(f'{place}: certainty {row["certainty"]!r}: one of {", ".join(CERTAINTIES)} is needed')
    if row['row'] and not re.fullmatch(r'[^/]+/[^/]+', row['row']):
        raise UserError(f'{place}: row {row["row"]!r} is not SUITE/ROW, such as reproduction_f1/lb_keep')
    text = row['published'] + (f' +- {row["deviation"]}' if row['deviation'] else '')
    return Cell(**values, text=text)
