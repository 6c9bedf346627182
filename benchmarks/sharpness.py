"""Measure what a sharpness search costs: time against plain passes over the same data, memory in parameter vectors.

    python benchmarks/sharpness.py
    python benchmarks/sharpness.py --dataset fake:10000:1x28x28:10 --num-examples 10000 --pairs 10

An evaluation of the objective (loss and gradient, float64) is timed in turn with a plain forward and backward pass over
the same batches, so that a slow moment hits both. The solver's time is that of searches on a function whose own is
taken off. Memory is what a search adds at most to the process after a first evaluation, in float64 vectors, a number
a parameter. The limits: 1.15 times the plain pass; 45 vectors, and in a subspace one float32 matrix more.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import data  # noqa: E402
import models  # noqa: E402
import preprocess  # noqa: E402
from analysis.objective import open_objective  # noqa: E402
from analysis.sharpness import epsilon_sharpness  # noqa: E402
from utils import manifest  # noqa: E402
from utils.errors import command, user_errors  # noqa: E402
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
    flags = parser.parse_args(argv)
    if flags.memory is not None:
        return _print_memory(flags, flags.memory)
    print(f'machine   {manifest.describe_device(torch.device("cpu"))}, {os.cpu_count()} cores')
    print(f'versions  {manifest.describe_versions()}  commit {manifest.describe_code()}')
    ratios = [_print_ratio(flags, batch_size) for batch_size in flags.batch_sizes]
    _print_solver_time(flags)
    statuses = [_measure_memory_apart(dim, argv) for dim in (0, DIM)]
    return int(max(ratios) > MAX_RATIO or any(statuses))


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


def _print_ratio(flags, batch_size: int) -> float:
    (model, loader), criterion = _network_and_data(flags, batch_size), nn.CrossEntropyLoss(reduction='sum')

    def plain() -> None:
        model.zero_grad()
        for batch in loader.epoch(0):
            for inputs, targets, _ in batch:
                criterion(model(inputs), targets).backward()

    with open_objective(model, criterion, loader) as objective:
        x = objective.solution
        objective(x), plain()
        pairs = [(_seconds(lambda: objective(x)), _seconds(plain)) for _ in range(flags.pairs)]
    ratios = sorted(first / second for first, second in pairs)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    low, middle, high = (ratios[int(q * (len(ratios) - 1))] for q in (0.1, 0.5, 0.9))
    print(
        f'pass      batches of {batch_size}: an evaluation {ours:.2f} s, a plain pass {theirs:.2f} s; '
        f'ratio {middle:.3f} (median of {flags.pairs} pairs; 10 % to 90 %: {low:.3f} to {high:.3f}; '
        f'at most {MAX_RATIO})', flush=True,
    )
    return middle


def _print_solver_time(flags) -> None:
    """Time searches on a function of as many variables, less what the function itself takes."""
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

    for dim in (0, DIM):
        seconds = [0.0]
        start = time.perf_counter()
        result = epsilon_sharpness(waves, np.zeros(num), 1e-3, dim)
        solver = time.perf_counter() - start - seconds[0]
        space = f'{dim} dimensions' if dim else 'full space'
        num_evaluations = result.num_evaluations
        print(f'solver    {solver:.1f} s of its own in {space}, {num_evaluations} evaluations of {num:,} weights')


def _print_memory(flags, dim: int) -> int:
    """Print the most memory that a search takes, as the system counts it; run in a process of its own."""
    model, loader = _network_and_data(flags, flags.batch_sizes[-1])
    with open_objective(model, nn.CrossEntropyLoss(reduction='sum'), loader) as objective:
        x = objective.solution
        objective(x)
        Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
        before = _memory_bytes('VmRSS')
        epsilon_sharpness(objective, x, 1e-3, dim)
    vectors, matrix = (_memory_bytes('VmHWM') - before) / (8 * x.size), dim / 2
    extra = f', {matrix:.0f} of them the matrix of {dim} columns' if dim else ''
    print(f'memory    {vectors:.1f} vectors of {x.size:,}{extra} (at most {MAX_VECTORS + matrix:.0f})', flush=True)
    return int(vectors > MAX_VECTORS + matrix)


def _measure_memory_apart(dim: int, argv: list[str] | None) -> int:
    given = sys.argv[1:] if argv is None else argv
    call = [sys.executable, __file__, *given, '--memory', str(dim)]
    return subprocess.run(call, check=False).returncode


def _memory_bytes(name: str) -> int:
    """Return the memory of this process as Linux counts it: VmRSS now, VmHWM at most."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


if __name__ == '__main__':
    sys.exit(main())
