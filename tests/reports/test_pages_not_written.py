"""Runs whose folder cannot be written to."""

import errno
import os
import re

import measure_sharpness
from tests.conftest import TINY_GBN


def test_a_page_that_cannot_be_written_is_a_warning_of_one_line(train, run, monkeypatch, capsys, tmp_path):
    flags = ['--evaluate', str(run), '--max-iterations', '1', '--results_dir', str(tmp_path / 'measured')]
    assert measure_sharpness.main(flags) == 0
    replace = os.replace

    def refuse(source, target):
        if str(target).endswith('.html'):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))
        replace(source, target)

    monkeypatch.setattr(os, 'replace', refuse)
    capsys.readouterr()
    failures = []
    for what in (lambda: measure_sharpness.main(flags), lambda: train(*TINY_GBN, '--epochs', '1', save='other')):
        what()
        said = capsys.readouterr().err
        if not re.fullmatch(r'warning: \S+\.html cannot be written \(Read-only .*\): mount it writable\n', said):
            failures.append(said)
    assert failures == []
