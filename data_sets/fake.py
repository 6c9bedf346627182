"""Generated images that a network can learn: a pattern per class under noise. For tests, trials and timing.

Not a benchmark: the classes are separable. The bytes are a function of the name alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset

PRESET = Preset(pad=None, fill=127, flip=True, augment=True, mean=(0.5,), std=(0.5,))
DOWNLOADS = False
NEEDS_FILES = False
FORM = 'fake:NUM:CxHxW:CLASSES'
SYNTAX = f'fake, fake:NUM, fake:NUM:CxHxW or {FORM}, as in fake:2000:3x32x32:10, no 0'
_DEFAULTS = (2000, 3, 32, 32, 10)
_CELLS = 4  # a pattern is a grid of 4x4 grey cells
_CONTRAST = 64  # grey levels of the pattern; the noise takes the other 192


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Generate uint8 (N, C, H, W); by default 2,000 of 3x32x32 to train on, 500 to validate, 10 classes.

    Validation has max(1, NUM // 4) examples, with noise of its own. Classes are equally frequent.
    """
    num_train, shape, num_classes = parse_name(name)
    num = num_train if split == 'train' else max(1, num_train // 4)
    patterns = _draw_patterns(shape, num_classes)
    rng = np.random.RandomState(1 if split == 'train' else 2)
    targets = rng.permutation(num) % num_classes
    images = rng.randint(0, 256 - _CONTRAST, size=(num, *shape), dtype=np.uint8)
    for label in range(num_classes):  # class by class: a second array of this size is never made
        images[targets == label] += patterns[label]
    return ArrayDataset(torch.from_numpy(images), torch.from_numpy(targets), num_classes)


def takes(name: str) -> bool:
    """Say whether a name is meant for this set, well formed or not."""
    return name.partition(':')[0] == 'fake'


def parse_name(name: str) -> tuple[int, tuple[int, int, int], int]:
    """Split fake:NUM:CxHxW:CLASSES into NUM, (C, H, W) and CLASSES."""
    match = re.fullmatch(r'fake(?::(\d+)(?::(\d+)x(\d+)x(\d+)(?::(\d+))?)?)?', name)
    if match is None:
        raise ValueError(f'data set {name!r} is malformed; expected {SYNTAX}')
    num, *shape, num_classes = (int(text or default) for text, default in zip(match.groups(), _DEFAULTS, strict=True))
    if min(num, *shape, num_classes) < 1:
        raise ValueError(f'data set {name!r} has a 0 in it; expected {SYNTAX}')
    return num, tuple(shape), num_classes


def _draw_patterns(shape: tuple[int, int, int], num_classes: int) -> np.ndarray:
    """Draw one pattern per class: uint8 (classes, C, H, W) in 0.._CONTRAST."""
    channels, height, width = shape
    grids = (num_classes, channels, _CELLS, _CELLS)
    cells = np.random.RandomState(0).randint(0, _CONTRAST + 1, size=grids, dtype=np.uint8)
    rows, columns = np.arange(height) * _CELLS // height, np.arange(width) * _CELLS // width
    return cells[:, :, rows[:, None], columns]
