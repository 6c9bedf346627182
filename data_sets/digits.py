"""Handwritten digits of 8x8 pixels, which come with scikit-learn: a real data set without a download.

Source: sklearn.datasets.load_digits, the test part of the UCI set "Optical Recognition of Handwritten
Digits". It has no official split; ours is fixed: 1,280 examples to train on, 517 to validate.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch

from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset

PRESET = Preset(pad=1, fill=0, flip=False, augment=False, mean=(0.5,), std=(0.5,))
DOWNLOADS = False
NEEDS_FILES = False
NUM_TRAIN = 1280
NUM_CLASSES = 10


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 1, 8, 8), grey levels 0..255, 10 classes; nothing is read from `datasets_path`."""
    levels, labels = _read(name)
    order = np.random.RandomState(0).permutation(len(labels))  # a stream that NumPy keeps for ever
    chosen = order[:NUM_TRAIN] if split == 'train' else order[NUM_TRAIN:]
    images = np.rint(levels[chosen] * (255 / 16)).astype(np.uint8)
    return ArrayDataset(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels[chosen]), NUM_CLASSES)


def _read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read grey levels from 0 to 16, (1797, 8, 8), and labels, (1797,)."""
    # without importing scikit-learn where that goes: the import takes longer than many a run on these digits
    found = importlib.util.find_spec('sklearn')
    if found is None:
        raise ValueError(f'data set {name!r} comes with scikit-learn: pip install scikit-learn')
    path = Path(found.origin).parent / 'datasets' / 'data' / 'digits.csv.gz'
    if path.is_file():
        table = np.loadtxt(path, delimiter=',')
        return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images, data.target
