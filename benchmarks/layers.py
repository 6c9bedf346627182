"""Measure what ghost batch norm costs over ordinary batch norm: in a layer alone and in a whole step.

    python benchmarks/layers.py
    python benchmarks/layers.py --ghosts 16 --model resnet --dataset fake:2048:3x32x32:10 --b 512
    python benchmarks/layers.py --device cuda --amp bf16

Rows: layer_G and step_G for each number G of ghosts, with _last where memory is channels_last. A layer is forward and
backward of a batch norm of 16 channels on b images of 32x32, as the widest of ResNet-44 are; a step is an update of the
network that the flags name. Ghost and ordinary batch norm in turn, so that a slow moment hits both; the ratio is time
over time, 1 would cost nothing. The aim for a step on a GPU is 1.1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import torch  # noqa: E402
from torch import nn  # noqa: E402

from benchmarks.machine import spread, time_in_turn  # noqa: E402
from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.workload import (  # noqa: E402
    add_speed_args,
    add_workload_args,
    build_workload,
    describe_workload,
    stepper,
    workload_of,
)
from bigbatch.errors import UserError  # noqa: E402
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm2d  # noqa: E402
from utils.command import command  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402

CHANNELS, SIDE = 16, 32
FORMATS = {False: torch.contiguous_format, True: torch.channels_last}
WARM_UP = {'cpu': 1, 'cuda': 3}  # calls of each


@command
def main(argv: list[str] | None = None) -> int:
    """Run every measurement and print the figures."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    add_speed_args(parser)
    parser.set_defaults(model='resnet', dataset='fake:2048:3x32x32:10', b=None, mb=None)
    parser.add_argument('--ghosts', type=whole(2), nargs='+', default=[16, 64], help='numbers of ghosts in a batch')
    parser.add_argument('--only', choices=('layer', 'step'), help='leave out the other')
    parser.add_argument('--pairs', type=whole(1), help='the median counts; if not given 30 on a GPU, 3 on a CPU')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    report = open_report('layers', parser, flags)
    is_gpu = report.device.type == 'cuda'
    flags.b, flags.pairs = flags.b or (2048 if is_gpu else 512), flags.pairs or (30 if is_gpu else 3)
    for number in flags.ghosts:
        if flags.b % number or flags.b // number < 2:
            raise UserError(
                f'--ghosts {number}: --b {flags.b} is not made of {number} ghosts of 2 or more; --b {number * 32} is'
            )
    rows = {}
    for last in (False, True) if flags.channels_last is None else (flags.channels_last,):
        for number in flags.ghosts:
            ending = f'{number}{"_last" * last}'
            rows |= {f'layer_{ending}': (_measure_layer, number, last), f'step_{ending}': (_measure_step, number, last)}
    rows = {name: job for name, job in rows.items() if name.startswith(flags.only or '')}
    rows = {name: job for name, job in rows.items() if report.wants(name, _describe(flags, name, *job[1:]))}
    for name, (measure, number, last) in rows.items():
        report.add(measure(name, flags, number, last, report=report))
    return 0


def _sides(flags: argparse.Namespace, number: int, last: bool) -> tuple[argparse.Namespace, argparse.Namespace]:
    """Return the workloads with ghosts and without."""
    return tuple(workload_of(flags, mb=mb, channels_last=last) for mb in (flags.b // number, None))


def _describe(flags: argparse.Namespace, name: str, number: int, last: bool) -> str:
    if name.startswith('layer'):
        return f'batch norm of {CHANNELS} channels on {flags.b} images of {SIDE}x{SIDE} in {number} ghosts'
    ghosts, plain = (describe_workload(side) for side in _sides(flags, number, last))
    return f'{ghosts} against {plain}'


def _measure_step(name: str, flags: argparse.Namespace, number: int, last: bool, *, report: Report) -> Figure:
    jobs = [stepper(build_workload(side)) for side in _sides(flags, number, last)]
    return _compare(name, jobs, flags.pairs, report)


def _measure_layer(name: str, flags: argparse.Namespace, number: int, last: bool, *, report: Report) -> Figure:
    """Time the layers; at least they read and write the inputs, then read them and gradients and write gradients."""
    dtype = {'bf16': torch.bfloat16, 'fp16': torch.float16}.get(flags.amp, torch.float32)
    inputs = torch.randn(flags.b, CHANNELS, SIDE, SIDE, device=report.device, dtype=dtype)
    inputs = inputs.to(memory_format=FORMATS[last]).requires_grad_()
    layers = GhostBatchNorm2d(CHANNELS, flags.b // number), nn.BatchNorm2d(CHANNELS)
    jobs = [_pass_through(layer.to(report.device), inputs) for layer in layers]
    return _compare(name, jobs, flags.pairs, report, shortest=5 * inputs.nbytes / report.limits.bandwidth)


def _pass_through(layer: nn.Module, inputs: torch.Tensor) -> Callable[[], None]:
    gradient = torch.randn_like(inputs)

    def both_ways() -> None:
        inputs.grad = None
        layer(inputs).backward(gradient)

    return both_ways


def _compare(
    name: str, jobs: list[Callable[[], None]], num_pairs: int, report: Report, shortest: float | None = None
) -> Figure:
    """Time two jobs in turn; shortest: the seconds that the first one needs for moving its bytes."""
    for _ in range(WARM_UP[report.device.type]):
        for job in jobs:
            job()
    pairs = time_in_turn(*jobs, num_pairs, report.device)
    (ours, *_), (theirs, *_) = (spread(column) for column in zip(*pairs, strict=True))
    ratio, low, high = spread([first / second for first, second in pairs])
    bound = {} if shortest is None else {'limit': 1e3 * shortest, 'limit_of': 'memory', 'share': shortest / ours}
    return Figure(
        name, 'ms', 1e3 * ours, 1e3 * theirs, ratio, low, high, what='times the time of ordinary batch norm', **bound
    )


if __name__ == '__main__':
    sys.exit(main())
