"""Measure what each method costs: its training step against the plain one, in turn, so that a slow moment hits both.

    python benchmarks/methods.py
    python benchmarks/methods.py --dataset fake:60000:1x28x28:10 --pairs 10

Workload: mnist_f1 on MNIST, batch 4096, ghosts of 128, or what the flags say. A step is the gradient, clipping and the
update. The limits: 1.15 for SmoothOut with --noise-per step, 1.05 M for M copies, 1.02 for gradient noise; noise per
ghost, of ReLUs and the average of SWA are shown without one. Run it on an idle machine.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.machine import seconds_of, spread, time_in_turn  # noqa: E402
from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.workload import add_speed_args, add_workload_args, build_workload, describe_workload, stepper  # noqa: E402
from bigbatch.training.averaging import WeightAverage, settle  # noqa: E402
from bigbatch.training.scoring import evaluate  # noqa: E402
from utils.command import command  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

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
    add_speed_args(parser)
    parser.add_argument('--pairs', type=whole(1), default=15, help='pairs of steps; the median counts')
    parser.add_argument('--methods', nargs='+', choices=(*METHODS, 'SWA'), help='only these')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    report = open_report('methods', parser, flags)
    chosen, kept = flags.methods or (*METHODS, 'SWA'), []
    for name, (common, given, limit) in METHODS.items():
        if name in chosen and report.wants(name, describe_workload(flags, *common, *given)):
            kept.append(_measure(report, flags, name, common, given, limit=limit))
    if 'SWA' in chosen and report.wants('SWA', describe_workload(flags, '--swa-start', '1')):
        report.add(_measure_average(report, flags))
    return int(not all(kept))


def _measure(
    report: Report, flags, name: str, common: tuple[str, ...], given: tuple[str, ...], *, limit: float | None
) -> bool:
    """Add what a method costs and tell whether it keeps its limit."""
    method, plain = stepper(build_workload(flags, *common, *given)), stepper(build_workload(flags, *common))
    for _ in range(2):
        method(), plain()
    pairs = time_in_turn(method, plain, flags.pairs, report.device)
    ours, theirs = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
    ratio, low, high = spread([first / second for first, second in pairs])
    what = f'times a plain step{f", at most {limit:g}" if limit else ""}'
    report.add(Figure(name, 'ms', ours, theirs, ratio, low, high, what=what))
    return limit is None or ratio <= limit


def _measure_average(report: Report, flags) -> Figure:
    """Time what SWA adds to an epoch of training and scoring: the average, its statistics and its scores."""
    experiment = build_workload(flags)
    step, data = stepper(experiment), experiment.data
    average = WeightAverage(experiment.model)

    def add() -> None:
        average.add(experiment.model)
        settle(average.model, experiment.criterion, data.train, data.val)

    def score() -> None:
        evaluate(experiment.model, experiment.criterion, data.val)

    add(), step(), score()
    pairs = []
    for _ in range(min(flags.pairs, 5)):
        epoch = seconds_of(step, report.device) * experiment.steps_per_epoch + seconds_of(score, report.device)
        pairs.append((epoch + seconds_of(add, report.device), epoch))
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio, low, high = spread([first / second for first, second in pairs])
    return Figure('SWA', 's', ours, theirs, ratio, low, high, what='times an epoch without it')


if __name__ == '__main__':
    sys.exit(main())
