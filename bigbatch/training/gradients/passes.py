"""Forward passes: those that train, which several ranks end with one sum of their gradients, and those that measure,
which leave no trace in training.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bigbatch.weights import device_of, keeping


@dataclass(frozen=True)
class OnePass:
    """A single micro-batch as a batch, whose gradient is its part of that of `num_examples`."""

    micro_batch: tuple[Tensor, ...]  # inputs, targets, indices
    num_examples: int
    start: int = 0

    @property
    def whole_size(self) -> int:
        """Examples of the batch over all ranks."""
        return self.num_examples

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        yield self.micro_batch


class _Pieces(Protocol):
    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator: ...


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Leave running statistics and random generators as they were."""
    device = device_of(model)
    with torch.random.fork_rng(devices=[device] if device.type == 'cuda' else []), keeping(model.buffers()):
        yield


def bare(model: nn.Module) -> nn.Module:
    """Return the network itself, without what sums its gradients over ranks."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def with_one_sum(model: nn.Module, pieces: _Pieces) -> Iterator:
    """Yield the pieces of a batch, and have the ranks sum up their gradients in the passes of the last one alone.

    Passes through the model and back belong within the loop over the pieces. These may be cut into pieces again, within
    one another: there is one sum, in the last of the last.
    """
    ranks = model if isinstance(model, DistributedDataParallel) else None
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        with ranks.no_sync() if ranks and index < last else contextlib.nullcontext():
            yield piece
