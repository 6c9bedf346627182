"""What a sweep foretells: the time left, from runs that were timed."""

from utils.sweeps.state import Estimate, State, Underway


def test_the_time_left_comes_from_runs_that_were_timed_and_epochs_of_those_underway():
    half = Underway('a', 30, State('begun', epoch=5, num_epochs=10, epoch_seconds=4))
    begun = [Underway('a', seconds, State('begun', num_epochs=10)) for seconds in (10, 50)]
    both = {'a': [20], 'b': [40]}
    for timed, rows, underway, jobs, text in (
        ({}, 'ab', [Underway('c', 5, State('new'))], 1, 'time left not known yet'),
        (both, 'abb', [], 1, 'about 1 min 40 s left'),
        (both, 'abb', [], 2, 'about 50 s left'),
        (both, 'ab', [], 2, 'about 40 s left'),  # at least the longest of them
        (both, 'b', [], 8, 'about 40 s left'),
        ({'a': [20, 30]}, 'a', [], 1, 'about 25 s left'),
        ({'a': [30]}, 'abc', [], 1, 'more than 30 s left, 2 runs not timed yet'),
        ({}, '', [half], 1, 'about 20 s left'),
        ({}, 'a', [half], 1, 'about 1 min 10 s left'),  # a second run: 50 s, start included
        ({'a': [100]}, 'a', [half], 1, 'about 2 min left'),  # a whole run is better known
        ({'a': [40]}, '', [begun[0]], 1, 'about 30 s left'),
        ({'a': [40]}, '', [begun[1]], 1, 'about 0 s left'),
    ):
        estimate = Estimate()
        for row, times in timed.items():
            for seconds in times:
                estimate.add(row, seconds)
        assert estimate.describe([*rows], underway, jobs=jobs) == text
