"""The data sets by name, the module that loads each of them, and the form in which their images are described.

Nothing here imports torch before a data set is asked for, so that --help can list names at once.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bigbatch.messages import suggest

MODULES = {
    'cifar10': 'data_sets.cifar',
    'cifar100': 'data_sets.cifar',
    'digits': 'data_sets.digits',
    'fake': 'data_sets.fake',
    'imagenet': 'data_sets.imagenet',
    'mnist': 'data_sets.mnist',
    'stl10': 'data_sets.stl10',
}
FOLDER = 'data_sets.folder'
DOWNLOADABLE = frozenset(('cifar10', 'cifar100', 'mnist', 'stl10'))


class Preset(NamedTuple):
    """How images of one data set are treated unless told otherwise.

    pad: pixels added on each side before the random crop; below 1: that part of the shorter side; None: 4 from 32
    pixels on, else 2.
    fill: grey level of the added pixels. flip: mirror at random. augment: whether training augments.
    mean, std: per channel, or one for all, of pixels in 0..1.
    """

    pad: int | float | None
    fill: int
    flip: bool
    augment: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


def loader_of(module: str) -> Callable:
    """Return the function that loads a data set from a module of the table.

    Raises:
        ValueError: the module is not there, or has no function that can be called so.
    """
    file = f'{module.replace(".", "/")}.py'
    try:
        load = getattr(importlib.import_module(module), 'load', None)
    except ModuleNotFoundError as error:
        if not f'{module}.'.startswith(f'{error.name}.'):
            raise  # it is there, and fails to import another
        raise ValueError(
            f'the table of data_sets/catalog.py has {module!r}, but there is no {file}: add it or mend that'
        ) from error
    needed = 'load(name, split, *, datasets_path, download)'
    if not callable(load):
        raise ValueError(f'{file} has no function {needed}, which the table of data_sets/catalog.py needs: add one')
    try:
        inspect.signature(load).bind('', '', datasets_path=None, download=False)
    except TypeError as error:
        raise ValueError(f'{file}: load cannot be called as {needed}: {error}; mend its arguments') from error
    return load


def find_module(name: str, root: Path) -> str:
    """Return the module that loads a data set; names come before folders.

    Raises:
        ValueError: nothing has this name; the nearest are named.
    """
    key = 'fake' if name.startswith('fake:') else name
    if key in MODULES:
        return MODULES[key]
    if name.endswith('.npz'):
        return 'data_sets.npz'
    from data_sets.folder import LAYOUT, find_folder

    if find_folder(name, root) is not None:
        return FOLDER
    path = Path(name).expanduser()
    if any(candidate.exists() for candidate in (path, root / path)):
        raise ValueError(f'data set {name} is a file; expected a folder with {LAYOUT}, or a path ending in .npz')
    if os.sep in name:
        raise ValueError(f'no folder {name} in {Path.cwd()} or {root}; expected one with {LAYOUT}')
    folders = [entry.parent.name for entry in root.glob('*/train/')]
    known = f'{suggest(name, {*MODULES, *folders})}, fake:NUM:CxHxW:CLASSES, a path ending in .npz'
    raise ValueError(f'no data set {name!r}; {known}, or a folder (in {Path.cwd()} or {root}) with {LAYOUT}')
