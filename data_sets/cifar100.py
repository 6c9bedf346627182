"""CIFAR-100 (Krizhevsky 2009), its 100 fine labels, from the official Python files.

As in the bigBatch code, the official test set is what is validated on.
"""

from __future__ import annotations

from pathlib import Path

from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset
from data_sets.official import load_cifar

PRESET = Preset(pad=4, fill=127, flip=True, augment=True, mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))
DOWNLOADS = True


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 3, 32, 32), 50,000 to train on and 10,000 to validate.

    They are read from cifar-100-python in `datasets_path`/cifar100 or in `datasets_path`.
    """
    from torchvision.datasets import CIFAR100  # takes two seconds to import

    return load_cifar(name, CIFAR100, split, datasets_path=datasets_path, download=download)
