"""Data sets by name, and the loaders that feed them to a network.

Source: data.py of the bigBatch code. Where we differ: the folder is a setting, not a constant; an unknown
name is refused; in place of 'val', which is the official test set as published, a part of the training set
can be held out with `split_validation`. To add a data set, write a file with
`load(name, split, *, datasets_path, download)` in datasets/, name it in the table below, and describe its
images in preprocess.py. Nothing here imports torch before a data set is asked for, so that --help can list
names at once.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path

from utils.errors import suggest

_MODULES = {
    'digits': 'datasets.digits',
    'fake': 'datasets.fake',
    'mnist': 'datasets.mnist',
}
_SPLITS = {'train': 'train', 'val': 'val', 'test': 'val'}  # no set here has both


def list_datasets() -> list[str]:
    """Return the names that get_dataset knows; it takes fake:... and paths ending in .npz besides."""
    return sorted(_MODULES)


def default_datasets_path() -> Path:
    """Return the folder of the data sets: $DATASETS_DIR, else ~/Datasets."""
    return Path(os.environ.get('DATASETS_DIR') or '~/Datasets').expanduser()


def get_dataset(
    name: str,
    split: str = 'train',
    transform: Callable | None = None,
    target_transform: Callable | None = None,
    download: bool = False,
    datasets_path: str | Path | None = None,
):
    """Create a data set.

    Args:
        name: one of list_datasets(), fake:NUM:CxHxW:CLASSES, or a path ending in .npz.
        split: train; val, the official test set as published; test means the same.
        transform: applied to each image as the data set is indexed; a loader takes its own.
        target_transform: applied to each label.
        download: fetch what is missing, where the data set has a source.
        datasets_path: folder of the data sets; None: default_datasets_path().
    Returns: a torch Dataset of (image, label).
    """
    if split not in _SPLITS:
        raise ValueError(f'no split {split!r}; {suggest(split, _SPLITS)}')
    root = default_datasets_path() if datasets_path is None else Path(datasets_path).expanduser()
    module = importlib.import_module(_find_module(name))
    dataset = module.load(name, _SPLITS[split], datasets_path=root, download=download)
    dataset.transform = transform
    dataset.target_transform = target_transform
    return dataset


def split_validation(dataset, fraction: float, seed: int):
    """Split a training set at random into one to train on and one to validate, (train, val).

    Args:
        fraction: share of the examples to validate on, above 0 and below 1.
        seed: decides which; the split depends on nothing else.
    """
    num = len(dataset)
    num_val = round(num * fraction) if 0 < fraction < 1 else 0
    if not 0 < num_val < num:
        raise ValueError(
            f'validation fraction {fraction} of {num} examples leaves a side empty; '
            f'expected a number between 0 and 1 that gives each side at least one'
        )
    import torch

    from utils.seeding import make_generator

    order = torch.randperm(num, generator=make_generator(seed, 'validation'))
    return dataset.subset(order[num_val:].sort().values), dataset.subset(order[:num_val].sort().values)


def build_loader(dataset, transform: Callable | None, *, num_workers: int = 0, **settings):
    """Build the loader that suits a data set and its transform.

    Args:
        transform: a preprocess.Transform, any callable on PIL images, or None for float features.
        num_workers: processes that decode and transform, for a StreamLoader; a DeviceLoader needs none.
        settings: as for datasets.loader.DeviceLoader: batch_size, device, dtype, seed, ...
    Returns: a DeviceLoader where the set is in memory and transformed by whole batches, else a StreamLoader.
    """
    from datasets.arrays import ArrayDataset
    from datasets.loader import DeviceLoader, StreamLoader
    from preprocess import Transform

    whole_batches = isinstance(transform, Transform) or (transform is None and dataset.transform is None)
    if isinstance(dataset, ArrayDataset) and whole_batches:
        return DeviceLoader(dataset, transform, **settings)
    return StreamLoader(dataset, transform, num_workers=num_workers, **settings)


def _find_module(name: str) -> str:
    if name.endswith('.npz'):
        return 'datasets.npz'
    key = 'fake' if name.startswith('fake:') else name
    if key not in _MODULES:
        known = f'{suggest(name, _MODULES)}, fake:NUM:CxHxW:CLASSES, or a path ending in .npz'
        raise ValueError(f'no data set {name!r}; {known}')
    return _MODULES[key]
