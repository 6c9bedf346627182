"""Dropout of another probability than the network's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.methods.base import RunSettings
from utils.parser import real

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Dropout; that of the network by default."""

    dropout: float | None  # probability in place of the network's own


def add_args(group) -> None:
    """Add the flag."""
    group.add_argument(
        '--dropout', type=real(0, 1, below=True), metavar='P', help='probability in place of that of the network'
    )


def describe(own: Dropout, run: RunSettings) -> str:
    """Say what is done, in words; empty where it is off."""
    return f'dropout {own.dropout:g}' if own.dropout is not None else ''


def fit(own: Dropout, model: nn.Module) -> None:
    """Give every dropout layer of a network the probability.

    Raises:
        ValueError: the network has none.
    """
    if own.dropout is None:
        return
    from torch.nn.modules.dropout import _DropoutNd

    layers = [module for module in model.modules() if isinstance(module, _DropoutNd)]
    if not layers:
        raise ValueError(f'--dropout {own.dropout:g}: the network has no dropout layer, so leave it out')
    for layer in layers:
        layer.p = own.dropout
