"""Train a network with a small and with a large batch from one start, for the line between the two.

Source: Keskar et al. 2016 (arXiv 1609.04836), figures 3 and 7, and their published plot_parametric_plot.py: Adam at
1e-3, 20 epochs, pixels from 0 to 1, no augmentation, 25 points from -1 to 2, batch norm on the statistics of the batch.
Where we differ: the large batch is a tenth of the training set, as in the paper's text, unless given (their code has
5000), and the small one an eighth of that where 256 would be more; both runs are ordinary run folders, which are gone
on with, or taken as they are when done; dropout is off when a point is scored. Imports nothing heavy, for its names
answer to a parser.
"""

from __future__ import annotations

import filecmp
import json
import logging
import re
import shutil
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from bigbatch.errors import UserError
from data import get_dataset, list_datasets
from models import list_models
from utils.command import user_errors
from utils.config.measure import network_config
from utils.config.parse import build_parser, parse_config
from utils.config.schedule import OPTIMIZERS
from utils.logs import start_logging
from utils.measures.landscape_flags import build_line_parser
from utils.parser import Parser, one_of, real, whole
from utils.runs.layout import INITIAL

NETWORKS = {  # name in the paper -> (network, data set)
    'F1': ('keskar_f1', 'mnist'),
    'F2': ('keskar_f2', None),
    'C1': ('keskar_c1', 'cifar10'),
    'C2': ('keskar_c2', 'cifar10'),
    'C3': ('keskar_c3', 'cifar100'),
    'C4': ('keskar_c4', 'cifar100'),
}
GRID = '-1:0.125:2.01'  # 25 points
SCORED_AT_ONCE = 1000  # examples that share their statistics when a point is scored
SMALL_BATCH, LEAST_RATIO = 256, 8  # the small batch, unless the large one is less than so many times it
FIGURES = Path('Figures')
FIGURE, SETTINGS = 'line.pdf', 'line.json'  # of a line's folder

log = logging.getLogger('bigbatch')


def build_pair_parser(doc: str | None, *, prog: str) -> Parser:
    """Build the parser of a trained pair."""
    parser = Parser(prog=prog, description=doc)
    add = parser.add_argument
    network, known = one_of('network', NETWORKS), f'of the paper: {", ".join(NETWORKS)}'
    add('-n', '--network', type=network, required=True, metavar='NAME', help=known)
    dataset = "if not the paper's: mnist for F1, cifar10 for C1 and C2, cifar100 for C3 and C4; F2 needs a .npz file"
    add('--dataset', metavar='NAME', help=dataset)
    add('--datasets-dir', metavar='DIR', help='folder of the data sets; $DATASETS_DIR, else ~/Datasets')
    add('--download', action='store_true', help='fetch the data set if it is not there')
    add('--epochs', type=whole(1), default=20, metavar='E', help='epochs of either run')
    sizes = (
        'of the runs at alpha 0 and 1; LARGE is a tenth of the training set and SMALL 256 if not given, but no '
        f'more than LARGE / {LEAST_RATIO}'
    )
    add('--batch-sizes', type=whole(1), nargs=2, metavar=('SMALL', 'LARGE'), help=sizes)
    add('--optimizer', type=one_of('optimizer', OPTIMIZERS), metavar='NAME', help='in place of Adam')
    add('--lr', type=real(0, above=True), metavar='RATE', help='in place of 1e-3, flat')
    add('--mode', choices=('linear', 'arc'), default='linear', help='the line of figure 3 or the arc of figure 7')
    add('--seed', type=whole(0, 2**63 - 1), default=123, metavar='S', help='of both runs')
    add('--device', metavar='DEVICE', help='auto, cpu, cuda or cuda:i; refused where it is missing')
    add('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of results')
    add('--save', default='', metavar='NAME', help='folder of the line; named by the runs if not given')
    return parser


def resolve_dataset(flags: Namespace) -> str:
    """Return the data set of a pair; a UserError for F2 without one, as TIMIT cannot be had."""
    dataset = flags.dataset or NETWORKS[flags.network][1]
    if dataset is None:
        raise UserError(
            f'--network {flags.network}: its data, features of TIMIT, are not free: give your own, --dataset FILE.npz '
            'with x_train, y_train, x_test, y_test'
        )
    return dataset


def batch_sizes(num_examples: int) -> tuple[int, int]:
    """Return the small and the large batch for a training set of that size."""
    large = max(4, num_examples // 10)
    return max(2, min(SMALL_BATCH, large // LEAST_RATIO)), large  # batch norm needs two


def plot_pair(flags: Namespace) -> None:
    """Train both runs where they are not done yet and draw the line between them, or a UserError for no pair."""
    # torch takes seconds to import: only now, so that --help answers at once.
    from utils.engine.experiment import build_experiment, run
    from utils.engine.network import open_network
    from utils.measures.landscape_run import line_between

    dataset = resolve_dataset(flags)
    with user_errors():
        sizes = flags.batch_sizes or batch_sizes(
            len(get_dataset(dataset, download=flags.download, datasets_path=flags.datasets_dir))
        )
    if sizes[0] >= sizes[1]:
        raise UserError(f'--batch-sizes {sizes[0]} {sizes[1]}: the small batch comes first, the large one second')
    runs, argvs = zip(*(training_flags(flags, dataset, size) for size in sizes), strict=True)
    with user_errors():
        for argv in argvs:  # both, before either is trained
            build_experiment(_configure(argv))
    for argv in argvs:
        run(_configure(argv))
    _check_start(*runs)
    start_logging()
    parser = build_line_parser(None, list_models(), list_datasets(), prog='visualize_sharpness.py')
    argv = line_flags(flags, dataset, sizes, runs)
    line = parser.parse_args(argv)
    figure = _figure_of(flags, Path(line.results_dir) / line.save)
    folder = line_between(line, lambda end: open_network(network_config(parser, argv, end), end))
    log.info('%s', _describe_distances(folder))
    figure.parent.mkdir(exist_ok=True)
    shutil.copyfile(folder / FIGURE, figure)
    log.info('figure: %s', figure)


def _check_start(first: Path, second: Path) -> None:
    """Refuse runs that did not start from the same weights, which another version of torch may have drawn."""
    from utils.runs.checkpoint import load_state

    initial, other = (load_state(run / INITIAL) for run in (first, second))
    if any(not initial[name].equal(other[name]) for name in initial):
        raise UserError(f'{first} and {second} did not start from the same weights: train them anew, see --seed')


def _figure_of(flags: Namespace, folder: Path) -> Path:
    """Return where the figure of a line goes: where the published script leaves it, unless another line's is there."""
    figure = FIGURES / f'{flags.network}{"" if flags.mode == "linear" else f"_{flags.mode}"}.pdf'
    drawn = folder / FIGURE
    is_own = drawn.is_file() and figure.is_file() and filecmp.cmp(drawn, figure, shallow=False)
    return figure if is_own or not figure.exists() else FIGURES / f'{folder.name}.pdf'


def _configure(argv: list[str]):
    """Resolve a command line of main_normal.py."""
    start_logging()  # each run has a log of its own
    return parse_config(build_parser(None, list_models(), list_datasets(), prog='main_normal.py', batch_size=256), argv)


def training_flags(flags: Namespace, dataset: str, batch_size: int) -> tuple[Path, list[str]]:
    """Return the folder of a run and the command line of main_normal.py that makes it or goes on with it."""
    name = _name(flags, dataset, f'bs{batch_size}')
    folder = Path(flags.results_dir) / name
    argv = [
        '--model', NETWORKS[flags.network][0], '--dataset', dataset, '--b', batch_size, '--epochs', flags.epochs,
        '--seed', flags.seed, '--no-lr_bb_fix', '--no-augment', '--pixels', 'unit', '--clip-grad', 0,
        *_given(flags, 'optimizer', 'lr', 'datasets_dir', 'device'), *['--download'] * flags.download,
        *(('--resume', folder) if folder.exists() else ('--results_dir', flags.results_dir, '--save', name)),
    ]  # fmt: skip
    return folder, [str(part) for part in argv]


def line_flags(flags: Namespace, dataset: str, sizes: Sequence[int], runs: Sequence[Path]) -> list[str]:
    """Return the command line of visualize_sharpness.py that draws the line between two runs."""
    kind = 'line' if flags.mode == 'linear' else flags.mode
    name = f'{kind}_{_name(flags, dataset, "bs{}_to_{}".format(*sizes))}'
    argv = [
        '--evaluate', runs[0], '--slave-evaluate', runs[1], f'--alpha={GRID}', '--mode', flags.mode, '--bn', 'batch',
        '--b', SCORED_AT_ONCE, '--results_dir', flags.results_dir,
        '--save', flags.save or name, *_given(flags, 'datasets_dir', 'device'),
    ]  # fmt: skip
    return [str(part) for part in argv]


def _describe_distances(folder: Path) -> str:
    """Say how far both runs went, as line.json has it."""
    distances = json.loads((folder / SETTINGS).read_text(encoding='utf-8'))['distances']
    small, large = distances['start_to_first'], distances['start_to_second']
    return (
        f'distance from the start: small batch {small:.4g}, large batch {large:.4g}, ratio {small / large:.3g} '
        f'(3 to 10 in the paper); between the two {distances["between"]:.4g}'
    )


def _name(flags: Namespace, dataset: str, sizes: str) -> str:
    data = re.sub(r'[^\w.+-]+', '_', Path(dataset).name)
    how = (flags.optimizer or 'Adam') + ('' if flags.lr is None else f'_lr{flags.lr:g}')
    return f'{flags.network}_{data}_{sizes}_{how}_epochs{flags.epochs}_seed{flags.seed}'


def _given(flags: Namespace, *names: str) -> list:
    """Return those of the flags, with their values, that are given."""
    given = {f'--{name.replace("_", "-")}': getattr(flags, name) for name in names}
    return [part for flag, value in given.items() if value is not None for part in (flag, value)]
