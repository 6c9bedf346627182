"""The labelled part of STL-10 (Coates et al. 2011) from the official binary files, read by torchvision.

As in the bigBatch code, all 5,000 labelled images are trained on, not one of the ten folds of 1,000 of the official
protocol, and the official test set is what is validated on. Where we differ: the 100,000 unlabelled images (2.8 GB) are
neither needed nor verified, which torchvision does whichever split is asked for.
"""

from __future__ import annotations

from pathlib import Path

import torch

from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset
from data_sets.official import read_official

PRESET = Preset(pad=12, fill=127, flip=True, augment=True, mean=(0.4467, 0.4398, 0.4066), std=(0.2603, 0.2566, 0.2713))
DOWNLOADS = True
NUM_CLASSES = 10


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 3, 96, 96), 5,000 to train on and 8,000 to validate, labels 0 to 9 (1 to 10 in the files).

    They are read from stl10_binary in `datasets_path`/stl10 or in `datasets_path`.
    """
    from torchvision.datasets import STL10  # takes two seconds to import

    class Labelled(STL10):
        train_list = [entry for entry in STL10.train_list if entry[0] != 'unlabeled_X.bin']  # noqa: RUF012

    part = 'train' if split == 'train' else 'test'
    read = read_official(name, Labelled, datasets_path=datasets_path, download=download, split=part)
    return ArrayDataset(torch.from_numpy(read.data), torch.from_numpy(read.labels), NUM_CLASSES)
