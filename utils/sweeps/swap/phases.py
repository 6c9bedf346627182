"""The phases of SWAP as ordinary training commands.

Source: Gupta, Serrano, DeCoste 2020 (arXiv 2001.02312), who give the batch, the peak rate, the epochs and the stopping
accuracy of each phase. Workers start with a fresh optimizer at a rate of their own that falls linearly to 0; what
adapts a run to a large batch (scaled rates, stretched regimes, warm-up, noise on the gradient) is the first phase's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from utils.config.batch import AUTO
from utils.config.every import names_of
from utils.config.swap import SwapConfig
from utils.runs.layout import LATEST
from utils.settings import Means
from utils.sweeps.commands import given_flags, places, select_words
from utils.sweeps.suite import PlannedRun

PHASE1 = 'phase1'
SEEDS_APART = 1000  # between the first workers of neighbouring seeds


def plan_phase1(config: SwapConfig) -> PlannedRun:
    """Return the first phase as a run in the folder of SWAP."""
    own = ['--b', config.batch_size, '--base-batch-size', config.base_batch_size]
    if config.micro_batch_size is not None:
        own += ['--micro-batch-size', config.micro_batch_size]
    return _plan(config, PHASE1, Means.EACH | Means.PHASE, own)


def plan_worker(config: SwapConfig, number: int, settings: Mapping[str, object]) -> PlannedRun:
    """Return a worker as a run in the folder of SWAP.

    Args:
        number: of the worker, from 0.
        settings: of its optimizer, 'lr' among them, throughout.
    """
    batch, ghost = config.worker_batch_size, config.ghost_batch_size
    own = [
        '--init-from', config.folder / PHASE1 / LATEST, '--b', batch, '--base-batch-size', config.base_batch_size,
        '--regime', {0: dict(settings)}, '--no-lr_bb_fix', '--linear-decay', '--epochs', config.swap_epochs,
        '--seed', (SEEDS_APART * (config.seed + 1) + number) % 2**63,
    ]  # fmt: skip
    if ghost is not None:
        own += ['--mini-batch-size', min(ghost, batch)]
    if config.micro_batch_size == AUTO or (config.fixed_micro_batch_size or batch) < batch:
        own += ['--micro-batch-size', config.micro_batch_size]
    if config.val_fraction:  # all workers hold out the same examples, whatever their seeds
        own += ['--val-seed', config.seed if config.val_seed is None else config.val_seed]
    return _plan(config, f'worker{number}', Means.EACH | Means.PHASE | Means.LARGE, own)


def _plan(config: SwapConfig, name: str, dropped: Means, own: Sequence) -> PlannedRun:
    """Plan a phase, which takes over the flags but for those that mean `dropped`, and has some of its own."""
    given = given_flags(config.script, config.argv).keys() - {*names_of(dropped)}
    kept = select_words(config.script, config.argv, given)
    argv = (*kept, *map(str, own), '--save', name)
    extra = select_words(config.script, config.argv, given & places())
    return PlannedRun(name, name, config.phase_script, argv, extra=extra)
