"""Where the project lies; files that are written whole or not at all, and named where that fails."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bigbatch.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]  # the folder of the scripts
REMEDIES = {
    errno.ENOSPC: 'make room on that disk', errno.EDQUOT: 'make room in that quota',
    errno.EFBIG: 'allow larger files', errno.EROFS: 'mount it writable', errno.EACCES: 'make it writable',
    errno.EPERM: 'make it writable', errno.EMFILE: 'allow more open files by `ulimit -n`',
    errno.EAGAIN: 'allow more processes by `ulimit -u`', errno.ENAMETOOLONG: 'no file can have so long a name',
}  # fmt: skip
# What a file system answers to what it does not know, such as one that a machine shares with its guest.
UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Turn an OSError within the block into a UserError of one line: the file, the reason and what helps."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = error if isinstance(error, OSError) else error.__context__  # torch.save hides it behind its own
        if not isinstance(reason, OSError):
            raise
        raise UserError(f'{path} cannot be written ({reason.strerror or reason}){_remedy(reason)}') from error


def describe(error: OSError) -> str:
    """Say in one line what the system refused, and what helps."""
    name = '' if error.filename is None else str(error.filename)
    place = f'{name[:200]}{"..." * (len(name) > 200)}: ' if name else ''
    remedy = '' if isinstance(error, PermissionError) else _remedy(error)  # it may have been about to read
    return f'{place}{error.strerror or error}{remedy}'


def _remedy(error: OSError) -> str:
    return f': {REMEDIES[error.errno]}' if error.errno in REMEDIES else ''


def write_atomically(path: Path, write: Callable, *, previous: Path | None = None) -> None:
    """Write a file under another name, flush it to disk and rename it: a reader sees the old one or the new one.

    Args:
        write: called with the open binary file.
        previous: where the old one is kept.

    Raises:
        UserError: the disk is full or the like; the old one is still there.
    """
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    with naming_file(path):
        try:
            with open(partial, 'wb') as file:
                write(file)
                file.flush()
                _flush(file.fileno())
            if previous is not None and path.exists():
                _keep(path, previous)
            os.replace(partial, path)
            flush_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):  # a folder that cannot be written: that is said already
                partial.unlink()


def _keep(path: Path, previous: Path) -> None:
    """Give a file a second name; it is under its first one at every moment, where the file system has hard links."""
    link = previous.with_name(f'.{previous.name}.{os.getpid()}.partial')
    try:
        os.link(path, link)
        os.replace(link, previous)
    except OSError:
        os.replace(path, previous)
    finally:
        link.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the file system knows how."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def copy_atomically(source: Path, path: Path) -> None:
    """Copy a file, whole or not at all."""
    write_atomically(path, lambda file: file.write(source.read_bytes()))


def flush_to_disk(path: Path) -> None:
    """Wait until what was written to a file is on the disk."""
    with naming_file(path), open(path, 'rb') as file:
        _flush(file.fileno())


def _flush(number: int) -> None:
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
