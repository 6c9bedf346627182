"""Numbers with their nouns."""

from bigbatch.messages import counted


def test_a_number_stands_with_its_noun():
    numbers = (0, 1, 1.0, 2, 0.5, 12000)
    expected = ['0 runs', '1 run', '1 run', '2 runs', '0.5 runs', '12,000 runs']
    assert [counted(number, 'run') for number in numbers] == expected
