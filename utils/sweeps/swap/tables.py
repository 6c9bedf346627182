"""What SWAP leaves in its folder besides the runs of its phases: tables that read like those of one run, and swap.csv.

The rows of results.csv are those of the first phase, then the workers' means; in the last one the validation scores are
those of the average. Time there is the sum over the workers, as one after the other; swap.csv has both sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from bigbatch.training.report import Scores
from utils.runs.columns import COLUMNS, DISTANCE, DISTANCE_COLUMNS, RESULT_COLUMNS, SCORES
from utils.runs.folder import write_rows
from utils.runs.layout import DISTANCES, RESULTS, SWAP_TABLE
from utils.runs.reader import Run

SUMMED = [column.name for column in COLUMNS if column.reduce == 'sum']
# Seconds of the row's own work, then since the start until the row was there: with the workers one after the other, and
# as if they had run side by side on machines of their own.
SWAP_COLUMNS = ('name', 'epoch', 'step', *SCORES, 'seconds', 'seconds_in_turn', 'seconds_side_by_side')


@dataclass(frozen=True)
class Average:
    """The network of the third phase."""

    val: Scores
    weight_distance: float  # from step 0 of the first phase
    seconds: float  # that averaging, statistics and scoring took


def write_tables(folder: Path, phase1: Run, workers: Sequence[Run], average: Average) -> pd.DataFrame:
    """Write results.csv, weight_distance.csv and swap.csv; return the last one. All workers have as many epochs."""
    results = _results(phase1, workers, average)
    _write(folder / RESULTS, RESULT_COLUMNS, results)
    last = results.iloc[-1]
    end = pd.DataFrame([last[list(DISTANCE_COLUMNS)]])
    _write(folder / DISTANCES, DISTANCE_COLUMNS, pd.concat([phase1.distances, end], ignore_index=True))
    table = _swap_table(phase1, workers, average, last)
    _write(folder / SWAP_TABLE, SWAP_COLUMNS, table)
    return table


def phase_seconds(table: pd.DataFrame) -> dict[str, float]:
    """Return the seconds of the phases from swap.csv, the second one in turn and as if side by side."""
    seconds = table.set_index('name')['seconds']
    workers = seconds[seconds.index.str.startswith('worker')]
    return {
        'phase1': seconds['phase1'],
        'phase2_in_turn': workers.sum(),
        'phase2_side_by_side': workers.max(),
        'phase3': seconds['average'],
    }


def _results(phase1: Run, workers: Sequence[Run], average: Average) -> pd.DataFrame:
    columns = list(RESULT_COLUMNS)
    first = phase1.results[columns]
    tables = pd.concat([run.results[columns].assign(row=range(len(run.results))) for run in workers]).groupby('row')
    means = tables.mean()
    means[SUMMED] = tables[SUMMED].sum()
    means[['epoch', 'step']] += first[['epoch', 'step']].iloc[-1]
    means[DISTANCE] = float('nan')  # the workers' own begin where the first phase ends
    last = means.index[-1]
    for name, value in asdict(average.val).items():
        means.loc[last, f'val_{name}'] = value
    means.loc[last, DISTANCE] = average.weight_distance
    means.loc[last, 'epoch_seconds'] += average.seconds
    return pd.concat([first, means], ignore_index=True)


def _swap_table(phase1: Run, workers: Sequence[Run], average: Average, last: pd.Series) -> pd.DataFrame:
    before, done, longest = _seconds(phase1), 0.0, 0.0
    rows = [_row('phase1', phase1.results.iloc[-1], before, before, before)]
    for run in workers:
        seconds = _seconds(run)
        done, longest = done + seconds, max(longest, seconds)
        end = run.results.iloc[-1]
        place = {name: end[name] + phase1.results[name].iloc[-1] for name in ('epoch', 'step')}
        rows.append(_row(run.folder.name, {**end, **place}, seconds, before + done, before + seconds))
    mean = pd.DataFrame([{name: row[name] for name in SCORES} for row in rows[1:]]).mean()
    rows.append(_row('mean', {**last, **mean}, done / len(workers), before + done, before + longest))
    ends = (average.seconds, before + done + average.seconds, before + longest + average.seconds)
    rows.append(_row('average', last, *ends))
    return pd.DataFrame(rows, columns=list(SWAP_COLUMNS))


def _row(name: str, scores: Mapping, seconds: float, in_turn: float, side_by_side: float) -> dict:
    values = {column: scores[column] for column in ('epoch', 'step', *SCORES)}
    times = {'seconds': seconds, 'seconds_in_turn': in_turn, 'seconds_side_by_side': side_by_side}
    return {'name': name, **values, **times}


def _seconds(run: Run) -> float:
    return float(run.results['epoch_seconds'].sum())


def _write(path: Path, columns: Sequence[str], table: pd.DataFrame) -> None:
    whole = table.astype({name: int for name in ('epoch', 'step') if name in columns})
    rows = whole[list(columns)].astype(object).where(whole[list(columns)].notna(), '')
    write_rows(path, [columns, *rows.to_numpy().tolist()])
