"""Checks of a run that is built: what cannot hold ends here, before anything is written.

Each raises a ValueError: in one line, what is wrong and what would be right.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from bigbatch.distributed import Ranks
from bigbatch.errors import UserError
from bigbatch.messages import counted
from bigbatch.own_code import place_of
from bigbatch.regime import Regime
from bigbatch.training.batch_norm import has_batch_norm
from bigbatch.weights import probing
from utils.config.network import NetworkConfig
from utils.config.run import RunConfig
from utils.engine.plan import Data
from utils.runs.config_json import stored_settings
from utils.runs.layout import run_of
from utils.settings import Means, fields_that_mean

log = logging.getLogger('bigbatch')


def check_run(config: RunConfig, model: nn.Module, criterion: nn.Module, data: Data, ranks: Ranks) -> None:
    """Refuse a network that cannot be trained on its data as it is asked for, before anything is written."""
    check_batch_norm(config, model, ranks)
    examples = data.val.peek(smallest_piece(config, data.train.num_examples, ranks))[:2]
    num_classes = data.dataset.num_classes
    check_forward(config, model, criterion, examples, num_classes=num_classes, training=not config.evaluate)
    for method in config.methods_on:
        method.check_network(config, model, criterion, examples)


def check_unchanged(config: RunConfig, stored: dict, fingerprint: str, regime: Regime) -> None:
    """Refuse to go on with another training set, of this fingerprint, or another regime than stored in config.json."""
    if stored['data'] != fingerprint:
        raise ValueError(
            f'--resume {config.resume}: the training set is not the one that the run began with '
            f'(fingerprint {fingerprint}, then {stored["data"]}): bring that one back'
        )
    for row in stored['regime']:
        now = regime.at(row['epoch'])
        if json.loads(json.dumps(now)) != {key: value for key, value in row.items() if key != 'epoch'}:
            raise ValueError(f'--resume {config.resume}: the regime at epoch {row["epoch"]} was {row} and is {now}')


def name_network(config: NetworkConfig, checkpoint: str | Path) -> str:
    """Say what would be right where weights do not fit: what their run has and the settings have not."""
    stored = {}
    with contextlib.suppress(UserError):  # of a damaged run, whose weights can be read all the same
        stored = stored_settings(run_of(checkpoint))
    shaping = fields_that_mean(NetworkConfig, Means.SHAPE)
    other = [name for name in shaping if stored and getattr(config, name) != stored.get(name)]
    if not other:
        return 'name its --model, --model_config and --dataset'
    return f'its run has {", ".join(_flag(name, stored.get(name)) for name in other)}'


def _flag(name: str, value: object) -> str:
    if value is None:
        return f'no --{name}'
    return f'--{name} "{value}"' if isinstance(value, dict) else f'--{name} {value}'


def check_length(config: RunConfig, start: dict, num_epochs: int) -> None:
    """Refuse to go on from a checkpoint to an end that lies before it."""
    least = start['epoch'] + bool(start.get('partial'))
    if num_epochs < least:
        begun = f' and {counted(start["partial"]["num_steps"], "update")}' if start.get('partial') else ''
        raise ValueError(
            f'--resume {config.resume} has done {counted(start["epoch"], "epoch")}{begun}, more than the {num_epochs} '
            f'that --epochs {config.epochs} makes: leave it out or give more'
        )


def check_batch_norm(config: RunConfig, model: nn.Module, ranks: Ranks) -> None:
    """Refuse to split a batch, or a rank's part of it, that ordinary batch norm normalises as a whole."""
    micro = config.fixed_micro_batch_size
    splits = config.ghost_batch_size is None and micro is not None and micro < config.num_images // ranks.size
    if splits and not config.evaluate and has_batch_norm(model):
        raise ValueError(
            f'--micro-batch-size {micro}: batch norm over the whole batch of {config.num_images} cannot be split; '
            'main_gbn.py with --mini-batch-size can'
        )


def fit_batch_size(config: RunConfig, ranks: Ranks, num_examples: int) -> RunConfig:
    """Take a quarter of a training set that is smaller than a batch for which nobody asked, in whole ghosts."""
    unit = math.lcm(config.ghost_batch_size or 1, ranks.size)
    if not config.fits_batch or config.evaluate or num_examples >= config.batch_size or num_examples < unit:
        return config
    size = max(1, num_examples // 4 // unit) * unit
    log.warning(
        '--batch-size is %d: %d, if not given, is more than the %s to train on',
        size, config.batch_size, counted(num_examples, 'example'),
    )  # fmt: skip
    return replace(config, batch_size=size)


def check_batch_size(config: RunConfig, ranks: Ranks, num_examples: int) -> None:
    """Refuse a batch that the training set cannot fill, and name the largest that it can."""
    if config.drop_last and not config.evaluate and config.batch_size > num_examples:
        unit = math.lcm(config.ghost_batch_size or 1, ranks.size)
        fits = f' or --batch-size {num_examples // unit * unit}' * (num_examples >= unit)
        raise ValueError(
            f'--batch-size {config.batch_size} is more than the {counted(num_examples, "example")} to train on, and an '
            f'incomplete batch is left out: take --no-drop-last{fits}'
        )


def check_ranks(config: RunConfig, model: nn.Module, ranks: Ranks, device: torch.device, *, num_examples: int) -> None:
    """Refuse training examples that do not divide into ranks, or what one process would not compute."""
    if config.evaluate:
        return
    plain = config.ghost_batch_size is None and has_batch_norm(model)
    if config.bn_per_rank and not (plain and ranks.size > 1):
        reason = 'there is one rank' if plain else f'{config.model} has no batch norm'
        log.warning('--bn-per-rank has no effect: %s', reason)
    if ranks.size == 1:
        return
    if plain and device.type == 'cpu' and not config.bn_per_rank:
        raise ValueError(
            f'{ranks.size} ranks on CPUs cannot normalise the whole batch of {config.num_images}: give --bn-per-rank '
            f'for batch norm over the {config.num_images // ranks.size} of each, or take main_gbn.py with ghosts'
        )
    _check_parts(config, ranks, num_examples)
    for method in config.methods_on:
        method.check_ranks(config, ranks, plain=plain)


def _check_parts(config: RunConfig, ranks: Ranks, num_examples: int) -> None:
    """Refuse batches that are not made of equal parts of whole ghosts."""
    ghost = config.ghost_batch_size or 1
    unit = ranks.size * ghost // math.gcd(ranks.size * ghost, config.num_copies)
    ghosts = f' of whole ghosts of {ghost}' if config.ghost_batch_size else ''
    if config.batch_size % unit:
        below, above = config.batch_size // unit * unit, -(-config.batch_size // unit) * unit
        sizes = ' or '.join(str(size) for size in (below, above) if size)
        raise ValueError(
            f'--batch-size {config.batch_size} is not made of {ranks.size} equal parts{ghosts}, one for each rank: '
            f'{sizes} is; or start another number of ranks'
        )
    rest = 0 if config.drop_last else num_examples % config.batch_size
    if rest % unit:
        raise ValueError(
            f'--no-drop-last: the last batch of {counted(rest, "example")} is not made of {ranks.size} equal '
            f'parts{ghosts}, one for each rank: leave it out with --drop-last'
        )


def warn_of_useless_workers(config: NetworkConfig, loaders: Iterable) -> None:
    """Say so where examples are not read one by one."""
    if config.workers and all(loader.num_workers is None for loader in loaders if loader):
        log.warning('--workers %d has no effect: %s lives decoded on the device', config.workers, config.dataset)


def smallest_piece(config: RunConfig, num_examples: int, ranks: Ranks) -> int:
    """Return the size of the smallest piece of a batch that training normalises by itself, 2 being small enough."""
    num_copies = math.prod(method.num_copies_in_pass for method in config.methods_on)
    batch = config.batch_size * num_copies
    remainder = 0 if config.drop_last else num_examples % config.batch_size * num_copies
    return max(1, min(2, config.ghost_batch_size or batch // ranks.size, (remainder or batch) // ranks.size))


def check_forward(
    config: NetworkConfig,
    model: nn.Module,
    criterion: nn.Module,
    examples: tuple[Tensor, Tensor],
    *,
    num_classes: int,
    training: bool,
) -> None:
    """Pass a few examples through the network, in the mode of training if so, so that a misfit ends here."""
    inputs, targets = examples
    try:
        with torch.no_grad(), probing(model, training=training):
            logits = model(inputs)
            loss = criterion(logits, targets)
    except Exception as error:  # whatever a network or its layers may raise
        what, size = f'{type(error).__name__}: {error}'.splitlines()[0], len(inputs)
        what += '' if isinstance(error, (RuntimeError, ValueError)) else f' ({place_of(error)})'  # not of a shape
        raise ValueError(
            f'{config.model} cannot train on {counted(size, "example")} of shape {tuple(inputs.shape[1:])} from '
            f'{config.dataset} at a time: {what}'
        ) from error
    if logits.ndim != 2 or logits.shape[1] < num_classes:
        raise ValueError(
            f'{config.model} gives outputs of shape {tuple(logits.shape[1:])} for the {num_classes} '
            f'classes of {config.dataset}: see --model_config'
        )
    if loss.ndim == 0 and not hasattr(criterion, 'reduction'):
        raise ValueError(
            f'the criterion of {config.model} returns one number and does not say how it came about: return a loss for '
            "each example, or give it an attribute reduction='sum'"
        )
