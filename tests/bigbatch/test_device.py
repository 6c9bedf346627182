"""Memory that a step frees is there for the next one, without the system having to clear it again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

COUNT = """
import resource, sys, torch
from bigbatch.device import keep_freed_memory
if sys.argv[1] == 'keep':
    keep_freed_memory()
def fill():
    torch.ones(10 * 2**20), torch.ones(12 * 2**20)  # 40 and 48 MiB, freed at once
def count():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    fill()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(min(count() for _ in range(12)))  # the first ones find the places, up to eight of them
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='the way of glibc with memory')
def test_large_arrays_take_pages_that_are_there():
    found = {}
    for way in ('keep', 'default'):
        done = subprocess.run(
            [sys.executable, '-c', COUNT, way], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True
        )
        found[way] = int(done.stdout)
    assert found['default'] >= 44  # pages even where each has 2 MiB
    assert found['keep'] < found['default'] / 20, found
