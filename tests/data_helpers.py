"""What the tests of data share."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

FAKE = 'fake:300:3x32x32:10'


def refusal(make: Callable) -> str:
    """Return what the ValueError says that a call raises."""
    try:
        make()
    except ValueError as error:
        return str(error)
    return 'nothing raised'


def assert_refused(message: str, make: Callable) -> None:
    """Assert that a call raises a ValueError of one line that matches the pattern."""
    assert_all_refused([(message, make)])


def assert_all_refused(cases: Iterable[tuple[str, Callable]]) -> None:
    texts = [(message, refusal(make)) for message, make in cases]
    assert [(message, text) for message, text in texts if not re.search(message, text) or '\n' in text] == []


def collect(batches, epoch=0, start_step=0):
    """Return (inputs, targets, indices) of the epoch of a loader, or of batches, each as one tensor."""
    batches = batches.epoch(epoch, start_step) if hasattr(batches, 'epoch') else batches
    return tuple(torch.cat(tensors) for tensors in zip(*(part for batch in batches for part in batch), strict=True))


def by_example(inputs, indices):
    return inputs[indices.argsort()]


def assert_same(first, second):
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


def write_image(path: Path, *, seed=0, size=(10, 8), mode='RGB') -> Path:
    """Write an image of random pixels of that (height, width) and PIL mode; the suffix says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(seed).randint(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def write_folder(root: Path, *, splits=('train', 'val'), classes=('ant', 'bee', 'cat'), num=4, **settings) -> Path:
    """Write class folders of `num` random PNG images each, all of them different."""
    places = itertools.product(enumerate(splits), enumerate(classes), range(num))
    for (number, split), (label, name), index in places:
        write_image(root / split / name / f'{index}.png', seed=(number, label, index), **settings)
    return root
