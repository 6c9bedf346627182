"""Build what the methods of a run are made of, and ask all of them what a run asks of its methods."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from torch import nn

from bigbatch.training.gradients.base import Estimator
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.report import EpochReport
from utils.config.run import RunConfig
from utils.methods.base import Follower, Method, Training
from utils.runs.layout import RESULTS, run_of


class Followed(NamedTuple):
    """A method that is on, and what it has along with the epochs."""

    method: Method
    follower: Follower


class Methods(NamedTuple):
    """What computes the gradient of a run, and what goes along with its epochs."""

    estimator: Estimator
    followed: tuple[Followed, ...]


def build_methods(
    config: RunConfig, model: nn.Module, *, steps_per_epoch: int, num_epochs: int, start: Mapping | None
) -> Methods:
    """Build what the methods of a run are made of, as they are where it begins or goes on from a checkpoint, `start`.

    Raises:
        ValueError: a method that cannot be in a run of this length.
    """
    estimator = build_estimator(config, model, steps_per_epoch=steps_per_epoch, num_epochs=num_epochs)
    pairs = [(method, method.follow(model, num_epochs)) for method in config.methods_on]
    followed = tuple(Followed(method, follower) for method, follower in pairs if follower is not None)
    if start and followed:
        row = _row_of_epoch(run_of(config.resume), start['epoch'])
        for _, follower in followed:
            follower.go_on(start, row)
    return Methods(estimator, followed)


def build_estimator(config: RunConfig, model: nn.Module, *, steps_per_epoch: int, num_epochs: int) -> Estimator:
    """Build the estimator of a run: one that computes the gradient, inside those that set its conditions."""
    num_steps = steps_per_epoch * (num_epochs - config.start_epoch)
    computing = (method.compute(config, steps_per_epoch=steps_per_epoch) for method in config.methods_on)
    found = [each for each in computing if each is not None]
    assert len(found) <= 1, 'two methods compute the gradient: one of them has to refuse the other'
    estimator = found[0] if found else PlainGradient()
    for method in config.methods_on:
        estimator = method.wrap(config, estimator, model, num_steps=num_steps)
    return estimator


def follow_epoch(
    followed: tuple[Followed, ...], report: EpochReport, training: Training
) -> tuple[EpochReport, dict[str, float | None]]:
    """Have the methods take note of an epoch; return its report, their time included, and the columns that they add."""
    start = time.perf_counter()
    measured: dict[str, float | None] = {}
    for method, follower in followed:
        names = (column.name for column in method.COLUMNS)
        measured |= zip(names, follower.on_epoch(report, training), strict=True)
    return replace(report, epoch_seconds=report.epoch_seconds + time.perf_counter() - start), measured


def pass_size(config: RunConfig, num_own: int) -> int:
    """Return the examples of a training pass, but for the last of a batch, where a rank has `num_own` of each batch."""
    decided = [size for method in config.methods_on if (size := method.pass_size(config))]
    assert len(decided) <= 1, 'two methods decide about the size of passes: one of them has to refuse the other'
    return decided[0] if decided else min(config.fixed_micro_batch_size or num_own, num_own)


def _row_of_epoch(run: Path, epoch: int) -> dict[str, str]:
    """Return the row of an epoch in the results.csv of a run; empty where there is none."""
    with open(run / RESULTS, newline='', encoding='utf-8', errors='replace') as file:
        rows = [row for row in csv.DictReader(file) if row['epoch'] == str(epoch)]
    return rows[-1] if rows else {}
