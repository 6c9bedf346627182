"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from the official Python files, read by torchvision.

As in the bigBatch code, the official test set is what is validated on; CIFAR-100 has its 100 fine labels.
"""

from __future__ import annotations

from pathlib import Path

import torch

from data_sets.arrays import ArrayDataset
from data_sets.official import read_official


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 3, 32, 32), 50,000 to train on and 10,000 to validate.

    They are read from cifar-10-batches-py or cifar-100-python in `datasets_path`/name or in `datasets_path`.
    """
    from torchvision.datasets import CIFAR10, CIFAR100  # takes two seconds to import

    source, num_classes = {'cifar10': (CIFAR10, 10), 'cifar100': (CIFAR100, 100)}[name]
    read = read_official(name, source, datasets_path=datasets_path, download=download, train=split == 'train')
    images = torch.from_numpy(read.data).permute(0, 3, 1, 2)  # torchvision has the channels last
    return ArrayDataset(images, torch.tensor(read.targets), num_classes)
