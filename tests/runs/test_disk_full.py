"""A disk that is full or read-only: one line with the file and what helps, and nothing is lost."""

import errno
import io
import itertools
import os
from pathlib import Path

import pytest
import torch

from bigbatch.errors import UserError
from tests.bigbatch.training.test_partial_epochs import assert_same_run
from tests.conftest import TINY_GBN, main_gbn, read_json
from utils.files import naming_file
from utils.logs import log, log_to_file, start_logging
from utils.runs.folder import append_rows

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def only_line(captured) -> str:
    lines = [line for line in captured.err.splitlines() if not line.startswith('warning: ')]
    assert len(lines) == 1, captured.err
    return lines[0]


def test_a_disk_that_fills_up_at_any_write_loses_nothing(train, tmp_path, monkeypatch, capsys):
    flags = (*TINY_GBN, '--save_all')
    straight, fsync = train(*flags, save='straight'), os.fsync
    for number in range(1, 30, 4):
        run, count = tmp_path / 'results' / f'run{number}', itertools.count(1)

        def fails(file, count=count, number=number):
            if next(count) >= number:
                raise FULL
            fsync(file)

        capsys.readouterr()
        with monkeypatch.context() as patched:
            patched.setattr('utils.files.os.fsync', fails)
            assert train(*flags, save=run.name) == 2
        line = only_line(capsys.readouterr())
        assert 'cannot be written (No space left on device): make room on that disk' in line
        assert str(run) in line and 'partial' not in line
        if not run.exists():
            assert 'results_dir' in line
            assert train(*flags, save=run.name) == run
        else:
            assert line.endswith(f'; --resume {run} goes on')
            assert read_json(run / 'config.json')['status'] in ('running', 'failed')
            assert main_gbn.main(['--resume', str(run)]) == 0
        assert_same_run(run, straight)
    assert not list(run.parent.rglob('.*'))


def test_errors_of_a_disk_are_seen_behind_those_of_torch_and_others_are_not_taken_for_them(tmp_path):
    class Full(io.BytesIO):
        def write(self, content):
            if self.tell():
                raise FULL
            return super().write(content)

    said = r'run/x cannot be written \(No space left on device\): make room on that disk$'
    with pytest.raises(UserError, match=said) as caught, naming_file(tmp_path / 'run' / 'x'):
        torch.save({'x': torch.ones(100_000)}, Full())
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(UserError, match=r'/dev/full cannot be written \(No space left'):
        append_rows(Path('/dev/full'), [[1, 2]])
    with pytest.raises(RuntimeError, match='a bug'), naming_file(tmp_path):
        raise RuntimeError('a bug')


def test_a_disk_that_is_read_only_is_named(train, monkeypatch, refused):
    run = train(*TINY_GBN)

    def opens(*arguments, **settings):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr('utils.runs.lock.open', opens, raising=False)
    words = (f'error: {run}/.lock cannot be written (Read-only file system): mount it writable',)
    refused('--resume', str(run), '--epochs', '4', words=words)


def test_a_log_that_cannot_be_written_stops_nothing(capsys):
    start_logging()
    log_to_file('/dev/full')
    log.warning('a line')
    start_logging()  # closes the file
    assert capsys.readouterr().err == 'warning: a line\n'
