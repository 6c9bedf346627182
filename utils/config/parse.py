"""Command lines to settings: the parser that the training scripts share, and what a resumed run may change.

The published flags of bigBatch and SmoothOut keep their spellings.
"""

from __future__ import annotations

import json
import logging
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from bigbatch.errors import UserError
from utils.config.batch import add_batch_args, add_ghost_args, resolve_micro_batch_size
from utils.config.checks import check_flags, check_settings, shaped_by_length
from utils.config.network import add_data_args, add_model_args, device_and_dtype, warn_about_device
from utils.config.output import add_place_args, add_run_args, name_by_time
from utils.config.run import RunConfig
from utils.config.schedule import add_optimizer_args, add_regime_args, resolve_lr_scaling
from utils.config.speed import add_speed_args
from utils.config.swap import add_swap_args
from utils.methods import add_method_args
from utils.parser import Parser
from utils.runs.config_json import read_config_json, stored_settings
from utils.runs.layout import CONFIG, run_of

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
# Settings that say what --evaluate scores a checkpoint with.
DESCRIBING = ('model', 'model_config', 'dataset', 'datasets_dir', 'val_fraction', 'input_size', 'seed')


def build_parser(
    doc: str | None, models: list[str], datasets: list[str], *, prog: str, batch_size: int = 2048
) -> Parser:
    """Build the parser that the training scripts share; the script adds its own group."""
    parser = Parser(prog=prog, description=doc, takes_ranks=True, related=_specialists)
    parser.set_defaults(mini_batch_size=None)
    add_place_args(parser)
    add_data_args(parser, datasets)
    add_model_args(parser, models)
    add_batch_args(parser, batch_size)
    add_regime_args(parser)
    add_optimizer_args(parser)
    add_method_args(parser)
    add_speed_args(parser)
    add_run_args(parser)
    return parser


def _specialists() -> list[Parser]:
    """Return parsers of the scripts that have flags of their own, without those that all of them share."""
    ghost, swap = (Parser(prog=prog, add_help=False) for prog in ('main_gbn.py', 'main_swap.py'))
    add_ghost_args(ghost, default=None)
    add_swap_args(swap)
    return [ghost, swap]


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
    check_flags(flags)
    values = {name: value for name, value in vars(flags).items() if name in kind.__dataclass_fields__}
    device, strict, dtype = device_and_dtype(flags)
    ghost, eta = flags.mini_batch_size, flags.base_lr_per_example
    config = kind(**{
        **values,
        'script': parser.prog,
        'command': shlex.join(['python', parser.prog, *argv]),
        'argv': tuple(argv),
        'save': flags.save or name_by_time(Path(flags.results_dir)),
        'batch_size': flags.batch_size * flags.batch_multiplier,
        'micro_batch_size': resolve_micro_batch_size(flags),
        'ghost_batch_size': ghost,
        'base_batch_size': flags.base_batch_size or ghost or 256,
        'lr_scaling': resolve_lr_scaling(flags),
        'lr': flags.lr if eta is None else eta * flags.batch_size * flags.batch_multiplier,
        'device': device,
        'strict_device': strict,
        'dtype': dtype,
    })
    check_settings(config)
    return config


def _warn_unused_in_evaluation(parser: Parser, argv: list[str] | None) -> None:
    flags = parser.parse_args(argv)
    given = [action for action in parser._actions if getattr(flags, action.dest, None) != action.default]
    unused = [action.option_strings[-1] for action in given if action.dest not in USED_IN_EVALUATION]
    if unused:
        log.warning('%s: no effect on --evaluate, which trains and writes nothing', ', '.join(unused))


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
