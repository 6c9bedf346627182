"""How the columns of runs are shown: those that every run has, and those that methods have measured."""

from __future__ import annotations

from collections.abc import Iterable

from utils.methods import METHODS
from utils.runs.columns import COLUMNS, Column, measured_columns
from utils.runs.reader import Run


def known_columns(runs: Iterable[Run]) -> dict[str, Column]:
    """Return the columns that runs may have, by name: as their config.json has them, else as they are declared now."""
    declared = [*COLUMNS, *(column for method in METHODS for column in method.COLUMNS)]
    recorded = [column for run in runs for column in measured_columns(run.config)]
    return {column.name: column for column in (*declared, *recorded)}


def columns_beside(runs: Iterable[Run], name: str) -> list[Column]:
    """Return the columns that are the same as another one, of other weights, as far as a run has them."""
    runs = list(runs)
    beside = [column for column in known_columns(runs).values() if column.beside == name]
    return [column for column in beside if any(column.name in run.results for run in runs)]


def describe_column(name: str, runs: Iterable[Run]) -> Column:
    """Return how a column is shown; one that nothing is known of by its name."""
    return known_columns(runs).get(name) or Column(name, name.replace('_', ' '))
