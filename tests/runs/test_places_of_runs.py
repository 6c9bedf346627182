"""Runs on disks that lack what others have."""

import errno
import fcntl
import os

import main_gbn
from tests.conftest import TINY_GBN, read_json, stable_rows


def test_a_disk_without_locks_is_warned_of_and_trains_the_same(train, monkeypatch, capsys, tmp_path):
    expected = stable_rows(train(*TINY_GBN, '--epochs', '2', save='expected'))
    failures = []
    for number in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):

        def refuse(*_, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, 'lockf', refuse)
        capsys.readouterr()
        run = train(*TINY_GBN, '--epochs', '1', save=f'run{number}')
        main_gbn.main(['--resume', str(run), '--epochs', '2'])
        warned = capsys.readouterr().err.count(f'this disk has no file locks ({os.strerror(number)})')
        if warned != 2 or stable_rows(run) != expected or read_json(run / 'config.json')['status'] != 'done':
            failures.append((number, warned))
    assert failures == []
    assert not list(tmp_path.rglob('.lock'))


def test_a_disk_that_fails_otherwise_is_not_taken_for_one_without_locks(train, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, 'lockf', refuse)
    assert train(*TINY_GBN, '--epochs', '1') == 2
    assert 'Input/output error' in capsys.readouterr().err
