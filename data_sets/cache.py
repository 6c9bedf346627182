"""Decoded images in a file, so that only the first start has to decode them.

The file lies beside the data set or, where that cannot be written to, in the user's cache folder. It is taken only if
names, sizes and times of change of all files are those that it was made from. Processes that write it at once do no
harm: each writes a file of its own and renames it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from bigbatch.errors import UserError
from utils.files import naming_file, write_atomically

PREFIX = '.bigbatch_'  # of the names of such files

log = logging.getLogger('bigbatch')


class ImageCache:
    """The decoded images of one split of a set of class folders; `key` says what they are made from."""

    def __init__(self, root: Path, split: str, key: str):
        root = root.resolve()
        user_folder = Path(os.path.expanduser(os.environ.get('XDG_CACHE_HOME') or '~/.cache')) / 'bigbatch'
        place = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self.key = key
        self.paths = (root / f'{PREFIX}{split}.npz', user_folder / f'{root.name}_{place}_{split}.npz')

    def read(self, num: int, max_bytes: int) -> torch.Tensor | None:
        """Return uint8 (num, 3, H, W), or None where there is no file for the key or it is larger than `max_bytes`."""
        for path in self.paths:
            images = self._read_file(path, max_bytes)
            if images is not None and images.dtype == np.uint8 and images.ndim == 4 and images.shape[:2] == (num, 3):
                log.debug('%s: decoded images', path)
                return torch.from_numpy(images)
        return None

    def write(self, images: torch.Tensor) -> None:
        """Write the images to the first place that takes them; a warning where none does."""
        for path in self.paths:
            try:
                with naming_file(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_atomically(path, lambda file: np.savez(file, key=np.array(self.key), images=images.numpy()))
            except UserError as error:
                reason = str(error)
            else:
                log.info('decoded images kept in %s', path)
                return
        log.warning('decoded images cannot be kept, each start will decode them anew (%s)', reason)

    def _read_file(self, path: Path, max_bytes: int) -> np.ndarray | None:
        try:
            if path.stat().st_size > max_bytes:
                return None
            with np.load(path, allow_pickle=False) as file:
                return file['images'] if str(file['key']) == self.key else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            log.warning('%s is damaged and made anew (%s)', path, type(error).__name__)
            return None
