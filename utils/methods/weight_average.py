"""Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407) over the last epochs of a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigbatch.errors import UserError
from bigbatch.messages import counted
from bigbatch.training.report import EpochReport
from utils.methods.base import Follower, Method, RunSettings, Training
from utils.parser import whole
from utils.runs.columns import COLUMNS as PLAIN_COLUMNS
from utils.runs.columns import Column
from utils.settings import setting

if TYPE_CHECKING:
    from torch import nn

FILE, WEIGHTS, FLAG = 'averaged.pth.tar', 'averaged weights', '--swa-start'
SCORED = ('val_loss', 'val_error1', 'val_error5')

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, kw_only=True)
class WeightAveraging(Method):
    """Average of the weights."""

    LABEL, FILES = 'average', (FILE,)
    COLUMNS = tuple(
        Column(
            f'averaged_{plain.name}', f'{plain.title} of the {WEIGHTS}', plain.label, plain.panel, beside=plain.name,
            weights=WEIGHTS, flag=FLAG,
        ) for plain in PLAIN_COLUMNS if plain.name in SCORED
    )  # fmt: skip

    swa_start: int | None = setting(
        FLAG, type=whole(1), metavar='E',
        help='average the weights after epoch E and each later one, and score the average too',
    )  # fmt: skip

    def check_phases(self) -> None:
        """Refuse one more average."""
        raise UserError(f'{FLAG} {self.swa_start} averages over the epochs of one run, SWAP over workers')

    def describe(self, run: RunSettings) -> str:
        """Say which weights are averaged."""
        return f'of the weights after epoch {self.swa_start} and each later one, scored after each of them'

    def follow(self, model: nn.Module, num_epochs: int) -> _Averager:
        """Return what averages the weights."""
        assert self.swa_start is not None, 'it is on'
        if self.swa_start > num_epochs:
            length = counted(num_epochs, 'epoch')
            raise ValueError(f'{FLAG} {self.swa_start}: the run has {length}, the first of them is 1')
        return _Averager(model, self.swa_start)


class _Averager(Follower):
    """Add the weights to their average after each epoch from a first one on, and score it."""

    def __init__(self, model: nn.Module, first_epoch: int):
        from bigbatch.training.averaging import WeightAverage

        self._average, self._first_epoch = WeightAverage(model), first_epoch

    def on_epoch(self, report: EpochReport, training: Training) -> Sequence[float | None]:
        from bigbatch.training.averaging import settle

        if report.epoch < self._first_epoch:
            return (None,) * len(SCORED)
        self._average.add(training.model)
        scores = settle(self._average.model, training.criterion, training.data.train, training.data.val)
        return [getattr(scores, name.removeprefix('val_')) for name in SCORED]

    def to_checkpoint(self) -> dict[str, dict]:
        return {'average': self._average.state_dict()}

    def go_on(self, checkpoint: Mapping[str, Any], row: Mapping[str, str]) -> None:
        self._average.load_state_dict(checkpoint['average'])

    def scored_at_end(self) -> dict[str, nn.Module]:
        return {'averaged_test': self._average.model} if self._average.count else {}

    def save(self, folder: Path, settings: dict) -> None:
        """Write the average as a checkpoint to score, to measure and to start from."""
        from utils.runs.checkpoint import VERSION, save_checkpoint

        if not self._average.count:
            log.warning('no average: the run ended before epoch %d, %s', self._first_epoch, FLAG)
            return
        content = {
            'version': VERSION, 'state_dict': self._average.model.state_dict(), 'num_averaged': self._average.count,
            'config': settings,
        }  # fmt: skip
        save_checkpoint(folder / FILE, content)
