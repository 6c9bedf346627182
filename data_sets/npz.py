"""A user's own data in one .npz file: arrays x_train, y_train, x_test and y_test.

Images are uint8: (N, H, W) is grey; of four dimensions the last is channels if it is 1, 3 or 4, else the
second must be. Anything float is features (N, ...), images (N, C, H, W): they stay as they are, in float32, never
augmented. Labels are whole numbers from 0, (N,) or (N, 1). A warning names what could be meant otherwise, and other
arrays of the file.
"""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from bigbatch.messages import counted, enumerate_some
from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset

PRESET = Preset(pad=None, fill=0, flip=True, augment=True, mean=(0.5,), std=(0.5,))
DOWNLOADS = False
FORM = 'a path ending in .npz'
_ARRAYS = ('x_train', 'y_train', 'x_test', 'y_test')
_EXPECTED = f'the arrays {", ".join(_ARRAYS)}'
_CHANNELS = (1, 3, 4)
_LOOKED_AT = 256  # examples that say whether floats look like pixels

log = logging.getLogger('bigbatch')


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load a split from the file `name`, a path as it is or else below `datasets_path`.

    All four arrays are read and checked whichever split is asked for, so nothing is left to be found later.
    """
    path = _find_file(name, datasets_path)
    arrays = _read_arrays(path)
    inputs = {key: _check_inputs(f'{path}: {key}', arrays[key]) for key in ('x_train', 'x_test')}
    labels = {key: _check_labels(f'{path}: {key}', arrays[key]) for key in ('y_train', 'y_test')}
    for part in ('train', 'test'):
        num, num_labels = len(inputs[f'x_{part}']), len(labels[f'y_{part}'])
        if num != num_labels:
            raise ValueError(f'{path}: y_{part} has {num_labels} labels for {num} examples in x_{part}')
    kinds = {key: (str(array.dtype), array.shape[1:]) for key, array in inputs.items()}
    if kinds['x_train'] != kinds['x_test']:
        described = ' and '.join(f'{key} holds {dtype} {shape}' for key, (dtype, shape) in kinds.items())
        raise ValueError(f'{path}: {described}; expected examples of one type and shape')
    _warn_of_other_readings(f'{path}: x_train', arrays['x_train'])
    part = 'train' if split == 'train' else 'test'
    num_classes = 1 + max(int(array.max()) for array in labels.values())
    return ArrayDataset(torch.from_numpy(inputs[f'x_{part}']), torch.from_numpy(labels[f'y_{part}']), num_classes)


def takes(name: str) -> bool:
    """Say whether a name is the path of such a file, which may not be there."""
    return name.lower().endswith('.npz')


def _find_file(name: str, datasets_path: Path) -> Path:
    path = Path(os.path.expanduser(name))
    for candidate in (path, datasets_path / path):
        if candidate.is_file():
            return candidate
    folders = f'{Path.cwd()} or {datasets_path}'
    raise ValueError(f'no file {name} in {folders}; expected an .npz file with {_EXPECTED}')


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        archive = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f'{path} is not a complete .npz file; expected one with {_EXPECTED}') from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(f'{path} holds one array without a name; expected an .npz file with {_EXPECTED}')
    with archive:
        missing = [key for key in _ARRAYS if key not in archive.files]
        if missing:
            found = ', '.join(archive.files) or 'nothing'
            raise ValueError(f'{path} lacks {", ".join(missing)}: it holds {found}; expected {_EXPECTED}')
        unused = [key for key in archive.files if key not in _ARRAYS]
        if unused:
            log.warning('%s: %s not used: %s', path, counted(len(unused), 'array'), enumerate_some(unused))
        return {key: _read_array(archive, path, key) for key in _ARRAYS}


def _read_array(archive, path: Path, key: str) -> np.ndarray:
    try:
        return archive[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        damaged = 'cannot be read, so the file is damaged'
        fault = 'holds Python objects' if 'allow_pickle' in str(error) else damaged
        raise ValueError(f'{path}: {key} {fault}; expected numbers of one type and shape') from error


def _check_inputs(label: str, array: np.ndarray) -> np.ndarray:
    """Return uint8 images as (N, C, H, W), or features as finite float32."""
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f'{label} has the shape {array.shape}; expected 2 axes or more, examples first')
    if np.issubdtype(array.dtype, np.floating):
        with np.errstate(over='ignore'):  # becomes infinite and is reported as such
            array = array.astype(np.float32)
        num_bad = array.size - np.count_nonzero(np.isfinite(array))
        if num_bad:
            raise ValueError(f'{label} has {num_bad} values NaN or infinite in float32; expected none')
        if array.ndim == 4 and array.shape[3] in _CHANNELS and array.shape[1] not in _CHANNELS:
            raise ValueError(
                f'{label} has floats of the shape {array.shape}, channels last: save images as uint8 (N, H, W, C), '
                'which are normalised and augmented, or floats as (N, C, H, W), which are used as they are'
            )
        return array
    if array.dtype != np.uint8:
        raise ValueError(f'{label} is of type {array.dtype}; expected uint8 images or float features')
    return _to_channels_first(label, array)


def _to_channels_first(label: str, images: np.ndarray) -> np.ndarray:
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] in _CHANNELS:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim == 4 and images.shape[1] in _CHANNELS:
        return images
    raise ValueError(
        f'{label} has the shape {images.shape}; '
        'expected images (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4'
    )


def _warn_of_other_readings(label: str, array: np.ndarray) -> None:
    """Say how examples are taken that look like something else as well."""
    if array.dtype == np.uint8:
        if array.ndim == 4 and array.shape[1] in _CHANNELS and array.shape[3] in _CHANNELS:
            shape = 'x'.join(map(str, array.shape[1:3]))
            log.warning('%s has the shape %s, taken for %s pixels, channels last', label, array.shape, shape)
        return
    first = array[:_LOOKED_AT]
    if 1 < first.max() <= 255 and first.min() >= 0 and (first == np.rint(first)).all():
        what = f'floats up to {first.max():g} like pixels, used as they are; uint8 images are normalised'
        log.warning('%s holds %s', label, what)


def _check_labels(label: str, array: np.ndarray) -> np.ndarray:
    """Return the labels as int64 (N,)."""
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f'{label} is of type {array.dtype}; expected whole numbers, the labels 0, 1, 2, ...')
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not len(array):
        one_hot = ', so not one-hot: array.argmax(1)' if array.ndim == 2 else ''
        raise ValueError(f'{label} has the shape {array.shape}; expected one label for each example{one_hot}')
    if array.min() < 0:
        raise ValueError(f'{label} has the label {array.min()}; expected labels from 0 on')
    return array.astype(np.int64)
