"""Checkpoints: written whole or not at all, read without executing anything.

What is in them: utils.runs.checkpoint_parts. Files of weights alone, such as the initial ones, have fewer parts.
"""

from __future__ import annotations

import logging
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from utils.files import write_atomically
from utils.runs.checkpoint_parts import missing_parts, wrong_part
from utils.runs.foreign import describe_file, find_weights, fit_names, is_safetensors, load_safetensors
from utils.runs.layout import BEST, LATEST, PREVIOUS

log = logging.getLogger('bigbatch')

VERSION = 1


def checked(checkpoint: dict) -> dict:
    """Return a checkpoint that was made to go on from, once it is sure that load_checkpoint will take it."""
    faults = missing_parts(checkpoint) or wrong_part(checkpoint)
    assert not faults, f'not as utils.runs.checkpoint_parts declares it: {faults}'
    return checkpoint


def save_checkpoint(path: Path, checkpoint: dict, *, previous: Path | None = None) -> None:
    """Save a checkpoint atomically and, where `previous` is given, keep there the one that it takes the place of."""
    write_atomically(path, lambda file: torch.save(checkpoint, file), previous=previous)


def copy_to_cpu(value: Any) -> Any:
    """Copy a checkpoint so that training on does not change it."""
    if isinstance(value, Tensor):
        return value.detach().to('cpu', copy=True)
    if isinstance(value, Mapping):
        return {key: copy_to_cpu(item) for key, item in value.items()}
    return type(value)(map(copy_to_cpu, value)) if isinstance(value, (list, tuple)) else value


def load_file(path: str | Path) -> dict:
    """Read a file of tensors and plain values; a ValueError where it is missing, damaged, or holds anything else."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'{path}: no such checkpoint file (looked in {path.absolute().parent})')
    if is_safetensors(path):
        return load_safetensors(path)
    try:
        _check_crc(path)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of old pickle protocols: what is read is checked below
            loaded = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # the reader of a damaged file may stumble over anything
        reason = str(error) if isinstance(error, _ChecksumError) else describe_file(path, error)
        raise ValueError(
            f'{path}: damaged, or not a checkpoint of tensors and plain values: {reason}{_others_beside(path)}'
        ) from error
    if not isinstance(loaded, dict):
        raise ValueError(f'{path}: not a checkpoint: it holds a {type(loaded).__name__}, not a dict')
    return loaded


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint to go on from as load_file; one that is not of this project, or later, is a ValueError too."""
    checkpoint = load_file(path)
    if missing := missing_parts(checkpoint):
        raise ValueError(f'{path}: cannot go on from it, it lacks {", ".join(missing)} (its weights: --init-from)')
    version = checkpoint['version']
    if type(version) is int and version > VERSION:  # whose other parts may be of any kind
        raise ValueError(f'{path}: written by a later version (format {version}, not {VERSION})')
    if wrong := wrong_part(checkpoint):
        raise ValueError(f'{path}: damaged, or not a checkpoint of this project: {wrong}')
    return checkpoint


def load_latest(folder: Path) -> tuple[Path, dict]:
    """Read the latest checkpoint of a run folder as load_checkpoint, or, with a warning, a sound one before it."""
    try:
        return folder / LATEST, load_checkpoint(folder / LATEST)
    except ValueError as error:
        try:
            found = load_checkpoint(folder / PREVIOUS)
        except ValueError:
            raise error from None
        log.warning('%s: going on from the one before it, after update %d', error, found['step'])
        return folder / PREVIOUS, found


def first_step_of_epoch(checkpoint: dict) -> int:
    """Return how many updates the finished epochs of a checkpoint have made."""
    partial = checkpoint.get('partial')
    return checkpoint['step'] - (partial['num_steps'] if partial else 0)


def load_state(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, of ours or from elsewhere; see utils.runs.foreign."""
    return find_weights(load_file(path), Path(path))


def load_weights(
    model: nn.Module, state: Mapping[str, Tensor], source: str | Path, *,
    remedy: Callable[[str | Path], str] = lambda source: 'name its --model and --model_config',
) -> None:  # fmt: skip
    """Put weights and buffers into a model, all of them or none; prefixes come off where that fits.

    Raises:
        ValueError: names or shapes differ from those of the source, of which the remedy says what would be right.
    """
    own = model.state_dict()
    state, prefix, outside = fit_names(state, own)
    lacking, more = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if lacking or more:
        more, outside = [*more, *outside], []
    differing = [f'{name} is {kind}' for name in own.keys() & state.keys() if (kind := _misfit(state[name], own[name]))]
    kinds = {'it lacks': lacking, 'it has besides': more, '': sorted(differing)}
    if problems := [f'{words} {_some(found)}'.strip() for words, found in kinds.items() if found]:
        raise ValueError(
            f'{source}: weights of another network than {type(model).__name__}: {"; ".join(problems)}; {remedy(source)}'
        )
    if outside:
        log.warning('%s: not used, as the network lies below %s: %s', source, prefix, _some(outside))
    model.load_state_dict(state)


def _some(names: list[str]) -> str:
    return names[0] + (f' and {len(names) - 1} more' if len(names) > 1 else '')


def _misfit(value: Any, own: Tensor) -> str:
    """Say in what a value differs in kind from the one of the network whose place it is to take; empty: in nothing."""
    if not isinstance(value, Tensor):
        return f'a {type(value).__name__}, no tensor'
    if value.layout != own.layout or value.is_meta:
        return f'of {"device meta, without values" if value.is_meta else value.layout}, not {own.layout}'
    if own.is_floating_point() and not value.is_floating_point():
        return f'of {value.dtype}, not {own.dtype}'
    return f'{tuple(value.shape)}, not {tuple(own.shape)}' if value.shape != own.shape else ''


class _ChecksumError(ValueError):
    """A part of a file has changed since it was written."""


def _others_beside(path: Path) -> str:
    """Name the checkpoints in the folder of one that cannot be read."""
    others = [name for name in (LATEST, PREVIOUS, BEST) if name != path.name and (path.parent / name).is_file()]
    return f'; beside it lies {" and ".join(others)}' if others else ''


def _check_crc(path: Path) -> None:
    """Compare the zip's checksums: torch reads a changed tensor without complaint."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
        if bad:
            raise _ChecksumError(f'the checksum of {bad} is wrong')
