"""What the tests of data share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

FAKE = 'fake:300:3x32x32:10'


def assert_refused(message, make):
    """Assert that a call raises a ValueError of one line that matches the pattern."""
    with pytest.raises(ValueError, match=message) as raised:
        make()
    text = str(raised.value)
    del raised  # it holds this frame, and so what failed, until garbage is collected
    assert '\n' not in text


def collect(loader, epoch=0, start_step=0):
    """Return inputs, targets and indices of an epoch, each as one tensor."""
    parts = [part for batch in loader.epoch(epoch, start_step) for part in batch]
    return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))


def by_example(inputs, indices):
    """Sort inputs by the place of their example in the data set."""
    return inputs[indices.argsort()]


def assert_same(first, second):
    """Assert that two sequences of tensors are equal bit for bit."""
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


def write_image(path: Path, rng: np.random.RandomState, *, size=(10, 8), mode='RGB', low=0) -> Path:
    """Write an image of random pixels of that (height, width) and PIL mode; the suffix says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.randint(low, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def write_folder(root: Path, *, splits=('train', 'val'), classes=('ant', 'bee', 'cat'), num=4, **settings) -> Path:
    """Write class folders of `num` random PNG images each; a number in `splits`' order makes each split its own."""
    for number, split in enumerate(splits):
        rng = np.random.RandomState(number)
        for name in classes:
            for index in range(num):
                write_image(root / split / name / f'{index}.png', rng, **settings)
    return root
