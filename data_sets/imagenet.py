"""ImageNet (ILSVRC 2012, Russakovsky et al. 2015, arXiv 1409.0575) from class folders; no development kit is needed.

As in the bigBatch code, a data set is the folders imagenet/train and imagenet/val, which is validated on.
"""

from __future__ import annotations

from pathlib import Path

from data_sets.catalog import PhotoPreset
from data_sets.folder import open_splits, scan
from data_sets.images import PHOTO_PIXELS, ImageFiles

PRESET = PhotoPreset(flip=True, augment=True, **PHOTO_PIXELS)
DOWNLOADS = False
NUM_CLASSES = 1000


def load(name: str, split: str, *, datasets_path: Path, download: bool) -> ImageFiles:
    """List the images below `datasets_path`/imagenet; they are read when they are needed."""
    root = datasets_path / name
    if not root.is_dir():
        raise ValueError(
            f'no folder {root}; expected train/ and val/ in it, each with the {NUM_CLASSES:,} class folders of '
            'ImageNet; --datasets-dir or $DATASETS_DIR names the folder above'
        )
    splits = open_splits(root)
    if len(splits.classes) != NUM_CLASSES:
        raise ValueError(
            f'{splits.folders["train"]} holds {len(splits.classes):,} class folders, ImageNet has {NUM_CLASSES:,}; '
            f'for a part of it name the folder: --dataset {root}'
        )
    return scan(splits, split if split in splits.folders else 'test')
