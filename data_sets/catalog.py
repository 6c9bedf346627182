"""The data sets by name. Each is a file of this folder and a line here; all else about it stands in that file.

The file has

    load(name, split, *, datasets_path, download): returns an ArrayDataset or an ImageFiles; it may also take
        memory_limit=None, the bytes that decoded images may take up
    PRESET: how its images are treated unless told otherwise, a Preset or a PhotoPreset
    DOWNLOADS: whether `download` fetches what is missing

and only where there is something to say

    NEEDS_FILES = False: nothing is read from the folder of the data sets
    has_test(name, datasets_path): whether there is a test split besides the one that is validated on
    takes(name), FORM: whether a name is one of the set's, and how such names look

It is imported when its data set is asked for, so that --help can list names at once, without torch.
"""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import NamedTuple

from bigbatch.messages import suggest
from bigbatch.own_code import own_code

MODULES = {
    'cifar10': 'data_sets.cifar10',
    'cifar100': 'data_sets.cifar100',
    'digits': 'data_sets.digits',
    'imagenet': 'data_sets.imagenet',
    'mnist': 'data_sets.mnist',
    'stl10': 'data_sets.stl10',
}
# Those that names of a form of their own stand for: these files have takes and FORM.
FORMS = {'fake': 'data_sets.fake', '*.npz': 'data_sets.npz'}
# Every other name is that of a folder.
FOLDERS = {'folder': 'data_sets.folder'}


class Preset(NamedTuple):
    """How small images, all of one size, are treated unless told otherwise."""

    pad: int | float | None  # pixels on each side; below 1: that part of the shorter side; None: 4 from 32 on, else 2
    fill: int  # grey level of the added pixels
    flip: bool  # mirror at random
    augment: bool  # whether training augments
    mean: tuple[float, ...]  # per channel, or one for all, of pixels in 0..1
    std: tuple[float, ...]


class PhotoPreset(NamedTuple):
    """How photographs of any size are treated unless told otherwise; the fields are as of a Preset."""

    flip: bool
    augment: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


def list_names() -> list[str]:
    """Return the names that can be typed as they are; patterns are none."""
    return sorted(name for name in (*MODULES, *FORMS) if '*' not in name)


def list_forms() -> list[str]:
    """Return how the names look that have a form of their own."""
    return [import_set(module).FORM for module in FORMS.values()]


def find_set(name: str) -> ModuleType:
    """Return the file of a data set; a name that no other has is that of a folder, which may not be there."""
    return import_set(_find_module(name) or FOLDERS['folder'])


def find_preset(name: str) -> Preset | PhotoPreset:
    """Return how the images of a data set are treated: of folders, those of small images, 'folder', or 'imagenet'."""
    module = _find_module(name) or FOLDERS.get(name)
    if module is None:
        raise ValueError(f'no transform for data set {name!r}; {suggest(name, [*MODULES, *FORMS, *FOLDERS])}')
    preset = getattr(import_set(module), 'PRESET', None)
    if preset is None:
        raise ValueError(
            f'no transform for data set {name!r}: {_file_of(module)} has no PRESET, which says how its images are '
            'cropped, mirrored and normalised: add one'
        )
    if not isinstance(preset, (Preset, PhotoPreset)):
        raise ValueError(f'{_file_of(module)}: PRESET is {preset!r}; expected a Preset or a PhotoPreset')
    return preset


def import_set(module: str) -> ModuleType:
    """Import the file of a data set; a ValueError says that it is not there, or has no function that loads the set."""
    file = _file_of(module)
    try:
        with own_code():
            found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f'{module}.'.startswith(f'{error.name}.'):
            raise  # it is there, and fails to import another
        raise ValueError(
            f'the table of data_sets/catalog.py has {module!r}, but there is no {file}: add it or mend that'
        ) from error
    needed = 'load(name, split, *, datasets_path, download)'
    load = getattr(found, 'load', None)
    if not callable(load):
        raise ValueError(f'{file} has no function {needed}, which the table of data_sets/catalog.py needs: add one')
    try:
        inspect.signature(load).bind('', '', datasets_path=None, download=False)
    except TypeError as error:
        raise ValueError(f'{file}: load cannot be called as {needed}: {error}; mend its arguments') from error
    return found


def _find_module(name: str) -> str | None:
    """Return the module of the data set that has this name, None: no set but perhaps a folder."""
    if name in MODULES:
        return MODULES[name]
    return next((module for module in FORMS.values() if import_set(module).takes(name)), None)


def _file_of(module: str) -> str:
    return f'{module.replace(".", "/")}.py'
