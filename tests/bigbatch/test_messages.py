"""Numbers with their nouns."""

import pytest

from bigbatch.messages import counted


@pytest.mark.parametrize(('number', 'text'), [
    (0, '0 runs'), (1, '1 run'), (1.0, '1 run'), (2, '2 runs'), (0.5, '0.5 runs'), (12000, '12,000 runs'),
])  # fmt: skip
def test_a_number_stands_with_its_noun(number, text):
    assert counted(number, 'run') == text
