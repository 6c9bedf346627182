"""Watching runs: when they are drawn anew, when the watch ends. The clock is a script of what happens meanwhile."""

import json
import shutil

import pytest

from bigbatch.errors import UserError
from tests.fake_runs import write_run
from utils.reports import watch as watching
from utils.reports.watch import watch


@pytest.fixture
def follow(monkeypatch):
    """Return a function that watches a folder while things happen, one a pause, and returns what was drawn."""

    def run(folder, *events, quiet=0.0):
        left, drawn, pauses = list(events), [], []

        def sleep(seconds):
            pauses.append(seconds)
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(watching.time, 'sleep', sleep)
        monkeypatch.setattr(watching, 'QUIET_SECONDS', quiet)
        watch([folder], lambda runs: drawn.append({run.name: len(run.results) for run in runs}))
        return drawn, pauses, left

    return run


def set_status(folder, status):
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps({**config, 'status': status}))


def add_row(folder):
    path = folder / 'results.csv'
    lines = path.read_text().splitlines()
    path.write_text('\n'.join([*lines, '4' + lines[-1][1:]]) + '\n')


def nothing():
    pass


def test_pages_follow_the_files_until_every_run_has_ended(tmp_path, follow):
    first, second = tmp_path / 'a', tmp_path / 'suite' / 'b'
    drawn, _, left = follow(
        tmp_path,
        nothing,  # no run is there yet
        lambda: write_run(first, errors=(), status='running'), nothing,
        lambda: (first / 'checkpoint.pth.tar').write_bytes(b'x'),  # no result
        lambda: write_run(second, status='running'), lambda: add_row(second),
        lambda: set_status(first, 'failed'), lambda: set_status(second, 'done'), nothing, quiet=-1.0,
    )  # fmt: skip
    states = [{'a': 0}, {'a': 0, 'b': 3}, {'a': 0, 'b': 4}, {'a': 0, 'b': 4}]
    assert drawn == states  # the last change, which ends the watch, is for the caller to draw
    assert left == [nothing]


def test_a_watch_waits_for_the_next_run_of_a_suite(tmp_path, follow):
    write_run(tmp_path / 'a')
    drawn, _, left = follow(tmp_path, nothing, lambda: write_run(tmp_path / 'b', status='running'), quiet=60.0)
    assert drawn == [{'a': 3}, {'a': 3, 'b': 3}]
    assert not left
    set_status(tmp_path / 'b', 'done')
    assert follow(tmp_path, quiet=-1.0) == ([], [], [])  # all have ended long ago


def test_drawing_takes_a_small_share_of_the_time(tmp_path, follow, monkeypatch):
    write_run(tmp_path / 'a', status='running')
    clock = iter([100.0, 112.0, 200.0, 200.0])  # drawing takes 12 seconds
    monkeypatch.setattr(watching.time, 'monotonic', lambda: next(clock))
    _, pauses, _ = follow(tmp_path, nothing)
    assert pauses == [pytest.approx(12 / watching.PAGE_SHARE - 12), watching.SECONDS_BETWEEN_LOOKS]
    assert 12 / (12 + pauses[0]) <= 0.1 + 1e-9


def test_what_vanishes_while_it_is_looked_at_does_no_harm(tmp_path, follow):
    write_run(tmp_path / 'a', status='running')
    write_run(tmp_path / 'b', status='running')
    drawn, _, _ = follow(tmp_path, lambda: shutil.rmtree(tmp_path / 'a'), nothing)
    assert drawn == [{'a': 3, 'b': 3}, {'b': 3}]
    with pytest.raises(UserError, match='no folder'):
        watch([tmp_path / 'nowhere'], print)
