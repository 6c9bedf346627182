"""Summarise groups of runs in one table, a row a group.

Headline figures are those of the last epoch; the best epoch stands apart, because it is chosen on the split that
it is scored on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from bigbatch.errors import UserError
from bigbatch.messages import suggest
from utils.reports.groups import Group
from utils.reports.style import X_LABELS
from utils.runs.columns import RESULT_COLUMNS
from utils.runs.reader import seedless


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
        val_accuracy_std (percent, last epoch, sample deviation over seeds, missing for n < 2); averaged_val_accuracy,
        averaged_val_accuracy_std (the same of averaged weights, missing without --swa-start); gap (points of
        val_accuracy over the reference, missing for another data set); best_val_accuracy (percent, mean of
        each run's best epoch); train_accuracy; test_accuracy and its _std where runs were scored on a test set;
        updates; seconds (per run); images_per_second (mean over epochs and runs); num_runs and num_diverged of the
        group; is_reference.

    Raises:
        UserError: no group has the label `reference`, nor alone a run of that name.
    """
    labels = [group.label for group in groups]
    summary = pd.DataFrame([_summary_row(group) for group in groups])
    if reference is None:
        sizes = summary['batch_size'].astype(float).where(summary['n'] > 0)
        reference = labels[sizes.fillna(np.inf).argmin()]
    reference = find_reference(groups, reference)
    base = summary['val_accuracy'].iloc[labels.index(reference)]
    dataset = _shared_setting(groups[labels.index(reference)], 'dataset')
    comparable = [_shared_setting(group, 'dataset') == dataset for group in groups]
    gap = (summary['val_accuracy'] - base).where(comparable)
    summary.insert(summary.columns.get_loc('best_val_accuracy'), 'gap', gap)
    whole = ['n', 'batch_size', 'ghost_batch_size', 'updates']
    summary[whole] = summary[whole].astype('Float64').round().astype('Int64')
    return summary.assign(is_reference=[label == reference for label in labels])


def _summary_row(group: Group) -> dict:
    """Return the columns of a group that need no other group."""
    runs = group.counted
    lasts = pd.DataFrame([run.results.iloc[-1] for run in runs], columns=list(RESULT_COLUMNS), dtype=float)
    best = [run.results['val_error1'].min() for run in runs]
    tests = [(run.config.get('test') or {}).get('error1') for run in runs]
    test_accuracy = 100 - pd.Series(tests, dtype=float).dropna()
    averaged = [run.results['averaged_val_error1'].iloc[-1] for run in runs if 'averaged_val_error1' in run.results]
    averaged_accuracy = 100 - pd.Series(averaged, dtype=float).dropna()
    val_accuracy = 100 - lasts['val_error1']
    return {
        'label': group.label,
        'n': len(runs),
        'note': _note(group),
        'batch_size': _shared_setting(group, 'batch_size'),
        'ghost_batch_size': _shared_setting(group, 'ghost_batch_size'),
        'val_accuracy': val_accuracy.mean(),
        'val_accuracy_std': val_accuracy.std(),
        'averaged_val_accuracy': averaged_accuracy.mean(),
        'averaged_val_accuracy_std': averaged_accuracy.std(),
        'best_val_accuracy': 100 - pd.Series(best, dtype=float).mean(),
        'train_accuracy': 100 - lasts['train_error1'].mean(),
        'test_accuracy': test_accuracy.mean(),
        'test_accuracy_std': test_accuracy.std(),
        'updates': lasts['step'].mean(),
        'seconds': pd.Series([run.results['epoch_seconds'].sum() for run in runs], dtype=float).mean(),
        'images_per_second': pd.Series([run.results['images_per_second'].mean() for run in runs], dtype=float).mean(),
        'num_runs': len(group.runs),
        'num_diverged': len(group.diverged),
    }


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
