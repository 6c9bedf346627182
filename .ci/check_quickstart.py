"""Fail if the quickstart's table lacks a row or a seed, or if the large batch without repairs is not the worst row."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from utils.reports.groups import group_runs
from utils.reports.summary import summarise
from utils.runs.reader import load_runs

ROWS = ('small_batch', 'large_batch', 'large_batch_lr', 'large_batch_lr_gbn', 'large_batch_lr_gbn_ra')
NUM_SEEDS = 3


def main(folder: str) -> int:
    """Check the runs of a folder and return 0 if the table is whole and in order."""
    runs = load_runs([folder])
    table = summarise(group_runs(runs)).set_index('label')
    problems = [f'no row {row}' for row in ROWS if row not in table.index]
    problems += [f'{run.name} is {run.status}' for run in runs if run.status != 'done']
    problems += [f'{row.Index} has {row.n} seeds' for row in table.itertuples() if row.n < NUM_SEEDS]
    worst = table['val_accuracy'].idxmin()
    if worst != 'large_batch':
        problems.append(f'the worst row is {worst}, not large_batch')
    if not (Path(folder) / 'comparison.html').is_file():
        problems.append('no page')
    print('\n'.join(problems) or 'quickstart: all rows are there, and the large batch without repairs is the worst')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
