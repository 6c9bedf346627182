"""Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407) over the last epochs of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.messages import counted
from utils.methods.base import RunSettings
from utils.parser import whole

if TYPE_CHECKING:
    from torch import nn

    from bigbatch.training.averaging import WeightAverage


@dataclass(frozen=True, kw_only=True)
class WeightAveraging:
    """The average of the weights; none by default."""

    swa_start: int | None  # first epoch, from 1, after which weights are averaged


def add_args(group) -> None:
    """Add the flag."""
    group.add_argument(
        '--swa-start', type=whole(1), metavar='E',
        help='average the weights after epoch E and each later one, and score the average too',
    )


def describe(own: WeightAveraging, run: RunSettings) -> str:
    """Say what is done, in words; empty where it is off."""
    start = own.swa_start
    return '' if start is None else f'of the weights after epoch {start} and each later one, scored after each of them'


def build(own: WeightAveraging, model: nn.Module, num_epochs: int) -> WeightAverage | None:
    """Build the average of the weights of a run; None where there is none.

    Raises:
        ValueError: it would begin after the run.
    """
    if own.swa_start is None:
        return None
    if own.swa_start > num_epochs:
        length = counted(num_epochs, 'epoch')
        raise ValueError(f'--swa-start {own.swa_start}: the run has {length}, the first of them is 1')
    from bigbatch.training.averaging import WeightAverage

    return WeightAverage(model)
