"""Measure how training speeds up with ranks: one batch of a fixed size, cut into as many parts, one thread for each.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --ranks 1 2 --b 1024 --dataset fake:8192:1x28x28:10 --steps 20

Workload: mnist_f1 on MNIST, batch 4096, ghosts of 128, or what the flags say. Efficiency is images per second and
rank over those of the first number of ranks. Bytes are those of the gradients that each rank puts into the sum of an
update. Waiting is what an update takes longer than one without any sum, in turn, so that a slow moment hits both: the
sums themselves and the time until the slowest rank is there. More ranks than cores only show that they wait for a core.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import torch  # noqa: E402

from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.workload import add_workload_args, build_workload, describe_workload, make_update  # noqa: E402
from bigbatch.distributed import from_environment, process_group  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from bigbatch.training.parallel import Parallel  # noqa: E402
from utils.command import command  # noqa: E402
from utils.engine.plan import Experiment  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

WARM_UP = 3  # updates


@command
def main(argv: list[str] | None = None) -> int:
    """Print a line for each number of ranks."""
    parser = Parser(description=__doc__, takes_ranks=True)
    add_workload_args(parser, device='cpu')
    parser.add_argument('--steps', type=whole(1), default=20, help='pairs of updates, with and without the sum')
    parser.add_argument('--ranks', type=whole(1), nargs='+', default=[1, 2, 4], help='numbers of ranks')
    parser.add_argument('--measure', action='store_true', help='be one of the ranks, as this script starts itself')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    if flags.measure:
        return _measure(flags)
    report, first = open_report('scaling', parser, flags), None
    for size in flags.ranks:
        if report.wants(f'{size}_ranks', f'torchrun --nproc-per-node {size} {describe_workload(flags)}'):
            found = _start(size, sys.argv[1:] if argv is None else argv)
            first = first or {**found, 'ranks': size}
            _add(report, flags.b, size, found, first)
    return 0


def _add(report: Report, batch_size: int, size: int, found: dict, first: dict) -> None:
    rate, whole_rate = batch_size / found['seconds'], size / first['ranks'] * batch_size / first['seconds']
    print(f'{size} ranks: {found["bytes"]:,} bytes an update, waiting {found["waiting"]:.1%}')
    efficiency = rate / whole_rate
    report.add(Figure(
        f'{size}_ranks', 'images/s', rate, whole_rate, efficiency, efficiency, efficiency,
        what=f'of {size / first["ranks"]:g} times the first',
    ))  # fmt: skip


def _start(size: int, words: list[str]) -> dict:
    """Measure on so many ranks, in processes of their own."""
    launch = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(size)]
    done = subprocess.run(
        [sys.executable, *launch, __file__, *words, '--measure'], env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith('{')]
    if done.returncode or not lines:
        errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')] or ['no word from it']
        raise UserError(f'{size} ranks: {errors[0]}')
    return json.loads(lines[-1])


def _measure(flags) -> int:
    """Measure as one of the ranks; the first one prints."""
    ranks = from_environment()
    torch.set_num_threads(1)
    experiment = build_workload(flags, ranks=ranks)
    with process_group(ranks, experiment.device):
        parallel = Parallel(experiment.model, ranks)
        pairs = _time_updates(experiment, parallel, flags.steps)
    seconds, without = (statistics.median(column) for column in zip(*pairs, strict=True))
    num = sum(each.numel() * each.element_size() for each in experiment.optimizer.parameters)
    if ranks.is_first:
        waiting = max(0.0, 1 - without / seconds) if ranks.size > 1 else 0.0
        print(json.dumps({'seconds': seconds, 'waiting': waiting, 'bytes': num if ranks.size > 1 else 0}))
    return 0


def _time_updates(experiment: Experiment, parallel: Parallel, num: int) -> list[tuple[float, float]]:
    """Return the seconds of pairs of updates, with the sum over the ranks and without."""
    batch = next(iter(experiment.data.train.epoch(0)))
    experiment.model.train()
    for _ in range(WARM_UP):
        make_update(experiment, batch, parallel)
    pairs = []
    for _ in range(num):
        weights = [parameter.detach().clone() for parameter in experiment.optimizer.parameters]
        alone = parallel.model.no_sync() if parallel.ranks.size > 1 else contextlib.nullcontext()
        together = _seconds(experiment, parallel, batch)
        with alone:
            apart = _seconds(experiment, parallel, batch, is_shared=False)
        with torch.no_grad():  # ranks went apart by that
            torch._foreach_copy_(experiment.optimizer.parameters, weights)
        pairs.append((together, apart))
    return pairs


def _seconds(experiment: Experiment, parallel: Parallel, batch, *, is_shared: bool = True) -> float:
    parallel.any(False)  # all begin at once
    start = time.perf_counter()
    make_update(experiment, batch, parallel, is_shared=is_shared)
    if experiment.device.type == 'cuda':
        torch.cuda.synchronize(experiment.device)
    return time.perf_counter() - start


if __name__ == '__main__':
    sys.exit(main())
