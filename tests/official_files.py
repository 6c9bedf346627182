"""Small data sets in the layouts of the official files, with a pattern per class under noise, for tests.

The official checksums do not fit small files, so `small_checksums` puts theirs into torchvision's lists; nothing else
of the reading code is replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100, STL10

SOURCES = {'cifar10': CIFAR10, 'cifar100': CIFAR100, 'stl10': STL10}
STL10_CLASSES = ('airplane', 'bird', 'car', 'cat', 'deer', 'dog', 'horse', 'monkey', 'ship', 'truck')


def draw_images(num: int, shape: tuple[int, int, int], num_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw images uint8 (num, C, H, W) and labels int (num,), all classes as often as `num` allows.

    A class has a pattern of 4 x 4 cells, grey levels 0..128, the same for every seed; noise takes the other 127.
    """
    channels, height, width = shape
    cells = np.random.RandomState(0).randint(0, 129, (num_classes, channels, 4, 4), dtype=np.uint8)
    patterns = cells[:, :, (np.arange(height) * 4 // height)[:, None], np.arange(width) * 4 // width]
    rng = np.random.RandomState(seed)
    labels = rng.permutation(num) % num_classes
    return patterns[labels] + rng.randint(0, 128, (num, *shape), dtype=np.uint8), labels


def write_cifar(root: Path, name: str = 'cifar10', *, num_train: int = 20, num_test: int = 10) -> Path:
    """Write cifar10 or cifar100 as its archive unpacks; returns the folder of the pickles."""
    folder = root / SOURCES[name].base_folder
    folder.mkdir(parents=True)
    num_classes, fine = (10, '') if name == 'cifar10' else (100, 'fine_')
    images, labels = draw_images(num_train, (3, 32, 32), num_classes, seed=1)
    files = [file for file, _ in SOURCES[name].train_list]  # five of cifar10, one of cifar100
    parts = list(zip(files, np.array_split(images, len(files)), np.array_split(labels, len(files)), strict=True))
    parts.append((SOURCES[name].test_list[0][0], *draw_images(num_test, (3, 32, 32), num_classes, seed=2)))
    for file, inputs, targets in parts:
        rows = {'data': inputs.reshape(len(inputs), 3072), f'{fine}labels': targets.tolist()}
        coarse = {'coarse_labels': (targets // 5).tolist()} if fine else {}
        _write_pickle(folder / file, {'batch_label': file, **rows, **coarse})
    class_names = [f'class {label}' for label in range(num_classes)]
    _write_pickle(folder / SOURCES[name].meta['filename'], {f'{fine}label_names': class_names})
    return folder


def _write_pickle(path: Path, content: dict) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))  # the official files are of Python 2


def write_stl10(root: Path, *, num_train: int = 20, num_test: int = 10) -> Path:
    """Write the labelled part of stl10 as its archive unpacks: column by column, labels from 1; returns the folder."""
    folder = root / STL10.base_folder
    folder.mkdir(parents=True)
    for part, num, seed in (('train', num_train, 1), ('test', num_test, 2)):
        images, labels = draw_images(num, (3, 96, 96), 10, seed)
        (folder / f'{part}_X.bin').write_bytes(images.transpose(0, 1, 3, 2).tobytes())
        (folder / f'{part}_y.bin').write_bytes((labels + 1).astype(np.uint8).tobytes())
    (folder / 'class_names.txt').write_text('\n'.join(STL10_CLASSES) + '\n')
    return folder


def write_mnist(root: Path, *, num_train: int = 20, num_test: int = 10) -> Path:
    """Write mnist as torchvision unpacks it, big-endian idx files; returns their folder."""
    folder = root / 'MNIST' / 'raw'
    folder.mkdir(parents=True)
    for part, num, seed in (('train', num_train, 1), ('t10k', num_test, 2)):
        images, labels = draw_images(num, (1, 28, 28), 10, seed)
        (folder / f'{part}-images-idx3-ubyte').write_bytes(struct.pack('>4I', 2051, num, 28, 28) + images.tobytes())
        (folder / f'{part}-labels-idx1-ubyte').write_bytes(
            struct.pack('>2I', 2049, num) + labels.astype(np.uint8).tobytes()
        )
    return folder


def write_all(datasets_path: Path, *names: str, num_train: int = 20, num_test: int = 10) -> Path:
    """Write data sets, each in the folder of its name; returns `datasets_path`.

    Args:
        names: of cifar10, cifar100, stl10 and mnist; none: all.
    """
    sizes = {'num_train': num_train, 'num_test': num_test}
    for name in names or ('cifar10', 'cifar100', 'stl10', 'mnist'):
        if name in ('cifar10', 'cifar100'):
            write_cifar(datasets_path / name, name, **sizes)
        else:
            {'stl10': write_stl10, 'mnist': write_mnist}[name](datasets_path / name, **sizes)
    return datasets_path


def pack(folder: Path, archive: Path) -> None:
    """Write the official archive of a folder, and remove the folder's files."""
    with tarfile.open(archive, 'w:gz') as tar:
        tar.add(folder, folder.name)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@contextlib.contextmanager
def small_checksums(root: Path, *names: str) -> Iterator[Path]:
    """Let torchvision's classes expect the files and the archive that lie in `root`/name; yields `root`.

    Args:
        names: of the data sets; none: those of cifar10, cifar100 and stl10 that have a folder there.
    """
    with contextlib.ExitStack() as stack:
        for name in names or [name for name in SOURCES if (root / name).is_dir()]:
            source = SOURCES[name]
            for attribute, value in _lists_for(source, root / name).items():
                stack.enter_context(patch.object(source, attribute, value))
        yield root


def _lists_for(source: type, root: Path) -> dict:
    """Return the class attributes with checksums, those of files that are there replaced."""

    def md5(path: Path, official: str) -> str:
        return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else official

    folder = root / source.base_folder
    lists = {
        key: [[file, md5(folder / file, official)] for file, official in getattr(source, key)]
        for key in ('train_list', 'test_list')
    }
    lists['tgz_md5'] = md5(root / source.filename, source.tgz_md5)
    if hasattr(source, 'meta'):
        lists['meta'] = {**source.meta, 'md5': md5(folder / source.meta['filename'], source.meta['md5'])}
    return lists
