"""Average the tables of runs into curves, all curves at once: one by one, 500 runs would take a minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.reports.groups import Group
from utils.reports.style import LOG_X_FACTOR
from utils.runs.reader import Run

X_COLUMNS = ('epoch', 'step', 'seconds')
PLACED = [*X_COLUMNS, 'weight_distance']


@dataclass(frozen=True)
class Averages:
    """Mean, sample deviation and number of values over the runs of each curve.

    Three tables of the same rows, in the order of curves, and columns, those of results.csv and `seconds`, the training
    time so far; the index `curve` is the position of the curve.
    """

    mean: pd.DataFrame
    std: pd.DataFrame
    count: pd.DataFrame

    def points(self, column: str) -> pd.DataFrame:
        """Return the points of one column: curve, epoch, step, seconds, mean, std (missing for one run), n."""
        points = self.mean.reindex(columns=list(X_COLUMNS))
        tables = {'mean': self.mean, 'std': self.std, 'n': self.count}  # without a column that no run has yet
        points = points.assign(**{name: table.get(column, np.nan) for name, table in tables.items()})
        return points[points['mean'].notna()].reset_index()


@dataclass(frozen=True, eq=False)
class Curve:
    """The counted runs of a group, or one that diverged; row is the position of the group."""

    row: int
    runs: Sequence[Run]
    diverged: bool = False


def curves_of(groups: Sequence[Group]) -> list[Curve]:
    """Return for each group the mean over its counted runs, then each of its diverged ones."""
    return [
        curve
        for row, group in enumerate(groups)
        for curve in (Curve(row, group.counted), *(Curve(row, [run], diverged=True) for run in group.diverged))
    ]


def average(curves: Sequence[Sequence[Run]]) -> Averages:
    """Average results.csv over the runs of each curve, at the epochs that every run with results has reached."""
    runs = [run for each in curves for run in each]
    return _average(_results(runs), curves, align='epoch')


def average_distances(curves: Sequence[Sequence[Run]]) -> Averages:
    """Average `weight_distance` over the runs of each curve, at the updates that every run has made.

    It comes from weight_distance.csv where every run of a curve has one, else from results.csv.
    """
    runs = [run for each in curves for run in each]
    is_fine = [all(len(run.distances) for run in each) for each in curves for _ in each]
    ends = np.cumsum([len(run.results) for run in runs])
    results = np.split(_results(runs)[PLACED].to_numpy(), ends[:-1])
    tables = [
        _placed(run.distances, known) if fine else pd.DataFrame(known, columns=PLACED)
        for run, known, fine in zip(runs, results, is_fine, strict=True)
    ]
    return _average(_stack(tables), curves, align='step')


def are_far_apart(ends: Sequence[float]) -> bool:
    """Say whether curves that end at these places are of such different lengths that they need a logarithmic x axis."""
    known = pd.Series(ends, dtype=float).dropna()
    return bool(known.max() >= LOG_X_FACTOR * known.min())  # not so where there is none


def thin(curve: np.ndarray, limit: int) -> np.ndarray:
    """Return which points to keep so that no curve has more than `limit`, its first and last point among them.

    Half of what is kept is spaced evenly, half by the logarithm, because a reader may look at either.

    Args:
        curve: (num_points,), the curve of each point, ascending.
        limit: in points.
    """
    _, starts, counts = np.unique(curve, return_index=True, return_counts=True)
    kept = [start + _spread(count, limit) for start, count in zip(starts, counts, strict=True)]
    return np.concatenate(kept) if kept else np.arange(0)


def _spread(count: int, limit: int) -> np.ndarray:
    if count <= limit:
        return np.arange(count)
    even, log = np.linspace(0, count - 1, limit // 2), np.geomspace(1, count, limit - limit // 2) - 1
    return np.unique(np.concatenate([even, log]).round().astype(int))


def _stack(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the tables of runs under each other; the index `run` is the position of the run."""
    rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    owners = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    return rows.set_index(pd.Index(owners, name='run')).replace([np.inf, -np.inf], np.nan)


def _results(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the results of all runs, with `seconds`, the training time so far."""
    rows = _stack([run.results for run in runs])
    return rows.assign(seconds=rows['epoch_seconds'].groupby(level='run').cumsum())


def _placed(distances: pd.DataFrame, results: np.ndarray) -> pd.DataFrame:
    """Return the distances of a run with the epoch and the time of each update, linear within an epoch."""
    known = np.vstack([np.zeros(results.shape[1]), results])
    step = distances['step'].to_numpy()
    epoch, seconds = (
        np.interp(step, known[:, PLACED.index('step')], known[:, PLACED.index(name)], right=np.nan)
        for name in ('epoch', 'seconds')
    )
    columns = {'epoch': epoch, 'step': step, 'seconds': seconds, 'weight_distance': distances['weight_distance']}
    return pd.DataFrame(columns, columns=PLACED)


def _average(rows: pd.DataFrame, curves: Sequence[Sequence[Run]], align: str) -> Averages:
    """Average rows that agree in `align`, of which each run with rows has one."""
    owner = np.repeat(np.arange(len(curves)), [len(runs) for runs in curves])
    num_runs = np.bincount(owner[rows.index.unique()], minlength=len(curves))
    rows = rows[rows[align] > 0]
    groups = rows.groupby([pd.Index(owner[rows.index], name='curve'), rows[align].rename('row')])
    sizes = groups.size()
    whole = sizes.to_numpy() == num_runs[sizes.index.get_level_values('curve')]
    found = (groups.mean(), groups.std(), groups.count())
    return Averages(*(table[whole].reset_index('row', drop=True) for table in found))
