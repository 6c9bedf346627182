"""What the tests of data share."""

from __future__ import annotations

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
    """Assert the same of each pattern and call."""
    texts = [(message, refusal(make)) for message, make in cases]
    assert [(message, text) for message, text in texts if not re.search(message, text) or '\n' in text] == []


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
