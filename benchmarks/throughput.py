"""Measure this project's training speed against the published pipeline, in one run on one machine.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --row f1_step
    python benchmarks/throughput.py --row c1 --device cuda --amp bf16 --compile default --channels-last

Rows: f1, mnist_f1 on MNIST, batch 4096, ghosts of 128; c1, cifar10_shallow on CIFAR-10 (JPEG), the same sizes;
resnet44 on CIFAR-10 (JPEG), batch 2048, ghosts of 256; f1_step, one update of f1 with its batch at hand. Both sides
train in turn, without evaluation, for a whole epoch; on a CPU c1 and resnet44 for the first updates of one, which the
output says. The speed of our side is that of the trainer as main_gbn.py uses it. benchmarks/published.py describes the
other side. The limits: matrix products at the best rate of any, and the memory traffic of benchmarks/machine.py.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.bounds import bound_of, flop_per_image, precision_of  # noqa: E402
from benchmarks.machine import seconds_of, spread  # noqa: E402
from benchmarks.published import PublishedRun  # noqa: E402
from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.workload import (  # noqa: E402
    FirstUpdates,
    add_place_args,
    add_speed_args,
    build_workload,
    describe_workload,
    stepper,
    workload_of,
)
from bigbatch.training.trainer import Trainer  # noqa: E402
from utils.command import command  # noqa: E402
from utils.engine.plan import Experiment  # noqa: E402
from utils.engine.speed import describe_speed  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

FLIP = ('--augment', '--flip', '--eval-batch-size', '128')  # which the published pipeline does with digits, too


@dataclass(frozen=True)
class Work:
    """What a row trains; cpu_updates: of an epoch that are measured on a CPU, None: all of them."""

    model: str
    dataset: str
    batch_size: int
    ghost: int
    cpu_updates: int | None = None


ROWS = {
    'f1': Work('mnist_f1', 'mnist', 4096, 128),
    'c1': Work('cifar10_shallow', 'cifar10_jpg', 4096, 128, cpu_updates=2),
    'resnet44': Work('resnet', 'cifar10_jpg', 2048, 256, cpu_updates=1),
    'f1_step': Work('mnist_f1', 'mnist', 4096, 128),
}


@command
def main(argv: list[str] | None = None) -> int:
    """Run every measurement and print the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument('--row', nargs='+', choices=tuple(ROWS), default=['f1', 'f1_step'], help='what is measured')
    parser.add_argument('--dataset', help='data set in place of that of each row')
    parser.add_argument('--b', type=whole(1), help='examples per update in place of those of each row')
    parser.add_argument('--mb', type=whole(1), help='examples per ghost, likewise')
    parser.add_argument('--rounds', type=whole(1), default=3, help='of each side, in turn; the median counts')
    parser.add_argument('--updates', type=whole(1), help='of an epoch; if not given all, on a CPU few')
    parser.add_argument('--pairs', type=whole(1), default=30, help='updates of f1_step; the median counts')
    add_place_args(parser)
    add_speed_args(parser)
    add_report_args(parser)
    flags = parser.parse_args(argv)
    report = open_report('throughput', parser, flags)
    jobs = {row: _workload(flags, ROWS[row]) for row in flags.row}
    wanted = [row for row in flags.row if report.wants(row, describe_workload(jobs[row], *FLIP))]
    for row in wanted:
        measure = _measure_step if row == 'f1_step' else _measure_epoch
        report.add(measure(row, jobs[row], report))
    return 0


def _workload(flags: argparse.Namespace, work: Work) -> argparse.Namespace:
    sizes = {'b': flags.b or work.batch_size, 'mb': flags.mb or work.ghost}
    return workload_of(flags, model=work.model, dataset=flags.dataset or work.dataset, **sizes)


def _measure_epoch(row: str, flags: argparse.Namespace, report: Report) -> Figure:
    """Train with both sides in turn and compare images per second."""
    device = report.device
    num_updates = flags.updates or (ROWS[row].cpu_updates if device.type == 'cpu' else None)
    experiment = build_workload(flags, *FLIP)
    part = f'{num_updates or "all"} updates of an epoch of {experiment.steps_per_epoch}'
    print(f'{row}: {part}; {_speed_of(experiment)}')
    bound, name = bound_of(experiment, report.limits)
    # on a CPU both profit from the memory that build_workload has this process keep
    ours, published = our_side(experiment), PublishedRun(flags, device)
    warm_up, repeats = (1, 1) if device.type == 'cpu' else (5, 5)  # an epoch of f1 takes milliseconds there
    ours(warm_up), published.images_per_second(1)
    pairs = []
    for number in range(1, flags.rounds + 1):
        speed = statistics.median(ours(num_updates) for _ in range(repeats))
        pairs.append((speed, published.images_per_second(num_updates)))
        print(f'round {number}   ours {pairs[-1][0]:,.0f}, published {pairs[-1][1]:,.0f} images/s', flush=True)
    (speed, *_), (theirs, *_) = (spread(column) for column in zip(*pairs, strict=True))
    ratio, low, high = spread([first / second for first, second in pairs])
    return Figure(
        row,
        'images/s',
        speed,
        theirs,
        ratio,
        low,
        high,
        limit=bound,
        limit_of=name,
        share=speed / bound,
        what='times as fast',
    )


def _speed_of(experiment: Experiment) -> str:
    return describe_speed(experiment.config, experiment.model, experiment.device)


def our_side(experiment: Experiment) -> Callable[[int | None], float]:
    """Return a function that trains so many updates of an epoch (None: all) and returns the images per second."""
    trainer = Trainer(
        experiment.model,
        experiment.criterion,
        experiment.optimizer,
        experiment.estimator,
        initial=copy.deepcopy(experiment.model.state_dict()),
        clip_grad=experiment.config.clip_grad,
    )
    few = FirstUpdates(experiment.data.val, 1)

    def train(num_updates: int | None) -> float:
        part = FirstUpdates(experiment.data.train, num_updates)
        return next(trainer.fit(part, few, num_epochs=1)).images_per_second

    return train


def _measure_step(row: str, flags: argparse.Namespace, report: Report) -> Figure:
    """Time an update alone and compare it with its matrix products at the measured rate."""
    experiment = build_workload(flags, *FLIP)
    step = stepper(experiment)
    for _ in range(3):
        step()
    seconds, low, high = spread([seconds_of(step, report.device) for _ in range(flags.pairs)])
    print(f'{row}: 10 % to 90 % of {flags.pairs}: {1e3 * low:.2f} to {1e3 * high:.2f} ms; {_speed_of(experiment)}')
    precision = precision_of(experiment)
    shortest = flop_per_image(experiment) * experiment.config.batch_size / report.limits.products[precision]
    return Figure(
        row, 'ms', 1e3 * seconds, limit=1e3 * shortest, limit_of=f'{precision} products', share=shortest / seconds
    )


if __name__ == '__main__':
    sys.exit(main())
