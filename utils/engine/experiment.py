"""Compose a training run from its settings: data, network, regime, methods and files.

The only place that knows all of them. What it calls in this room reads the settings; bigbatch takes plain values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os

import torch
from torch import nn

from bigbatch.distributed import ALONE, Ranks, from_environment, meet, process_group
from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.memory import free_memory
from bigbatch.training.batch_norm import has_batch_norm
from bigbatch.training.parallel import synchronize_batch_norm
from utils.command import user_errors
from utils.config.batch import AUTO
from utils.config.run import RunConfig
from utils.engine.checks import check_run, fit_batch_size, name_network
from utils.engine.loading import build_loaders, load_sets, resolve_augmentation
from utils.engine.methods import build_methods
from utils.engine.network import begin, build_network
from utils.engine.pass_size import fit_micro_batch
from utils.engine.plan import Experiment, describe_plan
from utils.engine.runner import complete, score, train
from utils.engine.schedule import build_schedule
from utils.engine.speed import fit_compiler, fit_layout
from utils.engine.threads import fit_threads
from utils.runs import checkpoint as checkpoints
from utils.runs.config_json import read_config_json, stored_settings
from utils.runs.folder import check_new_folder
from utils.runs.layout import DISTANCES, INITIAL, RESULTS, checkpoint_of, run_of
from utils.runs.lock import locked
from utils.wording import all_epochs_done

log = logging.getLogger('bigbatch')


def run(config: RunConfig) -> int:
    """Train, or score a checkpoint, or print the plan, and return the exit status."""
    ranks = from_environment()
    continues = config.resume and not config.dry_run and run_of(config.resume) == config.folder.absolute()
    with locked(config.folder) if continues and ranks.is_first else contextlib.nullcontext():  # nobody writes it
        if continues:
            meet(ranks, 'lock')  # from here on all of them read the same checkpoint
        return _run(config, ranks)


def _run(config: RunConfig, ranks: Ranks) -> int:
    with user_errors():
        experiment = build_experiment(config, ranks)
        if ranks.is_first and not (config.evaluate or experiment.continues_in_place):
            check_new_folder(config.folder)
    if config.dry_run and ranks.is_first:
        print(describe_plan(experiment))
    elif experiment.is_finished:
        if ranks.is_first:
            complete(config.folder)
        end = experiment.end if experiment.ends_early else ''
        log.info('%s: %s', config.resume, end or all_epochs_done(experiment.num_epochs))
    elif not config.dry_run:
        with process_group(ranks, experiment.device):
            if config.evaluate:
                score(experiment)
            else:
                experiment = fit_micro_batch(experiment, free_memory(experiment.device))
                train(experiment, describe_plan(experiment))
    return 0


def build_experiment(config: RunConfig, ranks: Ranks = ALONE) -> Experiment:
    """Build and check everything that a run needs; writes nothing. A ValueError names a setting that cannot hold."""
    device = begin(config, ranks)
    config, start, stored = _find_start(config, ranks)
    sets = load_sets(config, device, dry_run=config.dry_run, ranks=ranks)
    config = fit_batch_size(config, ranks, len(sets.train))
    model, criterion = build_network(config, sets.train, device, fit=functools.partial(_fit_layers, config))
    config = fit_layout(config, model, device, stored)
    _load_first_weights(config, model, start)
    config = resolve_augmentation(config, sets.train, model)
    data = build_loaders(config, model, sets, device, ranks)
    check_run(config, model, criterion, data, ranks)
    fit_threads(config, model, data.val.peek(2)[0], stored, ranks.size)
    model = _join_gpus(config, model, device, ranks)
    schedule = build_schedule(config, model, data, start, stored)
    if config.dry_run or config.micro_batch_size != AUTO:
        fit_compiler(config, model, device, ranks)
    methods = build_methods(
        config, model, steps_per_epoch=data.train.num_steps, num_epochs=schedule.num_epochs, start=start
    )
    return Experiment(
        config=config, device=device, data=data, model=model, criterion=criterion, **schedule._asdict(),
        **methods._asdict(), start=start, stored=stored, ranks=ranks,
    )  # fmt: skip


def _find_start(config: RunConfig, ranks: Ranks) -> tuple[RunConfig, dict | None, dict | None]:
    """Return the settings with the checkpoint itself as --resume, what is in it, and config.json of its run."""
    if not config.resume:
        return config, None, None
    run = run_of(config.resume)
    stored = read_config_json(run)
    if stored['status'] == 'diverged':
        raise ValueError(f'--resume {config.resume}: {stored.get("message")}; it would do so again: start a new run')
    if not (run / INITIAL).is_file() and (keep := stored_settings(run).get('keep', 'all')) != 'all':
        raise ValueError(f'--resume {config.resume}: it has ended and left nothing to go on from, by --keep {keep}')
    for name in (RESULTS, DISTANCES):
        if not (run / name).is_file():
            raise ValueError(f'--resume {config.resume}: {run / name} is missing: bring it back, or use --init-from')
    checkpoints.load_state(run / INITIAL)
    if os.path.isdir(config.resume):
        path, start = checkpoints.load_latest(run)
        return dataclasses.replace(config, resume=str(path)), start, stored
    return config, checkpoints.load_checkpoint(config.resume), stored


def _fit_layers(config: RunConfig, model: nn.Module) -> None:
    """Give a network the layers of a run."""
    if config.ghost_batch_size is not None:
        convert_ghost_batch_norm(model, config.ghost_batch_size)
        if not has_batch_norm(model):
            log.warning('%s has no batch norm: --mini-batch-size only sets the base batch size', config.model)
    for method in config.methods_on:
        method.fit(model)


def _load_first_weights(config: RunConfig, model: nn.Module, start: dict | None) -> None:
    """Give a network the weights that its run goes on from or begins with, unless those that it was built with."""
    if start:
        checkpoints.load_weights(model, start['state_dict'], config.resume)
    elif config.init_from or config.evaluate:
        source = checkpoint_of(config.init_from or config.evaluate)
        state = checkpoints.load_state(source)
        checkpoints.load_weights(model, state, source, remedy=functools.partial(name_network, config))


def _join_gpus(config: RunConfig, model: nn.Module, device: torch.device, ranks: Ranks) -> nn.Module:
    """Have ordinary batch norm normalise the batches of all GPUs together, unless it is to be each for itself."""
    is_split = ranks.size > 1 and device.type == 'cuda'
    return synchronize_batch_norm(model) if is_split and not (config.ghost_batch_size or config.bn_per_rank) else model
