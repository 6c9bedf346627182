"""Errors that a user can cause: one line, one exit status, no traceback."""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator

from utils.logs import start_logging

EXIT_USER_ERROR = 2
EXIT_DIVERGED = 3
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


class UserError(ValueError):
    """Name a wrong value, what is wrong with it and what would be right, in one line."""


class DivergedError(RuntimeError):
    """Report that the loss or its gradient stopped being finite."""

    def __init__(self, *, epoch: int, step: int, lr: float, loss: float, grad_norm: float):
        super().__init__(
            f'diverged in epoch {epoch} at step {step}: loss {loss:g}, gradient norm {grad_norm:g}, '
            f'learning rate {lr:g}'
        )


def suggest(word: str, known: Iterable[str]) -> str:
    """Name the nearest known words, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    hint = f'did you mean {" or ".join(near)}? ' if near else ''
    return f'{hint}known: {", ".join(names)}'


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Turn a ValueError of the enclosed set-up into a UserError, so that it ends as one line."""
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error
    except MemoryError as error:
        raise UserError(f'not enough memory for these sizes ({error})') from error


def command(main: Callable[..., int]) -> Callable[..., int]:
    """Make an entry function return its exit status and print what a user caused as one line.

    Args:
        main: takes argv and returns an exit status; may raise UserError (status 2), DivergedError
            (status 3), SystemExit from argparse or KeyboardInterrupt (status 130).
    """

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        start_logging()
        try:
            return main(argv)
        except SystemExit as stop:
            return int(stop.code or 0)
        except UserError as error:
            return _fail(str(error), EXIT_USER_ERROR)
        except DivergedError as error:
            return _fail(str(error), EXIT_DIVERGED)
        except KeyboardInterrupt:
            return _fail('interrupted', EXIT_INTERRUPTED)
        except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
            sys.stdout = open(os.devnull, 'w')  # noqa: SIM115 - what is still buffered has nowhere to go
            return EXIT_BROKEN_PIPE

    return wrapped


def _fail(message: str, status: int) -> int:
    print(f'error: {" ".join(message.split())}', file=sys.stderr)
    return status
