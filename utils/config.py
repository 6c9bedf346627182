"""The settings of a training run, resolved from its flags; each published flag is mapped here, once."""

from __future__ import annotations

import datetime
import itertools
import json
import logging
import math
import os
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bigbatch.errors import UserError
from utils.flags import TENSOR_TYPES
from utils.method_config import MethodConfig, check_methods, shaped_by_length
from utils.parser import Parser
from utils.runs.config_json import read_config_json, stored_settings
from utils.runs.layout import CONFIG, run_of
from utils.runs.tensorboard import check_tensorboard
from utils.speed_config import AUTO, SpeedConfig, check_speed

log = logging.getLogger('bigbatch')

# Settings that a resumed run may change: how long it runs, where, and what is shown.
FREE_ON_RESUME = frozenset((
    'epochs', 'device', 'strict_device', 'workers', 'save', 'results_dir', 'datasets_dir', 'download', 'resume',
    'eval_batch_size', 'print_freq', 'save_all', 'checkpoint_minutes', 'tensorboard', 'dry_run', 'deterministic',
    'jobs', 'skip_lost_workers',
))

USED_IN_EVALUATION = frozenset((
    'evaluate', 'dataset', 'datasets_dir', 'download', 'input_size', 'pixels', 'val_fraction', 'val_seed', 'workers',
    'model', 'model_config', 'eval_batch_size', 'seed', 'device', 'type', 'gpus', 'deterministic', 'dry_run', 'help',
    'amp', 'channels_last',
))
# Fields that say what was asked for, not what the run is.
NOT_SETTINGS = frozenset(('script', 'command', 'argv', 'resume', 'evaluate', 'dry_run', 'strict_device'))
# Settings that say what --evaluate scores a checkpoint with.
DESCRIBING = ('model', 'model_config', 'dataset', 'datasets_dir', 'val_fraction', 'input_size', 'seed')


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What names a network, its data and its device: enough to build it and to feed it."""

    dataset: str
    datasets_dir: str | None
    download: bool
    model: str
    model_config: dict
    input_size: int | None
    pixels: str  # normalized: by mean and deviation of the data set; unit: from 0 to 1
    augment: bool | None  # None: as is usual for the data set
    flip: bool | None
    val_fraction: float
    val_seed: int | None  # of the choice of those; None: seed
    workers: int | None
    eval_batch_size: int
    device: str  # auto, cpu, cuda or cuda:i
    strict_device: bool  # False: fall back with a warning where the device is missing
    dtype: str
    deterministic: bool
    seed: int


@dataclass(frozen=True, kw_only=True)
class MeasureConfig(NetworkConfig):
    """What an analysis needs besides to feed a trained network; `seed` is that of its run, which split the data."""

    measure_seed: int
    num_examples: int | None  # at most so many of each set, the first of an order seeded by measure_seed; None: all
    duplicates: int  # copies of each example in a batch; above 1 all sets are augmented, not the training set alone


@dataclass(frozen=True, kw_only=True)
class RunConfig(NetworkConfig, MethodConfig, SpeedConfig):
    """Every setting of one training run, resolved from its flags."""

    script: str
    command: str
    argv: tuple[str, ...]
    results_dir: str
    save: str
    drop_last: bool
    epochs: int  # before they are stretched
    start_epoch: int
    batch_size: int  # examples per update, --batch-multiplier included
    micro_batch_size: int | str | None  # None: the whole batch at once; auto: not found yet
    ghost_batch_size: int | None  # None: ordinary batch norm
    base_batch_size: int
    lr_scaling: str  # none, sqrt or linear
    regime_bb_fix: bool
    regime_bb_multi: int
    optimizer: str | None
    lr: float | None
    momentum: float | None
    weight_decay: float | None
    regime: dict | list | None
    warmup_epochs: float
    reset_momentum: bool
    clip_grad: float
    init_from: str
    resume: str
    evaluate: str
    save_all: bool
    checkpoint_minutes: float  # 0: none within an epoch
    tensorboard: bool
    noise_scale: bool
    bn_per_rank: bool
    print_freq: int | None
    dry_run: bool

    @property
    def folder(self) -> Path:
        """The folder that this run writes."""
        return Path(self.results_dir) / self.save

    @property
    def num_images(self) -> int:
        """Examples per update, every copy counted."""
        return self.batch_size * self.duplicates

    @property
    def fixed_micro_batch_size(self) -> int | None:
        """The size of micro-batches where there is one, and it is known before the run starts."""
        return None if self.micro_batch_size == AUTO else self.micro_batch_size

    def settings(self) -> dict:
        """Return all settings of the run as plain values, as config.json and checkpoints hold them."""
        return {name: value for name, value in asdict(self).items() if name not in NOT_SETTINGS}


def parse_config(parser: Parser, argv: list[str] | None = None, kind: type[RunConfig] | None = None) -> RunConfig:
    """Resolve a command line; with --resume, that of the stopped run with the new flags behind it.

    Args:
        parser: of a training script.
        argv: None: that of this process.
        kind: RunConfig, which None stands for, or a subclass whose further fields are flags.

    Raises:
        UserError: flags that contradict each other, or a setting that a resumed run may not change.
    """
    given, kind = list(sys.argv[1:] if argv is None else argv), kind or RunConfig
    flags = parser.parse_args(given)
    if flags.resume:
        return _resumed_config(parser, given, flags, kind)
    if flags.evaluate:
        given = _describing_flags(run_of(flags.evaluate)) + given
        flags = parser.parse_args(given)
        _warn_unused_in_evaluation(parser, argv)
    warn_about_device(flags)
    return _resolve(parser, flags, given, kind)


def _resumed_config(parser: Parser, given: list[str], flags, kind: type[RunConfig]) -> RunConfig:
    if flags.init_from or flags.start_epoch or flags.evaluate:
        raise UserError('--resume goes on from its own checkpoint: leave out --init-from, --start-epoch and --evaluate')
    run = run_of(flags.resume)
    stored = read_config_json(run)
    if stored['script'] != parser.prog:
        raise UserError(f'--resume {flags.resume}: that run was made by {stored["script"]}, not by {parser.prog}')
    if not flags.save and flags.results_dir != parser.get_default('results_dir'):
        raise UserError(f'--results_dir {flags.results_dir}: a resumed run stays where it is; --save NEW forks it')
    argv = parser.last_of_each(stored['argv'] + given)  # which a run that goes on often would pile up
    all_flags = parser.parse_args(argv)
    warn_about_device(all_flags)
    config = _resolve(parser, all_flags, argv, kind)
    # An older config.json lacks later flags. Such a run was made with their defaults; --channels-last, whose default
    # depends on the device, was off.
    defaults = {**vars(parser.parse_args([])), 'channels_last': False}
    _check_same_settings(config, {**defaults, **stored['settings']})
    if flags.save:
        return replace(config, results_dir=flags.results_dir, save=flags.save)
    return replace(config, results_dir=str(run.parent), save=run.name)


def _check_same_settings(config: RunConfig, stored: dict) -> None:
    """Refuse a setting that is not what it was, be it by a flag, an edited file or a changed default."""
    for name, value in json.loads(json.dumps(config.settings())).items():
        left_open = name in ('augment', 'flip', 'channels_last') and value is None
        if name in stored and stored[name] != value and name not in FREE_ON_RESUME and not left_open:
            raise UserError(
                f'--resume {config.resume}: {name} was {stored[name]!r} there and would be {value!r}; leave it as it '
                'was, or start a new run with --init-from'
            )
    if (shaped := shaped_by_length(config)) and stored.get('epochs') != config.epochs:
        raise UserError(
            f'--resume {config.resume}: --epochs was {stored.get("epochs")} there, the length that {shaped} goes by: '
            f'it cannot become {config.epochs}; start a new run with --init-from'
        )


def _resolve(parser: Parser, flags, argv: list[str], kind: type[RunConfig]) -> RunConfig:
    _check_flags(flags)
    values = {name: value for name, value in vars(flags).items() if name in kind.__dataclass_fields__}
    device, strict, dtype = device_and_dtype(flags)
    ghost, eta = flags.mini_batch_size, flags.base_lr_per_example
    config = kind(**{
        **values,
        'script': parser.prog,
        'command': shlex.join(['python', parser.prog, *argv]),
        'argv': tuple(argv),
        'save': flags.save or _name_by_time(Path(flags.results_dir)),
        'batch_size': flags.batch_size * flags.batch_multiplier,
        'micro_batch_size': _micro_batch_size(flags),
        'ghost_batch_size': ghost,
        'base_batch_size': flags.base_batch_size or ghost or 256,
        'lr_scaling': _lr_scaling(flags),
        'lr': flags.lr if eta is None else eta * flags.batch_size * flags.batch_multiplier,
        'device': device,
        'strict_device': strict,
        'dtype': dtype,
    })
    _check_sizes(config)
    _check_noise_scale(config)
    check_methods(config)
    check_speed(config)
    return config


def _name_by_time(results_dir: Path) -> str:
    name = datetime.datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    others = (f'{name}_{number}' for number in itertools.count(2))
    return next(each for each in itertools.chain([name], others) if not (results_dir / each).exists())


def _lr_scaling(flags) -> str:
    scales = flags.base_lr_per_example is None if flags.lr_bb_fix is None else flags.lr_bb_fix
    return (flags.lr_fix_policy or 'sqrt') if scales else 'none'


def _micro_batch_size(flags) -> int | str | None:
    """Each published loader batch, or as many copies of images, are one pass, where ghosts make that exact."""
    ghost = flags.mini_batch_size
    repeats = flags.batch_multiplier > 1 or flags.duplicates > 1
    accumulates = repeats and ghost is not None and flags.batch_size % ghost == 0
    return flags.micro_batch_size or (flags.batch_size if accumulates else None)


def device_and_dtype(flags) -> tuple[str, bool, str]:
    """Resolve --device, --type and --gpus to a device, whether it must be there, and a dtype."""
    device, dtype = TENSOR_TYPES[flags.type] if flags.type else ('auto', 'float32')
    if flags.gpus is not None:
        if not flags.gpus.isdecimal():
            raise UserError(
                f'--gpus {flags.gpus}: one process uses one device, so one index such as 0 is needed; several GPUs: '
                f'torchrun --nproc-per-node {len(flags.gpus.split(","))} {os.path.basename(sys.argv[0])} ...'
            )
        device = device if device == 'cpu' else f'cuda:{flags.gpus}'
    if flags.device is not None:
        kind, colon, index = flags.device.partition(':')
        if flags.device not in ('auto', 'cpu', 'cuda') and not (kind == 'cuda' and colon and index.isdecimal()):
            raise UserError(f'--device {flags.device}: one of auto, cpu, cuda, cuda:0, cuda:1, ... is needed')
        return flags.device, True, dtype
    return device, False, dtype


def _check_flags(flags) -> None:
    if flags.evaluate and flags.init_from:
        raise UserError(f'--init-from {flags.init_from}: --evaluate scores {flags.evaluate}: leave out one of them')
    if flags.bn_per_rank and flags.mini_batch_size is not None:
        raise UserError('--bn-per-rank: ghosts lie within one rank as it is: leave it out')
    if flags.tensorboard:
        check_tensorboard()
    if flags.lr_fix_policy and flags.lr_bb_fix is False:
        raise UserError(f'--lr_fix_policy {flags.lr_fix_policy} is a way of --lr_bb_fix, but --no-lr_bb_fix is given')
    if flags.val_seed is not None and not flags.val_fraction:
        raise UserError(f'--val-seed {flags.val_seed} chooses the examples of --val-fraction, which is not given')
    if flags.flip and flags.augment is False:
        raise UserError('--flip mirrors training images, but --no-augment leaves them as they are: leave out one')
    asked = [('--lr', flags.lr), ('--lr_bb_fix', flags.lr_bb_fix or None), ('--lr_fix_policy', flags.lr_fix_policy)]
    others = [flag for flag, value in asked if value is not None]
    if flags.base_lr_per_example is not None and others:
        raise UserError(
            f'--base-lr-per-example {flags.base_lr_per_example:g} times the batch is the rate: leave out {others[0]}'
        )


def warn_about_device(flags) -> None:
    """Say which flags have no effect beside others."""
    type_device = TENSOR_TYPES[flags.type][0] if flags.type else None
    if flags.gpus is not None and type_device == 'cpu':
        log.warning('--gpus %s has no effect with --type %s', flags.gpus, flags.type)
    for flag, device in (('--type', type_device), ('--gpus', flags.gpus and f'cuda:{flags.gpus}')):
        if flags.device and device and not flags.device.startswith(device):
            log.warning('%s has no say about the device: --device %s wins', flag, flags.device)


def _warn_unused_in_evaluation(parser: Parser, argv: list[str] | None) -> None:
    flags = parser.parse_args(argv)
    given = [action for action in parser._actions if getattr(flags, action.dest, None) != action.default]
    unused = [action.option_strings[-1] for action in given if action.dest not in USED_IN_EVALUATION]
    if unused:
        log.warning('%s: no effect on --evaluate, which trains and writes nothing', ', '.join(unused))


def _check_sizes(config: RunConfig) -> None:
    batch, ghost, micro = config.num_images, config.ghost_batch_size, config.fixed_micro_batch_size
    if ghost is not None and ghost > batch:
        raise UserError(f'--mini-batch-size {ghost} is larger than the batch of {batch}: at most {batch} is possible')
    if ghost is not None and batch % ghost:
        unit = ghost // math.gcd(ghost, config.duplicates)  # batches that are a multiple of it hold whole ghosts
        below, above = config.batch_size // unit * unit, -(-config.batch_size // unit) * unit
        copies = f' with {config.duplicates} copies of each example' if config.duplicates > 1 else ''
        raise UserError(
            f'--batch-size {config.batch_size}{copies} is not a multiple of --mini-batch-size {ghost}: '
            f'{" and ".join(str(size) for size in (below, above) if size)} {"are" if below else "is"}, '
            f'and ghosts of {_nearest_divisor(batch, ghost)} divide {batch}'
        )
    if micro is not None and micro > batch:
        raise UserError(f'--micro-batch-size {micro} is larger than the batch of {batch}: at most {batch} is possible')
    if micro is not None and ghost is not None and micro % ghost and micro != batch:
        below, above = max(1, micro // ghost) * ghost, -(-micro // ghost) * ghost
        raise UserError(
            f'--micro-batch-size {micro} does not hold whole ghosts of {ghost}: '
            f'{" or ".join(map(str, sorted({below, above})))} does'
        )


def _check_noise_scale(config: RunConfig) -> None:
    """Refuse to compare the gradients of parts of a batch with its own where it has but one part."""
    batch, part = config.num_images, config.ghost_batch_size or config.fixed_micro_batch_size or config.num_images
    if config.noise_scale and part == batch:
        name, other = ('ghost', '--mini-batch-size') if config.ghost_batch_size else ('piece', '--micro-batch-size')
        where = '' if config.ghost_batch_size else ' for a network without batch norm, or main_gbn.py for any'
        raise UserError(
            f'--noise-scale compares the gradients of parts of a batch with its own, but a batch of {batch} is one '
            f'{name}: give {other} below {batch}{where}'
        )


def _nearest_divisor(number: int, near: int) -> int:
    around = (size for distance in range(min(near, 10**6)) for size in (near - distance, near + distance))
    return next((size for size in around if number % size == 0), 1)


def _describing_flags(run: Path) -> list[str]:
    """Return the flags that name model and data of a run; none for a folder that is none."""
    settings = stored_settings(run)
    if not settings:
        return []
    missing = [name for name in DESCRIBING if name not in settings]
    if missing:
        raise UserError(f'{run / CONFIG}: damaged, its settings lack {", ".join(missing)}')
    flags = ['--model', settings['model'], '--model_config', repr(settings['model_config'])]
    flags += ['--dataset', settings['dataset'], '--val-fraction', str(settings['val_fraction'])]
    flags += ['--val-seed', str(settings['val_seed'])] if settings.get('val_seed') is not None else []
    flags += ['--seed', str(settings['seed']), '--pixels', settings.get('pixels', 'normalized')]
    flags += ['--datasets-dir', settings['datasets_dir']] if settings['datasets_dir'] else []
    return flags + (['--input_size', str(settings['input_size'])] if settings['input_size'] else [])
