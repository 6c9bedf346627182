"""Write files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, write: Callable) -> None:
    """Write a file under another name, flush it to disk and rename it: a reader sees the old one or the new one.

    Args:
        write: called with the open binary file.
    """
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        with open(partial, 'wb') as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def copy_atomically(source: Path, path: Path) -> None:
    """Copy a file, whole or not at all."""
    write_atomically(path, lambda file: file.write(source.read_bytes()))


def flush_to_disk(path: Path) -> None:
    """Wait until what was written to a file is on the disk."""
    with open(path, 'rb') as file:
        os.fsync(file.fileno())
