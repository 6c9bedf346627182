"""Measure training beside other programs: images per second idle and beside processes that never rest, in turn.

    python benchmarks/busy.py
    python benchmarks/busy.py --dataset digits --model mnist_f1 --b 64 --mb 32 --beside 8
    GOMP_SPINCOUNT=1000 OMP_NUM_THREADS=2 python benchmarks/busy.py

Without flags four workloads are measured: mnist_f1 on digits at batches of 32, 64 and 640, and on MNIST at 4096. Each
is held against a thread a core that waits as long as OpenMP has it by default. Of the cores, a program that has as many
threads as there are cores is due its share beside the others; `share` says how much of that it gets.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.machine import spread  # noqa: E402
from benchmarks.report import Figure, add_report_args, open_report  # noqa: E402
from benchmarks.workload import add_workload_args, build_workload, describe_workload, stepper, workload_of  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from utils.command import command, spin_settings  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

WORKLOADS = {
    'digits_32': {'dataset': 'digits', 'b': 32, 'mb': 32}, 'digits_64': {'dataset': 'digits', 'b': 64, 'mb': 32},
    'digits_640': {'dataset': 'digits', 'b': 640, 'mb': 32}, 'mnist_4096': {'dataset': 'mnist', 'b': 4096, 'mb': 128},
}  # fmt: skip
WARM_UP = 3  # updates


@command
def main(argv: list[str] | None = None) -> int:
    """Run the measurement and print the figures."""
    parser = Parser(description=__doc__)
    add_workload_args(parser, device='cpu')
    parser.add_argument('--beside', type=whole(1), default=4, help='processes that never rest')
    parser.add_argument('--seconds', type=whole(1), default=3, help='of each measurement')
    parser.add_argument('--rounds', type=whole(1), default=3, help='of all four measurements, in turn')
    parser.add_argument('--measure', action='store_true', help='be the program that is measured, as this starts itself')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    if flags.measure:
        return _measure(flags)
    asked = any(getattr(flags, name) != parser.get_default(name) for name in ('model', 'dataset', 'b', 'mb'))
    report = open_report('busy', parser, flags)
    rows = {f'{flags.model}_{flags.b}': flags} if asked else {
        row: workload_of(flags, **settings) for row, settings in WORKLOADS.items()
    }  # fmt: skip
    for row, workload in rows.items():
        if report.wants(row, describe_workload(workload)):
            for figure in _figures(row, workload):
                report.add(figure)
    return 0


def _figures(row: str, flags) -> Iterator[Figure]:
    """Measure a workload four ways, in turn."""
    cores = os.cpu_count() or 1
    ours = {**spin_settings(os.environ), **os.environ}
    theirs = {**os.environ, 'OMP_NUM_THREADS': str(cores), 'GOMP_SPINCOUNT': '300000'}  # what there is without us
    rounds = []
    for _ in range(flags.rounds):
        idle = _rate(flags, ours), _rate(flags, theirs)
        with _others(flags.beside):
            rounds.append((*idle, _rate(flags, ours), _rate(flags, theirs)))
    our_idle, their_idle, our_busy, their_busy = (spread(column)[0] for column in zip(*rounds, strict=True))
    due = our_idle * cores / (cores + flags.beside)
    yield Figure(
        f'{row}_idle', 'images/s', our_idle, their_idle, *spread([a / b for a, b, _, _ in rounds]),
        what='of a thread a core',
    )  # fmt: skip
    yield Figure(
        f'{row}_beside_{flags.beside}', 'images/s', our_busy, their_busy, *spread([a / b for _, _, a, b in rounds]),
        limit=due, limit_of='its share of the cores', share=our_busy / due, what='times a thread a core',
    )  # fmt: skip


@contextlib.contextmanager
def _others(number: int) -> Iterator[None]:
    """Keep the machine busy."""
    processes = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _rate(flags, environment: dict[str, str]) -> float:
    """Return the images per second of a process of its own."""
    words = ['--model', flags.model, '--dataset', flags.dataset, '--b', str(flags.b), '--mb', str(flags.mb)]
    words += ['--datasets-dir', flags.datasets_dir] if flags.datasets_dir else []
    done = subprocess.run(
        [sys.executable, __file__, *words, '--seconds', str(flags.seconds), '--measure'], env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith('{')]
    if done.returncode or not lines:
        raise UserError(f'{__file__}: {(done.stderr.splitlines() or ["no word from it"])[-1]}')
    return json.loads(lines[-1])['rate']


def _measure(flags) -> int:
    step = stepper(build_workload(flags))
    for _ in range(WARM_UP):
        step()
    start, num_steps = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < flags.seconds:
        step()
        num_steps += 1
    print(json.dumps({'rate': num_steps * flags.b / seconds}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
