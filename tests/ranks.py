"""Several ranks for tests: processes that run the scripts' main functions as torchrun would have them do it."""

import contextlib
import datetime
import importlib
import itertools
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import pandas
import torch
from torch.distributed import TCPStore

from bigbatch.errors import UserError
from tests.conftest import stable_rows
from utils.engine.progress import Progress
from utils.reports.pages import run_page

SECONDS = 170


def run_on_ranks(size: int, commands: Sequence[tuple[str, ...]], folder: Path) -> list[list[int]]:
    """Run commands, each a script's name and its flags, one after the other on all ranks; return their exit statuses.

    A script's name may be followed by ':' and an update after which the last rank gets a SIGUSR2, or by '!' and an
    update after which it fails. The folder gets what rank k prints as rank<k>.txt.
    """
    seconds = datetime.timedelta(seconds=SECONDS)
    store = TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False, timeout=seconds)
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    shared = size, store.port, commands, folder, queue
    processes = [context.Process(target=_run, args=(rank, *shared)) for rank in range(size)]
    try:
        for process in processes:
            process.start()
        found = dict(queue.get(timeout=SECONDS) for _ in processes)
    finally:
        for process in processes:
            process.kill()
            process.join()
    return [list(statuses) for statuses in zip(*(found[rank] for rank in range(size)), strict=True)]


def _run(rank: int, size: int, port: int, commands: Sequence[tuple[str, ...]], folder: Path, queue) -> None:
    os.environ.update({
        'RANK': str(rank), 'LOCAL_RANK': str(rank), 'WORLD_SIZE': str(size), 'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(port), 'TORCHELASTIC_USE_AGENT_STORE': 'True',
    })  # fmt: skip
    torch.set_num_threads(1)
    run_page.write_run_page = lambda run: None  # takes longer than these runs
    statuses = []
    with open(folder / f'rank{rank}.txt', 'w', buffering=1) as file, contextlib.redirect_stdout(file):
        sys.stderr = file
        for number, (script, *flags) in enumerate(commands):
            os.environ['TORCHELASTIC_RESTART_COUNT'] = str(number)  # names of its own in the store
            script, mark, step = re.fullmatch('([a-z_]+)([:!]?)([0-9]*)', script).groups()
            with _event_after(int(step), mark) if mark and rank == size - 1 else contextlib.nullcontext():
                statuses.append(importlib.import_module(script).main(flags))
    queue.put((rank, statuses))


@contextlib.contextmanager
def _event_after(step: int, mark: str) -> Iterator[None]:
    """Send this process a SIGUSR2, or raise an error, after so many updates within the block."""
    calls, on_step = itertools.count(1), Progress.on_step

    def count(self, *args) -> None:
        on_step(self, *args)
        if next(calls) != step:
            return
        if mark == '!':
            raise UserError('the data of this machine are gone')
        os.kill(os.getpid(), signal.SIGUSR2)

    with mock.patch.object(Progress, 'on_step', count):
        yield


def assert_same_run(first: Path, second: Path, *, tolerance: float = 1e-10) -> None:
    """Compare the rows and the last checkpoints of two runs, to a relative difference; 0 asks for equal bits."""
    rows, others = (pandas.DataFrame(stable_rows(run)).apply(pandas.to_numeric) for run in (first, second))
    assert len(rows) > 0
    pandas.testing.assert_frame_equal(rows, others, check_dtype=False, rtol=tolerance, atol=tolerance)
    states = [torch.load(run / 'checkpoint.pth.tar', weights_only=True)['state_dict'] for run in (first, second)]
    assert states[0].keys() == states[1].keys()
    for name in states[0]:
        assert torch.allclose(states[0][name], states[1][name], rtol=tolerance, atol=tolerance), name
