"""Small data sets in the layouts of the official files; `small_checksums` lets torchvision take them for those."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100, STL10

SOURCES = {'cifar10': CIFAR10, 'cifar100': CIFAR100, 'stl10': STL10}
SHAPES = {'cifar10': (3, 32, 32), 'cifar100': (3, 32, 32), 'stl10': (3, 96, 96), 'mnist': (1, 28, 28)}
CLASSES = {'cifar10': 10, 'cifar100': 100, 'stl10': 10, 'mnist': 10}


def draw_images(name: str, num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw images uint8 (num, C, H, W) and labels int (num,), all classes as often as `num` allows.

    A class has a pattern of 4 x 4 cells, grey levels 0..128, the same for every seed; noise takes the other 127.
    """
    channels, height, width = SHAPES[name]
    cells = np.random.RandomState(0).randint(0, 129, (CLASSES[name], channels, 4, 4), dtype=np.uint8)
    patterns = cells[:, :, (np.arange(height) * 4 // height)[:, None], np.arange(width) * 4 // width]
    rng = np.random.RandomState(seed)
    labels = rng.permutation(num) % CLASSES[name]
    return patterns[labels] + rng.randint(0, 128, (num, *SHAPES[name]), dtype=np.uint8), labels


def write_set(root: Path, name: str, *, num_train: int = 20, num_test: int = 10) -> Path:
    """Write a data set as its archive unpacks in `root`; returns the folder of its files."""
    folder = root / (SOURCES[name].base_folder if name in SOURCES else 'MNIST/raw')
    folder.mkdir(parents=True)
    for part, num, seed in (('train', num_train, 1), ('test', num_test, 2)):
        images, labels = draw_images(name, num, seed)
        numbers = labels.astype(np.uint8)
        if name == 'stl10':  # column by column, labels from 1
            (folder / f'{part}_X.bin').write_bytes(images.transpose(0, 1, 3, 2).tobytes())
            (folder / f'{part}_y.bin').write_bytes((numbers + 1).tobytes())
        elif name == 'mnist':
            part = 't10k' if part == 'test' else part
            (folder / f'{part}-images-idx3-ubyte').write_bytes(struct.pack('>4I', 2051, num, 28, 28) + images.tobytes())
            (folder / f'{part}-labels-idx1-ubyte').write_bytes(struct.pack('>2I', 2049, num) + numbers.tobytes())
        else:
            _write_cifar(folder, name, part, images, labels)
    if name == 'stl10':
        (folder / 'class_names.txt').write_text('\n'.join(f'class {label}' for label in range(10)) + '\n')
    return folder


def _write_cifar(folder: Path, name: str, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write the pickles of a part as Python 2 does, five of cifar10's to train on, and that of the names."""
    source = SOURCES[name]
    fine, coarse = ('', {}) if name == 'cifar10' else ('fine_', {'coarse_labels': (labels // 5).tolist()})
    contents = {source.meta['filename']: {f'{fine}label_names': [f'class {label}' for label in range(CLASSES[name])]}}
    files = [file for file, _ in getattr(source, f'{part}_list')]
    for file, chosen in zip(files, np.array_split(np.arange(len(labels)), len(files)), strict=True):
        rows = {'data': images[chosen].reshape(-1, 3072), f'{fine}labels': labels[chosen].tolist()}
        contents[file] = {**rows, **coarse}
    for file, content in contents.items():
        (folder / file).write_bytes(pickle.dumps(content, protocol=2))


def write_all(datasets_path: Path, *names: str, **sizes: int) -> Path:
    """Write data sets, none named: all, each in the folder of its name; returns `datasets_path`."""
    for name in names or SHAPES:
        write_set(datasets_path / name, name, **sizes)
    return datasets_path


@contextlib.contextmanager
def small_checksums(root: Path, *names: str) -> Iterator[Path]:
    """Let torchvision's classes expect the files and the archive that lie in `root`/name; yields `root`.

    Args:
        names: of the data sets; none: those of cifar10, cifar100 and stl10 that have a folder there.
    """

    def md5(path: Path, official: str) -> str:
        return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else official

    with contextlib.ExitStack() as stack:
        for name in names or [name for name in SOURCES if (root / name).is_dir()]:
            source, folder = SOURCES[name], root / name / SOURCES[name].base_folder
            lists = {'tgz_md5': md5(root / name / source.filename, source.tgz_md5)}
            for key in ('train_list', 'test_list'):
                lists[key] = [[file, md5(folder / file, official)] for file, official in getattr(source, key)]
            if hasattr(source, 'meta'):
                lists['meta'] = {**source.meta, 'md5': md5(folder / source.meta['filename'], source.meta['md5'])}
            for key, value in lists.items():
                stack.enter_context(patch.object(source, key, value))
        yield root
