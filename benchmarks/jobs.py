"""Measure what running several small experiments at a time saves: run_experiments.sh with --jobs against without.

    python benchmarks/jobs.py
    python benchmarks/jobs.py --device cuda --jobs 8 --runs 8 --b 128 --epochs 5

The suite trains mnist_f1 on MNIST with ghosts of 128, or what the flags say, a seed each; both ways in turn, in folders
of their own, start and end of each run included, as someone waits for them. On a GPU the runs share it; on a CPU they
divide the cores.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.machine import spread  # noqa: E402
from benchmarks.report import Figure, add_report_args, open_report  # noqa: E402
from benchmarks.workload import add_speed_args, add_workload_args, command_line, describe_workload  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from utils.command import command  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402


@command
def main(argv: list[str] | None = None) -> int:
    """Run the measurement and print the figure."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    add_speed_args(parser)
    parser.add_argument('--jobs', type=whole(2), help='runs at a time; if not given 4 on a GPU, 2 on a CPU')
    parser.add_argument('--runs', type=whole(1), default=4, help='runs of the suite')
    parser.add_argument('--epochs', type=whole(1), default=2, help='epochs of each run')
    parser.add_argument('--rounds', type=whole(1), default=1, help='of both ways, in turn; the median counts')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    report = open_report('jobs', parser, flags)
    jobs = flags.jobs or (4 if report.device.type == 'cuda' else 2)
    row = f'{flags.runs}_runs_{jobs}_jobs'
    if not report.wants(row, describe_workload(flags, '--epochs', str(flags.epochs))):
        return 0
    pairs = [(_seconds_of_suite(flags, jobs), _seconds_of_suite(flags, 1)) for _ in range(flags.rounds)]
    (ours, *_), (theirs, *_) = (spread(column) for column in zip(*pairs, strict=True))
    ratio, low, high = spread([apart / together for together, apart in pairs])
    report.add(Figure(row, 's', ours, theirs, ratio, low, high, what='times as fast as one after the other'))
    return 0


def _seconds_of_suite(flags: argparse.Namespace, jobs: int) -> float:
    """Run the suite in a new folder and return its seconds.

    Raises:
        UserError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'small_runs.sh'
        words = command_line(flags, '--epochs', str(flags.epochs), '--save', 'run')
        path.write_text(f'# seeds: {flags.runs}\n{shlex.join(("python", *words))}\n', encoding='utf-8')
        call = ['bash', str(PROJECT / 'run_experiments.sh'), str(path), '--jobs', str(jobs), '--results_dir', folder]
        start = time.perf_counter()
        suite = subprocess.Popen(
            call, env={**os.environ, 'PYTHON': sys.executable}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            errors = suite.communicate()[1]
        finally:  # ended by a signal itself, it passes that on: killed, the suite would leave its runs behind
            suite.terminate()
            suite.wait()
        seconds = time.perf_counter() - start
    if suite.returncode:
        lines = [line for line in errors.splitlines() if line.strip()] or ['no word from it']
        raise UserError(f'run_experiments.sh --jobs {jobs} ended with status {suite.returncode}: {lines[-1]}')
    print(f'--jobs {jobs}: {seconds:.1f} s', flush=True)
    return seconds


if __name__ == '__main__':
    sys.exit(main())
