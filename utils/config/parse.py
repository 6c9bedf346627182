"""Command lines to settings: the parser that the training scripts share, and what a resumed run may change.

The published flags of bigBatch and SmoothOut keep their spellings.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from dataclasses import replace
from pathlib import Path

from bigbatch.errors import UserError
from utils.config.batch import BASE, GhostConfig, SizeConfig, add_ghost_args, resolve_micro_batch_size
from utils.config.checks import check_flags, check_settings, shaped_by_length
from utils.config.network import DataConfig, DeviceConfig, ModelConfig, device_and_dtype, warn_about_device
from utils.config.output import PlaceConfig, StartConfig, name_by_time
from utils.config.run import RunConfig
from utils.config.schedule import AdaptationConfig, LengthConfig, OptimizerConfig, resolve_lr_scaling
from utils.config.speed import SpeedConfig
from utils.config.swap import PhasesConfig, add_swap_args
from utils.methods import METHODS
from utils.parser import Parser
from utils.runs.config_json import read_config_json, stored_settings
from utils.runs.layout import CONFIG, run_of
from utils.settings import ABSENT, Means, add_settings, declared, given_values, names, values_before
from utils.wording import typed

GROUPS = (  # in the order of --help
    PlaceConfig, DataConfig, ModelConfig, SizeConfig, AdaptationConfig, OptimizerConfig, *METHODS, SpeedConfig,
    LengthConfig, DeviceConfig, StartConfig,
)  # fmt: skip

log = logging.getLogger('bigbatch')


def build_parser(
    doc: str | None, models: list[str], datasets: list[str], *, prog: str, batch_size: int = 2048
) -> Parser:
    """Build the parser that the training scripts share; the script adds its own group."""
    parser = Parser(prog=prog, description=doc, takes_ranks=True, related=_specialists)
    parser.set_defaults(mini_batch_size=None)  # of a script without ghosts
    add_settings(parser, *GROUPS, known={'model': models, 'dataset': datasets}, batch_size=batch_size)
    return parser


def build_given_parser(prog: str, *, ghosts: bool, phases: bool) -> Parser:
    """Build a parser that returns only what is given of a script with ghosts, or phases of SWAP; any model will do."""
    parser = Parser(prog=prog, takes_ranks=True, related=_specialists, argument_default=argparse.SUPPRESS)
    add_settings(parser, *GROUPS, *[GhostConfig] * ghosts, *[PhasesConfig] * phases)
    return parser


def _specialists() -> list[Parser]:
    """Return parsers of the scripts that have flags of their own, without those that all of them share."""
    ghost, swap = (Parser(prog=prog, add_help=False) for prog in ('main_gbn.py', 'main_swap.py'))
    add_ghost_args(ghost, default=None)
    add_swap_args(swap)
    return [ghost, swap]


def parse_config(parser: Parser, argv: list[str] | None = None, kind: type[RunConfig] = RunConfig) -> RunConfig:
    """Resolve a command line; with --resume, that of the stopped run with the new flags behind it.

    The further fields of another kind than RunConfig are flags.

    Raises:
        UserError: flags that contradict each other, or a setting that a resumed run may not change.
    """
    given = list(sys.argv[1:] if argv is None else argv)
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
    if config.fits_batch:
        config = replace(config, batch_size=stored_settings(run)['batch_size'])
    _check_same_settings(config, {**vars(parser.parse_args([])), **values_before(kind), **stored['settings']})
    if flags.save:
        return replace(config, results_dir=flags.results_dir, save=flags.save)
    return replace(config, results_dir=str(run.parent), save=run.name)


def _check_same_settings(config: RunConfig, stored: dict) -> None:
    """Refuse a setting that is not what it was, be it by a flag, an edited file or a changed default."""
    free, left_open = names(type(config), Means.FREE), names(type(config), Means.OPEN)
    now, known = json.loads(json.dumps(config.settings())), declared(type(config))
    for name, value in sorted(now.items(), key=lambda each: not known[each[0]].flags):  # what can be typed comes first
        is_open = name in left_open and value is None
        if name in stored and stored[name] != value and name not in free and not is_open:
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
    values = given_values(kind, flags)
    methods = tuple(each(**{name: values.pop(name) for name in declared(each)}) for each in METHODS)
    num_copies = math.prod(method.num_copies for method in methods if method.is_on)
    device, strict, dtype = device_and_dtype(flags)
    ghost, eta = values['ghost_batch_size'], flags.base_lr_per_example
    batch_size = flags.batch_size * flags.batch_multiplier
    asked = parser.parse_args(argv, argparse.Namespace(batch_size=None)).batch_size
    values |= {
        'save': flags.save or name_by_time(Path(flags.results_dir)),
        'batch_size': batch_size,
        'fits_batch': not (asked or flags.micro_batch_size or eta) and flags.batch_multiplier == num_copies == 1,
        'micro_batch_size': resolve_micro_batch_size(flags, ghost, num_copies),
        'base_batch_size': flags.base_batch_size or ghost or BASE,
        'lr_scaling': resolve_lr_scaling(flags),
        'lr': flags.lr if eta is None else eta * batch_size,
        'device': device,
        'strict_device': strict,
        'dtype': dtype,
    }
    command = typed(['python', parser.prog, *argv])
    config = kind(methods=methods, script=parser.prog, command=command, argv=tuple(argv), **values)
    check_settings(config)
    return config


def _warn_unused_in_evaluation(parser: Parser, argv: list[str] | None) -> None:
    values, used = vars(parser.parse_args(argv)), names(RunConfig, Means.NETWORK | Means.SCORING)
    unused = [
        each.write(values[each.dest]).split()[0] for name, each in declared(RunConfig).items()
        if name not in used and each.flags and values.get(each.dest) != parser.get_default(each.dest)
    ]  # fmt: skip
    if unused:
        log.warning('%s: no effect on --evaluate, which trains and writes nothing', ', '.join(unused))


def _describing_flags(run: Path) -> list[str]:
    """Return the flags that name model and data of a run; none for a folder that is none."""
    settings = stored_settings(run)
    if not settings:
        return []
    naming = {name: each for name, each in declared(RunConfig).items() if each.means & Means.NETWORK}
    missing = [name for name, each in naming.items() if name not in settings and each.before is ABSENT]
    if missing:
        raise UserError(f'{run / CONFIG}: damaged, its settings lack {", ".join(missing)}')
    settings = {**values_before(RunConfig), **settings}
    given = {each.flag: settings[name] for name, each in naming.items()}
    return [word for flag, value in given.items() if value not in (None, '') for word in (flag, str(value))]
