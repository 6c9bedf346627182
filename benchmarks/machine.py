"""What a machine can do at most: matrix products and moves of memory, measured here and now.

The bounds on a training step follow from them: no step is faster than its matrix products at the best rate that any
product reaches, nor than the bytes that it has to move at the best rate of a copy.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

DTYPES = {'float32': torch.float32, 'tf32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
# rows, inner, columns: large squares, and those of mnist_f1 at a batch of 4096
CPU_SHAPES = ((2048, 2048, 2048), (4096, 512, 512), (4096, 784, 512))
GPU_SHAPES = ((8192, 8192, 8192), (4096, 4096, 4096), (16384, 2048, 2048))
CPU_BYTES, GPU_BYTES = 2**28, 2**30  # of one array, far more than any cache


@dataclass(frozen=True)
class Limits:
    """Rates that no program exceeds.

    products: FLOP/s of matrix products, by precision. bandwidth: bytes/s, those read and those written together.
    """

    products: dict[str, float]
    bandwidth: float


def measure_limits(device: torch.device, precisions: Sequence[str] = ()) -> Limits:
    """Measure both rates, each the best of several attempts.

    Args:
        precisions: more of DTYPES than float32; on a GPU all of them are measured.
    """
    names = tuple(DTYPES) if device.type == 'cuda' else dict.fromkeys(('float32', *precisions))
    return Limits({name: _product_rate(device, name) for name in names}, _bandwidth(device))


def seconds_of(job: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of a job, until the device has done it."""
    synchronize(device)
    start = time.perf_counter()
    job()
    synchronize(device)
    return time.perf_counter() - start


def time_in_turn(
    first: Callable[[], object], second: Callable[[], object], num_pairs: int, device: torch.device
) -> list[tuple[float, float]]:
    """Return the seconds of pairs of two jobs, in turn, so that a slow moment hits both.

    Who goes first changes, in case the first one pays for the second.
    """
    pairs = []
    for number in range(num_pairs):
        order = (first, second) if number % 2 == 0 else (second, first)
        seconds = {job: seconds_of(job, device) for job in order}
        pairs.append((seconds[first], seconds[second]))
    return pairs


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return (median, low, high): low and high leave out a tenth on each side."""
    ordered = sorted(values)
    low, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.1, 0.9))
    return statistics.median(ordered), low, high


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def count_flop(job: Callable[[], object]) -> int:
    """Return the floating-point operations of the matrix products and convolutions in a job that runs eagerly."""
    with FlopCounterMode(display=False) as counter:
        job()
    return counter.get_total_flops()


def least_bytes(model: nn.Module, inputs: torch.Tensor, element_size: int) -> int:
    """Return the bytes that a training pass over `inputs` has to move at least: 6 x outputs of the convolutions.

    The output y of a convolution that is followed by batch norm is written (1); read for normalising once its
    statistics are known, with the ReLU and the next convolution in the same pass (2). In the backward pass its gradient
    dz is written while y is read for the weight gradient and the sums of batch norm (3, 4); when these are known, dz
    and y are read for the gradient of what came before (5, 6). Everything else is taken as fused and free, as are the
    parameters, which are few beside the activations. Linear layers count as convolutions.

    Args:
        inputs: (N, ...); the network is passed through once, in eval mode.
        element_size: bytes of an activation.
    """
    counts = []

    def count(module, args, output):
        counts.append(output.numel())

    layers = [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    was_training = model.training
    model.eval()
    with torch.no_grad():
        model(inputs)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return 6 * element_size * sum(counts)


def _product_rate(device: torch.device, precision: str) -> float:
    """Measure the best rate of matrix products over several shapes, FLOP/s."""
    rates = []
    with _tf32(precision == 'tf32'):
        for rows, inner, columns in GPU_SHAPES if device.type == 'cuda' else CPU_SHAPES:
            left = torch.randn(rows, inner, device=device).to(DTYPES[precision])
            right = torch.randn(inner, columns, device=device).to(DTYPES[precision])
            seconds = [seconds_of(lambda a=left, b=right: a @ b, device)]
            while len(seconds) < 20 and sum(seconds) < 1:
                seconds.append(seconds_of(lambda a=left, b=right: a @ b, device))
            rates.append(2 * rows * inner * columns / min(seconds))
    return max(rates)


@contextlib.contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    saved = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high' if allowed else 'highest')
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(saved)


def _bandwidth(device: torch.device) -> float:
    """Measure the best of a copy (2 arrays) and a triad, a = b + 3 c (3 arrays), bytes/s."""
    size = (GPU_BYTES if device.type == 'cuda' else CPU_BYTES) // 4
    a, b, c = torch.zeros(3, size, device=device).unbind()
    copy = min(seconds_of(lambda: a.copy_(b), device) for _ in range(5))
    triad = min(seconds_of(lambda: torch.add(b, c, alpha=3, out=a), device) for _ in range(5))
    return max(2 * a.nbytes / copy, 3 * a.nbytes / triad)
