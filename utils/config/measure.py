"""The settings and flags of the scripts that measure trained networks.

The published flags of SmoothOut keep their spellings. Where we differ: model, data and options are those of the run
that a checkpoint lies in, unless given; training images are not augmented unless asked for; what the published scripts
accept and never use, which is most flags of training, is warned about.
"""

from __future__ import annotations

import argparse
import logging
import sys
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Collection
from dataclasses import dataclass

from bigbatch.errors import UserError
from utils.config.network import NetworkConfig, add_device_args, add_input_args, device_and_dtype, warn_about_device
from utils.parser import Parser, one_of, options_literal, whole
from utils.runs.config_json import stored_settings
from utils.runs.layout import run_of

# Flags that the published scripts parse and that mean nothing to a network that is not trained, with their values.
USELESS = {
    1: (
        ('--epochs',), ('--start-epoch',), ('--mini-batch-size', '-mb'), ('--batch-multiplier', '-bm'),
        ('--optimizer',), ('--lr', '--learning_rate'), ('--momentum',), ('--weight-decay', '--wd'), ('--dropout',),
        ('--resume',), ('--smoothing-type',), ('--anneal-index', '--ai'), ('--tanh-scale', '--ts'),
        ('--print-freq', '-p'), ('--sharpness-smoothing', '--ss'),
    ),
    0: (
        ('--lr_bb_fix',), ('--no-lr_bb_fix',), ('--regime_bb_fix',), ('--no-regime_bb_fix',), ('--save_all',),
        ('--no-save_all',),
    ),
}  # fmt: skip
FROM_RUN = ('model', 'model_config', 'dataset', 'datasets_dir', 'input_size', 'pixels')

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, kw_only=True)
class MeasureConfig(NetworkConfig):
    """What an analysis needs besides to feed a trained network; `seed` is that of its run, which split the data."""

    measure_seed: int
    num_examples: int | None  # at most so many of each set, the first of an order seeded by measure_seed; None: all
    duplicates: int  # copies of each example in a batch; above 1 all sets are augmented, not the training set alone


class _Useless(argparse.Action):
    """Say that a flag has no effect."""

    def __call__(self, parser, namespace, values, option_string=None):
        log.warning('%s has no effect: nothing is trained here', option_string)


def build_analysis_parser(
    doc: str | None, models: list[str], datasets: list[str], *, prog: str, batch_size: int, single: bool = False,
    used: Collection[str] = (),
) -> Parser:
    """Build the parser that the measuring scripts share; the script adds its own group.

    Args:
        batch_size: default of --batch-size, examples per forward pass.
        single: --evaluate takes one checkpoint, as a string, instead of a list of them.
        used: published flags, such as '--ss', that the script adds itself, because it does use them.
    """
    parser = Parser(prog=prog, description=doc)
    parser.set_defaults(duplicates=1)
    _add_network_args(parser, models, datasets, single=single)
    _add_data_args(parser, batch_size)
    group = parser.add_argument_group('the measurement')
    add_device_args(group)
    group.add_argument('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of results')
    group.add_argument('--save', default='', metavar='NAME', help='folder of these results in it')
    for num_values, flags in USELESS.items():
        for spellings in flags:
            if not {*spellings} & {*used}:
                settings = {'nargs': num_values or 0, 'help': argparse.SUPPRESS, 'default': argparse.SUPPRESS}
                parser.add_argument(*spellings, action=_Useless, dest=f'useless_{spellings[0]}', **settings)
    return parser


def network_config(parser: Parser, argv: list[str] | None, checkpoint: str) -> MeasureConfig:
    """Resolve what names a checkpoint's network and data: what its run stored, then the flags that are given.

    Args:
        parser: from build_analysis_parser.
        argv: the whole command line; None: that of this process.
        checkpoint: a file or a run folder.

    Raises:
        UserError: there is no such file, or nothing says which network and data belong to it.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    plain, stored = parser.parse_args(given), stored_settings(run_of(checkpoint))
    described = {name: stored[name] for name in FROM_RUN if name in stored}
    if plain.model not in (None, stored.get('model')):
        described.pop('model_config', None)
    flags = parser.parse_args(given, Namespace(**described))
    _check_named(checkpoint, flags)
    warn_about_device(flags)
    device, strict, dtype = device_and_dtype(flags)
    return MeasureConfig(
        **{name: getattr(flags, name) for name in FROM_RUN},
        download=False,
        augment=flags.augment,
        flip=stored.get('flip') if flags.augment and stored.get('augment') else None,
        val_fraction=stored.get('val_fraction', 0.0),
        val_seed=stored.get('val_seed'),
        workers=flags.workers,
        eval_batch_size=flags.batch_size,
        device=device,
        strict_device=strict,
        dtype=dtype if flags.type else stored.get('dtype', dtype),
        deterministic=flags.deterministic,
        seed=stored.get('seed', flags.seed),
        measure_seed=flags.seed,
        num_examples=flags.num_examples,
        duplicates=flags.duplicates,
    )


def _check_named(checkpoint: str, flags: Namespace) -> None:
    missing = [f'--{name}' for name in ('model', 'dataset') if getattr(flags, name) is None]
    if missing:
        raise UserError(
            f'{checkpoint} lies in no run of this project, so nothing says what it was trained as: '
            f'give {" and ".join(missing)} (the published scripts took resnet and cifar10)'
        )


def _add_network_args(parser: Parser, models: list[str], datasets: list[str], *, single: bool) -> None:
    group = parser.add_argument_group('the network')
    group.add_argument(
        '-e', '--evaluate', required=True, nargs=None if single else '+', metavar='CKPT',
        help='checkpoint, or run folder for the latest one in it' + ('' if single else '; several make one table'),
    )
    group.add_argument(
        '-a', '--model', type=one_of('model', models), metavar='NAME',
        help=f'network, if the checkpoint lies in no run of this project: {", ".join(models)}',
    )
    group.add_argument(
        '--model_config', type=options_literal, default={}, metavar='DICT', help='its options, as "{\'depth\': 44}"'
    )
    group.add_argument(
        '--dataset', metavar='NAME',
        help=f'data set, if not that of the run: {", ".join(datasets)}, a folder or a .npz file',
    )


def _add_data_args(parser: Parser, batch_size: int) -> None:
    group = parser.add_argument_group('data')
    group.add_argument(
        '--datasets-dir', metavar='DIR', help='folder of the data sets; $DATASETS_DIR, else ~/Datasets, if not given'
    )
    add_input_args(group)
    group.add_argument(
        '--augment', action=BooleanOptionalAction, default=False, help='crop and mirror training images at random'
    )
    group.add_argument(
        '--num-examples', type=whole(1), metavar='N',
        help='measure on at most so many examples of a set, the first of an order that --seed decides',
    )
    group.add_argument(
        '-b', '--batch-size', '--b', type=whole(1), default=batch_size, metavar='B', help='examples per forward pass'
    )
    group.add_argument(
        '-j', '--workers', type=whole(0), metavar='N',
        help='loader processes, for data that is transformed image by image; 2 if not given',
    )
