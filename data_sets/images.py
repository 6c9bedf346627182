"""Image files with labels, read when they are asked for.

Every image becomes RGB of 8 bits: grey is repeated, a palette looked up, transparency dropped, CMYK converted, of many
frames the first taken, as torchvision's ImageFolder does. Where we differ: an image is turned as its EXIF orientation
says, and one of 16 or 32 bits, which Pillow would clip to white, is refused.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from bigbatch.errors import UserError

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp')  # those of torchvision
REMEDY = 'replace it by a readable image of that name; a begun run then goes on with --resume'
PHOTO_SIZE = 224  # pixels; what photographs of any size are cropped to unless told otherwise
PHOTO_PIXELS = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}  # per channel, of ImageNet in 0..1


class FileTable(NamedTuple):
    """Files with their labels, as arrays of one length: worker processes share them, lists they would come to copy."""

    names: np.ndarray  # bytes, below a common folder
    sizes: np.ndarray  # in bytes
    mtimes: np.ndarray  # in nanoseconds
    targets: np.ndarray  # int64, labels from 0


class ImageFiles(Dataset):
    """Images in files, the names of which are below a folder."""

    is_float = False
    num_bytes = 0  # nothing is kept in memory
    size: tuple[int, int] | None = None  # (height, width) that all images have; None: photographs of any size
    classes: Sequence[str] | None = None  # their names; None: they have none but their labels
    preset: str | None = None  # the data set whose PRESET is theirs; None: the one that they are loaded as
    transform: Callable | None = None  # applied to the image of an example
    target_transform: Callable | None = None  # applied to the label of an example

    def __init__(self, folder: Path, table: FileTable, num_classes: int):
        self.folder = folder
        self.table = table
        self.num_classes = num_classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of one example before any transform; of photographs, after the usual crop."""
        return (3, *(self.size or (PHOTO_SIZE, PHOTO_SIZE)))

    def __len__(self) -> int:
        return len(self.table.targets)

    def __getitem__(self, index: int):
        """Return (image, label): a PIL image in RGB, or what the transform makes of it."""
        image, target = self._read(index), int(self.table.targets[index])
        image = image if self.transform is None else self.transform(image)
        return image, target if self.target_transform is None else self.target_transform(target)

    @property
    def targets(self) -> torch.Tensor:
        """Labels, int64 (N,), from 0."""
        return torch.from_numpy(self.table.targets)

    def path(self, index: int) -> Path:
        """Return the path of an image."""
        return self.folder / os.fsdecode(self.table.names[index].item())

    def subset(self, indices: Sequence[int] | torch.Tensor) -> ImageFiles:
        """Return a data set of the given examples, in that order, with the same classes and transforms."""
        chosen, indices = copy.copy(self), np.asarray(indices, dtype=np.int64)
        chosen.table = FileTable(*(column[indices] for column in self.table))
        return chosen

    def fingerprint(self) -> str:
        """Hash labels and names of the files to 16 hex digits, so that a run goes on when a damaged one is mended."""
        return self._hash()[:16]

    def key(self) -> str:
        """Hash labels, names, sizes and times of change: what decoded pixels, turned upright, are kept under."""
        return 'upright ' + self._hash(self.table.sizes, self.table.mtimes)

    def _hash(self, *columns: np.ndarray) -> str:
        digest = hashlib.sha256(f'{self.num_classes};'.encode())
        digest.update(b'\0'.join(self.table.names.tolist()))
        for column in (self.table.targets, *columns):
            digest.update(column.astype('<i8').tobytes())
        return digest.hexdigest()

    def _read(self, index: int):
        image = read_image(self.path(index))
        if self.size is not None and (image.height, image.width) != self.size:
            raise UserError(
                f'{self.path(index)} is {image.height}x{image.width}, but the training images looked at first are all '
                f'{self.size[0]}x{self.size[1]}: resize it, or leave it out'
            )
        return image


def read_image(path: Path):
    """Return a PIL image in RGB; a UserError names a file that cannot be read."""
    with _open_image(path) as image:
        return _upright(image).convert('RGB')


class Header(NamedTuple):
    """What the first bytes of an image say."""

    size: tuple[int, int]  # (height, width), upright
    lost: list[str]  # what RGB of 8 bits leaves out


def read_header(path: Path) -> Header:
    """Return what is known of an image without decoding it; a UserError names a file that cannot be read."""
    with _open_image(path) as image:
        has = {
            'transparency': image.has_transparency_data,
            'further frames': getattr(image, 'n_frames', 1) > 1,
            'more than 8 bits per channel': any(';16' in str(tile) for tile in image.tile),
        }
        upright = _upright(image)
        return Header((upright.height, upright.width), [what for what, is_there in has.items() if is_there])


def _upright(image):
    from PIL import ImageOps

    if image.format == 'TIFF' or 'exif' in image.info:  # to ask all others would decode them
        ImageOps.exif_transpose(image, in_place=True)
    return image


@contextlib.contextmanager
def _open_image(path: Path) -> Iterator:
    """Open an image; whatever goes wrong in the block becomes a UserError that names the file."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of metadata, on lines without the name of the file
            with Image.open(path) as image:
                if image.mode.startswith(('I', 'F')):
                    raise ValueError(f'it has more than 8 bits per channel (mode {image.mode}): convert it')
                yield image
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        reason = getattr(error, 'strerror', None) or ' '.join(str(error).split()) or type(error).__name__
        for name in (str(path), os.path.realpath(path)):  # it is in the message already
            reason = reason.replace(f' {name!r}', '')
        raise UserError(f'cannot read the image {path}: {reason}; {REMEDY}') from error
