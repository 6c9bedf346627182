"""Measure how much memory --micro-batch-size auto takes as the batch grows, where only so much is free.

    python benchmarks/memory.py
    python benchmarks/memory.py --model resnet --dataset fake:65536:3x32x32:10 --mb 256 --device cuda --limit-gib 8

By default mnist_f1 on made-up images, ghosts of 128, batches of 2,048 to 65,536, 0.05 GiB on a CPU and 8 GiB on a GPU.
A row is a batch size, measured in a process of its own: two updates and a scoring pass, in the micro-batches that were
found. Its figure is the peak beside what was there before: on a GPU by torch's count, on a CPU by that of Linux, in
which code that is loaded meanwhile counts too. The ratio is that to the peak of the first batch: 1 is flat. A GPU is
filled up but for the limit; a CPU is told that no more than the limit is free.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import torch  # noqa: E402

from benchmarks.report import Figure, Report, add_report_args, open_report  # noqa: E402
from benchmarks.throughput import our_side  # noqa: E402
from benchmarks.workload import add_speed_args, add_workload_args, build_workload, describe_workload, workload_of  # noqa: E402
from bigbatch.device import choose_device  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from bigbatch.memory import free_memory  # noqa: E402
from utils.command import command, user_errors  # noqa: E402
from utils.engine.pass_size import fit_micro_batch  # noqa: E402
from utils.parser import Parser, real, whole  # noqa: E402

GIB = 2**30
AUTO = ('--micro-batch-size', 'auto')


@command
def main(argv: list[str] | None = None) -> int:
    """Print a figure for each batch size."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    add_speed_args(parser)
    parser.set_defaults(dataset='fake:65536:1x28x28:10')
    sizes = [2048, 8192, 32768, 65536]
    parser.add_argument('--batch-sizes', type=whole(1), nargs='+', default=sizes, help='in place of --b, a row each')
    parser.add_argument('--limit-gib', type=real(0, above=True), help='memory that is free')
    parser.add_argument('--measure', action='store_true', help='be the process of --b, as this script starts itself')
    add_report_args(parser)
    flags = parser.parse_args(argv)
    if flags.measure:
        return _measure(flags)
    report = open_report('memory', parser, flags)
    first = None
    for size in flags.batch_sizes:
        row = f'batch_{size}'
        if report.wants(row, describe_workload(workload_of(flags, b=size), *AUTO)):
            first = first or _start(flags.batch_sizes[0], flags, argv)
            found = first if size == flags.batch_sizes[0] else _start(size, flags, argv)
            _add(report, row, found, first)
    return 0


def _add(report: Report, row: str, found: dict, first: dict) -> None:
    ratio, peak = found['peak'] / first['peak'], found['peak'] / GIB
    # on a CPU the peak is that of the process, with code and work space besides what the limit is for
    limit = found['limit'] / GIB if report.device.type == 'cuda' else None
    print(f'{row}: micro-batches of {found["micro_batch_size"]:,}')
    report.add(Figure(
        row, 'GiB', peak, first['peak'] / GIB, ratio, ratio, ratio, limit=limit, limit_of='the memory available',
        share=limit and peak / limit, what='times the peak of the first',
    ))  # fmt: skip


def _start(size: int, flags: argparse.Namespace, argv: list[str] | None) -> dict:
    """Measure a batch size in a process of its own.

    Raises:
        UserError: it failed.
    """
    words = sys.argv[1:] if argv is None else argv
    done = subprocess.run(
        [sys.executable, __file__, *words, '--measure', '--b', str(size)], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{')]
    if done.returncode or not lines:
        raise UserError(f'a batch of {size}: {(done.stderr.splitlines() or ["no word from it"])[-1]}')
    return json.loads(lines[-1])


def _measure(flags: argparse.Namespace) -> int:
    """Make two updates of a run that is told of only so much memory, and print the peak."""
    device = choose_device(flags.device, strict=True)
    is_gpu = device.type == 'cuda'
    limit = int((flags.limit_gib or (8 if is_gpu else 0.05)) * GIB)
    filling = _fill(device, limit) if is_gpu else None
    experiment, told = build_workload(flags, *AUTO), mock.patch('bigbatch.memory._free_memory', return_value=limit)
    before = _reset_peak(device)
    with contextlib.nullcontext() if is_gpu else told, user_errors():
        experiment = fit_micro_batch(experiment, free_memory(device))
    _reset_peak(device)
    our_side(experiment)(2)
    found = {'peak': _peak(device) - before, 'limit': limit, 'micro_batch_size': experiment.micro_batch_size}
    print(json.dumps(found))
    del filling
    return 0


def _fill(device: torch.device, left: int) -> torch.Tensor:
    """Take up all memory of a GPU but for so many bytes.

    Raises:
        UserError: there is less than that.
    """
    free = torch.cuda.mem_get_info(device)[0]
    if free < left:
        raise UserError(f'--limit-gib {left / GIB:g}: {device} has {free / GIB:.1f} GiB free')
    return torch.empty(free - left, dtype=torch.uint8, device=device)


def _reset_peak(device: torch.device) -> int:
    """Forget the peak so far and return what is taken up now."""
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    Path('/proc/self/clear_refs').write_text('5')
    return _status_bytes('VmRSS')


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == 'cuda' else _status_bytes('VmHWM')


def _status_bytes(name: str) -> int:
    """Return the memory of this process as Linux counts it: VmRSS now, VmHWM at most."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == '__main__':
    sys.exit(main())
