"""What makes a function a command: errors that a user can cause end as one line with an exit status, no traceback."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from bigbatch.distributed import announce_failure, is_first_rank, world_size
from bigbatch.errors import DivergedError, Interrupted, OtherRankError, UserError
from bigbatch.interrupts import ending_by_signal
from utils.files import describe
from utils.logs import hold_notes, print_notes, start_logging
from utils.parser import UsageError

EXIT_USER_ERROR = 2
EXIT_DIVERGED = 3
EXIT_INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: a signal stopped it, the same command or --resume goes on
EXIT_KILLED = 130  # 128 + SIGINT, as shells report it: the second Ctrl-C
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE
SPIN_COUNT = '10000'  # of GNU's OpenMP, which has 300000; see benchmarks/busy.py
REQUIRED = ('torch', 'torchvision', 'numpy', 'pandas', 'bokeh', 'scipy', 'sklearn', 'tqdm', 'matplotlib')


def command(main: Callable[..., int]) -> Callable[..., int]:
    """Make an entry function return its exit status and print what a user caused as one line.

    Args:
        main: takes argv and returns an exit status; may raise UserError (status 2), DivergedError
            (status 3), OtherRankError (status of that rank), SystemExit from --help, Interrupted (status 75) or
            KeyboardInterrupt (status 130). A signal raises Interrupted in it, unless it says otherwise by
            bigbatch.interrupts.stop_requests. What it logs is printed once its checks, in user_errors, are over.
    """

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        start_logging()
        if 'torch' not in sys.modules:
            os.environ.update(spin_settings(os.environ))
        hold_notes()
        try:
            _find_home()
            with ending_by_signal():
                status = main(argv)
            print_notes()
            return status
        except SystemExit as stop:
            return int(stop.code or 0)
        except UsageError as error:
            return _fail(str(error), EXIT_USER_ERROR, label=f'{error.prog}: error')
        except UserError as error:
            return _fail(str(error), EXIT_USER_ERROR)
        except OtherRankError as error:
            return error.status if error.is_told else _fail(str(error), error.status)
        except DivergedError as error:
            return _fail(str(error), EXIT_DIVERGED)
        except Interrupted as stop:
            return _fail(str(stop), EXIT_INTERRUPTED, label='stopped')
        except KeyboardInterrupt:
            return _fail('interrupted', EXIT_KILLED)
        except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
            sys.stdout = open(os.devnull, 'w')  # noqa: SIM115 - what is still buffered has nowhere to go
            return EXIT_BROKEN_PIPE
        except Exception as error:
            if text := _explain(error):
                return _fail(text, EXIT_USER_ERROR)
            _announced(f'{type(error).__name__}: {error}', 1)  # a fault of the program: its traceback follows
            raise

    return wrapped


def spin_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables by which OpenMP's threads that wait for each other sleep soon, if the user says nothing of it.

    They wait spinning, by default so long that on a machine that is busy with other work a run takes 10 to 70 times as
    long. The library reads them once, when torch is loaded.
    """
    is_said = not environment.keys().isdisjoint(('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'))
    return {} if is_said else {'GOMP_SPINCOUNT': SPIN_COUNT}


def _explain(error: Exception) -> str:
    """Say what is wrong where that is not the program: a file that was added to it, or the place that it runs in."""
    if isinstance(error, ModuleNotFoundError) and error.name in REQUIRED:
        remedy = 'enter the environment of `make demo` by `. .venv/bin/activate`, or install requirements.txt'
        return f'{sys.executable} has no package {error.name}: {remedy}'
    if place := getattr(error, 'own_place', ''):
        return f'{place}: {type(error).__name__}: {getattr(error, "msg", error)}'
    if isinstance(error, UnicodeEncodeError) and sys.getfilesystemencoding() != 'utf-8':
        return f'{error.object[:80]!a}: this locale has no such letters in names of files: start it with PYTHONUTF8=1'
    return describe(error) if isinstance(error, OSError) else ''


def _find_home() -> None:
    """Let a user without a home, as a container may have one, keep in the working folder what belongs there."""
    try:
        folder = os.getcwd()
    except FileNotFoundError as error:
        raise UserError('the working folder is gone, as if somebody has deleted it: cd to another one') from error
    if os.path.expanduser('~') == '~':  # libraries look there for their settings, and end where there is none
        os.environ['HOME'] = folder


def _fail(message: str, status: int, *, label: str = 'error') -> int:
    line = _announced(message, status)
    if line and (is_first_rank() or status != EXIT_INTERRUPTED):  # which all hear of
        with contextlib.suppress(OSError):  # a terminal that is gone: the status says it too
            print(f'{label}: {line}', file=sys.stderr)
    return status


def _announced(message: str, status: int) -> str:
    """Tell the other ranks that this one ends; return the line to print, empty for what the first one says for all."""
    line = ' '.join(message.split())
    if world_size() == '1':
        return line
    rank = '' if is_first_rank() else f'rank {os.environ.get("RANK")}: '
    try:
        return f'{rank}{line}' if announce_failure(line, status) else ''
    except KeyboardInterrupt:  # a Ctrl-C while the others are waited for
        return f'{rank}{line}'


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Turn a ValueError of the enclosed set-up into a UserError, so that it ends as one line; then print its notes."""
    try:
        yield
        print_notes()
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error
    except MemoryError as error:
        raise UserError(f'not enough memory for these sizes ({error})') from error
