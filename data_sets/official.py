"""Read a data set from its official files with torchvision's own class, which verifies their checksums first.

Source: data.py of the bigBatch code, which keeps each set in a folder of its own name. Where we differ: files that lie
directly in the folder of the data sets are found too, and what is missing or damaged is named.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from data_sets.arrays import ArrayDataset


def read_official(name: str, source: type, *, datasets_path: Path, download: bool, **split):
    """Return one split as torchvision has it; nothing is unpickled before its checksum is verified.

    Args:
        source: class of torchvision.datasets that lists files and checksums, and takes `split` as keywords.
        datasets_path: `datasets_path`/name, in small or capital letters, or `datasets_path` itself holds the folder
            that the archive unpacks to, or is that folder.
    """
    roots = (datasets_path / name, datasets_path)
    others = (
        datasets_path / name.upper(),
        *([datasets_path.parent] if datasets_path.name == source.base_folder else ()),
    )
    root = max((*roots, *others), key=lambda root: (_count_files(source, root), os.path.isfile(root / source.filename)))
    if not download and not _count_files(source, root):
        raise ValueError(_describe_absence(name, source, roots, root / source.filename))
    try:
        return source(root, download=download, **split)
    except MemoryError:
        raise
    except Exception as error:  # whatever a network, an archive or a pickle may raise
        explain = _explain_download if download else _explain_files
        raise ValueError(explain(name, source, root, error)) from error


def load_cifar(name: str, split: str, *, datasets_path: Path, download: bool) -> ArrayDataset:
    """Load uint8 (N, 3, 32, 32) of cifar10 or cifar100, 50,000 to train on and 10,000 to validate."""
    from torchvision import datasets  # takes two seconds to import

    source = getattr(datasets, name.upper())
    read = read_official(name, source, datasets_path=datasets_path, download=download, train=split == 'train')
    images = torch.from_numpy(read.data).permute(0, 3, 1, 2)  # torchvision has the channels last
    dataset = ArrayDataset(images, torch.tensor(read.targets), len(read.classes))
    dataset.classes = read.classes
    return dataset


def _checksums(source: type) -> dict[str, str]:
    """Return MD5 sums by file name."""
    meta = getattr(source, 'meta', None)
    return {**dict(source.train_list + source.test_list), **({meta['filename']: meta['md5']} if meta else {})}


def _count_files(source: type, root: Path) -> int:
    return sum(os.path.isfile(root / source.base_folder / file) for file in _checksums(source))


def _one_line(error: Exception) -> str:
    return ' '.join(f'{type(error).__name__}: {error}'.split())


def _describe_absence(name: str, source: type, roots: tuple[Path, ...], archive: Path) -> str:
    places = ' or '.join(str(root / source.base_folder) for root in roots)
    unpacks = f'unpacks {archive}' if archive.is_file() else 'gets them'
    return (
        f'no files of {name} in {places}; main_normal.py --dataset {name} --download {unpacks} (but not with '
        f'--dry-run); or name the folder that holds {name}/{source.base_folder} or {source.base_folder} with '
        f'--datasets-dir or $DATASETS_DIR; expected files: {", ".join(_checksums(source))}'
    )


def _explain_download(name: str, source: type, root: Path, error: Exception) -> str:
    folder = root / source.base_folder
    clear = f'delete {folder}, ' if folder.exists() else ''
    remedy = f'{clear}put {source.url} there by hand and let main_normal.py --dataset {name} --download unpack it'
    return f'cannot download {name} to {root}: {_one_line(error)}; {remedy}'


def _explain_files(name: str, source: type, root: Path, error: Exception) -> str:
    """Name the file that torchvision was not content with, and the remedy."""
    from torchvision.datasets.utils import check_integrity

    folder = root / source.base_folder
    if isinstance(error, OSError):
        return f'cannot read {name} in {folder}: {_one_line(error)}; expected readable files'
    remedy = f'delete {folder} and get it again by main_normal.py --dataset {name} --download'
    for file, checksum in _checksums(source).items():
        if not os.path.isfile(folder / file):
            return f'{folder / file} is missing; {remedy}'
        if not check_integrity(folder / file, checksum):
            return f'{folder / file} is damaged: its checksum is not that of the official file; {remedy}'
    return f'cannot read {name} in {folder}: {_one_line(error)}; {remedy}'
