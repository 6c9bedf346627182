"""A trained network with its data, opened for measuring."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from utils.config.measure import MeasureConfig
from utils.runs.config_json import stored_settings
from utils.runs.layout import LATEST, checkpoint_of, run_of


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network on its device, in eval mode, and the data that it is measured on.

    train, val and test are loaders: every example once, in the order of `loader.epoch(0)`, which --seed decides, in
    batches of --batch-size. Only train is augmented, and only with --augment; with copies of each example all are.
    Where a set has no test split besides, test is val, as published.
    """

    path: Path  # the checkpoint
    label: str  # the run's name, '/file' behind it where it is not the latest checkpoint; the path of a foreign file
    run: Path | None  # the run folder that it lies in
    digest: str  # 12 hex digits over names and bytes of its weights and buffers: the key of what was measured
    settings: dict  # of its run; empty for a foreign file
    conditions: dict  # plain values: what besides the weights decides what is measured; see conditions_on
    shortened: frozenset[str]  # splits of which --num-examples leaves some examples out
    model: nn.Module  # with ordinary batch norm: that of its running statistics, as it is in eval mode
    criterion: nn.Module  # sums over examples
    train: object
    val: object
    test: object
    device: torch.device
    duplicates: int  # copies of each example in a batch, transformed anew; by default 1

    def conditions_on(self, *splits: str) -> dict:
        """Return the conditions of a measurement on these splits: more examples than there are, are all of them."""
        limit = self.conditions['num_examples'] if self.shortened.intersection(splits) else None
        return {**self.conditions, 'num_examples': limit}


def describe_checkpoint(given: str) -> tuple[Path, str, Path | None, dict]:
    """Return path, label, run folder and settings of a checkpoint or a run folder, as Network has them.

    Raises:
        UserError: there is none, or config.json of its run is damaged.
    """
    run, path = run_of(given), checkpoint_of(given)
    settings = stored_settings(run)
    if not settings:
        return path, str(given), None, {}
    file = '' if path.name == LATEST else f'/{path.name.removesuffix(".pth.tar")}'
    return path, f'{run.name}{file}', run, settings


def digest_state(state: Mapping[str, Tensor]) -> str:
    """Hash names, shapes and bytes of a state dict to 12 hex digits."""
    digest = hashlib.sha256()
    for name, value in state.items():
        digest.update(f'{name} {value.dtype} {tuple(value.shape)};'.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]


def conditions_of(config: MeasureConfig) -> dict:
    """Return what besides the weights decides what is measured, as plain values."""
    return {
        'model': config.model,
        'model_config': repr(config.model_config) if config.model_config else '',
        'dataset': config.dataset,
        'val_fraction': float(config.val_fraction),
        'input_size': config.input_size,
        'pixels': config.pixels,
        'augment': int(bool(config.augment)),
        'num_examples': config.num_examples,
        'dtype': config.dtype,
        'seed': config.measure_seed,
    }
