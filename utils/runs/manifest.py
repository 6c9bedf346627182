"""What a run was made with: commit, versions, machine, device."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

import numpy
import torch

from bigbatch.messages import counted
from utils.files import PROJECT


def describe_code() -> dict:
    """Return {'commit', 'dirty'} of the project's checkout; commit is None outside one."""
    try:
        # The table of figures, which every benchmark appends to, is no code.
        commit = _git('rev-parse', 'HEAD')
        changed = _git('status', '--porcelain', '--untracked-files=no', '--', ':(top,exclude)benchmarks/results.csv')
        return {'commit': commit, 'dirty': bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return {'commit': None, 'dirty': None}


def describe_versions() -> dict:
    """Return the versions that decide about numbers."""
    return {'python': platform.python_version(), 'torch': torch.__version__, 'numpy': numpy.__version__}


def describe_device(device: torch.device) -> str:
    """Name the device with what decides about its speed."""
    if device.type == 'cuda':
        return f'{device}, {torch.cuda.get_device_name(device)}'
    num_threads = torch.get_num_threads()
    return f'cpu, {counted(num_threads, "thread")}, {cpu_name()}'


def cpu_name() -> str:
    """Name the processor, as far as the system tells."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def now() -> str:
    """Return the local time, ISO 8601 to the millisecond."""
    return datetime.datetime.now().isoformat(timespec='milliseconds')


def _git(*arguments: str) -> str:
    environment = {**os.environ, 'GIT_OPTIONAL_LOCKS': '0'}
    done = subprocess.run(
        ['git', '-C', str(PROJECT), *arguments], capture_output=True, text=True, check=True, timeout=10, env=environment
    )
    return done.stdout.strip()
