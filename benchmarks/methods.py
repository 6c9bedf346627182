"""Measure what each method costs: its training step against the plain one, in turn, so that a slow moment hits both.

    python benchmarks/methods.py
    python benchmarks/methods.py --dataset fake:60000:1x28x28:10 --pairs 10

Workload: mnist_f1 on MNIST, batch 4096, ghosts of 128, or what the flags say. A step is the gradient, clipping and the
update. The limits: 1.15 for SmoothOut with --noise-per step, 1.05 M for M copies, 1.02 for gradient noise; noise per
ghost, of ReLUs and the average of SWA are shown without one. Run it on an idle machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import torch  # noqa: E402

from benchmarks.workload import add_workload_args, build_workload  # noqa: E402
from utils import manifest  # noqa: E402
from utils.averaging import settle  # noqa: E402
from utils.errors import command  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402
from utils.plan import Experiment  # noqa: E402
from utils.trainer import evaluate  # noqa: E402

SMOOTH = ('--ss', '0.01')
# label -> (flags of both sides, flags of the method, the most that the ratio of the steps may be)
METHODS = {
    'SmoothOut per step': ((), (*SMOOTH, '--noise-per', 'step'), 1.15),
    'SmoothOut per step, filters': ((), (*SMOOTH, '--noise-per', 'step', '--adapt-type', 'filter'), 1.15),
    'SmoothOut per ghost': ((), SMOOTH, None),
    'AdaSmoothOut per ghost': ((), (*SMOOTH, '--adapt-type', 'filter'), None),
    'gradient noise': (('--no-lr_bb_fix',), ('--gradient-noise', 'auto'), 1.02),
    'noise of ReLUs': ((), ('--relu_noise', '0.1'), None),
    '2 copies': (('--augment',), ('--duplicates', '2'), 2.1),
    '4 copies': (('--augment',), ('--duplicates', '4'), 4.2),
}


@command
def main(argv: list[str] | None = None) -> int:
    """Run every measurement, print the ratios and return 1 where a limit is broken."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    parser.add_argument('--pairs', type=whole(1), default=15, help='pairs of steps; the median counts')
    parser.add_argument('--methods', nargs='+', choices=(*METHODS, 'SWA'), help='only these')
    flags = parser.parse_args(argv)
    print(f'machine   {manifest.describe_device(torch.device(flags.device))}, {os.cpu_count()} cores')
    print(f'versions  {manifest.describe_versions()}  commit {manifest.describe_code()}')
    print(f'workload  {flags.model} on {flags.dataset}, batch {flags.b}, ghosts of {flags.mb}')
    chosen = flags.methods or (*METHODS, 'SWA')
    kept = [_print_ratio(flags, name, *METHODS[name]) for name in METHODS if name in chosen]
    if 'SWA' in chosen:
        _print_average(flags)
    return int(not all(kept))


def _stepper(experiment: Experiment) -> Callable[[], None]:
    """Return a function that makes one update, always with the first batch, without a look at what came of it."""
    optimizer, batch = experiment.optimizer, next(iter(experiment.data.train.epoch(0)))
    device = experiment.device

    def step() -> None:
        experiment.model.train()
        optimizer.zero_grad()
        experiment.estimator(experiment.model, experiment.criterion, batch, step=0)
        torch.nn.utils.clip_grad_norm_(optimizer.parameters, experiment.config.clip_grad)
        optimizer.step(0)
        if device.type == 'cuda':
            torch.cuda.synchronize(device)

    return step


def _print_ratio(flags, name: str, common: tuple, given: tuple, limit: float | None) -> bool:
    """Print what a method costs and tell whether it keeps its limit."""
    method, plain = _stepper(build_workload(flags, *common, *given)), _stepper(build_workload(flags, *common))
    for _ in range(2):
        method(), plain()
    orders = ((method, plain), (plain, method))  # who goes first changes, in case the first pays for the second
    pairs = []
    for number in range(flags.pairs):
        seconds = {each: _seconds(each) for each in orders[number % 2]}
        pairs.append((seconds[method], seconds[plain]))
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f'{name:28}  {1000 * ours:7.1f} ms, plain {1000 * theirs:7.1f} ms; {_describe(pairs, limit)}', flush=True)
    return limit is None or statistics.median(first / second for first, second in pairs) <= limit


def _print_average(flags) -> None:
    """Print what SWA adds to an epoch of training and scoring: the average, its statistics and its scores."""
    experiment = build_workload(flags, '--swa-start', '1')
    step, data, average = _stepper(experiment), experiment.data, experiment.average

    def add() -> None:
        average.add(experiment.model)
        settle(average.model, experiment.criterion, data.train, data.val)

    def score() -> None:
        evaluate(experiment.model, experiment.criterion, data.val)

    add(), step(), score()
    pairs = []
    for _ in range(min(flags.pairs, 5)):
        epoch = _seconds(step) * experiment.steps_per_epoch + _seconds(score)
        pairs.append((epoch + _seconds(add), epoch))
    added = statistics.median(first - second for first, second in pairs)
    print(f'{"SWA, an epoch":28}  {1000 * added:7.1f} ms more; {_describe(pairs, None)}', flush=True)


def _describe(pairs: list[tuple[float, float]], limit: float | None) -> str:
    ratios = sorted(first / second for first, second in pairs)
    low, high = (ratios[round(q * (len(ratios) - 1))] for q in (0.1, 0.9))
    middle, at_most = statistics.median(ratios), f'; at most {limit:g}' if limit else ''
    return f'ratio {middle:.3f} (10 % to 90 % of {len(pairs)} pairs: {low:.3f} to {high:.3f}{at_most})'


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == '__main__':
    sys.exit(main())
