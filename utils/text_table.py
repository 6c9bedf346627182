"""Tables as aligned text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from utils.wording import wrap

GAP = '  '  # between columns
NARROWEST_LABEL = 24  # characters


def text_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: Collection[str] | None = None,
    width: int | None = None,
) -> list[str]:  # fmt: skip
    """Lay out a heading, a rule and rows as lines of text.

    Args:
        left: headings of columns that are aligned to the left, as words are; None: the first column alone.
        width: characters of a line; a label, the first cell of a row, that is too long for that goes on in the line
            below. None: as wide as it has to be.
    """
    left = headings[:1] if left is None else left
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    if width is not None:
        room = width - sum(len(GAP) + each for each in widths[1:])
        widths[0] = min(widths[0], max(room, NARROWEST_LABEL))
    lines = []
    for row in (headings, *rows):
        label, *rest = wrap(row[0], widths[0], indent='  ') if width is not None else row[:1]
        cells = [
            text.ljust(space) if heading in left else text.rjust(space)
            for heading, text, space in zip(headings, (label, *row[1:]), widths, strict=True)
        ]
        lines += [GAP.join(cells).rstrip(), *rest]
    lines.insert(1, '-' * (sum(widths) + len(GAP) * (len(widths) - 1)))
    return lines
