"""Where a batch is cut into pieces: the same for micro-batches and for ghosts."""

from __future__ import annotations

import itertools


def split_evenly(num: int, size: int) -> list[tuple[int, int]]:
    """Cut range(num) into pieces of `size`, in order, as (start, stop).

    What is left over is a piece of its own, but a single example joins the piece before it (unless all pieces
    are that small): batch norm has no variance for one value, and ghosts are then cut as in the whole batch.
    """
    starts = list(range(0, num, size))
    if len(starts) > 1 and size > 1 and num - starts[-1] == 1:
        starts.pop()
    return list(itertools.pairwise([*starts, num]))
