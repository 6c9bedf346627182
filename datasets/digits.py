"""Handwritten digits of 8x8 pixels, which come with scikit-learn: a real data set without a download.

Source: sklearn.datasets.load_digits, the test part of the UCI set "Optical Recognition of Handwritten
Digits". It has no official split; ours is fixed: 1,280 examples to train on, 517 to validate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from datasets.arrays import ArrayDataset

NUM_TRAIN = 1280
NUM_CLASSES = 10


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 1, 8, 8), grey levels 0..255, 10 classes; nothing is read from `datasets_path`."""
    try:
        from sklearn.datasets import load_digits  # takes over a second to import
    except ImportError as error:
        raise ValueError(f'data set {name!r} comes with scikit-learn: pip install scikit-learn') from error
    data = load_digits()
    order = np.random.RandomState(0).permutation(len(data.target))  # a stream that NumPy keeps for ever
    chosen = order[:NUM_TRAIN] if split == 'train' else order[NUM_TRAIN:]
    levels = np.rint(data.images[chosen] * (255 / 16)).astype(np.uint8)  # 0..16 in the file
    return ArrayDataset(
        torch.from_numpy(levels).unsqueeze(1), torch.from_numpy(data.target[chosen]), NUM_CLASSES
    )
