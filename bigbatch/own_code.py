"""What goes wrong in files that anyone may add, such as networks and data sets, is told by its place in them."""

from __future__ import annotations

import contextlib
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from bigbatch.errors import UserError


@contextlib.contextmanager
def own_code() -> Iterator[None]:
    """Note in what the block raises where that was, as `own_place`, so that a command can say it in one line.

    Raises:
        ValueError: the same where it does not say what is wrong in words of the file's own, with its place before it.
    """
    try:
        yield
    except UserError:
        raise
    except SystemExit as error:
        raise ValueError(f'{place_of(error)}: ends the program, which a file that is imported must not') from error
    except ValueError as error:
        if (traceback.extract_tb(error.__traceback__)[-1].line or '').startswith('raise '):
            raise
        raise ValueError(f'{place_of(error)}: {error}') from error
    except Exception as error:
        error.own_place = place_of(error)  # type: ignore[attr-defined]
        raise


def place_of(error: BaseException) -> str:
    """Return `file:line` of where an error was raised, or of the call of a library that raised it."""
    if isinstance(error, SyntaxError):
        return f'{error.filename}:{error.lineno}'
    frames = traceback.extract_tb(error.__traceback__)
    libraries = ('site-packages', 'dist-packages', '<frozen', sysconfig.get_path('stdlib'), str(Path(__file__).parent))
    own = [frame for frame in frames if not any(name in frame.filename for name in libraries)]
    return f'{own[-1].filename}:{own[-1].lineno}' if own else type(error).__name__
