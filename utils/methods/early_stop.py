"""The end of a run before its last epoch, once it does well enough while training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bigbatch.training.report import EpochReport
from bigbatch.training.stopping import StopRule
from utils.methods.base import Follower, Method, RunSettings, Training
from utils.parser import real
from utils.settings import Means, setting


@dataclass(frozen=True, kw_only=True)
class EarlyStop(Method):
    """Early end."""

    LABEL = 'stop'

    stop_accuracy: float | None = setting(
        '--stop-accuracy', type=real(0, 100, above=True), metavar='PERCENT', means=Means.LARGE | Means.KEY,
        help='end the run after the first epoch whose accuracy while training reaches this',
    )  # fmt: skip

    def describe(self, run: RunSettings) -> str:
        """Say which epoch is the last one."""
        return f'after the first epoch with an accuracy of {self.stop_accuracy:g} % or more while training'

    def follow(self, model, num_epochs: int) -> _Watch:
        """Return what watches the accuracy."""
        assert self.stop_accuracy is not None, 'it is on'
        return _Watch(self.stop_accuracy, num_epochs)


class _Watch(Follower):
    def __init__(self, accuracy: float, num_epochs: int):
        self._rule = StopRule(accuracy, num_epochs)

    def on_epoch(self, report: EpochReport, training: Training) -> tuple:
        self._see(report.epoch, report.train.error1)
        return ()

    def go_on(self, checkpoint: Mapping[str, Any], row: Mapping[str, str]) -> None:
        if row:
            self._see(int(row['epoch']), float(row['train_error1']))

    def _see(self, epoch: int, train_error1: float) -> None:
        self._rule.see(epoch, train_error1)
        self.ends_run, self.message = self._rule.is_reached, self._rule.message
