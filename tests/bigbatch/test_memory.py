"""What counts as free memory."""

from __future__ import annotations

import os

import pytest
import torch

from bigbatch import memory
from bigbatch.memory import JOBS_VARIABLE

GIB = 2**30


def test_the_limit_is_half_of_what_is_free():
    everything = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    assert 0 < memory.memory_limit() <= everything / 2
    assert memory.memory_limit(torch.device('cpu')) <= everything / 2


@pytest.mark.parametrize(('files', 'free'), [
    ({'meminfo': 'MemTotal: 9 kB\nMemAvailable:    4194304 kB\n'}, 4 * GIB),
    ({'meminfo': 'MemAvailable: 4194304 kB', 'memory.max': f'{3 * GIB}\n', 'memory.current': f'{GIB}\n'}, 2 * GIB),
    ({'meminfo': 'MemAvailable: 4194304 kB', 'memory.max': 'max\n', 'memory.current': '5\n'}, 4 * GIB),
    ({'meminfo': 'MemAvailable: 4194304 kB', 'memory.max': '5\n', 'memory.current': '7\n'}, 0),
    (
        {
            'meminfo': 'MemAvailable: 4194304 kB', 'memory.max': f'{3 * GIB}\n', 'memory.current': f'{2 * GIB}\n',
            'memory.stat': f'anon 7\ninactive_file {GIB}\n',
        },
        2 * GIB,  # files that are only cached can go
    ),
])  # fmt: skip
def test_the_control_group_counts(tmp_path, monkeypatch, files, free):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    read = memory._read_line
    monkeypatch.setattr(
        memory, '_read_line', lambda path, label='': read(tmp_path / os.path.basename(os.fspath(path)), label)
    )
    assert memory.memory_limit() == free // 2


def test_without_the_files_of_linux_the_whole_memory_counts(monkeypatch):
    monkeypatch.setattr(memory, '_read_line', lambda path, label='': None)
    assert memory.memory_limit() == os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2


@pytest.mark.parametrize(('jobs', 'parts'), [('4', 4), ('1', 1), ('', 1), ('0', 1), ('many', 1)])
def test_runs_that_share_the_machine_have_equal_parts(monkeypatch, jobs, parts):
    monkeypatch.setattr(memory, '_free_memory', lambda: 12 * GIB)
    monkeypatch.setenv(JOBS_VARIABLE, jobs)
    assert memory.free_memory('cpu') == 12 * GIB // parts
