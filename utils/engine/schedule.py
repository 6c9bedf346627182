"""The regime and the optimizer of a run, adapted to its batch size."""

from __future__ import annotations

import logging
from typing import NamedTuple

from torch import nn

from bigbatch.messages import counted
from bigbatch.regime import Regime, epoch_factor, lr_factor
from bigbatch.training.fast_paths import loss_scaler
from bigbatch.training.optim import RegimeOptimizer, check_regime, override_regime
from utils.config.run import RunConfig
from utils.config.schedule import OptimizerConfig
from utils.engine.checks import check_length, check_unchanged
from utils.engine.plan import Data
from utils.settings import Means, fields_that_mean

log = logging.getLogger('bigbatch')

# The published defaults of --optimizer, --lr, --momentum and --weight-decay, for a network without a regime.
FALLBACK_REGIME = {0: {'optimizer': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}


class Schedule(NamedTuple):
    """How long a run is and at which rates it learns."""

    regime: Regime  # adapted
    num_epochs: int  # adapted
    optimizer: RegimeOptimizer


def build_schedule(
    config: RunConfig, model: nn.Module, data: Data, start: dict | None, stored: dict | None
) -> Schedule:
    """Build regime and optimizer of a run, as where it begins or, given checkpoint and config.json, where it goes on.

    Raises:
        ValueError: a schedule that cannot be, or that is not the one that the run began with.
    """
    regime, num_epochs = adapt_regime(config, model)
    if start and stored:
        check_unchanged(config, stored, data.fingerprint, regime)
        check_length(config, start, num_epochs)
    optimizer = build_optimizer(config, model, regime, steps_per_epoch=data.train.num_steps, num_epochs=num_epochs)
    optimizer.start_epoch(config.start_epoch)
    if start and start.get('partial'):
        optimizer.load_state_dict(start['optimizer'], epoch=start['epoch'])
    elif start and start['epoch'] > config.start_epoch:
        optimizer.load_state_dict(start['optimizer'], epoch=start['epoch'] - 1)
    return Schedule(regime, num_epochs, optimizer)


def adapt_regime(config: RunConfig, model: nn.Module) -> tuple[Regime, int]:
    """Return the regime and the number of epochs of a run; a ValueError for a schedule that cannot be.

    Where a rate comes from: the regime, --lr and the like, --lr_bb_fix; the warm-up comes on top of it.
    """
    own = getattr(model, 'regime', None) if config.regime is None else config.regime
    if own is None:
        log.info('%s has no regime: taking %s', config.model, FALLBACK_REGIME)
        own = FALLBACK_REGIME
    asked = {name: getattr(config, name) for name in fields_that_mean(OptimizerConfig, Means.REGIME)}
    regime = override_regime(Regime(own), **asked)
    stretch = config.regime_bb_multi
    if config.regime_bb_fix:
        stretch *= epoch_factor(config.batch_size, config.base_batch_size)
    num_epochs = config.epochs * stretch
    length = counted(num_epochs, 'epoch')
    if config.start_epoch >= num_epochs:
        raise ValueError(f'--start-epoch {config.start_epoch}: the run has {length}, counted from 0')
    if config.warmup_epochs > num_epochs:
        raise ValueError(f'--warmup-epochs {config.warmup_epochs}: longer than the run of {length}')
    regime = regime.scale_lr(_lr_factor(config)).stretch(stretch)
    check_regime(regime, num_epochs)
    return regime, num_epochs


def build_optimizer(
    config: RunConfig, model: nn.Module, regime: Regime, *, steps_per_epoch: int, num_epochs: int
) -> RegimeOptimizer:
    """Build the optimizer of a run, with its decay and its warm-up, of no less than an update."""
    start = 1.0 / _lr_factor(config) if config.warmup_start is None else config.warmup_start
    warmup_steps = round(config.warmup_epochs * steps_per_epoch)
    if config.warmup_epochs and not warmup_steps:
        update = f'{1 / steps_per_epoch:.2g} epochs' if steps_per_epoch > 1 else 'an epoch'
        raise ValueError(f'--warmup-epochs {config.warmup_epochs:g}: less than an update; one is {update}')
    if config.warmup_epochs and start == 1.0:
        log.warning(
            '--warmup-epochs %g has no effect: it begins at the rate itself; see --warmup-start', config.warmup_epochs
        )
    return RegimeOptimizer(
        model.parameters(),
        regime,
        warmup_steps=warmup_steps,
        warmup_start=start,
        decay_steps=config.linear_decay * (num_epochs - config.start_epoch) * steps_per_epoch,
        reset_momentum=config.reset_momentum,
        scaler=loss_scaler(model),
    )


def _lr_factor(config: RunConfig) -> float:
    return lr_factor(config.batch_size, config.base_batch_size, config.lr_scaling)
