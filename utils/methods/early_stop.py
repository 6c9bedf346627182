"""The end of a run before its last epoch, once it does well enough while training."""

from __future__ import annotations

from dataclasses import dataclass

from utils.methods.base import RunSettings
from utils.parser import real


@dataclass(frozen=True, kw_only=True)
class EarlyStop:
    """An early end; none by default."""

    stop_accuracy: float | None  # percent, of the training set while training, that ends the run


def add_args(group) -> None:
    """Add the flag."""
    group.add_argument(
        '--stop-accuracy', type=real(0, 100, above=True), metavar='PERCENT',
        help='end the run after the first epoch whose accuracy while training reaches this',
    )


def describe(own: EarlyStop, run: RunSettings) -> str:
    """Say what is done, in words; empty where it is off."""
    stop = own.stop_accuracy
    return '' if stop is None else f'after the first epoch with an accuracy of {stop:g} % or more while training'
