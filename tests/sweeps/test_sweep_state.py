"""What a sweep foretells: the time left, from runs that were timed."""

from __future__ import annotations

from utils.sweeps.state import Estimate, State, Underway


def timed(**rows: float) -> Estimate:
    estimate = Estimate()
    for row, seconds in rows.items():
        estimate.add(row, seconds)
    return estimate


def test_nothing_is_foretold_of_rows_that_were_not_timed():
    assert Estimate().describe(['a', 'b'], [Underway('c', 5, State('new'))], jobs=1) == 'time left not known yet'


def test_runs_of_a_row_take_the_same_time():
    assert timed(a=20, b=40).describe(['a', 'b', 'b'], [], jobs=1) == 'about 1 min 40 s left'
    assert timed(a=20, b=40).describe(['a', 'b', 'b'], [], jobs=2) == 'about 50 s left'
    assert timed(a=20, b=40).describe(['a', 'b'], [], jobs=2) == 'about 40 s left'  # at least the longest of them
    assert timed(a=20, b=40).describe(['b'], [], jobs=8) == 'about 40 s left'
    mean = timed(a=20)
    mean.add('a', 30)
    assert mean.describe(['a'], [], jobs=1) == 'about 25 s left'


def test_a_row_without_a_time_is_said_to_be_missing():
    assert timed(a=30).describe(['a', 'b', 'c'], [], jobs=1) == 'more than 30 s left, 2 runs not timed yet'


def test_a_run_underway_tells_by_its_epochs():
    half = Underway('a', 30, State('begun', epoch=5, num_epochs=10, epoch_seconds=4))
    assert Estimate().describe([], [half], jobs=1) == 'about 20 s left'
    assert Estimate().describe(['a'], [half], jobs=1) == 'about 1 min 10 s left'  # a second run: 50 s, start included
    assert timed(a=100).describe(['a'], [half], jobs=1) == 'about 2 min left'  # a whole run is better known


def test_before_its_first_epoch_the_row_tells():
    for seconds, text in ((10, 'about 30 s left'), (50, 'about 0 s left')):
        begun = Underway('a', seconds, State('begun', num_epochs=10))
        assert timed(a=40).describe([], [begun], jobs=1) == text
