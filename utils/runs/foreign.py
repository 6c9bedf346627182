"""Weights in files from elsewhere: what a file is, where its weights lie, how their names fit those of a network."""

from __future__ import annotations

import logging
import re
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from utils.runs.checkpoint_parts import missing_parts

log = logging.getLogger('bigbatch')

# Where peers keep weights: published and Lightning, torchvision's and timm's training, many a tutorial.
KEYS = ('state_dict', 'model', 'model_state_dict', 'model_state', 'net', 'network', 'weights')
WRAPPERS = {'module', '_orig_mod'}  # what DataParallel, AveragedModel and torch.compile put into names
OTHER_CLASS = re.compile(r'GLOBAL (\S+)|(?:class|instances of) (\S+)')
COUNTER = 'num_batches_tracked'  # of batch norm, since torch 0.4.1
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b'version https://git-lfs', 'it is the pointer of a file in git-lfs: get the file itself with git lfs pull'),
    (b'\x89HDF', 'it is an HDF5 file, as Keras writes them: convert its weights to a state dict where Keras is'),
    (b'\x1f\x8b', 'it is compressed by gzip: unpack it by gunzip'),
    (b'\xfd7zXZ', 'it is compressed by xz: unpack it by unxz'),
    (b'BZh', 'it is compressed by bzip2: unpack it by bunzip2'),
    (b'\x93NUMPY', 'it is an array of numpy: save a dict of tensors by torch.save'),
)


def describe_file(path: Path) -> str:
    """Say what a file that is no checkpoint is, and what would help; empty where nothing is known of it."""
    with path.open('rb') as file:
        head = file.read(512)
    if not head:
        return 'it is empty: copy it again'
    text = head.lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    if text.startswith((b'<!doctype', b'<html', b'<?xml')):
        return 'it is a web page, as a server answers that wants a login: download it again, and look at it'
    for signature, words in SIGNATURES:
        if head.startswith(signature):
            return words
    if tarfile.is_tarfile(path):
        return 'it is a tar archive of other files: unpack it'
    return _describe_zip(path) if zipfile.is_zipfile(path) else ''


def _describe_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith('/constants.pkl') for name in names):
        return 'it is a TorchScript archive, which is a program: save torch.jit.load(FILE).state_dict() by torch.save'
    if any(name.endswith('.npy') for name in names):
        return 'it is an .npz file of numpy: save a dict of tensors by torch.save'
    if not any(name.endswith('data.pkl') for name in names):
        return f'it is a zip archive of {len(names)} other files, such as {names[0] if names else "none"}: unpack it'
    return ''


def describe_objects(error: Exception) -> str:
    """Name the class that torch did not read, and the remedy: nothing in a file is ever executed."""
    found = OTHER_CLASS.search(str(error))
    what = f'objects of {(found[1] or found[2]).rstrip(".")}' if found else 'other objects'
    return (
        f'it holds {what}, and reading those could run code; where you trust it, read it by torch.load(FILE, '
        'weights_only=False) and save its state dict alone by torch.save'
    )


def is_safetensors(path: Path) -> bool:
    """Tell whether a file is one of safetensors: the length of a header in JSON, and that."""
    with path.open('rb') as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b'{' and int.from_bytes(head[:8], 'little') < path.stat().st_size


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a file of safetensors; a ValueError where the package is missing or the file is damaged."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise ValueError(f'{path}: to read a file of safetensors, install it: pip install safetensors') from None
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f'{path}: damaged, or not a file of safetensors: {" ".join(str(error).split())}') from error


def find_weights(loaded: Mapping, path: Path) -> dict[str, Tensor]:
    """Return the state dict in what a file holds, and say so where others lie beside it.

    Raises:
        ValueError: there is none, or several under names that say nothing.
    """
    if _is_state_dict(loaded):
        return dict(loaded)
    found = {str(key): value for key, value in loaded.items() if _is_state_dict(value)}
    taken = next((key for key in KEYS if key in found), None)
    if taken is None and len(found) == 1:
        (taken,) = found
    if taken is None:
        keys = ', '.join(map(str, [*loaded][:8])) + (', ...' if len(loaded) > 8 else '')
        which = f'several state dicts, {", ".join(found)}: save one of them' if found else f'no state dict, but {keys}'
        raise ValueError(f'{path}: holds no weights that it is clear about: {which or "nothing"}')
    is_ours = not missing_parts(loaded)  # whose other state dicts are those of methods
    if others := [] if is_ours else [f'{key} ({len(value)} tensors)' for key, value in found.items() if key != taken]:
        log.warning('%s: the weights are its %s; not used: %s', path, taken, ', '.join(others))
    return dict(found[taken])


def _is_state_dict(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(each, Tensor) for each in value.values())


def fit_names(state: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
    """Return weights under the names of a network, if these are what is left without the prefixes of whatever held it.

    Counters of batch norm that are lacking begin at 0, as torch has it for files that are older than they are. What
    belongs to no network, such as the weights of a loss beside it, is named.
    """
    for names in (list(state), [_without_wrappers(name) for name in state]):
        candidate = dict(zip(names, state.values(), strict=True))
        for prefix in _prefixes(names, own):
            inside = {name[len(prefix) :]: value for name, value in candidate.items() if name.startswith(prefix)}
            inside |= {name: torch.zeros_like(own[name]) for name in own.keys() - inside.keys() if _counts(name)}
            if inside.keys() == own.keys():
                if outside := [name for name in names if not name.startswith(prefix)]:
                    more = f' and {len(outside) - 1} more' if len(outside) > 1 else ''
                    log.warning('%s: not used, as the network lies below %s: %s%s', source, prefix, outside[0], more)
                return inside
    return dict(state)


def _without_wrappers(name: str) -> str:
    return '.'.join(part for part in name.split('.') if part not in WRAPPERS)


def _prefixes(names: Sequence[str], own: Iterable[str]) -> list[str]:
    """Return what may stand before the names of a network, the shortest first."""
    first = next((name for name in own if not _counts(name)), None)
    if first is None:
        return ['']
    ends = (name[: -len(first)] for name in names if name == first or name.endswith(f'.{first}'))
    return sorted(dict.fromkeys(ends), key=len)


def _counts(name: str) -> bool:
    return name.rpartition('.')[2] == COUNTER
