"""The settings and flags of the scripts that measure trained networks.

The published flags of SmoothOut keep their spellings. Where we differ: model, data and options are those of the run
that a checkpoint lies in, unless given; training images are not augmented unless asked for; what the published scripts
accept and never use, which is most flags of training, is warned about.
"""

from __future__ import annotations

import argparse
import functools
import logging
import sys
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Collection
from dataclasses import dataclass

from bigbatch.errors import UserError
from utils.config.network import (
    DataConfig,
    DeviceConfig,
    ModelConfig,
    NetworkConfig,
    device_and_dtype,
    warn_about_device,
)
from utils.config.run import RunConfig
from utils.parser import Parser, whole
from utils.runs.config_json import stored_settings
from utils.runs.layout import run_of
from utils.settings import Means, add_settings, declared, fields_that_mean, given_values, setting

log = logging.getLogger('bigbatch')


# Settings that a run tells and a flag may change.
FROM_RUN = fields_that_mean(NetworkConfig, Means.NETWORK | Means.MEASURING)


@dataclass(frozen=True, kw_only=True)
class MeasureConfig(NetworkConfig):
    """Examples.

    All that an analysis needs to feed a trained network; `seed` is that of its run, which split the data.
    """

    num_examples: int | None = setting(
        '--num-examples', type=whole(1), metavar='N', means=Means.CONDITION,
        help='measure on at most so many examples of a set, the first of an order that --seed decides',
    )  # fmt: skip
    measure_seed: int = setting(
        '--seed', type=whole(0, 2**63 - 1), default=123, metavar='S', means=Means.CONDITION,
        help='seed of everything random',
    )  # fmt: skip
    num_copies: int = 1  # of each example in a batch; above 1 all sets are augmented, not the training set alone


def conditions_of(config: MeasureConfig) -> dict:
    """Return what besides the weights decides what is measured, as plain values; the seed is that of measuring."""
    return {column: _plain(getattr(config, name)) for column, name in COLUMNS.items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return repr(value) if value else ''
    return int(value) if isinstance(value, bool) else value


# Columns of what is measured, the keys of conditions_of, and the settings that they hold.
COLUMNS = {name.removeprefix('measure_'): name for name in fields_that_mean(MeasureConfig, Means.CONDITION)}
CONDITIONS = tuple(COLUMNS)


class _Useless(argparse.Action):
    """Say that a flag has no effect."""

    def __call__(self, parser, namespace, values, option_string=None):
        log.warning('%s has no effect: nothing is trained here', option_string)


def build_analysis_parser(
    doc: str | None,
    models: list[str],
    datasets: list[str],
    *,
    prog: str,
    batch_size: int,
    single: bool = False,
    used: Collection[str] = (),
) -> Parser:
    """Build the parser that the measuring scripts share; the script adds its own group.

    Args:
        batch_size: default of --batch-size, examples per forward pass.
        single: --evaluate takes one checkpoint, as a string, instead of a list of them.
        used: published flags, such as '--ss', that the script adds itself, because it does use them.
    """
    parser = Parser(prog=prog, description=doc)
    parser.set_defaults(num_copies=1)
    number, several = (None, '') if single else ('+', '; several make one table')
    checkpoint = f'checkpoint, or run folder for the latest one in it{several}'
    group = parser.add_argument_group('what is measured')
    group.add_argument('-e', '--evaluate', required=True, nargs=number, metavar='CKPT', help=checkpoint)
    known = {'model': models, 'dataset': datasets}
    add_shared = functools.partial(add_settings, parser, known=known, only=Means.MEASURING)
    add_shared(ModelConfig, title='the network; that of the run if not given', model=None)
    add_shared(DataConfig, title='data; that of the run if not named', dataset=None)
    examples = add_settings(parser, MeasureConfig)
    augment = 'crop and mirror training images at random'
    examples.add_argument('--augment', action=BooleanOptionalAction, default=False, help=augment)
    size = {'type': whole(1), 'default': batch_size, 'metavar': 'B', 'help': 'examples per forward pass'}
    examples.add_argument('-b', '--batch-size', '--b', **size)
    add_shared(DeviceConfig, title='device')
    group = parser.add_argument_group('where results go')
    group.add_argument('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of results')
    group.add_argument('--save', default='', metavar='NAME', help='folder of these results in it')
    for spellings, num_values in idle_flags():
        if not {*spellings} & {*used}:
            settings = {'nargs': num_values, 'help': argparse.SUPPRESS, 'default': argparse.SUPPRESS}
            parser.add_argument(*spellings, action=_Useless, dest=f'useless_{spellings[0]}', **settings)
    return parser


def network_config(parser: Parser, argv: list[str] | None, checkpoint: str) -> MeasureConfig:
    """Resolve what names a checkpoint's network and data: what its run stored, then the flags that are given.

    Raises:
        UserError: there is no such file, or nothing says which network and data belong to it.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    plain, stored = parser.parse_args(given), stored_settings(run_of(checkpoint))
    described = {name: stored[name] for name in FROM_RUN if name in stored}
    if plain.model not in (None, stored.get('model')):
        described.pop('model_config', None)
    flags = parser.parse_args(given, Namespace(**described))
    missing = [f'--{name}' for name in ('model', 'dataset') if getattr(flags, name) is None]
    if missing:
        raise UserError(
            f'{checkpoint} lies in no run of this project, so nothing says what it was trained as: '
            f'give {" and ".join(missing)} (the published scripts took resnet and cifar10)'
        )
    warn_about_device(flags)
    device, strict, dtype = device_and_dtype(flags)
    naming = fields_that_mean(NetworkConfig, Means.NETWORK)
    of_run = [name for name in naming if name in stored and name not in FROM_RUN]
    values = given_values(MeasureConfig, flags) | {name: stored[name] for name in of_run}
    values |= {
        'flip': stored.get('flip') if flags.augment and stored.get('augment') else None,
        'eval_batch_size': flags.batch_size,
        'device': device,
        'strict_device': strict,
        'dtype': dtype if flags.type else stored.get('dtype', dtype),
    }
    return MeasureConfig(**values, num_copies=flags.num_copies)


def idle_flags() -> list[tuple[tuple[str, ...], int]]:
    """Return the spellings of each published flag that means nothing here, and how many values it has."""
    found = []
    for each in declared(RunConfig).values():
        if each.means & Means.IDLE and each.num_values:
            found.append((each.flags, each.num_values))
        elif each.means & Means.IDLE:
            found += [((each.write(is_on),), 0) for is_on in (True, False)]
    return found
