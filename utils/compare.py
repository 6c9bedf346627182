"""Group runs over their seeds and summarise them in one table.

Headline figures are those of the last epoch; the best epoch stands apart, because it is chosen on the split that
it is scored on.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from utils.errors import UserError, suggest
from utils.layout import RESULT_COLUMNS
from utils.run_files import Run, load_runs

__all__ = [
    'Group', 'Run', 'load_runs', 'group_runs', 'rename_groups', 'check_columns', 'summarise', 'summary_cells',
    'format_table', 'explain', 'mean_curve', 'with_seconds',
]  # fmt: skip

# Settings that say where or how fast something runs, not what is computed.
PLACE_SETTINGS = frozenset({
    'save', 'results_dir', 'datasets_dir', 'download', 'device', 'workers', 'eval_batch_size', 'print_freq', 'save_all',
    'deterministic', 'tensorboard',
})  # fmt: skip
TABLE_WIDTH = 120


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in nothing but their seed."""

    label: str
    runs: tuple[Run, ...]

    @property
    def counted(self) -> tuple[Run, ...]:
        """Return the runs that enter a mean: those that are done, else those that have not diverged."""
        done = tuple(run for run in self.runs if run.status == 'done')
        return done or tuple(run for run in self.runs if run.status != 'diverged')

    @property
    def diverged(self) -> tuple[Run, ...]:
        """Return the runs that diverged."""
        return tuple(run for run in self.runs if run.status == 'diverged')


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Group runs by every setting but the seed and those that name places, in the order of their first runs."""
    members: dict[str, list[Run]] = {}
    for run in runs:
        members.setdefault(_group_key(run), []).append(run)
    groups = [Group(_seedless(group[0].name), tuple(sorted(group, key=_seed_order))) for group in members.values()]
    repeated = {label for label, count in Counter(group.label for group in groups).items() if count > 1}
    for label in repeated:
        same = [index for index, group in enumerate(groups) if group.label == label]
        for index, text in zip(same, _differences([groups[index] for index in same]), strict=True):
            groups[index] = replace(groups[index], label=f'{label} [{text}]')
    return groups


def rename_groups(groups: Sequence[Group], labels: Sequence[str]) -> list[Group]:
    """Return the groups under other labels, one for each and no two the same."""
    if len(labels) != len(groups):
        have = ', '.join(group.label for group in groups)
        raise UserError(f'{len(labels)} legend names for {len(groups)} rows: give one for each of {have}')
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise UserError(f'legend name {twice[0]!r} is given twice: rows need different names')
    return [replace(group, label=label) for group, label in zip(groups, labels, strict=True)]


def check_columns(groups: Iterable[Group], columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns to compare; `training X` and `validation X` are read as `train_X` and `val_X`.

    Raises:
        UserError: no run has such a column; names the nearest.
    """
    columns = [re.sub('^validation ', 'val_', re.sub('^training ', 'train_', column)) for column in columns]
    known = {column for group in groups for run in group.runs for column in run.results}
    for column in columns:
        if column not in known:
            raise UserError(f'no column {column!r} in results.csv: {suggest(column, known - {"epoch", "step"})}')
    return tuple(dict.fromkeys(columns))


def summarise(groups: Sequence[Group], reference: str | None = None) -> pd.DataFrame:
    """Summarise each group in a row.

    Args:
        groups: from group_runs.
        reference: label of the row that gaps are taken from; None: that of the smallest batch, the first of these.

    Returns:
        A row a group, columns: label; n (runs in the means); note; batch_size; ghost_batch_size; val_accuracy,
        val_accuracy_std (percent, last epoch, sample deviation over seeds, missing for n < 2); gap (points of
        val_accuracy over the reference); best_val_accuracy (percent, mean of each run's best epoch);
        train_accuracy; test_accuracy and its _std where runs were scored on a test set; updates; seconds (per run);
        is_reference.

    Raises:
        UserError: no group has the label `reference`.
    """
    labels = [group.label for group in groups]
    summary = pd.DataFrame([_summary_row(group) for group in groups])
    if reference is None:
        reference = labels[summary['batch_size'].astype(float).fillna(np.inf).argmin()]
    if reference not in labels:
        raise UserError(f'no row {reference!r} to compare with: {suggest(str(reference), labels)}')
    base = summary['val_accuracy'].iloc[labels.index(reference)]
    summary.insert(summary.columns.get_loc('best_val_accuracy'), 'gap', summary['val_accuracy'] - base)
    whole = ['n', 'batch_size', 'ghost_batch_size', 'updates']
    summary[whole] = summary[whole].astype('Float64').round().astype('Int64')
    return summary.assign(is_reference=[label == reference for label in labels])


def summary_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the summary as text for people, a column a heading, in the order of reading."""
    rows = summary.to_dict('records')
    cells = {
        'run': [row['label'] for row in rows],
        'batch': [_text(row['batch_size'], '{:d}') for row in rows],
        'ghost': [_text(row['ghost_batch_size'], '{:d}') for row in rows],
        'val acc %': [_mean_text(row, 'val_accuracy') for row in rows],
        'gap': ['ref' if row['is_reference'] else _text(row['gap'], '{:+.2f}') for row in rows],
        'test acc %': [_mean_text(row, 'test_accuracy') for row in rows],
        'train %': [_text(row['train_accuracy'], '{:.2f}') for row in rows],
        'best %': [_text(row['best_val_accuracy'], '{:.2f}') for row in rows],
        'updates': [_text(row['updates'], '{:,d}') for row in rows],
        'seconds': [_text(row['seconds'], '{:,.1f}') for row in rows],
        'note': [row['note'] for row in rows],
    }
    empty = [name for name in ('test acc %', 'note') if not any(text.strip('-') for text in cells[name])]
    return pd.DataFrame(cells, dtype=object).drop(columns=empty)


def explain(summary: pd.DataFrame) -> str:
    """Say in words what the columns of a summary mean."""
    reference = summary.loc[summary['is_reference'], 'label'].iloc[0]
    return (
        'val acc %: last epoch, mean +- sample standard deviation over seeds (runs). '
        f'gap: points from the reference row, {reference}. '
        'best %: best epoch, chosen on the split it is scored on. updates, seconds: of one run.'
    )


def format_table(summary: pd.DataFrame) -> str:
    """Lay a summary out as aligned text of at most 120 columns, notes and the meaning of the columns below it."""
    cells = summary_cells(summary)
    notes = [f'  {row["run"]}: {row["note"]}' for row in cells.to_dict('records') if row.get('note')]
    cells = cells.drop(columns='note', errors='ignore')
    widths = {name: max(len(name), *map(len, cells[name])) for name in cells}
    widths['run'] = min(widths['run'], TABLE_WIDTH - sum(width + 2 for name, width in widths.items() if name != 'run'))
    heading = {name: name for name in cells}
    lines = [_line(row, widths) for row in [heading, *cells.to_dict('records')]]
    lines.insert(1, '-' * len(lines[0]))
    return '\n'.join([*lines, *notes, '', *textwrap.wrap(explain(summary), TABLE_WIDTH)])


def mean_curve(tables: Sequence[pd.DataFrame], column: str, *, align: str, x_axis: str) -> pd.DataFrame:
    """Average one column over the seeds of a group, row by row where `align` is the same.

    Args:
        tables: results (or distances), one a run.
        column: what to average.
        align: 'epoch' for results, 'step' for distances; only rows that every table has are kept.
        x_axis: 'epoch', 'step' or 'seconds' (training time so far, from `epoch_seconds`).

    Returns:
        Columns x (mean over runs), mean, std (sample; missing for a single run), n.
    """
    tables = [with_seconds(table).set_index(align, drop=False) for table in tables if column in table and len(table)]
    if not tables:
        return pd.DataFrame(columns=['x', 'mean', 'std', 'n'], dtype=float)
    values = pd.concat([table[column] for table in tables], axis=1, join='inner')
    values = values.replace([np.inf, -np.inf], np.nan)
    positions = pd.concat([table[x_axis] for table in tables], axis=1, join='inner').mean(axis=1)
    curve = pd.DataFrame({'x': positions, 'mean': values.mean(axis=1), 'std': values.std(axis=1)})
    return curve.assign(n=len(tables)).dropna(subset=['x', 'mean']).reset_index(drop=True)


def with_seconds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with `seconds`, the training time up to each row, if it has `epoch_seconds`."""
    return table.assign(seconds=table['epoch_seconds'].cumsum()) if 'epoch_seconds' in table else table


def _seedless(name: str) -> str:
    return re.sub(r'[_-]seed[_-]?\d+$', '', name, flags=re.IGNORECASE) or name


def _seed_order(run: Run) -> tuple[float, str]:
    seed = run.settings.get('seed')
    return (seed if isinstance(seed, (int, float)) else np.inf), run.name


def _scientific_settings(run: Run) -> dict[str, str]:
    """Return the settings that decide what a run computes, as text; the adapted regime is one of them.

    Names such as `base_seed3` of a checkpoint to start from count as the same for every seed.
    """
    settings = {**run.settings, 'script': run.config.get('script'), 'regime': run.config.get('regime')}
    ignored = PLACE_SETTINGS | {'seed'}
    kept = {name: json.dumps(value) for name, value in settings.items() if name not in ignored and value is not None}
    return {name: re.sub(r'([_-]seed)\d+', r'\1', value) for name, value in kept.items()}


def _group_key(run: Run) -> str:
    return json.dumps(_scientific_settings(run) if run.settings else _seedless(run.name), sort_keys=True)


def _differences(groups: Sequence[Group]) -> list[str]:
    """Tell groups of one name apart by the first settings in which they differ, else by their number."""
    settings = [_scientific_settings(group.runs[0]) for group in groups]
    names = sorted({name for each in settings for name in each if name != 'regime'})
    differ = [name for name in names if len({each.get(name) for each in settings}) > 1][:3]
    texts = [', '.join(f'{name} {each.get(name, "-")}' for name in differ) for each in settings]
    return texts if len(set(texts)) == len(texts) else [f'{number}' for number in range(1, len(groups) + 1)]


def _summary_row(group: Group) -> dict:
    """Return the columns of a group that need no other group."""
    runs, first = group.counted, group.runs[0].settings
    lasts = pd.DataFrame([run.results.iloc[-1] for run in runs], columns=list(RESULT_COLUMNS), dtype=float)
    best = [run.results['val_error1'].min() for run in runs]
    tests = [(run.config.get('test') or {}).get('error1') for run in runs]
    test_accuracy = 100 - pd.Series(tests, dtype=float).dropna()
    val_accuracy = 100 - lasts['val_error1']
    return {
        'label': group.label,
        'n': len(runs),
        'note': _note(group),
        'batch_size': first.get('batch_size'),
        'ghost_batch_size': first.get('ghost_batch_size'),
        'val_accuracy': val_accuracy.mean(),
        'val_accuracy_std': val_accuracy.std(),
        'best_val_accuracy': 100 - pd.Series(best, dtype=float).mean(),
        'train_accuracy': 100 - lasts['train_error1'].mean(),
        'test_accuracy': test_accuracy.mean(),
        'test_accuracy_std': test_accuracy.std(),
        'updates': lasts['step'].mean(),
        'seconds': pd.Series([run.results['epoch_seconds'].sum() for run in runs], dtype=float).mean(),
    }


def _note(group: Group) -> str:
    """Say what a reader of the means must know: runs that are not done, seeds or names that repeat."""
    total, counts = len(group.runs), Counter(run.status for run in group.runs)
    left_out = ', left out of the mean' if counts['done'] else ', at its latest epoch'
    notes = [f'{counts["diverged"]} of {total} diverged'] if counts['diverged'] else []
    notes += [f'{counts[status]} {status}{left_out}' for status in sorted(counts) if status not in ('done', 'diverged')]
    seeds = Counter(run.settings['seed'] for run in group.runs if run.settings.get('seed') is not None)
    notes += [f'seed {seed} {count} times' for seed, count in seeds.items() if count > 1]
    names = sorted({_seedless(run.name) for run in group.runs})
    notes += [f'same settings under the names {", ".join(names)}'] if len(names) > 1 else []
    return '; '.join(notes)


def _text(value: float | None, form: str) -> str:
    return '-' if value is None or pd.isna(value) else form.format(value)


def _mean_text(row: dict, name: str) -> str:
    """Return `98.65 +- 0.30 (3)`, without the deviation for a single run."""
    if name == 'val_accuracy' and not row['n']:
        return 'diverged'
    mean, std = _text(row[name], '{:.2f}'), _text(row[f'{name}_std'], ' +- {:.2f}')
    return mean if mean == '-' else f'{mean}{std.strip("-")} ({row["n"]})'


def _line(row: dict[str, str], widths: dict[str, int]) -> str:
    label = row['run']
    if len(label) > widths['run']:
        tail = widths['run'] // 2  # names of runs differ most at their end
        label = f'{label[: widths["run"] - tail - 2]}..{label[-tail:]}'
    return '  '.join([label.ljust(widths['run']), *(row[name].rjust(widths[name]) for name in row if name != 'run')])
