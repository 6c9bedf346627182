"""Measure what a suite costs besides its runs: starts, plans, pages; each against seconds that were measured here.

    python benchmarks/warm.py
    python benchmarks/warm.py --calls 1 --runs 4

Rows: `dry_run`, the plans of 40 rows, against importing torch and 2 s; `runs`, 20 runs of one epoch on digits, one at a
time, against what a server takes until it has imported everything and 8 s; `quickstart`, two at a time, against 1.4
times the seconds that its runs themselves take on a core. Its figures are seconds, and the aims are limits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.machine import spread  # noqa: E402
from benchmarks.report import Figure, add_report_args, open_report  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from utils.command import command  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402
from utils.sweeps.warm import PRELOADED  # noqa: E402

ROW = 'python main_gbn.py --dataset digits --model mnist_f1 --b 640 -mb 32 --base-batch-size 32 --epochs 1 --save run{}'
NUM_PLANS, PLAN_SECONDS, RUN_SECONDS, TIMES_OWN = 40, 2.0, 8.0, 1.4
SUITES = PROJECT / 'utils' / 'sweeps' / '__main__.py'


@command
def main(argv: list[str] | None = None) -> int:
    """Run the measurements and print the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument('--calls', type=whole(1), default=3, help='of each command; the median counts')
    parser.add_argument('--runs', type=whole(2), default=20, help='of one epoch')
    parser.add_argument('--quickstart-jobs', type=whole(1), default=2, help='runs at a time')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    flags.device = 'cpu'
    report = open_report('warm', parser, flags)
    if report.wants('dry_run', f'{NUM_PLANS} plans'):
        torch, plans = _medians(
            flags.calls, ['-c', 'import torch'], [str(SUITES), 'SUITE', '--dry-run'], rows=NUM_PLANS
        )
        report.add(_figure('dry_run', plans, torch + PLAN_SECONDS, 'importing torch and 2 s'))
    if report.wants('runs', f'{flags.runs} runs of one epoch'):
        imports = ['-c', ';'.join(f'import {name}' for name in PRELOADED)]
        preload, runs = _medians(flags.calls, imports, [str(SUITES), 'SUITE'], rows=flags.runs)
        aim = preload + RUN_SECONDS * flags.runs / 20
        report.add(_figure('runs', runs, aim, f'importing everything and {RUN_SECONDS * flags.runs / 20:g} s'))
    if report.wants('quickstart', f'quickstart, {flags.quickstart_jobs} at a time'):
        jobs = flags.quickstart_jobs
        with tempfile.TemporaryDirectory() as folder:
            seconds = _seconds([str(SUITES), 'quickstart', '--jobs', str(jobs), '--results_dir', folder], folder)
            own = sum(json.loads(path.read_text())['seconds'] for path in Path(folder).glob('*/*/config.json'))
        report.add(_figure('quickstart', seconds, TIMES_OWN * own / jobs, f'1.4 times the runs on {jobs} cores'))
    return 0


def _figure(row: str, seconds: float, aim: float, words: str) -> Figure:
    return Figure(row, 's', seconds, limit=aim, limit_of=words, share=aim / seconds)


def _medians(calls: int, *commands: list[str], rows: int) -> list[float]:
    """Return the median seconds of commands, called in turn, with a suite of so many rows as SUITE."""
    found: list[list[float]] = []
    for _ in range(calls + 1):  # the first warms the file cache
        with tempfile.TemporaryDirectory() as folder:
            suite = Path(folder) / 'suite.sh'
            suite.write_text('# Rows\n' + ''.join(f'{ROW.format(number)}\n' for number in range(rows)))
            words = [[str(suite) if word == 'SUITE' else word for word in each] for each in commands]
            found.append([_seconds(each, folder) for each in words])
    return [spread(column)[0] for column in zip(*found[1:], strict=True)]


def _seconds(words: list[str], folder: str) -> float:
    environment = {**os.environ, 'PYTHONPATH': str(PROJECT)}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f'{words[0]} ended with status {done.returncode}: {done.stderr.splitlines()[-1:]}')
    return time.perf_counter() - start


if __name__ == '__main__':
    sys.exit(main())
