"""Weights in files from elsewhere: what a file is, where its weights lie, how their names fit those of a network."""

from __future__ import annotations

import logging
import os
import re
import tarfile
import zipfile
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from bigbatch.messages import counted
from utils.runs.checkpoint_parts import is_state_dict, missing_parts

log = logging.getLogger('bigbatch')

# Where peers keep weights: published and Lightning, torchvision's and timm's training, many a tutorial.
KEYS = ('state_dict', 'model', 'model_state_dict', 'model_state', 'net', 'network', 'weights', 'params')
# What DataParallel, AveragedModel, torch.compile, FSDP and activation checkpoints put into names.
WRAPPERS = {'module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module'}
OTHER_CLASS = re.compile(r"(?:GLOBAL |<class ')([\w.]*\w)(?: was| whose|'>)")
COUNTER = 'num_batches_tracked'  # of batch norm, since torch 0.4.1
TORCH_HEAD = re.compile(rb'PK[\x03\x05]|\x80[\x02-\x05]\x8a\nl\xfc', re.DOTALL)  # a zip archive; before torch 1.6
# The first bytes of other files, what these are, and what would help.
SIGNATURES = {
    rb'version https://git-lfs': 'it is the pointer of a file in git-lfs: get the file itself with git lfs pull',
    rb'\x89HDF': 'it is an HDF5 file, as Keras writes them: convert its weights to a state dict where Keras is',
    rb'\x1f\x8b': 'it is compressed by gzip: unpack it by gunzip',
    rb'\xfd7zXZ': 'it is compressed by xz: unpack it by unxz',
    rb'BZh': 'it is compressed by bzip2: unpack it by bunzip2',
    rb'\x28\xb5\x2f\xfd': 'it is compressed by zstd: unpack it by unzstd',
    rb'7z\xbc\xaf|Rar!': 'it is an archive of other files: unpack it',
    rb'\x93NUMPY': 'it is an array of numpy: save a dict of tensors by torch.save',
    rb'\x80[\x02-\x05]|\([dl]p\d|c[\w.]+\n\w+\np\d': 'it is a pickle of Python, which is a program: where you trust '
    'it, read it by pickle.load and save a dict of its tensors by torch.save',
    rb'\x08[\x02-\x1f][\x12\x1a:B]': 'it is a network of ONNX: save the state dict of what it was exported from',
    rb'\x08\x01\x12|\n[^\n]{1,2}\n[\x01-\x08\x0b-\x1f][\w/]|.{4}TFL3': 'it is a network of TensorFlow: convert its '
    'weights to a state dict where TensorFlow is',
    rb'\0+\Z': 'it begins with zeros, as where a copy broke off: copy it again',
}
TENSORFLOW_END = b'\x57\xfb\x80\x8b\x24\x75\x47\xdb'  # of the index of a checkpoint, whose .data has no mark at all


def describe_file(path: Path, error: Exception) -> str:
    """Say what a file that torch cannot read, with this error, is, and what would help."""
    with path.open('rb') as file:
        head = file.read(512)
        file.seek(-min(8, path.stat().st_size), os.SEEK_END)
        end = file.read()
    if not head:
        return 'it is empty: copy it again'
    if not TORCH_HEAD.match(head):
        for signature, words in SIGNATURES.items():
            if re.match(signature, head, re.DOTALL):
                return words
        if end == TENSORFLOW_END or re.search(r'\.data-\d+-of-\d+$', path.name):
            return 'it is of a checkpoint of TensorFlow: convert its weights to a state dict where TensorFlow is'
        if tarfile.is_tarfile(path):
            return 'it is a tar archive of other files: unpack it'
        return _describe_text(head)
    kind = _describe_zip(path) if zipfile.is_zipfile(path) else ''
    return kind or _describe_objects(error) or 'it is cut off or damaged: copy it again'


def _describe_text(head: bytes) -> str:
    text = head.decode('utf-8-sig', 'replace').strip()
    if text.startswith('<'):
        return 'it is a web page, as a server answers that wants a login: download it again, and look at it'
    line = (text.splitlines() or [''])[0][:40]
    if '\ufffd' not in text[:-1] and ''.join(text.split()).isprintable():
        return f'it is text that begins with {line!r}: name the file that the weights lie in'
    return f'it begins with {head[:8]!r}, which torch.save does not write: name the file that the weights lie in'


def _describe_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    inside = {name.rpartition('/')[2] for name in names}
    if 'constants.pkl' in inside:
        return 'it is a TorchScript archive, which is a program: save torch.jit.load(FILE).state_dict() by torch.save'
    if 'archive_format' in inside:
        return 'it is a program of torch.export: save torch.export.load(FILE).state_dict by torch.save'
    if 'model.weights.h5' in inside:
        return 'it is a network of Keras: convert its weights to a state dict where Keras is'
    if any(name.endswith('.npy') for name in names):
        return 'it is an .npz file of numpy: save a dict of tensors by torch.save'
    example = f', such as {names[0]}: unpack it' if names else ''
    return '' if 'data.pkl' in inside else f'it is a zip archive of {counted(len(names), "other file")}{example}'


def _describe_objects(error: Exception) -> str:
    """Name what torch did not read in a file of its own, and the remedy: nothing in a file is ever executed."""
    text = str(error)
    found = OTHER_CLASS.search(text)
    if not found and 'Unsupported operand' not in text:
        return ''
    what = f'objects of {found[1]}' if found else 'a pickle of another protocol than 2'
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
    if is_state_dict(loaded):
        return dict(loaded)
    found = _state_dicts(loaded)
    if not found:
        return _tensors_among(loaded, path)
    known = [key for word in KEYS for key in found if key.rpartition('.')[2] == word]
    if not known and len(found) > 1:
        raise ValueError(f'{path}: holds several state dicts, {", ".join(found)}: save one of them by torch.save')
    taken = (known or [*found])[0]
    is_ours = not missing_parts(loaded)  # whose other state dicts are those of methods
    others = [f'{key} ({counted(len(value), "tensor")})' for key, value in found.items() if key != taken]
    if others and not is_ours:
        log.warning('%s: the weights are its %s; not used: %s', path, taken, ', '.join(others))
    return dict(found[taken])


def _state_dicts(loaded: Mapping, depth: int = 3) -> dict[str, Mapping[str, Tensor]]:
    """Return the state dicts in a mapping; those of the mappings in it where it has none itself, and so on."""
    inside = {key: value for key, value in loaded.items() if isinstance(key, str) and isinstance(value, Mapping)}
    found = {key: value for key, value in inside.items() if is_state_dict(value)}
    deeper: dict[str, Mapping[str, Tensor]] = {}
    for key, value in inside.items() if depth and not found else ():
        deeper |= {f'{key}.{name}': state for name, state in _state_dicts(value, depth - 1).items()}
    return found or deeper


def _tensors_among(loaded: Mapping, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a mapping that holds other values as well, and name those."""
    state = {key: value for key, value in loaded.items() if isinstance(key, str) and isinstance(value, Tensor)}
    others = [str(key) for key in loaded if key not in state]
    some = ', '.join(others[:8]) + (f' and {len(others) - 8} more' if len(others) > 8 else '')
    if not state:
        raise ValueError(f'{path}: holds no weights: no state dict, but {some or "nothing"}')
    log.warning('%s: not used, as they are no tensors: %s', path, some)
    return state


def fit_names(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str, list[str]]:
    """Return weights under the names of a network, without the prefix of whatever held it, that, and what lies outside.

    The prefix is the one without which they are most like the network's; what lies outside it belongs to something
    else, such as the weights of a loss, or to weights that are not those of this network. Counters of batch norm that
    are lacking begin at 0, as torch has it for files that are older than they are.
    """
    counters = {name: torch.zeros_like(value) for name, value in own.items() if name.rpartition('.')[2] == COUNTER}
    fits = []
    for names in (list(state), [_without_wrappers(name) for name in state]):
        named = dict(zip(names, state.values(), strict=True))
        if len(named) < len(state):
            continue  # two sets of weights, of which one is wrapped
        for prefix in _prefixes(names, own):
            inside = {name.removeprefix(prefix): each for name, each in named.items() if name.startswith(prefix)}
            outside = [name for name in names if not name.startswith(prefix)]
            inside = {**{name: each for name, each in counters.items() if name not in inside}, **inside}
            wrong = len(inside.keys() ^ own.keys())
            if not wrong or len(outside) < len(names) / 2:
                fits.append((wrong, len(outside) if wrong else 0, inside, prefix, outside))
    return min(fits, key=lambda fit: fit[:2])[2:]


def _without_wrappers(name: str) -> str:
    return '.'.join(part for part in name.split('.') if part not in WRAPPERS)


def _prefixes(names: Iterable[str], own: Container[str]) -> list[str]:
    """Return what stands before names of a network, none first."""
    found = {'': None}
    for name in names:
        starts = [match.end() for match in re.finditer(r'\.', name)]
        found |= dict.fromkeys(name[:start] for start in starts if name[start:] in own)
    return list(found)
