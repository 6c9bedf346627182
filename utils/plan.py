"""A run that is built and checked but not begun, and its description in words."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from utils import layout
from utils.config import RunConfig, run_of
from utils.optim import RegimeOptimizer
from utils.regime import Regime


@dataclass(frozen=True)
class Data:
    """The loaders of a run and what they hold."""

    train: object
    val: object
    test: object | None  # with --val-fraction, or a folder's test/ besides val/: scored once, at the end
    dataset: object  # the training set
    fingerprint: str  # of the training set

@dataclass(frozen=True)
class Experiment:
    """Everything that a run needs, checked, before anything is written."""

    config: RunConfig
    device: torch.device
    data: Data
    model: nn.Module
    criterion: nn.Module
    regime: Regime  # adapted
    num_epochs: int  # adapted
    optimizer: RegimeOptimizer
    start: dict | None  # the checkpoint to go on from
    stored: dict | None  # config.json of the run that it lies in

    @property
    def continues_in_place(self) -> bool:
        """Whether a resumed run goes on in its own folder, rather than in a fork."""
        resumed = self.config.resume
        return bool(resumed) and run_of(resumed) == self.config.folder.absolute()

    @property
    def is_finished(self) -> bool:
        """Whether a resumed run has nothing left to do or to write."""
        done = self.stored is not None and self.stored['status'] == 'done' and self.continues_in_place
        return done and self.first_epoch >= self.num_epochs

    @property
    def steps_per_epoch(self) -> int:
        """Updates of one epoch."""
        return self.data.train.num_steps

    @property
    def first_epoch(self) -> int:
        """Finished epochs before this run's first one."""
        return self.start['epoch'] if self.start else self.config.start_epoch


def describe_plan(experiment: Experiment) -> str:
    """Describe what a run will do: data, network, batch, updates, regime, files."""
    config = experiment.config
    rows = [
        ('model', f'{_describe_model(config)}, {num_parameters(experiment.model):,} parameters'),
        ('data', _describe_data(experiment)),
        ('batch', _describe_batch(config)),
        ('updates', _describe_updates(experiment)),
        ('learning rate', _describe_rate(config)),
        ('device', f'{experiment.device}, {config.dtype}, seed {config.seed}'),
        ('files', _describe_files(config)),
    ]
    lines = [f'{label:14}{" ".join(text.split())}' for label, text in rows]
    return '\n'.join([*lines, 'regime', *_describe_regime(experiment)])


def num_parameters(model: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _describe_model(config: RunConfig) -> str:
    return f'{config.model} {config.model_config}' if config.model_config else config.model


def _describe_data(experiment: Experiment) -> str:
    config, data = experiment.config, experiment.data
    streamed = data.train.num_workers is not None
    shape = 'x'.join(map(str, (data.train if streamed else data.dataset).input_shape))
    reader = f', {_describe_reader(data.train.num_workers)}' if streamed and not config.dry_run else ''
    changes = [word for word, on in (('crop', config.augment), ('flip', config.flip)) if on]
    held_out = f', {data.test.num_examples:,} test' if data.test else ''
    return (
        f'{config.dataset}: {data.train.num_examples:,} training, {data.val.num_examples:,} validation{held_out} '
        f'examples of {shape}{reader}; {" and ".join(changes) + " at random" if changes else "no augmentation"}'
    )


def _describe_reader(num_workers: int) -> str:
    return f'read by {num_workers} worker{"s" * (num_workers > 1)}' if num_workers else 'read by this process'


def _describe_batch(config: RunConfig) -> str:
    batch, ghost = config.batch_size, config.ghost_batch_size
    micro = min(config.micro_batch_size or batch, batch)
    num_micro = -(-batch // micro)
    ghosts = 'batch norm over each forward pass' if ghost is None else f'{batch // ghost} ghosts of {ghost:,}'
    at_most = 'at most ' if batch % micro else ''
    return f'{batch:,} = 1 rank x {num_micro} micro-batch{"es" * (num_micro > 1)} of {at_most}{micro:,}; {ghosts}'


def _describe_updates(experiment: Experiment) -> str:
    steps, epochs = experiment.steps_per_epoch, experiment.num_epochs
    config, left = experiment.config, max(0, experiment.num_epochs - experiment.first_epoch)
    stretched = f' ({config.epochs} x {epochs // config.epochs})' if epochs != config.epochs else ''
    first = f', from epoch {experiment.first_epoch + 1}' if experiment.first_epoch else ''
    last = 'left out' if config.drop_last else 'kept'
    return f'{steps:,} an epoch, {epochs:,} epochs{stretched}{first}: {steps * left:,}; last incomplete batch {last}'


def _describe_rate(config: RunConfig) -> str:
    ratio = config.batch_size / config.base_batch_size
    formulas = {'none': 'as in the regime', 'sqrt': f'times ({ratio:g})**0.5', 'linear': f'times {ratio:g}'}
    text = f'{formulas[config.lr_scaling]} (batch {config.batch_size}, base {config.base_batch_size})'
    text += f', warm-up over {config.warmup_epochs} epochs' if config.warmup_epochs else ''
    text += ', momentum emptied each epoch' if config.reset_momentum else ''
    return text + (f', gradient norm clipped at {config.clip_grad:g}' if config.clip_grad else ', no clipping')


def _describe_files(config: RunConfig) -> str:
    if config.evaluate:
        return 'none'
    names = (layout.CONFIG, layout.RESULTS, layout.DISTANCES, layout.PAGE, layout.LOG)
    names += (layout.LATEST, layout.BEST, layout.INITIAL)
    return f'{config.folder}/ {", ".join(names)}'


def _describe_regime(experiment: Experiment) -> list[str]:
    """List the adapted regime, a line for each change, with the update at which it comes into force."""
    lines = [f'  {"epoch":>8}{"update":>10}{"lr":>12}  settings']
    for row in experiment.regime.table(experiment.num_epochs):
        epoch, lr, optimizer = row.pop('epoch'), row.pop('lr'), row.pop('optimizer')
        rest = ', '.join(f'{key} {value}' for key, value in row.items())
        step = max(0, epoch - experiment.config.start_epoch) * experiment.steps_per_epoch
        lines.append(f'  {epoch:>8}{step:>10}{lr:>12.5g}  {optimizer}, {rest}'.rstrip(', '))
    return lines
