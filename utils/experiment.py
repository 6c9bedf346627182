"""Compose what settings name: a training run of data, network, regime, trainer and files, or a trained network.

The only place that knows all of them; below it, functions take plain named values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
from collections.abc import Callable

import torch
from torch import nn

import data
import models
import preprocess
from bigbatch import seeding
from bigbatch.device import choose_device, keep_freed_memory
from bigbatch.distributed import ALONE, Ranks, after_first, from_environment, meet, process_group
from bigbatch.layers.ghost_batch_norm import convert_ghost_batch_norm
from bigbatch.memory import free_memory, memory_limit
from bigbatch.training.batch_norm import has_batch_norm
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.parallel import synchronize_batch_norm
from bigbatch.training.scoring import summed_criterion
from utils.build_methods import build_estimator, check_network
from utils.checks import (
    check_augmentation,
    check_batch_norm,
    check_forward,
    check_length,
    check_ranks,
    check_unchanged,
    name_network,
    smallest_piece,
    warn_of_useless_workers,
)
from utils.command import user_errors
from utils.config.batch import AUTO
from utils.config.measure import MeasureConfig
from utils.config.network import NetworkConfig
from utils.config.run import RunConfig
from utils.methods import dropout, weight_average
from utils.network import Network, conditions_of, describe_checkpoint, digest_state
from utils.pass_size import fit_micro_batch
from utils.plan import Data, Experiment, describe_plan
from utils.runner import complete, score, train
from utils.runs import checkpoint as checkpoints
from utils.runs.config_json import read_config_json
from utils.runs.folder import check_new_folder
from utils.runs.layout import DISTANCES, INITIAL, RESULTS, checkpoint_of, run_of
from utils.runs.lock import locked
from utils.schedule import adapt_regime, build_optimizer
from utils.speed import fit_compiler, fit_layout
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
        log.info('%s: %s', config.resume, _describe_end(experiment))
    elif not config.dry_run:
        with process_group(ranks, experiment.device):
            if config.evaluate:
                score(experiment)
            else:
                experiment = fit_micro_batch(experiment, free_memory(experiment.device))
                train(experiment, describe_plan(experiment))
    return 0


def _describe_end(experiment: Experiment) -> str:
    rule = experiment.stop_rule()
    return rule.message if rule.is_reached else all_epochs_done(experiment.num_epochs)


def build_experiment(config: RunConfig, ranks: Ranks = ALONE) -> Experiment:
    """Build and check everything that a run needs; writes nothing.

    Raises:
        ValueError: a setting that cannot hold, in one line.
    """
    if config.deterministic:
        seeding.set_deterministic()
    device = _prepare_device(config, ranks)
    seeding.seed_everything(config.seed)
    config, start, stored = _load_start(config, ranks)
    with after_first(ranks, 'download') if config.download and not config.dry_run else contextlib.nullcontext():
        train_set, val_set, test_set = _load_datasets(config, device, dry_run=config.dry_run, ranks=ranks)
    model = _build_model(config, train_set)
    _convert_batch_norm(config, model)
    dropout.fit(config, model)
    model.to(device, getattr(torch, config.dtype))
    config = fit_layout(config, model, device, stored)
    criterion = summed_criterion(getattr(model, 'criterion', None))
    if start:
        checkpoints.load_weights(model, start['state_dict'], config.resume)
    elif config.init_from or config.evaluate:
        source = checkpoint_of(config.init_from or config.evaluate)
        state = checkpoints.load_state(source)
        checkpoints.load_weights(model, state, source, remedy=functools.partial(name_network, config))
    config = _resolve_augmentation(config, train_set, model)
    check_augmentation(config, model, train_set)
    check_ranks(config, model, ranks, device, num_examples=len(train_set))
    loaders = _build_loaders(config, model, (train_set, val_set, test_set), device, ranks)
    check_batch_norm(config, model, ranks)
    examples = loaders.val.peek(smallest_piece(config, loaders.train.num_examples, ranks))[:2]
    num_classes = train_set.num_classes
    check_forward(config, model, criterion, examples, num_classes=num_classes, training=not config.evaluate)
    check_network(config, model, criterion, examples)
    if ranks.size > 1 and device.type == 'cuda' and config.ghost_batch_size is None and not config.bn_per_rank:
        model = synchronize_batch_norm(model)
    regime, num_epochs = adapt_regime(config, model)
    if stored:
        check_unchanged(config, stored, loaders.fingerprint, regime)
        check_length(config, start, num_epochs)
    length = {'steps_per_epoch': loaders.train.num_steps, 'num_epochs': num_epochs}
    optimizer = build_optimizer(config, model, regime, **length)
    _start_optimizer(optimizer, config, start)
    estimator = build_estimator(config, model, **length)
    if config.dry_run or config.micro_batch_size != AUTO:
        fit_compiler(config, model, device, ranks)
    return Experiment(
        config=config, device=device, data=loaders, model=model, criterion=criterion,
        regime=regime, num_epochs=num_epochs, optimizer=optimizer, estimator=estimator,
        average=weight_average.build(config, model, num_epochs), start=start, stored=stored, ranks=ranks,
    )


def _start_optimizer(optimizer: RegimeOptimizer, config: RunConfig, start: dict | None) -> None:
    """Bring it to where the run begins or goes on."""
    optimizer.start_epoch(config.start_epoch)
    if start and start.get('partial'):
        optimizer.load_state_dict(start['optimizer'], epoch=start['epoch'])
    elif start and start['epoch'] > config.start_epoch:
        optimizer.load_state_dict(start['optimizer'], epoch=start['epoch'] - 1)


def check_data(dataset: str, datasets_dir: str | None) -> None:
    """Check that a run could load its data set; fetches and keeps nothing.

    Raises:
        ValueError: it is not there, or damaged, in one line.
    """
    for split in ('train', 'val'):
        data.get_dataset(dataset, split, datasets_path=datasets_dir, memory_limit=0)


def open_network(config: MeasureConfig, checkpoint: str) -> Network:
    """Open a trained network and its data for measuring; writes nothing.

    Args:
        config: from utils.config.measure.network_config.
        checkpoint: a file, or a run folder for the latest one in it; of this project, of the published code, or a bare
            state dict.

    Raises:
        ValueError: a checkpoint or a setting that cannot hold, in one line.
    """
    path, label, run, settings = describe_checkpoint(checkpoint)
    state = checkpoints.load_state(path)
    if config.deterministic:
        seeding.set_deterministic()
    device = _prepare_device(config)
    seeding.seed_everything(config.seed)
    sets = _load_datasets(config, device)
    model = _build_model(config, sets[0]).to(device, getattr(torch, config.dtype)).eval()
    criterion = summed_criterion(getattr(model, 'criterion', None))
    checkpoints.load_weights(model, state, path, remedy=functools.partial(name_network, config))
    config = _resolve_augmentation(config, sets[0], model)
    train, val, test = _build_measuring_loaders(config, model, sets, device)
    examples = val.peek(2)[:2]
    check_forward(config, model, criterion, examples, num_classes=sets[0].num_classes, training=False)
    return Network(
        path=path, label=label, run=run, digest=digest_state(model.state_dict()), settings=settings,
        conditions=conditions_of(config), shortened=_shortened(config, sets), model=model, criterion=criterion,
        train=train, val=val, test=test or val, device=device, duplicates=config.duplicates,
    )


def _prepare_device(config: NetworkConfig, ranks: Ranks = ALONE) -> torch.device:
    device = choose_device(config.device, strict=config.strict_device, ranks=ranks)
    if device.type == 'cpu':
        keep_freed_memory()
    return device


def _load_start(config: RunConfig, ranks: Ranks) -> tuple[RunConfig, dict | None, dict | None]:
    """Return the checkpoint to go on from and config.json of its run, once all that is needed is known to be there.

    The settings that come with them name the checkpoint itself, which may be the one before a damaged one.
    """
    if not config.resume:
        return config, None, None
    run = run_of(config.resume)
    stored = read_config_json(run)
    if stored['status'] == 'diverged':
        raise ValueError(f'--resume {config.resume}: {stored.get("message")}; it would do so again: start a new run')
    for name in (RESULTS, DISTANCES):
        if not (run / name).is_file():
            raise ValueError(f'--resume {config.resume}: {run / name} is missing: bring it back, or use --init-from')
    checkpoints.load_state(run / INITIAL)
    if stored.get('ranks', 1) == ranks.size:
        torch.set_num_threads(stored['num_threads'])  # sums depend on it in their last digits
    if os.path.isdir(config.resume):
        path, start = checkpoints.load_latest(run)
        return dataclasses.replace(config, resume=str(path)), start, stored
    return config, checkpoints.load_checkpoint(config.resume), stored


def _load_datasets(
    config: NetworkConfig, device: torch.device, *, dry_run: bool = False, ranks: Ranks = ALONE
) -> tuple:
    """Load the sets to train on, to validate on and to test on once at the end, or None where there is no such set."""
    _warn_of_useless_places(config)
    names = ['train', 'val', *(['test'] if data.has_test(config.dataset, config.datasets_dir) else [])]
    if config.val_fraction and 'test' in names:
        raise ValueError(
            f'--val-fraction {config.val_fraction}: {config.dataset} has val/ to validate on and test/ besides: leave '
            'the flag out, or take val/ away'
        )
    sets, limit = [], 0 if dry_run else memory_limit(device) // ranks.size
    for name in names:
        sets.append(data.get_dataset(
            config.dataset, name, download=config.download and not dry_run, datasets_path=config.datasets_dir,
            memory_limit=limit,
        ))  # fmt: skip
        limit = max(0, limit - sets[-1].num_bytes)
        if sets[-1].input_shape != sets[0].input_shape:
            shapes = ' and '.join('x'.join(map(str, one.input_shape)) for one in (sets[0], sets[-1]))
            raise ValueError(f'{config.dataset}: the examples of train and {name} are {shapes}; expected one shape')
    if not config.val_fraction:
        return (*sets, None)[:3]
    seed = config.seed if config.val_seed is None else config.val_seed
    train, val = data.split_validation(sets[0], config.val_fraction, seed)
    return train, val, sets[1]


def _warn_of_useless_places(config: NetworkConfig) -> None:
    name = config.dataset
    if (config.download or config.datasets_dir) and name.split(':')[0] in ('digits', 'fake'):
        log.warning('--download and --datasets-dir have no effect: %s needs no files', name)
    elif config.download and not data.is_downloadable(name):
        log.warning('--download has no effect: there is no source for %s', name)
    elif config.datasets_dir and os.path.isabs(os.path.expanduser(name)):
        log.warning('--datasets-dir has no effect: %s is the whole path', name)


def _build_model(config: NetworkConfig, dataset) -> nn.Module:
    shape = dataset.input_shape
    if config.input_size and len(shape) == 3:
        shape = (shape[0], config.input_size, config.input_size)
    context = {
        'dataset': config.dataset, 'num_classes': dataset.num_classes,
        'input_shape': shape, 'input_size': config.input_size,
    }
    options = models.model_options(config.model)
    context = {key: value for key, value in context.items() if options is None or key in options}
    return models.create_model(config.model, **{**context, **config.model_config})


def _convert_batch_norm(config: RunConfig, model: nn.Module) -> None:
    if config.ghost_batch_size is not None:
        convert_ghost_batch_norm(model, config.ghost_batch_size)
        if not has_batch_norm(model):
            log.warning('%s has no batch norm: --mini-batch-size only sets the base batch size', config.model)


def _resolve_augmentation(config: NetworkConfig, dataset, model: nn.Module) -> NetworkConfig:
    given = (('--augment', config.augment), ('--flip', config.flip), ('--input_size', config.input_size))
    asked = [flag for flag, value in given if value]
    unit = config.pixels == 'unit'
    if dataset.is_float:
        if asked:
            raise ValueError(f'{asked[0]}: {config.dataset} holds features, which are used as they are')
        if unit:
            log.warning('--pixels unit has no effect: %s holds features, which are used as they are', config.dataset)
        return dataclasses.replace(config, augment=False, flip=False)
    if getattr(model, 'input_transform', None) is not None:
        asked = [flag for flag, value in given[1:] if value is not None] + ['--pixels'] * unit
        if asked:
            log.warning('%s has its own input_transform: %s has no effect', config.model, ', '.join(asked))
        return dataclasses.replace(config, augment=config.augment is not False, flip=False)
    preset = dataset.preset or config.dataset
    augment = preprocess.default_augment(preset) if config.augment is None else config.augment
    if config.flip and not augment:
        raise ValueError(f'--flip mirrors training images, but {config.dataset} is not augmented: add --augment')
    transform = preprocess.get_transform(preset, augment=augment, flip=config.flip)
    return dataclasses.replace(config, augment=augment, flip=transform.flip)


def _build_loaders(config: RunConfig, model: nn.Module, sets: tuple, device: torch.device, ranks: Ranks) -> Data:
    train_set, val_set, test_set = sets
    shared = {**_loader_settings(config, device), 'ranks': ranks}
    train_transform, val_transform = _transforms(config, model, train_set, val_set, cutout=config.cutout)
    train = data.build_loader(
        train_set, train_transform, batch_size=config.batch_size, micro_batch_size=config.fixed_micro_batch_size,
        shuffle=True, drop_last=config.drop_last and not config.evaluate, duplicates=config.duplicates,
        copies=config.copies, **shared,
    )
    val, test = (
        None if dataset is None else data.build_loader(
            dataset, val_transform, batch_size=config.eval_batch_size, **shared
        ) for dataset in (val_set, test_set)
    )  # fmt: skip
    warn_of_useless_workers(config, (train, val, test))
    return Data(train, val, test, train_set, train_set.fingerprint())


def _build_measuring_loaders(config: MeasureConfig, model: nn.Module, sets: tuple, device: torch.device) -> list:
    """Build loaders of every example once, in one seeded order; of --num-examples of each set, where given."""
    sets = [None if dataset is None else _first_examples(dataset, config) for dataset in sets]
    augment_val = config.augment and config.duplicates > 1
    train_transform, val_transform = _transforms(config, model, *sets[:2], augment_val=augment_val)
    shared = _loader_settings(config, device)
    # Folders are sorted by class, and statistics of a batch with a single class would be those of no training batch.
    shared.update(batch_size=config.eval_batch_size, seed=config.measure_seed, shuffle=True)
    shared.update(duplicates=config.duplicates, micro_batch_size=config.eval_batch_size)
    loaders = [
        None if dataset is None else data.build_loader(dataset, transform, **shared)
        for dataset, transform in zip(sets, (train_transform, val_transform, val_transform), strict=True)
    ]
    warn_of_useless_workers(config, loaders)
    return loaders


def _shortened(config: MeasureConfig, sets: tuple) -> frozenset[str]:
    """Return the splits that --num-examples leaves something out of."""
    train, val, test = sets
    sizes = {'train': len(train), 'val': len(val), 'test': len(val if test is None else test)}
    return frozenset(name for name, size in sizes.items() if config.num_examples and config.num_examples < size)


def _first_examples(dataset, config: MeasureConfig):
    """Return the first examples of a seeded order, themselves in the order of the set."""
    if config.num_examples is None or config.num_examples >= len(dataset):
        return dataset
    order = torch.randperm(len(dataset), generator=seeding.make_generator(config.measure_seed, 'examples'))
    return dataset.subset(order[: config.num_examples].sort().values)


def _loader_settings(config: NetworkConfig, device: torch.device) -> dict:
    workers = 2 if config.workers is None else config.workers
    return {'device': device, 'dtype': getattr(torch, config.dtype), 'seed': config.seed, 'num_workers': workers}


def _transforms(
    config: NetworkConfig, model: nn.Module, train_set, val_set, *, augment_val: bool = False,
    cutout: int | None = None,
) -> tuple:  # fmt: skip
    """Return the transforms of training and of validation: a network's own, or those of the data set."""
    own = getattr(model, 'input_transform', None)
    if own is not None:
        log.info('%s brings its own input_transform: images are transformed one by one', config.model)
        return tuple(own['train' if augment else 'eval'] for augment in (config.augment, augment_val))
    train = _transform(config, train_set, augment=config.augment, cutout=cutout)
    return train, _transform(config, val_set, augment=augment_val)


def _transform(config: NetworkConfig, dataset, *, augment: bool, cutout: int | None = None) -> Callable | None:
    if dataset.is_float:
        return None
    flip = config.flip if augment else False
    normalize = {'mean': (0.0,), 'std': (1.0,)} if config.pixels == 'unit' else None
    return preprocess.get_transform(
        dataset.preset or config.dataset, input_size=config.input_size, normalize=normalize, augment=augment,
        flip=flip, cutout=cutout,
    )
