"""MNIST from its four idx files, in the folder layout of torchvision.datasets.MNIST.

Read with NumPy: the format is a header and bytes, a damaged file is named, and importing torchvision takes
two seconds (measured), far longer than reading the files. It is imported to download only.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch

from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset

PRESET = Preset(pad=2, fill=0, flip=False, augment=True, mean=(0.5,), std=(0.5,))
DOWNLOADS = True
NUM_CLASSES = 10
# Where the files may lie below the folder of the data sets: as torchvision has them, or as one unpacks them by hand.
FOLDERS = ('mnist/MNIST/raw', 'MNIST/raw', 'mnist/raw', 'mnist', 'MNIST', 'raw', '.')
_FILES = ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte')


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 1, 28, 28), 60,000 to train on and 10,000 to validate.

    They are read from the first folder that has any of them: `datasets_path`/mnist/MNIST/raw, where `download` puts
    them, or FOLDERS; gzipped (.gz) or not.
    """
    folders = [datasets_path / folder for folder in FOLDERS]
    folder = next(filter(_find_files, folders), folders[0])
    if download and len(_find_files(folder)) < len(_FILES):
        _download(datasets_path / 'mnist')
        folder = folders[0]
    part = 'train' if split == 'train' else 't10k'
    image_path, label_path = (_find_file(folder, file) for file in _FILES if file.startswith(part))
    images, labels = read_idx(image_path, num_dims=3), read_idx(label_path, num_dims=1)
    if len(images) != len(labels) or not len(labels):
        counts = f'{len(labels)} labels for {len(images)} images in {image_path.name}'
        raise ValueError(f'{label_path} has {counts}; expected as many, and at least 1')
    if labels.max() >= NUM_CLASSES:
        raise ValueError(f'{label_path} has the label {labels.max()}; expected 0 to 9: it is damaged')
    return ArrayDataset(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels), NUM_CLASSES)


def read_idx(path: Path, num_dims: int) -> np.ndarray:
    """Read an idx file of bytes: 0, 0, type 8, number of dimensions, sizes as big-endian int32, data."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f'cannot read {path}: {error}; delete it and get it again') from error
    header_size, magic = 4 + 4 * num_dims, bytes((0, 0, 8, num_dims))
    if len(data) < header_size or data[:4] != magic:
        raise ValueError(
            f'{path} is not an idx file of bytes in {num_dims} dimensions: it starts with '
            f'{data[:4].hex()!r}, expected {magic.hex()!r}'
        )
    shape = np.frombuffer(data, '>u4', count=num_dims, offset=4).astype(int)
    size = header_size + shape.prod()
    if len(data) != size:
        raise ValueError(
            f'{path} has {len(data)} bytes, but its header announces {size}: '
            'it is truncated or damaged; delete it and get it again'
        )
    return np.frombuffer(data, np.uint8, offset=header_size).reshape(shape).copy()


def _find_files(folder: Path) -> dict[str, Path]:
    """Find files of the set by their official names: with a dot for the dash, gzipped, or in folders of their names."""
    found = {}
    for file in _FILES:
        names = (file, file.replace('-idx', '.idx'))
        nested = (f'{name}/{other}' for name in names for other in names)
        paths = (folder / name for name in (*names, *(f'{name}.gz' for name in names), *nested))
        if path := next(filter(Path.is_file, paths), None):
            found[file] = path
    return found


def _find_file(folder: Path, file: str) -> Path:
    if path := _find_files(folder).get(file):
        return path
    raise ValueError(
        f'no {file} (or .gz) in {folder}; main_normal.py --dataset mnist --download gets it; or name the folder '
        f'that holds mnist/MNIST/raw with --datasets-dir or $DATASETS_DIR; expected files: {", ".join(_FILES)}'
    )


def _download(root: Path) -> None:
    from torchvision.datasets import MNIST

    try:
        MNIST(root, download=True)
    except (OSError, RuntimeError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'cannot download MNIST to {root}: {reason}; copy its idx files to {root}/MNIST/raw'
        ) from error
