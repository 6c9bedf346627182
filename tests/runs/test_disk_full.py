"""A disk that is full or read-only: one line with the file and what helps, and nothing is lost."""

import errno
import os
import subprocess

import pytest

from bigbatch.errors import UserError
from tests.bigbatch.training.test_partial_epochs import assert_same_run
from tests.conftest import TINY_GBN, main_gbn, read_json
from utils.files import naming_file
from utils.logs import log, log_to_file, start_logging
from utils.runs import checkpoint as checkpoints

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """Leave out the drawing of pages, which takes longer than these runs."""
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB, and a function that mounts it anew with other options."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', str(folder)]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip('no disk may be mounted here')

    def remount(options: str) -> None:
        start_logging()  # closes the log file, which keeps the disk busy
        subprocess.run(['mount', '-o', f'remount,{options}', str(folder)], check=True)

    yield folder, remount
    start_logging()
    subprocess.run(['umount', str(folder)], check=True)


def only_line(captured) -> str:
    lines = [line for line in captured.err.splitlines() if not line.startswith('warning: ')]
    assert len(lines) == 1, captured.err
    return lines[0]


def resumable(run) -> bool:
    return (run / 'config.json').exists() and read_json(run / 'config.json')['status'] != 'done'


@pytest.mark.parametrize('number', range(1, 30, 4))
def test_a_disk_that_fills_up_at_any_write_loses_nothing(train, tmp_path, monkeypatch, capsys, number):
    flags = (*TINY_GBN, '--save_all')
    straight = train(*flags, save='straight')
    count, run, fsync = [0], tmp_path / 'results' / 'run', os.fsync

    def fails(file):
        count[0] += 1
        if count[0] >= number:
            raise FULL
        fsync(file)

    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr('utils.files.os.fsync', fails)
        assert train(*flags) == 2
    line = only_line(capsys.readouterr())
    assert 'cannot be written (No space left on device): make room on that disk' in line
    assert str(run) in line
    assert 'partial' not in line
    if not run.exists():
        assert 'results_dir' in line
        assert train(*flags) == run
    else:
        assert line.endswith(f'; --resume {run} goes on')
        assert read_json(run / 'config.json')['status'] in ('running', 'failed')
        assert main_gbn.main(['--resume', str(run)]) == 0
    assert_same_run(run, straight)
    assert not list(run.parent.rglob('.*'))


def test_half_a_row_is_cut_when_the_run_goes_on(train, tmp_path, monkeypatch, capsys):
    straight = train(*TINY_GBN, save='straight')

    def writes_half(path, rows):
        with naming_file(path):
            if len(rows[0]) > 3 and rows[0][0] == 2:
                with open(path, 'a') as file:
                    file.write('2,8,0.05,1.3')
                raise FULL
            append(path, rows)

    from utils.runs.folder import append_rows as append

    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr('utils.runs.writer.append_rows', writes_half)
        assert train(*TINY_GBN) == 2
    run = tmp_path / 'results' / 'run'
    assert f'{run}/results.csv cannot be written (No space left on device)' in only_line(capsys.readouterr())
    assert (run / 'results.csv').read_text().endswith('\n2,8,0.05,1.3')
    assert main_gbn.main(['--resume', str(run)]) == 0
    assert_same_run(run, straight)


def test_a_real_disk_that_is_full_and_one_that_is_read_only(train, small_disk, capsys):
    disk, remount = small_disk
    flags = (*TINY_GBN, '--model_config', "{'width': 150, 'depth': 2}")  # 0.15 MB of weights, 0.3 MB a checkpoint
    straight = train(*flags, '--epochs', '12', save='straight')
    capsys.readouterr()
    run = disk / 'run'
    assert main_gbn.main([*flags, '--epochs', '12', '--results_dir', str(disk), '--save', 'run', '--save_all']) == 2
    line = only_line(capsys.readouterr())
    assert 'cannot be written (No space left on device): make room' in line
    assert resumable(run)
    assert all(checkpoints.load_checkpoint(path) for path in run.glob('checkpoint*'))
    remount('size=50m')
    remount('ro')
    assert main_gbn.main(['--resume', str(run)]) == 2
    line = only_line(capsys.readouterr())
    assert line == f'error: {run}/.lock cannot be written (Read-only file system): mount it writable'
    remount('rw')
    assert main_gbn.main(['--resume', str(run), '--no-save_all']) == 0
    assert_same_run(run, straight)
    remount('ro')
    capsys.readouterr()
    assert main_gbn.main([*flags, '--results_dir', str(disk), '--save', 'other']) == 2
    assert f'{disk} is no folder that can be written' in only_line(capsys.readouterr())


def test_a_log_that_cannot_be_written_stops_nothing(capsys):
    start_logging()
    log_to_file('/dev/full')
    log.warning('a line')
    start_logging()  # closes the file
    assert capsys.readouterr().err == 'warning: a line\n'


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(RuntimeError, match='a bug'), naming_file(tmp_path):
        raise RuntimeError('a bug')
    said = r'file cannot be written \(Disk quota exceeded\): make room in that quota'
    with pytest.raises(UserError, match=said), naming_file(tmp_path / 'file'):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
