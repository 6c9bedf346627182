"""Dropout of another probability than the network's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.methods.base import Method, RunSettings
from utils.parser import real
from utils.settings import Means, setting

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Dropout(Method):
    """Dropout."""

    LABEL = 'noise'

    dropout: float | None = setting(
        '--dropout', type=real(0, 1, below=True), metavar='P', means=Means.IDLE,
        help='probability in place of that of the network',
    )  # fmt: skip

    def describe(self, run: RunSettings) -> str:
        """Name the probability."""
        return f'dropout {self.dropout:g}'

    def fit(self, model: nn.Module) -> None:
        """Give every dropout layer of a network the probability."""
        from torch.nn.modules.dropout import _DropoutNd

        assert self.dropout is not None, 'it is on'
        layers = [module for module in model.modules() if isinstance(module, _DropoutNd)]
        if not layers:
            raise ValueError(f'--dropout {self.dropout:g}: the network has no dropout layer, so leave it out')
        for layer in layers:
            layer.p = self.dropout
