"""Tables as aligned text."""

from utils.text_table import text_table

HEADINGS = ['run', 'note', 'error %']
ROWS = [['small', 'ok', '5.00'], ['larger', '', '10.25 +- 0.10']]


def test_the_first_column_is_aligned_to_the_left_unless_others_are():
    assert text_table(HEADINGS, ROWS) == [
        'run     note        error %',
        '---------------------------',
        'small     ok           5.00',
        'larger        10.25 +- 0.10',
    ]
    words = text_table(HEADINGS, ROWS, left=('note', 'error %'))
    assert words[2:] == [' small  ok    5.00', 'larger        10.25 +- 0.10']
    assert text_table(HEADINGS, []) == ['run  note  error %', '------------------']


def test_a_label_that_is_too_long_goes_on_in_the_line_below():
    lines = text_table(HEADINGS, [[f'{"a_long_name_" * 4}end', 'ok', '5.00']], width=50)
    assert lines[2:] == ['a_long_name_a_long_name_a_long_        ok     5.00', '  name_a_long_name_end']
    assert {len(lines[0]), len(lines[2])} == {50}
