"""SWAP on several ranks: all of them train the first phase together, then each has workers of its own.

The first rank does what it does alone, and leaves some of the workers to the others. They meet at the store of torchrun
between the phases; what a worker has come to is read from its folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from bigbatch.distributed import NAMES, Ranks, meet
from bigbatch.errors import Interrupted, OtherRankError
from bigbatch.interrupts import stop_requests
from utils.command import EXIT_INTERRUPTED
from utils.files import PROJECT
from utils.sweeps.execution import SECONDS_BETWEEN_LOOKS, Sweep
from utils.sweeps.state import State, look_at
from utils.sweeps.suite import PlannedRun

FOLDER, LOOKED, WORKERS = 'folder', 'looked', 'workers'  # where ranks meet


def follow_phases(phase1: PlannedRun, workers: Sequence[PlannedRun], folder: Path, ranks: Ranks, *, jobs: int) -> None:
    """Take part in the first two phases as a rank other than the first, which averages.

    Raises:
        OtherRankError: the first phase did not end well, which the first rank tells.
        Interrupted: a signal came.
    """
    meet(ranks, FOLDER)
    state = look_at(phase1, folder)
    meet(ranks, LOOKED)
    if not state.is_finished:
        _train_part(phase1, folder, state)
    elif state.status == 'diverged':
        return
    own = own_workers(workers, ranks)
    own = [run for run in own if look_at(run, folder).status != 'refused']  # of those the first rank tells
    sweep = Sweep(own, folder, jobs=jobs, fail_fast=False, environment=alone(ranks))
    sweep.execute()
    sweep.check_none_left()
    meet(ranks, WORKERS)


def own_workers(workers: Sequence[PlannedRun], ranks: Ranks) -> list[PlannedRun]:
    """Return the workers of this rank."""
    return list(workers[ranks.rank :: ranks.size])


def alone(ranks: Ranks) -> dict[str, str]:
    """Return the environment of a process that is none of the ranks, on the GPU of this one."""
    found = {name: value for name, value in os.environ.items() if name not in NAMES}
    if ranks.size > 1 and torch.cuda.is_available():
        visible = os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
        found['CUDA_VISIBLE_DEVICES'] = visible[ranks.local_rank] if visible != [''] else str(ranks.local_rank)
    return found


def _train_part(phase1: PlannedRun, folder: Path, state: State) -> None:
    flags = phase1.flags(folder, begins=state.status == 'new')
    command = [sys.executable, str(PROJECT / phase1.script), *flags]
    with stop_requests('the runs finish their step, then save') as should_stop:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        while process.poll() is None:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            if should_stop():
                process.terminate()
                process.wait()
    if process.returncode == EXIT_INTERRUPTED:
        raise Interrupted('in phase 1')
    if process.returncode:
        raise OtherRankError('phase 1 did not end well', max(1, process.returncode))
