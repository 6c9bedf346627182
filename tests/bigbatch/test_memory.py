"""What counts as free memory."""

import os

from bigbatch import memory
from bigbatch.memory import JOBS_VARIABLE

GIB = 2**30


def test_the_control_group_counts(tmp_path, monkeypatch):
    names = ('memory.max', 'memory.current', 'memory.stat')
    read = memory._read_line
    monkeypatch.setattr(
        memory, '_read_line', lambda path, label='': read(tmp_path / os.path.basename(os.fspath(path)), label)
    )
    (tmp_path / 'meminfo').write_text('MemTotal: 9 kB\nMemAvailable:    4194304 kB\n')
    for texts, free in (
        ((), 4 * GIB),
        ((f'{3 * GIB}\n', f'{GIB}\n'), 2 * GIB),
        (('max\n', '5\n'), 4 * GIB),
        (('5\n', '7\n'), 0),
        ((f'{3 * GIB}\n', f'{2 * GIB}\n', f'anon 7\ninactive_file {GIB}\n'), 2 * GIB),  # cached files can go
    ):
        for name, text in zip(names, texts, strict=False):
            (tmp_path / name).write_text(text)
        assert memory.memory_limit() == free // 2, texts


def test_without_the_files_of_linux_half_of_the_whole_memory_counts(monkeypatch):
    monkeypatch.setattr(memory, '_read_line', lambda path, label='': None)
    assert memory.memory_limit() == os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2


def test_runs_that_share_the_machine_have_equal_parts(monkeypatch):
    monkeypatch.setattr(memory, '_free_memory', lambda: 12 * GIB)
    for jobs, parts in (('4', 4), ('1', 1), ('', 1), ('0', 1), ('many', 1)):
        monkeypatch.setenv(JOBS_VARIABLE, jobs)
        assert memory.free_memory('cpu') == 12 * GIB // parts, jobs
