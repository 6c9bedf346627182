"""A folder of class folders: train/ and val/ or test/, each with a folder of images for every class.

The layout of torchvision's ImageFolder: classes are numbered by name, and images may lie deeper in a class folder.
Where we differ: hidden files and folders are left out, and a warning counts whatever lies there and is not used. Names
that differ in how their accents are stored (NFC, NFD) are the same. Small images of one size are decoded once and live
in memory, if there is room; all others are read when they are needed.
"""

from __future__ import annotations

import io
import itertools
import logging
import os
import unicodedata
from collections import Counter
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from bigbatch.distributed import is_first_rank
from bigbatch.memory import memory_limit as default_memory_limit
from bigbatch.messages import counted, enumerate_some, suggest
from data_sets import pixels
from data_sets.arrays import ArrayDataset
from data_sets.cache import PREFIX, ImageCache
from data_sets.catalog import Preset, list_forms, list_names
from data_sets.images import EXTENSIONS, PHOTO_PIXELS, FileTable, ImageFiles, read_header
from data_sets.npz import FORM as NPZ
from data_sets.stream import StreamLoader
from utils.bar import EvaluationProgress

PRESET = Preset(pad=1 / 8, fill=127, flip=True, augment=True, **PHOTO_PIXELS)  # of small images of one size
DOWNLOADS = False
LAYOUT = 'train/ and val/ or test/, each with a folder of images for every class'
LARGEST_SMALL_IMAGE = 128  # pixels
NUM_LOOKED_AT = 256  # images whose sizes decide what kind of set it is
PIECE = 512  # images that are decoded and copied at once
FEW = 4096  # images for which it does not pay to start processes

log = logging.getLogger('bigbatch')


class Splits(NamedTuple):
    """The splits of a data set, checked: folders by name, 'train' and 'val' or 'test' or both."""

    folders: dict[str, Path]
    names: dict[str, list[str]]  # of the class folders of each split, in the order of the labels

    @property
    def classes(self) -> list[str]:
        """Names of the classes, by label."""
        return self.names['train']


class DecodedFiles(ArrayDataset):
    """Decoded images, uint8 (N, 3, H, W), that remember the files that they come from, in the same order."""

    def __init__(self, images: torch.Tensor, files: ImageFiles):
        super().__init__(images, files.targets, files.num_classes)
        self.files, self.classes = files, files.classes
        self.preset = files.preset

    def subset(self, indices) -> DecodedFiles:
        """Return a data set of the given examples, in that order, with the same classes and transforms."""
        chosen = super().subset(indices)
        chosen.files = self.files.subset(indices)
        return chosen

    def fingerprint(self) -> str:
        """Hash the files as if they were not decoded, so that a run can go on where there is less memory."""
        return self.files.fingerprint()


def load(
    name: str, split: str, *, datasets_path: Path, download: bool, memory_limit: int | None = None
) -> DecodedFiles | ImageFiles:
    """Load train, val, which is test/ where there is no val/, or test, which must be there: decoded, or as files.

    The decoded images may take up memory_limit bytes; 0: read them when they are needed; None: half of what is free.
    """
    root = find_folder(name, datasets_path)
    splits = open_splits(root)
    part = split if split in splits.folders else 'test'
    files = scan(splits, part)
    if part == 'train':  # an empty class of another split is better known now than when all of train/ is decoded
        for other, folder in splits.folders.items():
            for name in splits.names[other]:
                _image_paths(folder / name)
    limit = default_memory_limit() if memory_limit is None else memory_limit
    cache = ImageCache(root, part, files.key())
    images = cache.read(len(files), limit) if limit else None
    files.size = _common_size(splits) if images is None else tuple(images.shape[2:])
    files.preset = 'imagenet' if files.size is None else 'folder'  # no more is known of them
    if images is not None:
        _log_place(files, f'decoded before, take {_mebibytes(images.numel())}')
    elif limit and _fits(files, limit):
        images = decode_images(files)
        cache.write(images)
    return files if images is None else DecodedFiles(images, files)


def has_test(name: str, datasets_path: Path) -> bool:
    """Say whether a folder has both val/ and test/; a test/ without class folders has no labels and does not count."""
    return {'val', 'test'} <= set(open_splits(find_folder(name, datasets_path)).folders)


def find_folder(name: str, datasets_path: Path) -> Path:
    """Return the folder of that name, a path as it is or else below `datasets_path`; a ValueError names the nearest."""
    path = Path(os.path.expanduser(name))
    places = (path, datasets_path / path)
    for place in places:
        if place.is_dir():
            return place
    if any(place.exists() for place in places):
        raise ValueError(f'data set {name} is a file; expected a folder with {LAYOUT}, or {NPZ}')
    if os.sep in name:
        raise ValueError(f'no folder {name} in {Path.cwd()} or {datasets_path}; expected one with {LAYOUT}')
    folders = [entry.parent.name for entry in datasets_path.glob('*/train/')]
    known = ', '.join([suggest(name, {*list_names(), *folders}), *list_forms()])
    raise ValueError(f'no data set {name!r}; {known}, or a folder (in {Path.cwd()} or {datasets_path}) with {LAYOUT}')


def open_splits(root: Path) -> Splits:
    """Find the splits of a folder and their classes; a missing split or classes that differ are a ValueError."""
    folders = {name: root / name for name in ('train', 'val', 'test') if (root / name).is_dir()}
    classes = {name: _class_folders(folder) for name, folder in folders.items()}
    if 'val' in folders and not classes.get('test'):  # images without labels, as in a contest
        folders.pop('test', None)
    if 'train' not in folders or len(folders) < 2:
        missing = 'train/' if 'train' not in folders else 'val/ or test/'
        found = enumerate_some(sorted(os.listdir(root))) or 'nothing'
        raise ValueError(f'no folder {missing} in {root}, which holds {found}; expected {LAYOUT}')
    if len(classes['train']) < 2:
        found = enumerate_some(list(classes['train'])) or 'none'
        raise ValueError(f'{folders["train"]} holds fewer than two class folders ({found}); expected {LAYOUT}')
    for name in folders:
        _check_same_classes(root, list(classes['train']), name, list(classes[name]))
    unused = sorted(entry.name + '/' * entry.is_dir() for entry in os.scandir(root) if entry.name not in folders)
    unused = [_printable(name) for name in unused if not name.startswith(PREFIX)]
    if unused:
        log.warning('%s: not used are %s', root, enumerate_some(unused))
    return Splits(folders, {name: [classes[name][each] for each in classes['train']] for name in folders})


def scan(splits: Splits, part: str) -> ImageFiles:
    """List the images of a split in the order of torchvision's ImageFolder; a class without any is a ValueError."""
    folder = splits.folders[part]
    unused = Counter(_kind(entry.name) for entry in os.scandir(folder) if entry.name not in splits.names[part])
    rows: list[tuple[bytes, int, int, int]] = []
    with ThreadPool(8) as pool:  # over a network each file is a wait; its threads end with the process, unlike others
        labels = zip(splits.names[part], itertools.count())
        for images, others in pool.imap(lambda label: _list_images(folder, *label), labels):
            rows += images
            unused += others
    if unused:
        log.warning('%s: %s not used: %s', folder, counted(unused.total(), 'file'), _describe_kinds(unused))
    names, sizes, mtimes, targets = zip(*rows, strict=True)
    numbers = (np.array(column, dtype=np.int64) for column in (sizes, mtimes, targets))
    files = ImageFiles(folder, FileTable(np.array(names), *numbers), 1 + targets[-1])
    files.classes = [*map(_printable, splits.classes)]
    return files


def decode_images(files: ImageFiles, num_workers: int | None = None) -> torch.Tensor:
    """Decode images of one size to uint8 (N, 3, H, W), with a bar on a terminal and a line now and then elsewhere."""
    if num_workers is None:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
        num_workers = 0 if len(files) <= FEW else min(8, processors)
    images = torch.empty((len(files), *files.input_shape), dtype=torch.uint8)
    loader = StreamLoader(files, pixels.to_tensor, batch_size=PIECE, dtype=torch.uint8, num_workers=num_workers)
    stream = None if is_first_rank() else io.StringIO()
    with EvaluationProgress(len(files), f'images of {files.folder} decoded', stream=stream) as progress:
        for batch in loader.epoch(0):
            for part in batch:
                images[part.indices] = part.inputs
            progress.advance(batch.num_examples)
    return images


def _list_images(folder: Path, name: str, target: int) -> tuple[list[tuple[bytes, int, int, int]], Counter]:
    """List (path below the folder, bytes, time of change, label) of the images of a class; count the others."""
    rows = []
    paths, others = _find_images(folder / name)
    for path in paths:
        try:
            status = os.stat(path)
        except OSError as error:
            raise ValueError(f'cannot read the image {path}: {error.strerror}') from error
        below = path[len(os.fspath(folder)) + 1 :]
        rows.append((os.fsencode(below), status.st_size, status.st_mtime_ns, target))
    return rows, others


def _image_paths(folder: Path) -> list[str]:
    """List the images of a class."""
    return _find_images(folder)[0]


def _find_images(folder: Path) -> tuple[list[str], Counter]:
    """List the images of a class, those of each folder once, whatever links lead there: also back or in a circle.

    What is there besides is counted by its kind.
    """
    paths: list[tuple[str, list[str]]] = []
    others: Counter = Counter()
    own, split, seen = folder.resolve(), folder.parent.resolve(), set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real, is_link = os.path.realpath(place), place != os.fspath(folder) and os.path.islink(place)
        if real in seen or (is_link and _is_found_elsewhere(Path(real), own, split)):
            folders.clear()
            continue
        seen.add(real)
        hidden = [name for name in folders if name.startswith('.')]
        folders[:] = sorted({*folders} - {*hidden})
        names = [name for name in sorted(files) if name.lower().endswith(EXTENSIONS) and not name.startswith('.')]
        others.update(map(_kind, [*hidden, *({*files} - {*names})]))
        paths.append((place, [os.path.join(place, name) for name in names]))
    images = [path for _, found in sorted(paths) for path in found]
    if not images:
        found = f' but {_describe_kinds(others)}' if others else ''
        raise ValueError(f'{folder} holds no images{found}; expected files that end in {", ".join(EXTENSIONS)}')
    return images, others


def _describe_kinds(files: Counter) -> str:
    return ', '.join(f'{number:,} {_printable(kind)}' for kind, number in sorted(files.items()))


def _printable(name: str) -> str:
    return ' '.join(os.fsencode(name).decode(errors='backslashreplace').split())  # it may hold any bytes


def _kind(name: str) -> str:
    return 'hidden' if name.startswith('.') else Path(name).suffix.lower() or 'without a suffix'


def _is_found_elsewhere(real: Path, own: Path, split: Path) -> bool:
    """Say whether a link in a class folder leads to what holds that, or to what has a place of its own in the split."""
    if own.is_relative_to(real) or split.is_relative_to(real):
        return True
    return real.is_relative_to(split) and not any(part.startswith('.') for part in real.relative_to(split).parts)


def _class_folders(folder: Path) -> dict[str, str]:
    """Return the names of the folders in a split, in their order, by what they are with composed accents (NFC)."""
    found: dict[str, str] = {}
    for name in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith('.')):
        composed = unicodedata.normalize('NFC', name)
        if composed in found:
            raise ValueError(f'{folder} has two folders {composed}, which differ in how accents are stored: merge them')
        found[composed] = name
    return found


def _check_same_classes(root: Path, train: list[str], name: str, other: list[str]) -> None:
    sides = (('train/', sorted({*train} - {*other})), (f'{name}/', sorted({*other} - {*train})))
    found = [f'only {side} has {enumerate_some(classes)}' for side, classes in sides if classes]
    if found:
        which = f'train/ and {name}/ differ: {"; ".join(found)}'
        raise ValueError(f'{root}: the class folders of {which}; expected the same in both')


def _common_size(splits: Splits) -> tuple[int, int] | None:
    """Return the (height, width) of the images, if they are small and those that are looked at are all of one size.

    A warning counts those among them that RGB of 8 bits leaves something out of.
    """
    chosen = _spread(splits.classes, NUM_LOOKED_AT)
    folder = splits.folders['train']
    paths = (path for name in chosen for path in _spread(_image_paths(folder / name), NUM_LOOKED_AT // len(chosen)))
    headers = [read_header(Path(path)) for path in paths]
    if lost := Counter(itertools.chain.from_iterable(header.lost for header in headers)):
        kinds = ', '.join(f'{what} ({number})' for what, number in sorted(lost.items()))
        log.warning('%s: left out of %s looked at: %s', folder, counted(len(headers), 'image'), kinds)
    sizes = {header.size for header in headers}
    is_small = len(sizes) == 1 and max(max(size) for size in sizes) <= LARGEST_SMALL_IMAGE
    return sizes.pop() if is_small else None


def _fits(files: ImageFiles, limit: int) -> bool:
    streamed = 'read from their files as they are needed'
    if files.size is None:
        _log_place(files, f'of different sizes, or with a side above {LARGEST_SMALL_IMAGE} pixels: {streamed}')
        return False
    needed = len(files) * 3 * files.size[0] * files.size[1]
    within = needed <= limit
    sizes = f'take {_mebibytes(needed)}, half of the free memory is {_mebibytes(limit)}'
    _log_place(files, f'{sizes}: {"decoded into memory" if within else streamed}')
    return within


def _log_place(files: ImageFiles, text: str) -> None:
    log.info('%s: %s images %s', files.folder, f'{len(files):,}', text)


def _spread(items: list | tuple, num: int) -> list:
    """Return at most `num` of the items, evenly spaced."""
    num = min(num, len(items))
    return [items[index * len(items) // num] for index in range(num)]


def _mebibytes(num_bytes: int) -> str:
    return f'{num_bytes / 2**20:,.1f} MiB'
