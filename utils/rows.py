"""A table in a CSV file that grows by a row when one is measured, and is gone on with by the next call.

Words are quoted and numbers are not, so that a digest of digits alone stays a word.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from bigbatch.errors import UserError
from utils.files import naming_file

LARGEST_EXACT = 2**53  # whole numbers above it are kept as words: a float would round them


class RowFile:
    """Rows of a CSV file, found by their key; nothing is written before the first row is added.

    A file with these columns in another order keeps its order. Half a last line, which a stopped process may leave, is
    left out, and cut when a row is added.

    Args:
        columns: names, in the order of a new file.
        key: those columns that tell rows apart; of two rows with one key the later one holds.

    Raises:
        UserError: the file has other columns, or cannot be read.
    """

    def __init__(self, path: str | Path, columns: Sequence[str], key: Sequence[str]):
        assert set(key) <= set(columns), (key, columns)
        self.path, self._columns, self._key = Path(path), tuple(columns), tuple(key)
        self._rows: dict[tuple, dict] = {}
        self._is_whole = True  # its last line is
        if self.path.exists():
            self._read()

    def get(self, **key) -> dict | None:
        """Return the row with these values in the columns of the key, or None."""
        assert set(key) == set(self._key), (sorted(key), self._key)
        return self._rows.get(tuple(_plain(key[name]) for name in self._key))

    def row(self, **key) -> dict:
        """Return the row with these values in the columns of the key, which is there."""
        found = self.get(**key)
        assert found is not None, key
        return found

    def rows(self) -> list[dict]:
        """Return all rows, in the order of the file: int, float, str, or None for an empty cell."""
        return [dict(row) for row in self._rows.values()]

    def add(self, row: Mapping) -> None:
        """Append a row to the file, at once: a number, a word, a truth value (kept as 0 or 1) or None a column."""
        assert set(row) == set(self._columns), sorted({*row} ^ {*self._columns})
        plain = {name: _plain(row[name]) for name in self._columns}
        with naming_file(self.path):
            self._append(plain)
        self._keep(plain)

    def _append(self, plain: Mapping) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, 'a+b') as file:
            if not self._is_whole:  # looked for when it was read, not now: others may be adding to the file
                file.seek(0)
                file.truncate(file.read().rfind(b'\n') + 1)
                self._is_whole = True
            start = '' if file.seek(0, io.SEEK_END) else _line(self._columns)
            file.write((start + _line(plain.values())).encode())

    def _keep(self, row: dict) -> None:
        key = tuple(row[name] for name in self._key)
        self._rows.pop(key, None)
        self._rows[key] = row

    def _read(self) -> None:
        try:
            content = self.path.read_bytes()
            whole = content[: content.rfind(b'\n') + 1]
            lines = list(csv.reader(io.StringIO(whole.decode()), quoting=csv.QUOTE_NONNUMERIC))
        except (OSError, ValueError, csv.Error) as error:
            raise UserError(f'{self.path}: not a table of this project, or damaged ({error}): move it away') from error
        self._is_whole = whole == content
        head = tuple(lines[0]) if lines else self._columns
        if sorted(map(str, head)) != sorted(self._columns):
            found = ', '.join(map(str, head))[:200]
            raise UserError(
                f'{self.path} has the columns {found}, not {", ".join(self._columns)}: move it away, or see --save'
            )
        self._columns = head
        for number, cells in enumerate(lines[1:], start=2):
            if len(cells) != len(self._columns):
                raise UserError(f'{self.path}: row {number} has {len(cells)} values, not {len(self._columns)}: mend it')
            self._keep({name: _typed(cell) for name, cell in zip(self._columns, cells, strict=True)})


def _plain(value):
    """Return a value as it will be read again."""
    if value is None or value == '':
        return None
    if hasattr(value, 'item'):
        value = value.item()  # of NumPy or torch
    if isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, int) and abs(value) > LARGEST_EXACT else value


def _typed(cell: str | float):
    if isinstance(cell, str):
        return cell or None
    return int(cell) if cell.is_integer() else cell


def _line(values) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator='\n').writerow(
        ['' if value is None else value for value in values]
    )
    return text.getvalue()
