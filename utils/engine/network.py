"""A network on its device: as settings name it, or trained and with its data, opened for measuring."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

import models
from bigbatch import seeding
from bigbatch.device import choose_device, keep_freed_memory
from bigbatch.distributed import ALONE, Ranks
from bigbatch.training.scoring import summed_criterion
from data_sets.loader import Loader
from utils.config.measure import MeasureConfig, conditions_of
from utils.config.network import NetworkConfig
from utils.engine.checks import check_forward, name_network
from utils.engine.loading import build_measuring_loaders, load_sets, resolve_augmentation, shortened_splits
from utils.runs import checkpoint as checkpoints
from utils.runs.config_json import stored_settings
from utils.runs.layout import LATEST, checkpoint_of, distinct_name, run_of

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network on its device, in eval mode, and the data that it is measured on.

    train, val and test are loaders: every example once, in the order of `loader.epoch(0)`, which --seed decides, in
    batches of --batch-size. Only train is augmented, and only with --augment; with copies of each example all are.
    Where a set has no test split besides, test is val, as published.
    """

    path: Path  # the checkpoint
    # the run's name, with folders above it where others share it, and '/file' behind it where it is not the latest
    # checkpoint; the path of a foreign file
    label: str
    run: Path | None  # the run folder that it lies in
    settings: dict  # of its run; empty for a foreign file
    digest: str  # 12 hex digits over names and bytes of its weights and buffers: the key of what was measured
    conditions: dict  # plain values: what besides the weights decides what is measured; see conditions_of
    shortened: frozenset[str]  # splits of which --num-examples leaves some examples out
    model: nn.Module  # with ordinary batch norm: that of its running statistics, as it is in eval mode
    criterion: nn.Module  # sums over examples
    train: Loader
    val: Loader
    test: Loader
    device: torch.device
    num_copies: int  # of each example in a batch, transformed anew; by default 1

    def conditions_on(self, *splits: str) -> dict:
        """Return the conditions of a measurement on these splits: more examples than there are, are all of them."""
        limit = self.conditions['num_examples'] if self.shortened.intersection(splits) else None
        return {**self.conditions, 'num_examples': limit}


def digest_state(state: Mapping[str, Tensor]) -> str:
    """Hash names, shapes and bytes of a state dict to 12 hex digits."""
    digest = hashlib.sha256()
    for name, value in state.items():
        digest.update(f'{name} {value.dtype} {tuple(value.shape)};'.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def begin(config: NetworkConfig, ranks: Ranks = ALONE) -> torch.device:
    """Choose the device and seed everything random."""
    if config.deterministic:
        seeding.set_deterministic()
    device = choose_device(config.device, strict=config.strict_device, ranks=ranks)
    if device.type == 'cpu':
        keep_freed_memory()
    seeding.seed_everything(config.seed)
    return device


def build_network(
    config: NetworkConfig, dataset, device: torch.device, fit: Callable[[nn.Module], object] = lambda model: None
) -> tuple[nn.Module, nn.Module]:
    """Build a network for a training set, its layers changed by `fit`, and a criterion of sums over examples."""
    shape = dataset.input_shape
    if config.input_size and len(shape) == 3:
        shape = (shape[0], config.input_size, config.input_size)
    context = {'dataset': config.dataset, 'num_classes': dataset.num_classes}
    context |= {'input_shape': shape, 'input_size': config.input_size}
    if callable(models.MODELS.get(config.model)):
        log.warning('%s is registered by this program alone: no other command can open its runs', config.model)
    options = models.model_options(config.model)
    context = {key: value for key, value in context.items() if options is None or key in options}
    model = models.create_model(config.model, **{**context, **config.model_config})
    _finish_lazy_layers(config.model, model, shape)
    _check_state(config.model, model)
    fit(model)
    model.to(device, getattr(torch, config.dtype))
    return model, summed_criterion(getattr(model, 'criterion', None))


def _finish_lazy_layers(name: str, model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Give lazy layers the sizes that examples have; a ValueError where these do not fit."""
    if any(map(is_lazy, (*model.parameters(), *model.buffers()))):
        try:
            with torch.no_grad():
                model.eval()(torch.zeros(2, *input_shape))
        except Exception as error:  # whatever a network may raise
            what = f'{type(error).__name__}: {error}'.splitlines()[0]
            raise ValueError(f'{name} has lazy layers, which cannot take examples of {input_shape}: {what}') from error
        model.train()


def _check_state(name: str, model: nn.Module) -> None:
    """Refuse a network that keeps other things than tensors: they have no distance, no line and no place in files."""
    for key, value in model.state_dict().items():
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise ValueError(f'{name}: {key} of its state dict is a {kind}: have get_extra_state return a tensor there')


def open_network(config: MeasureConfig, checkpoint: str, others: Iterable[str] = ()) -> Network:
    """Open a trained network and its data for measuring; writes nothing.

    Args:
        checkpoint: a file, or a run folder for the latest one in it; of this project, of the published code, or a bare
            state dict.
        others: checkpoints that are measured beside it, from whose runs its label tells it apart.

    Raises:
        ValueError: a checkpoint or a setting that cannot hold, in one line.
    """
    run, path = run_of(checkpoint), checkpoint_of(checkpoint)
    settings, state = stored_settings(run), checkpoints.load_state(path)
    file = '' if path.name == LATEST else f'/{path.name.removesuffix(".pth.tar")}'
    label = f'{distinct_name(run, map(run_of, others))}{file}' if settings else str(checkpoint)
    device = begin(config)
    sets = load_sets(config, device)
    model, criterion = build_network(config, sets.train, device)
    model.eval()
    checkpoints.load_weights(model, state, path, remedy=functools.partial(name_network, config))
    config = resolve_augmentation(config, sets.train, model)
    train, val, test = build_measuring_loaders(config, model, sets, device)
    num_classes = sets.train.num_classes
    check_forward(config, model, criterion, val.peek(2)[:2], num_classes=num_classes, training=False)
    return Network(
        path=path, label=label, run=run if settings else None, settings=settings,
        digest=digest_state(model.state_dict()), conditions=conditions_of(config),
        shortened=shortened_splits(config, sets), model=model, criterion=criterion, train=train, val=val,
        test=test or val, device=device, num_copies=config.num_copies,
    )  # fmt: skip
