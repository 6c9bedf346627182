"""Choose the device of a run."""

from __future__ import annotations

import logging

import torch

log = logging.getLogger('bigbatch')


def choose_device(name: str, *, strict: bool) -> torch.device:
    """Return the device of a name; auto is the first GPU if there is one.

    Args:
        strict: refuse a device that is missing, instead of falling back with a warning.

    Raises:
        ValueError: a strict device that is not there.
    """
    best = torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')
    if name == 'auto':
        return best
    device = torch.device(name)
    if device.type == 'cpu':
        return device
    index = device.index or 0
    if index < torch.cuda.device_count():
        return torch.device('cuda', index)
    there = ', '.join(['cpu', *(f'cuda:{i}' for i in range(torch.cuda.device_count()))])
    if strict:
        raise ValueError(f'--device {name}: no such device here: there is {there}')
    log.warning('no device %s here (there is %s): going on with %s', name, there, best)
    return best
