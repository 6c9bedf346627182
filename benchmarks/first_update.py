"""Measure the time from a command to its first update, and that of --help.

    python benchmarks/first_update.py
    python benchmarks/first_update.py --model resnet --dataset cifar10_jpg --b 2048 --mb 256 --calls 5

The command trains mnist_f1 on MNIST at a batch of 4096 in ghosts of 128, or what the flags say; its clock runs from the
start of the process until the log shows update 1, when it is ended. The first call warms the file cache and does not
count. As its limit, `import torch` alone is timed in turn. Seconds of the processor are printed besides: on a busy
machine they are what says most. The aim is 6 s on two CPU cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.machine import spread  # noqa: E402
from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.workload import add_speed_args, add_workload_args, command_line, describe_workload  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from utils.command import command  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

SCRIPTS = ('main_normal.py', 'main_gbn.py', 'compare_experiments.py')
FIRST_LINE = 'update 1/'


@command
def main(argv: list[str] | None = None) -> int:
    """Run both measurements and print the figures."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    add_speed_args(parser)
    parser.add_argument('--calls', type=whole(1), default=3, help='of each command; the median counts')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    report = open_report('first_update', parser, flags)
    row = f'{flags.model}_{flags.dataset.partition(":")[0]}'
    if report.wants(row, describe_workload(flags, '--print-freq', '1')):
        report.add(_measure_first_update(row, flags, report))
    if report.wants('help', ', '.join(f'{script} --help' for script in SCRIPTS)):
        seconds = [_run([str(PROJECT / script), '--help'])[0] for script in SCRIPTS * flags.calls]
        middle, low, high = spread(seconds)
        print(f'help: 10 % to 90 % of {len(seconds)} calls {low:.2f} to {high:.2f} s')
        report.add(Figure('help', 's', middle))
    return 0


def _measure_first_update(row: str, flags: argparse.Namespace, report: Report) -> Figure:
    script, *words = command_line(flags, '--print-freq', '1', '--epochs', '1')
    training, importing = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(flags.calls + 1):
            place = ['--results_dir', folder, '--save', f'call{number}']
            training.append(_run([str(PROJECT / script), *words, *place], FIRST_LINE))
            importing.append(_run(['-c', 'import torch'])[0])
    seconds, processor = zip(*training[1:], strict=True)
    middle, low, high = spread(seconds)
    print(
        f'{row}: 10 % to 90 % of {flags.calls} calls {low:.2f} to {high:.2f} s; '
        f'{spread(processor)[0]:.2f} s of the processor'
    )
    limit = spread(importing[1:])[0]
    return Figure(row, 's', middle, limit=limit, limit_of='import torch', share=limit / middle)


def _run(words: Sequence[str], until: str = '') -> tuple[float, float]:
    """Run Python until it ends, or has written a text.

    Returns:
        (seconds, seconds of the processor).

    Raises:
        UserError: it failed, or ended without writing the text.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=PROJECT
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if until and until in line:
            break
    seconds = time.perf_counter() - start
    if until:
        process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    found = any(until in line for line in lines) if until else process.returncode == 0
    if not found:
        raise UserError(f'{words[0]} ended with status {process.returncode}: {(lines or ["no word from it"])[-1]}')
    return (seconds if until else time.perf_counter() - start), usage.ru_utime + usage.ru_stime


if __name__ == '__main__':
    sys.exit(main())
