"""Memory that a step frees is there for the next one, without the system having to clear it again."""

import platform
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

COUNT = """
import resource, torch
from bigbatch.device import keep_freed_memory
def count():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(10 * 2**20), torch.ones(12 * 2**20)  # 40 and 48 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
default = min(count() for _ in range(3))
keep_freed_memory()
print(default, min(count() for _ in range(12)))  # the first ones find the places, up to eight of them
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='the way of glibc with memory')
def test_large_arrays_take_pages_that_are_there():
    done = subprocess.run([sys.executable, '-c', COUNT], cwd=PROJECT, capture_output=True, text=True, check=True)
    default, kept = map(int, done.stdout.split())
    assert default >= 44  # pages even where each has 2 MiB
    assert kept < default / 20, (default, kept)
