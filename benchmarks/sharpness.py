"""Measure what a sharpness search costs: time against plain passes over the same data, memory in parameter vectors.

    python benchmarks/sharpness.py
    python benchmarks/sharpness.py --dataset fake:10000:1x28x28:10 --num-examples 10000 --pairs 10

An evaluation of the objective (loss and gradient, float64) is timed in turn with a plain forward and backward pass over
the same batches, so that a slow moment hits both. The solver's time is that of searches on a function whose own is
taken off. Memory is what a search adds at most to the process after a first evaluation, in float64 vectors, a number
a parameter. The limits: 1.15 times the plain pass; 45 vectors, and in a subspace one float32 matrix more.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import data  # noqa: E402
import models  # noqa: E402
import preprocess  # noqa: E402
from benchmarks.machine import spread, time_in_turn  # noqa: E402
from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from bigbatch.analysis.objective import open_objective  # noqa: E402
from bigbatch.analysis.sharpness import epsilon_sharpness  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from utils.command import command, user_errors  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

MAX_RATIO, MAX_VECTORS = 1.15, 45
DIM = 100  # of the subspace


@command
def main(argv: list[str] | None = None) -> int:
    """Run every measurement, print the figures and return 1 where a limit is broken."""
    parser = Parser(description=__doc__)
    parser.add_argument('--model', default='keskar_f1', help='network')
    parser.add_argument('--dataset', default='mnist', help='data set')
    parser.add_argument('--datasets-dir', help='folder of the data sets; $DATASETS_DIR, else ~/Datasets')
    parser.add_argument('--num-examples', type=whole(1), default=10_000, help='of the training set')
    parser.add_argument('--batch-sizes', type=whole(1), nargs='+', default=[100, 1000], help='a measurement each')
    parser.add_argument('--pairs', type=whole(1), default=15, help='pairs of evaluations; the median counts')
    parser.add_argument('--memory', type=whole(0), help='measure a search in a subspace of so many dimensions; 0: full')
    parser.set_defaults(device='cpu')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    if flags.memory is not None:
        return _print_memory(flags, flags.memory)
    report = open_report('sharpness', parser, flags)
    kept = [
        _measure_ratio(report, flags, batch_size)
        for batch_size in flags.batch_sizes
        if report.wants(f'pass_{batch_size}', f'an evaluation and a plain pass over batches of {batch_size}')
    ]
    for dim in (0, DIM):
        space = f'{dim}_dimensions' if dim else 'full_space'
        if report.wants(f'solver_{space}', f'a search of {flags.model} on a function whose own time is taken off'):
            report.add(_measure_solver(f'solver_{space}', flags, dim))
        if report.wants(f'memory_{space}', f'a search of {flags.model} on {flags.dataset}'):
            kept.append(_add_memory(report, f'memory_{space}', dim, argv))
    return int(not all(kept))


def _model(flags, input_shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    with user_errors():
        return models.create_model(flags.model, input_shape=input_shape).eval()


def _loader(flags, batch_size: int):
    with user_errors():
        dataset = data.get_dataset(flags.dataset, 'train', datasets_path=flags.datasets_dir)
    dataset = dataset.subset(list(range(min(flags.num_examples, len(dataset)))))
    return data.build_loader(dataset, preprocess.get_transform(flags.dataset, augment=False), batch_size=batch_size)


def _network_and_data(flags, batch_size: int) -> tuple:
    loader = _loader(flags, batch_size)
    return _model(flags, loader.input_shape), loader


def _measure_ratio(report: Report, flags, batch_size: int) -> bool:
    """Add what an evaluation of the objective costs and tell whether it keeps its limit."""
    (model, loader), criterion = _network_and_data(flags, batch_size), nn.CrossEntropyLoss(reduction='sum')

    def plain() -> None:
        model.zero_grad()
        for batch in loader.epoch(0):
            for inputs, targets, _ in batch:
                criterion(model(inputs), targets).backward()

    with open_objective(model, criterion, loader) as objective:
        x = objective.solution
        objective(x), plain()
        pairs = time_in_turn(lambda: objective(x), plain, flags.pairs, report.device)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio, low, high = spread([first / second for first, second in pairs])
    what = f'times a plain pass, at most {MAX_RATIO}'
    report.add(Figure(f'pass_{batch_size}', 's', ours, theirs, ratio, low, high, what=what))
    return ratio <= MAX_RATIO


def _measure_solver(row: str, flags, dim: int) -> Figure:
    """Time a search on a function of as many variables, less what the function itself takes."""
    model, _ = _network_and_data(flags, flags.batch_sizes[-1])
    num = sum(parameter.numel() for parameter in model.parameters())
    rng = np.random.default_rng(0)
    curvature, centre = rng.normal(size=num), rng.normal(size=num)

    def waves(x: np.ndarray) -> tuple[float, np.ndarray]:
        seconds[0] -= time.perf_counter()
        gradient = curvature * (x - centre)
        gradient[1:] += np.sin(300 * x[:-1])
        value = float(gradient @ (x - centre))
        seconds[0] += time.perf_counter()
        return value, gradient

    seconds = [0.0]
    start = time.perf_counter()
    result = epsilon_sharpness(waves, np.zeros(num), 1e-3, dim)
    solver = time.perf_counter() - start - seconds[0]
    print(f'{row}: {result.num_evaluations} evaluations of {num:,} weights')
    return Figure(row, 's', solver)


def _print_memory(flags, dim: int) -> int:
    """Print the most memory that a search takes, as the system counts it."""
    model, loader = _network_and_data(flags, flags.batch_sizes[-1])
    with open_objective(model, nn.CrossEntropyLoss(reduction='sum'), loader) as objective:
        x = objective.solution
        objective(x)
        Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
        before = _memory_bytes('VmRSS')
        epsilon_sharpness(objective, x, 1e-3, dim)
    print(f'vectors {(_memory_bytes("VmHWM") - before) / (8 * x.size)}')
    return 0


def _add_memory(report: Report, row: str, dim: int, argv: list[str] | None) -> bool:
    """Add the memory of a search, measured in a process of its own, and tell whether it keeps its limit.

    Raises:
        UserError: it failed.
    """
    given, most = sys.argv[1:] if argv is None else argv, MAX_VECTORS + dim / 2  # half: the matrix is float32
    done = subprocess.run(
        [sys.executable, __file__, *given, '--memory', str(dim)], stdout=subprocess.PIPE, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('vectors ')]
    if done.returncode or not lines:
        raise UserError(f'{row}: the process that measures it ended with status {done.returncode}')
    vectors = float(lines[-1].split()[1])
    report.add(Figure(row, 'vectors', vectors, limit=most, limit_of='the most it may be', share=vectors / most))
    return vectors <= most


def _memory_bytes(name: str) -> int:
    """Return the memory of this process as Linux counts it: VmRSS now, VmHWM at most."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == '__main__':
    sys.exit(main())
