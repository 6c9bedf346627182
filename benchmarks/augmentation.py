"""Measure how much of a step goes into gathering and augmenting its batch.

    python benchmarks/augmentation.py
    python benchmarks/augmentation.py --model resnet --b 2048 --mb 256 --device cuda

By default cifar10_shallow on CIFAR-10 (JPEG), batch 4096, ghosts of 128. The row gathers and augments the batches of an
epoch and nothing else, then trains with them, in turn; the share is time over time, as if neither ran beside the other.
The aims are 5 % of a ResNet-44 step on a GPU and 10 % of a step of cifar10_shallow on two CPU cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.machine import seconds_of, spread  # noqa: E402
from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.workload import (  # noqa: E402
    FirstUpdates,
    add_speed_args,
    add_workload_args,
    build_workload,
    describe_workload,
    stepper,
)
from utils.command import command  # noqa: E402
from utils.engine.plan import Experiment  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402


@command
def main(argv: list[str] | None = None) -> int:
    """Run the measurement and print the figure."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    add_speed_args(parser)
    parser.set_defaults(model='cifar10_shallow', dataset='cifar10_jpg')
    parser.add_argument('--rounds', type=whole(1), default=3, help='of both, in turn; the median counts')
    parser.add_argument('--updates', type=whole(1), help='of an epoch in a round; if not given 20 on a GPU, 2 on a CPU')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    report = open_report('augmentation', parser, flags)
    row = f'{flags.model}_{flags.b}'
    if report.wants(row, describe_workload(flags, '--augment')):
        num_updates = flags.updates or (20 if report.device.type == 'cuda' else 2)
        report.add(_measure(row, build_workload(flags, '--augment'), num_updates, flags.rounds, report=report))
    return 0


def _measure(row: str, experiment: Experiment, num_updates: int, num_rounds: int, *, report: Report) -> Figure:
    """Time the batches of the first updates of an epoch alone, and as many updates with one of them at hand."""
    part, step = FirstUpdates(experiment.data.train, num_updates), stepper(experiment)

    def gather(epoch: int) -> None:
        for batch in part.epoch(epoch):
            for _ in batch:
                pass

    def train() -> None:
        for _ in range(part.num_steps):
            step()

    gather(0), step(), step()
    pairs = [
        (seconds_of(lambda epoch=epoch: gather(epoch), report.device), seconds_of(train, report.device))
        for epoch in range(num_rounds)
    ]
    milliseconds = [[1e3 * seconds / part.num_steps for seconds in column] for column in zip(*pairs, strict=True)]
    ratio, low, high = spread([first / second for first, second in pairs])
    ours, theirs = (spread(column)[0] for column in milliseconds)
    dataset, inputs = experiment.data.dataset, experiment.data.train.peek(1).inputs
    moved = experiment.config.num_images * (dataset.num_bytes / len(dataset) + inputs.nbytes)  # read, written
    limit = 1e3 * moved / report.limits.bandwidth
    return Figure(
        row,
        'ms',
        ours,
        theirs,
        ratio,
        low,
        high,
        limit=limit,
        limit_of='memory',
        share=limit / ours,
        what='of the time of an update',
    )


if __name__ == '__main__':
    sys.exit(main())
