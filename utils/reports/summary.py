"""Summarise groups of runs in one table, a row a group."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from bigbatch.errors import UserError
from bigbatch.messages import suggest
from utils.config.every import fields_of
from utils.reports.columns import known_columns
from utils.reports.groups import Group
from utils.reports.style import X_LABELS
from utils.runs.columns import COLUMNS, RESULT_COLUMNS, Column
from utils.runs.reader import Run, seedless
from utils.settings import Means


def check_columns(groups: Iterable[Group], columns: Iterable[str], expected: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the columns to compare; `training X` and `validation X` are read as `train_X` and `val_X`.

    Args:
        expected: columns that are fine without a run that has them, for one may come to.

    Raises:
        UserError: no run has such a column, whose nearest are named, or it is an x axis.
    """
    columns = [re.sub('^validation ', 'val_', re.sub('^training ', 'train_', column)) for column in columns]
    known = {column for group in groups for run in group.runs for column in run.results}.union(expected) - {*X_LABELS}
    for column in columns:
        if column in X_LABELS:
            raise UserError(f'--compare {column}: it is an x axis (--x_axis {column}): {suggest(column, known)}')
        if column not in known:
            raise UserError(f'no column {column!r} in results.csv: {suggest(column, known)}')
    return tuple(dict.fromkeys(columns))


def find_reference(groups: Sequence[Group], name: str) -> str:
    """Return the label of the group that has this label, or the only one with runs of this name.

    Raises:
        UserError: there is none, or several have runs of this name.
    """
    labels = [group.label for group in groups]
    names = [{each for run in group.runs for each in (run.name, seedless(run.name))} for group in groups]
    found = [label for label, inside in zip(labels, names, strict=True) if name in inside]
    if name in labels or len(found) == 1:
        return name if name in labels else found[0]
    if found:
        raise UserError(f'--reference {name}: several rows have such runs: give one of {", ".join(found)}')
    raise UserError(f'no row {name!r} to compare with: {suggest(name, {*labels, *map(seedless, set().union(*names))})}')


def summarise(groups: Sequence[Group], reference: str | None = None) -> pd.DataFrame:
    """Summarise each group in a row.

    Args:
        groups: from group_runs.
        reference: label of the row that gaps are taken from, or the name of a run in it; None: that of the smallest
            batch with results.

    Returns:
        A row a group, columns: label; n (runs in the means); note; batch_size; ghost_batch_size; val_accuracy,
        val_accuracy_std (percent, last epoch, sample deviation over seeds, missing for n < 2); both for each column
        that is the validation error of other weights, whose columns are `attrs['beside']` by these names; gap (points
        of val_accuracy over the reference, missing for another data set); best_val_accuracy (percent, mean of each
        run's best epoch); train_accuracy; test_accuracy and its _std where runs were scored on a test set; updates;
        seconds (per run); images_per_second (mean over epochs and runs); num_runs and num_diverged of the group;
        is_reference.

    Raises:
        UserError: no group has the label `reference`, nor alone a run of that name.
    """
    labels = [group.label for group in groups]
    known = known_columns(run for group in groups for run in group.runs).values()
    beside = {f'{column.prefix}_val_accuracy': column for column in known if column.beside == 'val_error1'}
    summary = pd.DataFrame([_summary_row(group, beside) for group in groups])
    if reference is None:
        sizes = summary['batch_size'].astype(float).where(summary['n'] > 0)
        reference = labels[sizes.fillna(np.inf).argmin()]
    reference = find_reference(groups, reference)
    base = summary['val_accuracy'].iloc[labels.index(reference)]
    dataset = _shared_setting(groups[labels.index(reference)], 'dataset')
    comparable = [_shared_setting(group, 'dataset') == dataset for group in groups]
    gap = (summary['val_accuracy'] - base).where(comparable)
    summary.insert(summary.columns.get_loc('best_val_accuracy'), 'gap', gap)
    whole = ['n', *fields_of(Means.SUMMARY), 'updates']
    summary[whole] = summary[whole].astype('Float64').round().astype('Int64')
    summary['is_reference'] = [label == reference for label in labels]
    summary.attrs['beside'] = beside
    return summary


def _summary_row(group: Group, beside: Mapping[str, Column]) -> dict:
    """Return the columns of a group that need no other group; beside is that of summarise."""
    runs = group.counted
    lasts = pd.DataFrame([run.results.iloc[-1] for run in runs], columns=list(RESULT_COLUMNS), dtype=float)
    best = [run.results['val_error1'].min() for run in runs]
    tests = [(run.config.get('test') or {}).get('error1') for run in runs]
    test_accuracy = 100 - pd.Series(tests, dtype=float).dropna()
    val_accuracy = 100 - lasts['val_error1']
    return {
        'label': group.label,
        'n': len(runs),
        'note': _note(group),
        **{name: _shared_setting(group, name) for name in fields_of(Means.SUMMARY)},
        'val_accuracy': val_accuracy.mean(),
        'val_accuracy_std': val_accuracy.std(),
        **_accuracies_beside(runs, beside),
        'best_val_accuracy': 100 - pd.Series(best, dtype=float).mean(),
        'train_accuracy': 100 - lasts['train_error1'].mean(),
        'test_accuracy': test_accuracy.mean(),
        'test_accuracy_std': test_accuracy.std(),
        **{column.summary: _reduced(runs, column) for column in COLUMNS if column.summary},
        'num_runs': len(group.runs),
        'num_diverged': len(group.diverged),
    }


def _reduced(runs: Sequence[Run], column: Column) -> float:
    """Return the mean over runs of what a column comes to in each."""
    reduce = {'last': lambda values: values.iloc[-1], 'sum': pd.Series.sum, 'mean': pd.Series.mean}[column.reduce]
    return pd.Series([reduce(run.results[column.name]) for run in runs], dtype=float).mean()


def _accuracies_beside(runs: Sequence[Run], beside: Mapping[str, Column]) -> dict[str, float]:
    """Return mean and deviation of the accuracies of other weights than those that were trained."""
    found: dict[str, float] = {}
    for name, column in beside.items():
        errors = [run.results[column.name].iloc[-1] for run in runs if column.name in run.results]
        accuracy = 100 - pd.Series(errors, dtype=float).dropna()
        found |= {name: accuracy.mean(), f'{name}_std': accuracy.std()}
    return found


def _shared_setting(group: Group, name: str) -> object:
    values = {run.settings.get(name) for run in group.runs}
    return values.pop() if len(values) == 1 else None


def _note(group: Group) -> str:
    """Say what a reader of the means must know: runs that are not done, seeds or names that repeat."""
    counts = Counter((run.status, len(run.results) > 0) for run in group.runs)
    left_out = ', left out of the mean' if counts['done', True] else ', at the latest epoch'
    notes = [f'{len(group.diverged)} of {len(group.runs)} diverged'] if group.diverged else []
    for (status, has_rows), count in sorted(counts.items()):
        if status != 'diverged' and not (status == 'done' and has_rows):
            notes.append(f'{count} {status}{left_out if has_rows else ", no finished epoch"}')
    seeds = Counter(run.settings['seed'] for run in group.runs if run.settings.get('seed') is not None)
    names = sorted({seedless(run.name) for run in group.runs})
    if group.mixed:
        notes.append(f'runs differ in {", ".join(group.mixed)}')
        return '; '.join(notes)
    notes += [f'seed {seed} {count} times' for seed, count in seeds.items() if count > 1]
    notes += [f'same settings under the names {", ".join(names)}'] if len(names) > 1 else []
    return '; '.join(notes)
