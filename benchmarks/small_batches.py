"""Measure what compiling does for small batches, whose steps on a GPU are bound by the launches of kernels.

    python benchmarks/small_batches.py --device cuda
    python benchmarks/small_batches.py --modes default --b 32

An update of ResNet-44 at a batch of 128 with its batch at hand: eager, compiled, and as CUDA graphs (reduce-overhead),
in turn with the eager one; the ratio is eager time over compiled time. The aim for CUDA graphs on a GPU is 4. Compiling
itself, which the first update pays for, is timed apart. A CPU has no CUDA graphs: that row is left out there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.bounds import bound_of  # noqa: E402
from benchmarks.machine import seconds_of, spread, time_in_turn  # noqa: E402
from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.workload import (  # noqa: E402
    COMPILERS,
    add_speed_args,
    add_workload_args,
    build_workload,
    describe_workload,
    stepper,
    workload_of,
)
from utils.command import command  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

WARM_UP = 5


@command
def main(argv: list[str] | None = None) -> int:
    """Run every measurement and print the figures."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    add_speed_args(parser)
    parser.set_defaults(model='resnet', dataset='fake:2048:3x32x32:10', b=128, mb=128)
    parser.add_argument('--modes', nargs='+', choices=COMPILERS[1:], default=COMPILERS[1:], help='a row each')
    parser.add_argument('--pairs', type=whole(1), default=30, help='pairs of updates; the median counts')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    report = open_report('small_batches', parser, flags)
    for mode in flags.modes:
        if mode == 'reduce-overhead' and report.device.type == 'cpu':
            print(f'{mode}: not measured: a CPU has no CUDA graphs')
        elif report.wants(mode, describe_workload(workload_of(flags, compile=mode))):
            report.add(_measure(mode, flags, report))
    return 0


def _measure(mode: str, flags: argparse.Namespace, report: Report) -> Figure:
    experiments = [build_workload(workload_of(flags, compile=name)) for name in (mode, 'off')]
    bound, name = bound_of(experiments[1], report.limits)
    compiled, eager = map(stepper, experiments)
    first = seconds_of(compiled, report.device)
    for _ in range(WARM_UP):
        compiled(), eager()
    pairs = time_in_turn(eager, compiled, flags.pairs, report.device)
    print(f'{mode}: {flags.b / spread([ours for _, ours in pairs])[0]:,.0f} images/s; first update {first:.1f} s')
    (theirs, *_), (ours, *_) = (spread(column) for column in zip(*pairs, strict=True))
    ratio, low, high = spread([slow / fast for slow, fast in pairs])
    shortest = flags.b / bound
    return Figure(
        mode,
        'ms',
        1e3 * ours,
        1e3 * theirs,
        ratio,
        low,
        high,
        limit=1e3 * shortest,
        limit_of=name,
        share=shortest / ours,
        what='times as fast as eager',
    )


if __name__ == '__main__':
    sys.exit(main())
