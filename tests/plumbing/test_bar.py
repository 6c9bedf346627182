"""The bar of a measurement: on a terminal, as plain lines elsewhere."""

import io

from utils.bar import EvaluationProgress


def test_a_measurement_says_how_long_it_will_take(monkeypatch):
    now = [0.0]
    monkeypatch.setattr('utils.bar.time.perf_counter', lambda: now[0])
    stream = io.StringIO()
    with EvaluationProgress(4000, 'examples', stream=stream) as progress:
        for _ in range(4):
            now[0] += 6
            progress.advance(10)
    assert stream.getvalue().splitlines() == [
        '20 of 4,000 examples after 12 s, about 39 min 48 s left',
        '40 of 4,000 examples after 24 s, about 39 min 36 s left',
    ]


def test_a_measurement_has_a_bar_on_a_terminal():
    stream = io.StringIO()
    stream.isatty = lambda: True
    with EvaluationProgress(4, 'points', stream=stream) as progress:
        progress.advance(4)
    assert '4/4' in stream.getvalue() and 'points' in stream.getvalue()
