"""Start an entry script in a forked process, which has everything imported already, and kill it at a chosen moment."""

import contextlib
import importlib
import io
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.crash.cases import DIGITS, Case

LOST = 70  # exit status of a process whose main() raised
COUNT = 'events'  # beside the log of a process: how often it touched a file
MOST_SECONDS, SECONDS_TO_END = 150, 5.0
EVENTS = frozenset(('open', 'os.rename', 'os.link', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.truncate'))


class Death(NamedTuple):
    """When a process is killed; what is None does not count."""

    event: int | None = None  # just before it touches a file of the place for the so manyth time
    seconds: float | None = None  # after its start
    partial: int | None = None  # when the so manyth file that is not whole yet is seen
    delay: float = 0.0  # seconds from then on
    whole_family: bool = True  # with the processes that it started, or without
    member: float | None = None  # one of those alone: its place among them, from 0 to 1


class Ending(NamedTuple):
    killed: bool  # by us
    hurt: bool  # one of the processes that it started was
    saving: bool  # a file was half written then
    statuses: tuple[int, ...]  # of its processes; negative: the signal that ended it
    seconds: float
    events: int  # how often it touched a file
    output: str  # all that it printed


def preload(cases: Sequence[Case]) -> None:
    """Import what the scripts import, once for all forks; much of it is imported by a run alone, so make one."""
    import torch.utils.tensorboard  # noqa: F401

    import main_gbn
    import utils.sweeps.swap.run  # noqa: F401

    for case in cases:
        importlib.import_module(case.script)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        assert main_gbn.main([*DIGITS, '--epochs', '1', '-mb', '32', '--results_dir', folder]) == 0
    assert len(os.listdir('/proc/self/task')) == 1, 'a fork would leave the other threads behind'


def run_and_kill(case: Case, argv: Sequence[str], place: Path, death: Death) -> Ending:
    log, start = place / 'log', time.monotonic()
    log.write_text('')
    (place / COUNT).unlink(missing_ok=True)
    pids = [_fork(case, argv, place, variables, death.event) for variables in _rank_variables(case.ranks)]
    statuses: dict[int, int] = {}
    killed = _watch(pids, statuses, place, death, start)
    hurt = killed and death.member is not None
    killed = (killed and not hurt) or -signal.SIGKILL in statuses.values()
    saving = killed and bool(_partials(place))
    _end_others(pids, statuses)
    count, seconds = place / COUNT, time.monotonic() - start
    events = int(count.read_text()) if count.is_file() else 0
    return Ending(
        killed, hurt, saving, tuple(map(statuses.get, pids)), seconds, events, log.read_text(errors='replace')
    )


def _end_others(pids: list[int], statuses: dict[int, int]) -> None:
    """End the ranks that are left as torchrun does: it asks first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in set(pids) - statuses.keys():
            os.kill(pid, number)
        deadline = time.monotonic() + SECONDS_TO_END
        while _reap(pids, statuses) < len(pids) and time.monotonic() < deadline:
            time.sleep(0.005)


def _rank_variables(number: int) -> list[dict[str, str]]:
    """Return what torchrun would tell each process."""
    if number == 1:
        return [{}]
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        port = str(found.getsockname()[1])
    shared = {'WORLD_SIZE': str(number), 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}
    return [{**shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank)} for rank in range(number)]


def _fork(case: Case, argv: Sequence[str], place: Path, variables: dict[str, str], event: int | None) -> int:
    pid = os.fork()
    if pid:
        os.setpgid(pid, pid)  # here and there: whoever comes first
        return pid
    status = LOST
    try:
        os.setpgid(0, 0)
        os.chdir(place)
        os.environ.update(variables)
        log = os.open('log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(log, stream)
        count = _count_events(str(place), event)
        status = importlib.import_module(case.script).main(list(argv))
        if not variables or variables['RANK'] == '0':
            Path(COUNT).write_text(str(count()))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _count_events(place: str, last: int | None) -> Callable[[], int]:
    """Count how often files of a place are touched; at the `last` time this process is killed before it happens."""
    count = 0

    def see(event: str, arguments: tuple) -> None:
        nonlocal count
        if event in EVENTS and _is_write(event, arguments) and _is_below(arguments[0], place):
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(see)
    return lambda: count


def _is_write(event: str, arguments: tuple) -> bool:
    if event != 'open':
        return True
    mode, flags = arguments[1:3]
    return bool({*'wax+'} & {*mode}) if isinstance(mode, str) else bool(flags & os.O_ACCMODE)


def _is_below(path: object, place: str) -> bool:
    return isinstance(path, (str, bytes)) and os.path.abspath(os.fsdecode(path)).startswith(place)


def _watch(pids: list[int], statuses: dict[int, int], place: Path, death: Death, start: float) -> bool:
    """Wait until it is time to kill, and do so; return False where all ended before."""
    seen: set[str] = set()
    while _reap(pids, statuses) < len(pids):
        seen |= _partials(place) if death.partial is not None else set()
        due = len(seen) >= death.partial if death.partial is not None else _has_passed(death.seconds, start)
        if due:
            time.sleep(death.delay)
            alive = [pid for pid in pids if pid not in statuses]
            if death.member is None:
                _kill(alive if death.whole_family else alive[-1:], death.whole_family)
                return True
            if others := _started_by(alive[0]):
                _kill([others[int(death.member * len(others))]], False)
            return _watch(pids, statuses, place, Death(), start) or bool(others)
        if -signal.SIGKILL in statuses.values():  # by itself
            return True
        if time.monotonic() - start > MOST_SECONDS:
            _kill([pid for pid in pids if pid not in statuses], True)
            raise AssertionError(f'hangs: {(place / "log").read_text()[-2000:]}')
        time.sleep(0.0003)
    return False


def _started_by(leader: int) -> list[int]:
    """List the other processes in the group of one."""
    found = []
    for entry in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(')')[2].split()  # state, parent, group, ...
            if int(fields[2]) == leader != int(entry.parent.name) and fields[0] != 'Z':
                found.append(int(entry.parent.name))
    return sorted(found)


def _has_passed(seconds: float | None, start: float) -> bool:
    return seconds is not None and time.monotonic() - start >= seconds


def _reap(pids: list[int], statuses: dict[int, int]) -> int:
    for pid in (pid for pid in pids if pid not in statuses):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            statuses[pid] = os.waitstatus_to_exitcode(status)
    return len(statuses)


def _kill(pids: list[int], whole_family: bool) -> None:
    for pid in pids:
        (os.killpg if whole_family else os.kill)(pid, signal.SIGKILL)  # each leads a group of its own


def _partials(place: Path) -> set[str]:
    """List the files and folders that are being written; `.run.12.partial` and the like."""
    found, folders = set(), [str(place)]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:  # renamed meanwhile
            continue
        found |= {entry.path for entry in entries if entry.name.endswith('.partial')}
        folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return found
