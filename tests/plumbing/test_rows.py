"""A table that grows in a file: what is added is read again, whatever was stopped in between."""

import math

import numpy as np
import pytest

from bigbatch.errors import UserError
from tests.conftest import read_rows
from tests.each import check_each
from utils.rows import RowFile

COLUMNS, KEY = ('name', 'number', 'value', 'note'), ('name', 'number')
ROWS = [
    {'name': '123456789012', 'number': 1, 'value': 0.1, 'note': 'a, "b"\nc'},
    {'name': '12e456789012', 'number': None, 'value': 1e-300, 'note': ''},
    {'name': 'nan', 'number': 2**63 - 1, 'value': math.inf, 'note': None},
    {'name': '-1', 'number': True, 'value': np.float64(1 / 3), 'note': np.int64(7)},
]


def table(path):
    return RowFile(path, COLUMNS, KEY)


def test_what_was_added_is_found_again_by_its_key(tmp_path):
    path = tmp_path / 'sub' / 'rows.csv'
    rows = table(path)
    assert rows.rows() == []
    assert not path.parent.exists()
    for row in ROWS:
        assert rows.get(name=row['name'], number=row['number']) is None
        rows.add(row)
    for one in (rows, table(path)):
        found = [one.get(name=row['name'], number=row['number']) for row in ROWS]
        assert found == one.rows()
        assert [row['name'] for row in found] == [row['name'] for row in ROWS]
        assert [row['value'] for row in found] == [0.1, 1e-300, math.inf, 1 / 3]
        assert [row['note'] for row in found] == ['a, "b"\nc', None, None, 7]
        assert one.get(name=123456789012, number=1) is None  # a number is no word
    assert read_rows(path)[0] == {'name': '123456789012', 'number': '1', 'value': '0.1', 'note': 'a, "b"\nc'}


def test_every_cut_of_the_file_can_be_gone_on_with(tmp_path):
    path = tmp_path / 'rows.csv'
    for row in ROWS[1:]:
        table(path).add(row)
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        rows = table(path)
        assert path.read_bytes() == whole[:end]  # reading changes nothing
        assert len(rows.rows()) == max(0, whole[:end].count(b'\n') - 1)
        for row in ROWS[1:]:
            if rows.get(name=row['name'], number=row['number']) is None:
                rows.add(row)
        assert path.read_bytes() == whole


def test_tables_can_add_to_one_file_and_the_later_of_two_rows_holds(tmp_path):
    first, second = table(tmp_path / 'rows.csv'), table(tmp_path / 'rows.csv')
    for rows, value in ((second, 1), (first, 2), (second, 3)):
        rows.add({**ROWS[1], 'number': value % 2, 'value': value})
    assert [row['value'] for row in table(first.path).rows()] == [2, 3]


def test_a_file_keeps_its_own_order_of_columns(tmp_path):
    path = tmp_path / 'rows.csv'
    for row in ROWS[:2]:
        RowFile(path, COLUMNS[::-1], KEY[::-1]).add(row)
    for row in ROWS[2:]:
        table(path).add(row)
    rows = table(path)
    assert [rows.get(name=row['name'], number=row['number'])['value'] for row in ROWS] == [0.1, 1e-300, math.inf, 1 / 3]
    last = read_rows(path)[-1]
    assert [*last] == [*COLUMNS[::-1]]
    assert last == {'name': '-1', 'number': '1', 'value': str(1 / 3), 'note': '7'}


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / 'rows.csv'

    def check(text, *words):
        path.write_bytes(text.encode('latin-1'))
        with pytest.raises(UserError) as caught:
            table(path)
        assert [word for word in (str(path), *words) if word not in str(caught.value)] == []
        assert '\n' not in str(caught.value)

    check_each([
        ('"note","value","number"\n', 'has the columns note, value, number, not name, number, value, note'),
        ('"note","value","number","name","more"\n', 'has the columns note, value, number, name, more, not name,'),
        ('"note","value","number","note"\n', 'has the columns note, value, number, note, not name,'),
        ('"note","value","number","name","name"\n', 'has the columns note, value, number, name, name, not name,'),
        ('"note","value",1,"name"\n', 'has the columns note, value, 1.0, name, not name,'),
        ('"name","number","value","note"\n"a",1,2\n', 'row 2', '3 values', '4'),
        ('name,number\n', 'not a table'), ('\xff\n', 'not a table'),
    ], check)  # fmt: skip
