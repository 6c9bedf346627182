"""The phases of SWAP as ordinary training commands.

Source: Gupta, Serrano, DeCoste 2020 (arXiv 2001.02312), who give the batch, the peak rate, the epochs and the stopping
accuracy of each phase. Workers start with a fresh optimizer at a rate of their own that falls linearly to 0; what
adapts a run to a large batch (scaled rates, stretched regimes, warm-up, noise on the gradient) is the first phase's.
"""

from __future__ import annotations

from collections.abc import Mapping

from utils.config.batch import AUTO
from utils.config.swap import SwapConfig
from utils.runs.layout import LATEST
from utils.sweeps.commands import PLACES, given_flags, select_words
from utils.sweeps.suite import PlannedRun

PHASE1 = 'phase1'
# Flags that main_swap.py sets for each phase, or that are its own.
SET_FOR_PHASES = frozenset((
    'swap_workers', 'swap_batch_size', 'swap_epochs', 'swap_lr', 'jobs', 'skip_lost_workers', 'save', 'results_dir',
    'resume', 'dry_run', 'batch_size', 'batch_multiplier', 'micro_batch_size', 'base_batch_size',
))  # fmt: skip
# Flags of the first phase alone.
SET_FOR_WORKERS = frozenset((
    'regime', 'optimizer', 'lr', 'momentum', 'weight_decay', 'lr_bb_fix', 'lr_fix_policy', 'regime_bb_fix',
    'regime_bb_multi', 'base_lr_per_example', 'warmup_epochs', 'warmup_start', 'linear_decay', 'stop_accuracy',
    'epochs', 'start_epoch', 'init_from', 'seed', 'val_seed', 'gradient_noise', 'mini_batch_size', 'bn_per_rank',
))  # fmt: skip
SEEDS_APART = 1000  # between the first workers of neighbouring seeds


def plan_phase1(config: SwapConfig) -> PlannedRun:
    """Return the first phase as a run in the folder of SWAP."""
    own = ('--b', config.batch_size, '--base-batch-size', config.base_batch_size)
    if config.micro_batch_size is not None:
        own += ('--micro-batch-size', config.micro_batch_size)
    return _plan(config, PHASE1, SET_FOR_PHASES, own)


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
    return _plan(config, f'worker{number}', SET_FOR_PHASES | SET_FOR_WORKERS, own)


def _plan(config: SwapConfig, name: str, dropped: frozenset, own: tuple | list) -> PlannedRun:
    given = given_flags(config.script, config.argv).keys()
    kept = select_words(config.script, config.argv, given - dropped)
    places = select_words(config.script, config.argv, given & PLACES - dropped)
    argv = (*kept, *map(str, own), '--save', name)
    return PlannedRun(name, name, config.phase_script, argv, extra=places)
