"""CIFAR-10 (Krizhevsky 2009) from the official Python files; as in the bigBatch code, the test set is validated on."""

from __future__ import annotations

from pathlib import Path

from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset
from data_sets.official import load_cifar

PRESET = Preset(pad=4, fill=127, flip=True, augment=True, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
DOWNLOADS = True


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 3, 32, 32), 50,000 to train on and 10,000 to validate.

    They are read from cifar-10-batches-py in `datasets_path`/cifar10 or in `datasets_path`.
    """
    from torchvision.datasets import CIFAR10  # takes two seconds to import

    return load_cifar(name, CIFAR10, split, datasets_path=datasets_path, download=download)
