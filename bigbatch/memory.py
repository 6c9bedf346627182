"""How much memory there is for a process, beside others that share the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

JOBS_VARIABLE = 'BIGBATCH_JOBS'  # of a run of a suite: how many share the machine, itself included
THREADS_VARIABLE = 'BIGBATCH_THREADS'  # of a run of a suite that divides the cores: the most threads it may take
SHARE_FOR_IMAGES = 0.5  # of what is free: the rest is for the network, its activations and other programs


def num_sharing(environment: Mapping[str, str]) -> int:
    """Return how many runs of a suite share the machine with a process that has this environment, itself included."""
    jobs = environment.get(JOBS_VARIABLE, '')
    return max(1, int(jobs)) if jobs.isdecimal() else 1


def memory_limit(device: torch.device | str = 'cpu') -> int:
    """Return the bytes that decoded images may take up: half of what is free, in memory and on the device."""
    return int(SHARE_FOR_IMAGES * min(free_memory('cpu'), free_memory(device)))


def free_memory(device: torch.device | str) -> int:
    """Return the bytes that tensors on a device can still take up, with what torch holds of a GPU without using it.

    Of runs of a suite under --jobs N each may have an N-th of what is free now.
    """
    import torch  # which a suite, that only counts those who share, does without

    device, num = torch.device(device), num_sharing(os.environ)
    if device.type == 'cpu':
        return _free_memory() // num
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] // num + unused


def _free_memory() -> int:
    """Return the bytes that this process can still have: of the machine, or of the control group it runs in."""
    available = _read_line('/proc/meminfo', 'MemAvailable:')
    everything = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    free = everything if available is None else 1024 * available  # None: this is not Linux
    group = Path('/sys/fs/cgroup')
    limit, used = _read_line(group / 'memory.max'), _read_line(group / 'memory.current')
    cached = _read_line(group / 'memory.stat', 'inactive_file') or 0
    if limit is not None and used is not None:
        free = min(free, max(0, limit - used + cached))
    return free


def _read_line(path: str | Path, label: str = '') -> int | None:
    """Return the number that follows the label in a file of the kernel, or None if there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    words = next((line[len(label) :].split() for line in lines if line.startswith(label)), [''])
    return int(words[0]) if words and words[0].isdigit() else None
