"""Choose the device of a run, tell what it is good at, and let its steps use the same memory again."""

from __future__ import annotations

import ctypes
import logging
import sys

import torch

from bigbatch.distributed import ALONE, Ranks

UNITS = {  # what cpuinfo calls units for half precision, on x86 and on ARM
    'bf16': ('avx512_bf16', 'amx_bf16', 'bf16', 'sve_bf16'),
    'fp16': ('avx512_fp16', 'amx_fp16', 'fp16_arith'),
}
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt, see malloc.h

log = logging.getLogger('bigbatch')


def choose_device(name: str, *, strict: bool, ranks: Ranks = ALONE) -> torch.device:
    """Return the device of a name; auto is the first GPU if there is one, several ranks have one each, in order.

    Args:
        strict: refuse a device that is missing by a ValueError, instead of falling back with a warning.
    """
    if ranks.size > 1 and name != 'cpu' and torch.cuda.is_available():
        return _gpu_of_rank(name, ranks)
    best = torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')
    if name == 'auto':
        return best
    device = torch.device(name)
    if device.type == 'cpu':
        return device
    index = device.index or 0
    if index < torch.cuda.device_count():
        return torch.device('cuda', index)
    there = ', '.join(['cpu', *(f'cuda:{i}' for i in range(torch.cuda.device_count()))])
    if strict:
        raise ValueError(f'--device {name}: no such device here: there is {there}')
    log.warning('no device %s here (there is %s): going on with %s', name, there, best)
    return best


def _gpu_of_rank(name: str, ranks: Ranks) -> torch.device:
    count = torch.cuda.device_count()
    if ':' in name:
        raise ValueError(f'--device {name}: each rank takes a GPU of its own; say cuda, or cpu')
    if ranks.local_rank >= count:
        raise ValueError(
            f'rank {ranks.rank} is number {ranks.local_rank + 1} on its machine, which has {count} '
            f'GPU{"s" * (count > 1)}: torchrun --nproc-per-node {count}, or --device cpu'
        )
    return torch.device('cuda', ranks.local_rank)


def cpu_has_units(amp: str) -> bool | None:
    """Tell whether this processor has units for bf16 or fp16; None where torch cannot tell."""
    capabilities = getattr(torch.cpu, 'get_capabilities', None)  # not in older releases
    return None if capabilities is None else any(capabilities().get(name) for name in UNITS[amp])


def keep_freed_memory() -> None:
    """Have glibc keep memory that is freed, for the next arrays; without effect elsewhere.

    By default it maps arrays above 32 MiB anew each time and gives them back as they are freed, so that every step pays
    for clearing the same pages: 1.6 million page faults and a quarter of the processor time of a step of resnet44 at
    1,024 images. The most memory that is ever held grows by a seventh there.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None  # not in musl
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, -1)  # never
        mallopt(M_MMAP_MAX, 0)  # none of them by a mapping of its own
