"""Mean and deviation, and durations, as people read them."""

import math

from tests.each import check_each
from utils.quantities import duration, plus_minus, spread

SPREADS = [
    ([1.0, 2.0], '.2f', '1.50 +- 0.71'), ([1.0, 2.0], '.4g', '1.5 +- 0.71'), ([0.001, 0.003], '.3g', '0.002 +- 0.0014'),
    ([98.654], '.2f', '98.65'), ([], '.2f', '-'), ([5.0, 5.0], '.3g', '5 +- 0'),
    ([math.inf, 1.0], '.4f', 'inf +- inf'), ([math.nan, 1.0], '.4f', 'nan'),
]  # fmt: skip
DURATIONS = [
    (0, '0 s'), (1.25, '1.2 s'), (59.4, '59.4 s'), (59.99, '1 min'), (60, '1 min'), (153, '2 min 33 s'),
    (3599.6, '1 h'), (3 * 3600 + 65, '3 h 1 min'), (7179.9, '2 h'), (86399, '1 d'), (273600 + 720, '3 d 4 h 12 min'),
    (None, '-'), (math.nan, '-'), (math.inf, '-'), (-1, '-'),
]  # fmt: skip


def test_mean_and_deviation_of_values():
    def check(values, form, text):
        assert spread(values, form) == text
        assert spread(values, form, has_count=True) == (f'{text} ({len(values)})' if values else '-')

    check_each(SPREADS, check)
    assert plus_minus(98.654, math.nan, '.2f', count=1) == '98.65 (1)'
    assert plus_minus(98.654, None, '.4g') == '98.65'


def test_durations():
    assert [(seconds, duration(seconds)) for seconds, _ in DURATIONS] == DURATIONS
