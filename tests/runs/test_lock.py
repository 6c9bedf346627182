"""A run folder is written by one process at a time, and by none that is dead."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

import utils.runs.lock
from bigbatch.errors import UserError
from tests.conftest import PROJECT, TINY_GBN, main_gbn, main_normal, read_json, stable_rows
from tests.sweep_helpers import NORMAL, results, run, started, write  # noqa: F401 - fixtures
from utils.runs.lock import LOCK, RunLock, holder_of, locked

# ruff: noqa: F811 - fixtures are imported by name


NAME = f'process {os.getpid()} on {socket.gethostname()}'


@contextlib.contextmanager
def held_by_another(folder):
    """Let another process hold a folder; yields that process."""
    code = 'import sys; from pathlib import Path; from utils.runs.lock import RunLock\n'
    code += 'folder = Path(sys.argv[1]); lock = RunLock(folder); print("held", flush=True)\n'
    code += 'sys.stdin.read(); lock.release(folder)'
    process = subprocess.Popen(
        [sys.executable, '-c', code, str(folder)], cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == 'held\n'
        yield process
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def test_the_second_is_refused_and_told_by_whom_while_the_folder_gets_its_name(tmp_path):
    partial, run = tmp_path / 'partial', tmp_path / 'run'
    partial.mkdir()
    with held_by_another(partial) as other:
        name = f'process {other.pid} on {socket.gethostname()}'
        assert holder_of(partial) == name
        partial.rename(run)
        assert holder_of(run) == name
        with pytest.raises(UserError, match=f'is being written by {name}: wait until it has ended'):
            RunLock(run)
        assert holder_of(run) == name
        run.rename(partial)
    assert holder_of(partial) == ''
    assert list(partial.iterdir()) == []


def test_a_dead_process_holds_nothing(tmp_path):
    with held_by_another(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert (tmp_path / LOCK).exists()
        assert holder_of(tmp_path) == ''
        with locked(tmp_path):
            assert (tmp_path / LOCK).read_text() == f'{NAME}\n'


def test_a_disk_that_is_read_only_by_now_hides_no_other_error(tmp_path, monkeypatch):
    lock = RunLock(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr('utils.runs.lock.Path.unlink', lambda *_, **__: (_ for _ in ()).throw(OSError('read-only')))
        lock.release(tmp_path)
    with held_by_another(tmp_path):
        pass


def test_a_forked_worker_does_not_keep_it(tmp_path):
    lock = RunLock(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:  # lives on while the parent lets go
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    lock.release(tmp_path)
    with held_by_another(tmp_path):
        pass
    os.close(writing)
    os.waitpid(child, 0)


def test_one_that_lets_go_meanwhile_is_waited_for(tmp_path):
    """As the instant that holder_of takes the lock for."""
    with held_by_another(tmp_path) as other:
        threading.Timer(0.2, other.stdin.close).start()
        with locked(tmp_path):
            assert (tmp_path / LOCK).read_text() == f'{NAME}\n'


def test_a_lock_file_that_its_holder_removes_meanwhile_is_made_anew(tmp_path, monkeypatch):
    removed = []

    def removes_first(file, **settings):
        if not removed:
            removed.append((tmp_path / LOCK).unlink())
        lock(file, **settings)

    lock = utils.runs.lock._lock
    monkeypatch.setattr('utils.runs.lock._lock', removes_first)
    with locked(tmp_path):
        assert removed
        assert (tmp_path / LOCK).read_text() == f'{NAME}\n'


def test_a_run_that_another_process_writes_is_not_resumed(train, refused, monkeypatch, tmp_path):
    folder = train(*TINY_GBN)
    rows = stable_rows(folder)
    with held_by_another(folder) as other:
        line = refused('--resume', str(folder), '--epochs', '5', words=(f'process {other.pid} on ', str(folder)))
        assert 'Traceback' not in line
        assert main_gbn.main(['--resume', str(folder), '--epochs', '5', '--dry-run']) == 0  # which writes nothing
        fork = ['--resume', str(folder), '--save', 'fork', '--results_dir', str(tmp_path / 'results')]
        assert main_gbn.main([*fork, '--epochs', '4']) == 0  # which leaves it alone
    assert stable_rows(folder) == rows
    assert main_gbn.main(['--resume', str(folder), '--epochs', '5']) == 0
    assert len(stable_rows(folder)) == 5


def test_the_lock_is_held_from_the_first_file_to_the_last(train, tmp_path, monkeypatch):
    held, rename = [], os.rename

    def look(folder):
        code = 'import sys; from pathlib import Path; from utils.runs.lock import holder_of\n'
        code += 'print([holder_of(path) for path in map(Path, sys.argv[1:]) if path.is_dir()])'
        places = [tmp_path / 'results' / 'run', *(tmp_path / 'results').glob('.*.partial')]
        held.append(subprocess.check_output([sys.executable, '-c', code, *places], cwd=PROJECT, text=True).strip())

    def renames(source, target):
        look(source)
        rename(source, target)
        look(target)

    monkeypatch.setattr('utils.runs.folder.os.rename', renames)
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', look)
    folder = train(*TINY_GBN, '--epochs', '1')
    assert held == [str([NAME])] * len(held)
    assert len(held) >= 3
    assert not (folder / LOCK).exists()


def test_what_a_killed_process_left_half_made_is_taken_away(train, tmp_path):
    left = tmp_path / 'results' / '.run.123.partial'
    other = tmp_path / 'results' / '.run.124.partial'
    for folder in (left, other):
        folder.mkdir(parents=True)
        (folder / 'config.json').write_text('{}')
    with held_by_another(other):
        folder = train(*TINY_GBN)
        assert not left.exists()
        assert other.exists()
    (folder / '.checkpoint.pth.tar.123.partial').write_bytes(b'half')
    assert main_gbn.main(['--resume', str(folder), '--epochs', '4']) == 0
    assert not list(folder.glob('.*'))


@pytest.mark.slow
def test_a_sweep_leaves_a_run_to_the_process_that_writes_it(write, run, started, results):
    path = write(NORMAL, NORMAL.replace('ok_small', 'other'))
    assert run(path)[0] == 0
    for name in ('ok_small', 'other'):
        config = (results / name / 'config.json').read_text()
        (results / name / 'config.json').write_text(config.replace('"status": "done"', '"status": "running"'))
    started.clear()
    with held_by_another(results / 'ok_small') as other:
        status, out, err = run(path)
    why = f'is being written by process {other.pid} on {socket.gethostname()}'
    assert status == 75
    assert f'left     ok_small  {why}' in out and ': 1 done, 1 left' in out
    end = 'the same command goes on from here once all runs have ended'
    assert err.splitlines()[-1] == f'stopped: ok_small {why}; {end}'
    assert [words[2].rpartition('/')[2] for words in started] == ['other']
    assert not (results / 'ok_small.failed.txt').exists()
    assert run(path)[0] == 0
    assert read_json(results / 'ok_small' / 'config.json')['status'] == 'done'


def test_a_sweep_takes_note_of_what_another_one_has_finished(write, run, started, results, monkeypatch):
    path = write(NORMAL, NORMAL.replace('ok_small', 'second'))

    def finishes_both(argv):
        monkeypatch.setattr('tests.sweep_helpers.main_normal.main', original)
        assert original(argv) == 0
        return original([word.replace('ok_small', 'second') for word in argv])

    original = main_normal.main
    monkeypatch.setattr('tests.sweep_helpers.main_normal.main', finishes_both)
    status, out, err = run(path)
    assert (status, err) == (0, '')
    assert 'done     second  by another process' in out
    assert len(started) == 1
