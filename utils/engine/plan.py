"""A run that is built and checked but not begun, and its description in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from bigbatch.distributed import ALONE, Ranks
from bigbatch.messages import MOST_NAMES, counted, enumerate_some
from bigbatch.regime import Regime
from bigbatch.training.batch_norm import has_batch_norm
from bigbatch.training.gradients.base import Estimator
from bigbatch.training.optim import RegimeOptimizer
from data_sets.arrays import ArrayDataset
from data_sets.images import ImageFiles
from data_sets.loader import DeviceLoader
from data_sets.stream import StreamLoader
from utils.config.batch import AUTO
from utils.config.run import RunConfig
from utils.engine.methods import Followed
from utils.engine.speed import describe_speed
from utils.methods import describe_methods
from utils.runs import layout

Examples = ArrayDataset | ImageFiles
ExampleLoader = DeviceLoader | StreamLoader


@dataclass(frozen=True)
class Data:
    """The loaders of a run and what they hold."""

    train: ExampleLoader
    val: ExampleLoader
    test: ExampleLoader | None  # with --val-fraction, or a folder's test/ besides val/: scored once, at the end
    dataset: Examples  # the training set
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
    estimator: Estimator
    followed: tuple[Followed, ...]  # what methods have along with the epochs
    start: dict | None  # the checkpoint to go on from
    stored: dict | None  # config.json of the run that it lies in
    ranks: Ranks = ALONE
    memory: str = ''  # how --micro-batch-size auto came to its size

    @property
    def continues_in_place(self) -> bool:
        """Whether a resumed run goes on in its own folder, rather than in a fork."""
        resumed = self.config.resume
        return bool(resumed) and layout.run_of(resumed) == self.config.folder.absolute()

    @property
    def is_finished(self) -> bool:
        """Whether a resumed run has nothing left to do or to write."""
        done = self.stored is not None and self.stored['status'] == 'done' and self.continues_in_place
        return done and (self.first_epoch >= self.num_epochs or self.ends_early)

    @property
    def ends_early(self) -> bool:
        """Whether a method ends the run after the last epoch seen."""
        return any(follower.ends_run for _, follower in self.followed)

    @property
    def end(self) -> str:
        """What there is to say at the end of the run, in a line."""
        return '; '.join(follower.message for _, follower in self.followed if follower.message)

    @property
    def micro_batch_size(self) -> int | None:
        """Examples of one pass, the last of a batch apart; None: a dry run, which does not look for what fits."""
        is_open = self.config.micro_batch_size == AUTO and self.config.dry_run
        return None if is_open else self.data.train.micro_batch_size

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
    network = f'{config.model} {config.model_config}' if config.model_config else config.model
    rows = [
        ('model', f'{network}, {num_parameters(experiment.model):,} parameters'),
        ('data', _describe_data(experiment)),
        ('classes', _describe_classes(experiment.data.dataset)),
        ('batch', _describe_batch(experiment)),
        *([('memory', experiment.memory)] if experiment.memory else []),
        ('updates', _describe_updates(experiment)),
        ('learning rate', _describe_rate(config)),
        *describe_methods(config),
        ('device', f'{experiment.device}, {config.dtype}, seed {config.seed}'),
        ('speed', describe_speed(config, experiment.model, experiment.device)),
        ('files', _describe_files(config)),
    ]
    lines = [f'{label:14}{" ".join(text.split())}' for label, text in rows]
    return '\n'.join([*lines, 'regime', *_describe_regime(experiment)])


def num_parameters(model: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _describe_data(experiment: Experiment) -> str:
    config, data = experiment.config, experiment.data
    shape = 'x'.join(map(str, (data.dataset if data.train.num_workers is None else data.train).input_shape))
    reader = '' if config.dry_run else _describe_reader(data.train.num_workers)
    changes = [word for word, on in (('crop', config.augment), ('flip', config.flip)) if on]
    changes += [text for method in config.methods_on if (text := method.describe_images())]
    held_out = f', {data.test.num_examples:,} test' if data.test else ''
    return (
        f'{config.dataset}: {data.train.num_examples:,} training, {data.val.num_examples:,} validation{held_out} '
        f'examples of {shape}{reader}; {" and ".join(changes) + " at random" if changes else "no augmentation"}'
    )


def class_names(dataset: Examples, labels: Iterable[int]) -> list[str]:
    """Return the names of classes, or their labels where they have none."""
    return [str(label) if dataset.classes is None else dataset.classes[label] for label in labels]


def _describe_classes(dataset: Examples) -> str:
    names = class_names(dataset, range(min(MOST_NAMES, dataset.num_classes)))
    return f'{dataset.num_classes:,}: {enumerate_some(names, dataset.num_classes)}'


def _describe_reader(num_workers: int | None) -> str:
    if num_workers is None:
        return ''
    return f', read by {counted(num_workers, "worker")}' if num_workers else ', read by this process'


def _describe_batch(experiment: Experiment) -> str:
    config, ranks = experiment.config, experiment.ranks
    batch, ghost = config.num_images, config.ghost_batch_size
    own = batch // ranks.size
    micro = min(experiment.micro_batch_size or own, own)
    num_micro = -(-own // micro)
    ghosts = f'{counted(batch // ghost, "ghost")} of {ghost:,}' if ghost else 'batch norm over each forward pass'
    ghosts = ghosts if has_batch_norm(experiment.model) else 'no batch norm'
    at_most = 'at most ' if own % micro else ''
    first = f'{config.batch_size:,} x {config.num_copies} copies = ' if config.num_copies > 1 else ''
    pieces = f'{num_micro} micro-batch{"es" * (num_micro > 1)} of {at_most}{micro:,}'
    if experiment.micro_batch_size is None:
        pieces = 'the fewest micro-batches that fit into memory (auto)'
    pieces = f'{counted(ranks.size, "rank")} x {pieces}'
    return f'{first}{batch:,} = {pieces}; {ghosts}'


def _describe_updates(experiment: Experiment) -> str:
    steps, epochs = experiment.steps_per_epoch, experiment.num_epochs
    config, left = experiment.config, max(0, experiment.num_epochs - experiment.first_epoch)
    stretched = f' ({config.epochs} x {epochs // config.epochs})' if epochs != config.epochs else ''
    first = f', from epoch {experiment.first_epoch + 1}' if experiment.first_epoch else ''
    last = 'left out' if config.drop_last else 'kept'
    length = f'{steps:,} an epoch, {counted(epochs, "epoch")}{stretched}{first}'
    return f'{length}: {steps * left:,}; last incomplete batch {last}'


def _describe_rate(config: RunConfig) -> str:
    batch, eta = config.batch_size, config.base_lr_per_example
    ratio = batch / config.base_batch_size
    formulas = {'none': 'as in the regime', 'sqrt': f'times ({ratio:g})**0.5', 'linear': f'times {ratio:g}'}
    text = f'{formulas[config.lr_scaling]} (batch {batch}, base {config.base_batch_size})'
    text = text if eta is None else f'{eta:g} an example x {batch} = {config.lr:g} at first'
    text += _describe_warmup(config)
    text += ', falling linearly to 0 over the run' if config.linear_decay else ''
    text += ', momentum emptied each epoch' if config.reset_momentum else ''
    return text + (f', gradient norm clipped at {config.clip_grad:g}' if config.clip_grad else ', no clipping')


def _describe_warmup(config: RunConfig) -> str:
    if not config.warmup_epochs:
        return ''
    start = 'the unscaled rate' if config.warmup_start is None else f'{config.warmup_start:g} of the rate'
    return f', warm-up from {start} over {counted(config.warmup_epochs, "epoch")}'


def _describe_files(config: RunConfig) -> str:
    if config.evaluate:
        return 'none'
    names = [layout.CONFIG, layout.RESULTS, layout.DISTANCES, layout.PAGE, layout.LOG]
    names += [layout.LATEST, layout.PREVIOUS, layout.BEST, layout.INITIAL]
    names += [name for method in config.methods_on for name in method.FILES]
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
