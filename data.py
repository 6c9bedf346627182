"""Data sets by name, and the loaders that feed them to a network.

Source: data.py of the bigBatch code. Where we differ: the folder is a setting, not a constant; an unknown name is
refused; in place of 'val', which is the official test set as published, a part of the training set can be held out
with `split_validation`. data_sets/catalog.py says how to add one. Nothing here imports torch before a set is asked for.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path

from bigbatch.messages import suggest
from bigbatch.own_code import own_code
from data_sets.catalog import find_set, list_names

_SPLITS = {'train': 'train', 'val': 'val', 'test': 'val'}  # of a set that does not have both


def list_datasets() -> list[str]:
    """Return the names that get_dataset knows; it takes fake:..., .npz files and folders of class folders besides."""
    return list_names()


def default_datasets_path() -> Path:
    """Return the folder of the data sets: $DATASETS_DIR, else ~/Datasets."""
    return Path(os.path.expanduser(os.environ.get('DATASETS_DIR') or '~/Datasets'))


def get_dataset(
    name: str,
    split: str = 'train',
    transform: Callable | None = None,
    target_transform: Callable | None = None,
    download: bool = False,
    datasets_path: str | Path | None = None,
    *,
    memory_limit: int | None = None,
):
    """Create a torch Dataset of (image, label): an ArrayDataset, or an ImageFiles of what does not live in memory.

    Args:
        name: one of list_datasets(); fake:NUM:CxHxW:CLASSES; a path ending in .npz; or a folder with train/ and val/
            or test/, each with a folder of images for every class. A path is taken as it is, or else below
            `datasets_path`.
        split: train; val, which is validated on: a folder's val/ if there is one, else the official test set, as
            published; test: a folder's test/, if there is a val/ besides, else the same as val.
        transform: applied to each image as the data set is indexed; a loader takes its own.
        download: fetch what is missing, where the data set has a source.
        datasets_path: folder of the data sets; None: default_datasets_path().
        memory_limit: bytes that a folder's decoded images may take up; 0: they are read as they are needed; None: half
            of what is free. Sets that do not ask for it are not told.
    """
    if split not in _SPLITS:
        raise ValueError(f'no split {split!r}; {suggest(split, _SPLITS)}')
    root = _datasets_path(datasets_path)
    load = find_set(name).load
    part = split if split == 'test' and has_test(name, root) else _SPLITS[split]
    limit = {'memory_limit': memory_limit} if 'memory_limit' in inspect.signature(load).parameters else {}
    with own_code():
        dataset = load(name, part, datasets_path=root, download=download, **limit)
    if not hasattr(dataset, 'num_bytes'):
        raise ValueError(
            f'{load.__module__}.load returns {type(dataset).__name__} for {name}; expected an ArrayDataset or an '
            'ImageFiles'
        )
    dataset.transform = transform
    dataset.target_transform = target_transform
    return dataset


def has_test(name: str, datasets_path: str | Path | None = None) -> bool:
    """Say whether a data set has a test split besides the one that is validated on; only folders can."""
    ask = getattr(find_set(name), 'has_test', None)
    return ask is not None and ask(name, _datasets_path(datasets_path))


def is_downloadable(name: str) -> bool:
    """Say whether `download` can fetch a data set."""
    return getattr(find_set(name), 'DOWNLOADS', False)


def needs_files(name: str) -> bool:
    """Say whether a data set is read from files that a user or `download` puts there."""
    return getattr(find_set(name), 'NEEDS_FILES', True)


def split_validation(dataset, fraction: float, seed: int):
    """Split a training set into (train, val), of which val is that fraction of it, drawn by the seed alone."""
    num = len(dataset)
    num_val = round(num * fraction) if 0 < fraction < 1 else 0
    if not 0 < num_val < num:
        raise ValueError(
            f'validation fraction {fraction} of {num} examples leaves a side empty; '
            f'expected a number between 0 and 1 that gives each side at least one'
        )
    import torch

    from bigbatch.seeding import make_generator

    order = torch.randperm(num, generator=make_generator(seed, 'validation'))
    return dataset.subset(order[num_val:].sort().values), dataset.subset(order[:num_val].sort().values)


def build_loader(dataset, transform: Callable | None, *, num_workers: int = 0, **settings):
    """Build a DeviceLoader where the set is in memory and transformed by whole batches, else a StreamLoader.

    Args:
        transform: a preprocess.Transform, any callable on PIL images, or None for float features.
        settings: as for data_sets.loader.Loader: batch_size, device, dtype, seed, ...
    """
    from data_sets.arrays import ArrayDataset
    from data_sets.loader import DeviceLoader
    from data_sets.stream import StreamLoader
    from preprocess import Transform

    whole_batches = isinstance(transform, Transform) or (transform is None and dataset.transform is None)
    if isinstance(dataset, ArrayDataset) and whole_batches:
        return DeviceLoader(dataset, transform, **settings)
    return StreamLoader(dataset, transform, num_workers=num_workers, **settings)


def _datasets_path(path: str | Path | None) -> Path:
    return default_datasets_path() if path is None else Path(os.path.expanduser(path))
