"""The sets of a run or of a measurement, and the loaders that feed a network with them."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import torch
from torch import nn

import data
import preprocess
from bigbatch import seeding
from bigbatch.distributed import ALONE, Ranks, after_first
from bigbatch.memory import memory_limit
from bigbatch.messages import MOST_NAMES, enumerate_some
from utils.config.measure import MeasureConfig
from utils.config.network import NetworkConfig
from utils.config.run import RunConfig
from utils.engine.checks import check_batch_size, check_ranks, warn_of_useless_workers
from utils.engine.plan import Data, Examples, class_names

Config = TypeVar('Config', bound=NetworkConfig)

log = logging.getLogger('bigbatch')


class Sets(NamedTuple):
    """The sets to train on, to validate on and to test on once at the end, None where there is no such set."""

    train: Examples
    val: Examples
    test: Examples | None = None


def check_data(dataset: str, datasets_dir: str | None) -> None:
    """Refuse a data set that is not there, or damaged, by a ValueError in one line; fetches and keeps nothing."""
    for split in ('train', 'val'):
        data.get_dataset(dataset, split, datasets_path=datasets_dir, memory_limit=0)


def load_sets(config: NetworkConfig, device: torch.device, *, dry_run: bool = False, ranks: Ranks = ALONE) -> Sets:
    """Load the sets of a run, which the first rank fetches; in a dry run fetch nothing, and decode no folder.

    Raises:
        ValueError: they are not there, or do not go together.
    """
    fetches = config.download and not dry_run
    with after_first(ranks, 'download') if fetches else contextlib.nullcontext():
        return _load_sets(config, 0 if dry_run else memory_limit(device) // ranks.size, download=fetches)


def _load_sets(config: NetworkConfig, limit: int, *, download: bool) -> Sets:
    """Load them into no more than so many bytes where they are decoded."""
    _warn_of_useless_places(config)
    names = ['train', 'val', *(['test'] if data.has_test(config.dataset, config.datasets_dir) else [])]
    if config.val_fraction and 'test' in names:
        raise ValueError(
            f'--val-fraction {config.val_fraction}: {config.dataset} has val/ to validate on and test/ besides: leave '
            'the flag out, or take val/ away'
        )
    sets = []
    for name in names:
        sets.append(data.get_dataset(
            config.dataset, name, download=download, datasets_path=config.datasets_dir, memory_limit=limit,
        ))  # fmt: skip
        limit = max(0, limit - sets[-1].num_bytes)
        if sets[-1].input_shape != sets[0].input_shape:
            shapes = ' and '.join('x'.join(map(str, one.input_shape)) for one in (sets[0], sets[-1]))
            raise ValueError(f'{config.dataset}: the examples of train and {name} are {shapes}; expected one shape')
    if config.val_fraction:
        seed = config.seed if config.val_seed is None else config.val_seed
        sets = [*data.split_validation(sets[0], config.val_fraction, seed), sets[1]]
    _warn_of_empty_classes(config.dataset, sets[0])
    return Sets(*sets)


def _warn_of_empty_classes(name: str, train: Examples) -> None:
    """Name the classes that cannot be learnt: below the first label, in gaps, or of the other sets alone."""
    present = {*train.targets.unique().tolist()}
    if num := train.num_classes - len(present):
        absent = (label for label in range(train.num_classes) if label not in present)  # there may be billions
        names = class_names(train, itertools.islice(absent, MOST_NAMES))
        text = f'{num:,} of {train.num_classes:,} classes without a training example: {enumerate_some(names, num)}'
        log.warning('%s: %s', name, text)


def _warn_of_useless_places(config: NetworkConfig) -> None:
    name = config.dataset
    if (config.download or config.datasets_dir) and not data.needs_files(name):
        log.warning('--download and --datasets-dir have no effect: %s needs no files', name)
    elif config.download and not data.is_downloadable(name):
        log.warning('--download has no effect: there is no source for %s', name)
    elif config.datasets_dir and os.path.isabs(os.path.expanduser(name)):
        log.warning('--datasets-dir has no effect: %s is the whole path', name)


def resolve_augmentation(config: Config, dataset: Examples, model: nn.Module) -> Config:
    """Return the settings with --augment and --flip as they are for a data set and a network where they are left open.

    Raises:
        ValueError: what is asked for cannot be done to these examples.
    """
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


def build_loaders(config: RunConfig, model: nn.Module, sets: Sets, device: torch.device, ranks: Ranks) -> Data:
    """Build the loaders of a run, whose augmentation is resolved.

    Raises:
        ValueError: examples that cannot be changed as asked for, or batches that do not divide into ranks.
    """
    for method in config.methods_on:
        method.check_data(config, model, sets.train)
    check_batch_size(config, ranks, len(sets.train))
    check_ranks(config, model, ranks, device, num_examples=len(sets.train))
    shared = {**_loader_settings(config, device), 'ranks': ranks}
    asked = _merged(method.transform() for method in config.methods_on)
    train_transform, val_transform = _transforms(config, model, sets, **asked)
    train = data.build_loader(
        sets.train,
        train_transform,
        batch_size=config.batch_size,
        micro_batch_size=config.fixed_micro_batch_size,
        shuffle=True,
        drop_last=config.drop_last and not config.evaluate,
        **_merged(method.loading() for method in config.methods_on),
        **shared,
    )
    shared['batch_size'] = config.eval_batch_size
    val = data.build_loader(sets.val, val_transform, **shared)
    test = None if sets.test is None else data.build_loader(sets.test, val_transform, **shared)
    warn_of_useless_workers(config, (train, val, test))
    return Data(train, val, test, sets.train, sets.train.fingerprint())


def _merged(parts: Iterable[dict]) -> dict:
    return {name: value for part in parts for name, value in part.items()}


def build_measuring_loaders(config: MeasureConfig, model: nn.Module, sets: Sets, device: torch.device) -> list:
    """Build loaders of every example once, in one seeded order; of --num-examples of each set, where given."""
    sets = Sets(*(_first_examples(dataset, config) for dataset in sets if dataset is not None))
    augment_val = bool(config.augment) and config.num_copies > 1
    train_transform, val_transform = _transforms(config, model, sets, augment_val=augment_val)
    shared = _loader_settings(config, device)
    # Folders are sorted by class, and statistics of a batch with a single class would be those of no training batch.
    shared.update(batch_size=config.eval_batch_size, seed=config.measure_seed, shuffle=True)
    shared.update(duplicates=config.num_copies, micro_batch_size=config.eval_batch_size)
    loaders = [
        None if dataset is None else data.build_loader(dataset, transform, **shared)
        for dataset, transform in zip(sets, (train_transform, val_transform, val_transform), strict=True)
    ]
    warn_of_useless_workers(config, loaders)
    return loaders


def shortened_splits(config: MeasureConfig, sets: Sets) -> frozenset[str]:
    """Return the splits that --num-examples leaves something out of."""
    test = sets.val if sets.test is None else sets.test
    sizes = {'train': len(sets.train), 'val': len(sets.val), 'test': len(test)}
    return frozenset(name for name, size in sizes.items() if config.num_examples and config.num_examples < size)


def _first_examples(dataset: Examples, config: MeasureConfig):
    """Return the first examples of a seeded order, themselves in the order of the set."""
    if config.num_examples is None or config.num_examples >= len(dataset):
        return dataset
    order = torch.randperm(len(dataset), generator=seeding.make_generator(config.measure_seed, 'examples'))
    return dataset.subset(order[: config.num_examples].sort().values)


def _loader_settings(config: NetworkConfig, device: torch.device) -> dict:
    workers = 2 if config.workers is None else config.workers
    return {'device': device, 'dtype': getattr(torch, config.dtype), 'seed': config.seed, 'num_workers': workers}


def _transforms(config: NetworkConfig, model: nn.Module, sets: Sets, *, augment_val: bool = False, **training) -> tuple:
    """Return the transforms of training, with its further settings, and of validation; a network may have its own."""
    own = getattr(model, 'input_transform', None)
    if own is not None:
        log.info('%s brings its own input_transform: images are transformed one by one', config.model)
        return tuple(own['train' if augment else 'eval'] for augment in (config.augment, augment_val))
    train = _transform(config, sets.train, augment=bool(config.augment), **training)
    return train, _transform(config, sets.val, augment=augment_val)


def _transform(config: NetworkConfig, dataset, *, augment: bool, **settings) -> Callable | None:
    if dataset.is_float:
        return None
    settings |= {'augment': augment, 'flip': config.flip if augment else False}
    normalize = {'mean': (0.0,), 'std': (1.0,)} if config.pixels == 'unit' else None
    preset = dataset.preset or config.dataset
    return preprocess.get_transform(preset, input_size=config.input_size, normalize=normalize, **settings)
