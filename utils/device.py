"""Choose the device of a run, and let its steps use the same memory again."""

from __future__ import annotations

import ctypes
import logging
import sys

import torch

from utils.distributed import ALONE, Ranks

# Parameters of glibc's mallopt, see malloc.h, and the most that it takes for either.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_TRIM, LARGEST_MMAP = 2**31 - 1, 2**25  # bytes

log = logging.getLogger('bigbatch')


def choose_device(name: str, *, strict: bool, ranks: Ranks = ALONE) -> torch.device:
    """Return the device of a name; auto is the first GPU if there is one.

    Args:
        strict: refuse a device that is missing, instead of falling back with a warning.
        ranks: each of several has a GPU of its own, in order.

    Raises:
        ValueError: a strict device that is not there, or fewer GPUs than ranks.
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


def keep_freed_memory() -> None:
    """Have glibc keep memory that is freed, up to 2 GiB; without effect elsewhere.

    By default it gives large arrays back to the system as they are freed, and every step pays for clearing the same
    pages anew: 330,000 page faults and 6 % of the processor time of an epoch of mnist_f1 at a batch of 4096.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None  # not in musl
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, LARGEST_TRIM)
        mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP)
