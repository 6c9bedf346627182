"""The suites that come with the project: every command of them can run, and is the one that it should be."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import math
import re
import shlex
from collections.abc import Sequence

import pytest

from data import get_dataset, list_datasets
from models import list_models
from tests.conftest import PROJECT, main_gbn, main_normal, read_rows
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.config.run import RunConfig
from utils.parser import Parser
from utils.sweeps.commands import MEASURING, given_flags
from utils.sweeps.suite import SUITES, find_suite, list_suites

SCRIPTS = {'main_normal.py': main_normal, 'main_gbn.py': main_gbn}
SHIPPED = {
    f'{suite.name}-{flags[flags.index("--save") + 1]}': (script, tuple(flags))
    for suite in list_suites() for script, *flags in suite.commands if script in SCRIPTS
}  # fmt: skip

# Data of the shape of what is missing, no more than the largest batch needs; AlexNet scales images of any size.
GENERATED = {
    'mnist': 'fake:4096:1x28x28:10', 'cifar10': 'fake:10240:3x32x32:10', 'cifar100': 'fake:4096:3x32x32:100',
    'imagenet': 'fake:8192:3x8x8:1000', 'cifar10_jpg': 'fake:4096:3x32x32:10',
}  # fmt: skip

# row -> batch size, ghosts, scaled rate, adapted regime; by hand from Table 1 of the paper
TABLE = {
    'sb': (128, None, False, False),
    'lb': (4096, None, False, False),
    'lb_lr': (4096, None, True, False),
    'lb_lr_gbn': (4096, 128, True, False),
    'lb_lr_gbn_ra': (4096, 128, True, True),
}
TABLE_8192 = {'sb': TABLE['sb']} | {
    row.replace('lb', f'lb{batch}'): (batch, *rest)
    for batch in (4096, 8192) for row, (_, *rest) in TABLE.items() if row != 'sb'
}  # fmt: skip
# suite -> data set, base batch, epochs, and for each name of rows: network, rows
TABLES = {
    'table1_mnist': ('mnist', 256, 50, {'f1': ('mnist_f1', TABLE)}),
    'table1_cifar10': ('cifar10', 128, 200, {
        'c1': ('cifar10_shallow', TABLE), 'resnet44': ('resnet', TABLE), 'vgg': ('vgg', TABLE),
    }),
    'table1_cifar100': ('cifar100', 128, 200, {
        'c3': ('cifar100_shallow', TABLE), 'wresnet16_4': ('wresnet16_4', TABLE),
    }),
    'table1_imagenet': ('imagenet', 128, 30, {'alexnet': ('alexnet', TABLE_8192)}),
}  # fmt: skip
PLAIN, LR_GBN, ALL, STRETCHED = (False, False, False), (True, True, False), (True, True, True), (False, False, True)
# suite -> data set, network, base batch (that of the ghosts too), epochs, and for each name of rows: batch sizes,
# (ghosts, scaled rate, adapted regime)
FIGURES = {
    'figure1': ('cifar10', 'resnet', 128, 200, {
        'plain': ((128, 256, 512, 1024, 2048, 4096), PLAIN),
        'lr_gbn': ((256, 512, 1024, 2048, 4096), LR_GBN),
        'lr_gbn_ra': ((256, 512, 1024, 2048, 4096), ALL),
    }),
    'figure1_digits': ('digits', 'mnist_f1', 32, 16, {
        'plain': ((32, 160, 320, 640), PLAIN),
        'lr_gbn': ((160, 320, 640), LR_GBN),
        'lr_gbn_ra': ((160, 320, 640), ALL),
    }),
    'figure2': ('cifar10', 'resnet', 128, 20, {
        'before': ((128, 512, 2048, 4096), STRETCHED), 'after': ((512, 2048, 4096), ALL),
    }),
    'figure2_digits': ('digits', 'mnist_f1', 32, 30, {
        'before': ((32, 160, 640), STRETCHED), 'after': ((160, 640), ALL),
    }),
    'figure3': ('cifar10', 'resnet', 128, 200, {
        'small': ((128,), PLAIN), 'same_epochs': ((1024, 4096), LR_GBN), 'adapted': ((1024, 4096), ALL),
    }),
    'figure3_digits': ('digits', 'mnist_f1', 32, 10, {
        'small': ((32,), PLAIN), 'same_epochs': ((320, 640, 1280), LR_GBN), 'adapted': ((320, 640, 1280), ALL),
    }),
}  # fmt: skip
# suite -> data set, epochs, drops of the rate, batches, exponents of the rates, networks, batches over ghosts, prefix
STUDIES = {
    'small_batch': ('cifar10', 82, (41, 62), (2, 8, 32, 128, 512), (12, 10, 8, 6, 4), (
        'alexnet_', 'resnet8_', 'resnet20_', 'resnet32_', 'resnet32_bn_',
    ), (32, 128, 512), 'resnet32_'),
    'small_batch_digits': ('digits', 8, (4, 6), (2, 32, 128, 512), (10, 8, 6, 4), ('',), (128, 512), ''),
}  # fmt: skip
# ending of Keskar's suites -> data set, network, small and large batch, batches of figure 4, epochs of figure 5
KESKAR = {
    '': ('cifar10', 'keskar_c1', 256, 5000, (256, 512, 1024, 2048, 5000, 10000), range(1, 101)),
    '_digits': ('digits', 'mnist_f1', 32, 640, (32, 80, 160, 320, 640), (1, 2, 3, 4, 6, 8, 10)),
}
REPAIRS = ('smooth', 'ada', 'noise', 'copies', 'swa', 'swap')  # and crops, where not all rows have them


@functools.cache
def parser_of(script: str) -> Parser:
    parser = build_parser(None, list_models(), list_datasets(), prog=script, batch_size=256)
    if script == 'main_gbn.py':
        add_ghost_args(parser, default=128)
    return parser


@functools.cache
def resolved(script: str, flags: tuple[str, ...]) -> RunConfig:
    return parse_config(parser_of(script), list(flags))


def config_of(script: str, flags: Sequence[str]) -> RunConfig:
    """Resolve a command as its script does."""
    return resolved(script, tuple(flags))


def configs_of(name: str) -> dict[str, RunConfig]:
    """Resolve the rows of a suite that train, by name."""
    configs = [config_of(script, flags) for script, *flags in find_suite(name).commands if script in SCRIPTS]
    return {config.save: config for config in configs}


def columns(config: RunConfig) -> tuple:
    return config.batch_size, config.ghost_batch_size, config.lr_scaling == 'sqrt', config.regime_bb_fix


def num_epochs(config: RunConfig) -> int:
    factor = -(-config.batch_size // config.base_batch_size) if config.regime_bb_fix else 1
    return config.epochs * factor * config.regime_bb_multi


# What all of them are like


def test_every_suite_is_there_and_says_in_a_line_what_it_shows_and_costs():
    suites = list_suites()
    assert [suite.name for suite in suites] == sorted(path.stem for path in SUITES.glob('*.sh'))
    assert {suite.name for suite in suites} >= {'quickstart', 'readme', 'methods', *TABLES, *FIGURES, *STUDIES}
    for suite in suites:
        width = 126 if suite.name in {*TABLES, *FIGURES} else 145
        assert len(suite.description) > 20 and len(f'{suite.name:23}{suite.description}') <= width, suite.name
        if suite.name == 'readme' or suite.name.startswith('reproduction'):
            continue
        lengths = [num_epochs(config) for config in configs_of(suite.name).values()]
        said = {word: number for number, word in re.findall(r'([\d,]+) (runs|epochs)', suite.description)}
        assert said['runs'] == f'{len(suite.runs()):,}', suite.name
        if number := said.get('epochs'):  # of all runs, or of the longest
            true = sum(lengths) * suite.num_seeds if f'runs, {number} epochs' in suite.description else max(lengths)
            assert number == f'{true:,}', suite.name
    assert [find_suite(name).num_seeds for name in ('quickstart', 'methods', 'methods_digits', *STUDIES)] == [
        3, 3, 2, 3, 3,
    ]  # fmt: skip


def test_nothing_that_decides_between_rows_is_left_to_a_default():
    for row, (script, flags) in SHIPPED.items():
        if not row.startswith('readme-'):
            assert '--base-batch-size' in flags, row
            assert sum(flag in flags for flag in ('--lr_bb_fix', '--no-lr_bb_fix')) == 1, row
            assert sum(flag in flags for flag in ('--flip', '--no-flip')) == 1, row
            assert ('--mini-batch-size' in flags) == (script == 'main_gbn.py'), row


def test_the_rows_of_a_suite_can_be_compared():
    for name in ('quickstart', *TABLES, *FIGURES):
        configs = configs_of(name).values()
        for setting in ('dataset', 'base_batch_size', 'epochs', 'flip', 'augment', 'clip_grad', 'drop_last', 'regime'):
            assert len({str(getattr(config, setting)) for config in configs}) == 1, (name, setting)
        times = 2 if name == 'table1_mnist' else 1  # what gave the paper's figures, docs/reproduction.md
        assert min(config.batch_size for config in configs) * times == next(iter(configs)).base_batch_size
        assert all(config.seed == 123 for config in configs)  # not given: the sweep gives them


def plan_of(script: str, flags: tuple[str, ...], results) -> tuple[int, str, str]:
    """Have a command print its plan, on generated data where its own is not there; returns status, plan, complaints."""
    if '--init-from' in flags:  # of a run that another line makes
        start = flags.index('--init-from')
        flags = (*flags[:start], *flags[start + 2 :])
    config = config_of(script, flags)
    assert config.dataset in {*list_datasets(), *GENERATED} or config.dataset.startswith('fake')
    try:
        get_dataset(config.dataset)
    except ValueError:
        flags = (*flags, '--dataset', GENERATED[config.dataset], '--augment')
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = SCRIPTS[script].main([*flags, '--results_dir', str(results), '--dry-run'])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize('is_digits', [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_command_of_a_suite_passes_a_dry_run(is_digits, tmp_path):
    failures = []
    for row, (script, flags) in SHIPPED.items():
        if re.fullmatch(r'keskar_figure5-from_epoch([2-9]|\d\d)', row):  # of a hundred that differ in the number
            continue
        if ('digits' in flags) == is_digits:
            status, plan, complaints = plan_of(script, flags, tmp_path / 'results')
            config = config_of(script, flags)
            folder, length = f'{tmp_path}/results/{config.save}/', f' {num_epochs(config):,} epochs'
            missing = [word for word in ('model', 'batch', 'regime', folder, length) if word not in plan]
            if status or missing:
                failures.append((row, missing, complaints))
    assert not failures
    assert list(tmp_path.iterdir()) == []


def test_every_command_in_a_docstring_passes_a_dry_run(tmp_path):
    for path in SCRIPTS:
        docstring = ast.get_docstring(ast.parse((PROJECT / path).read_text()))
        lines = [line.strip() for line in docstring.splitlines() if line.strip().startswith('python ')]
        assert lines
        for _, script, *flags in map(shlex.split, lines):
            status, plan, complaints = plan_of(script, tuple(flags), tmp_path / 'results')
            assert status == 0 and 'regime' in plan, (flags, complaints)


# What each of them is


def test_a_table_has_the_rows_of_the_paper():
    for name, (dataset, base, epochs, networks) in TABLES.items():
        configs = configs_of(name)
        assert {row: columns(config) for row, config in configs.items()} == {
            f'{net}_{row}': expected for net, (_, rows) in networks.items() for row, expected in rows.items()
        }, name
        for row, config in configs.items():
            model = next(model for net, (model, _) in networks.items() if row.startswith(f'{net}_'))
            assert (config.dataset, config.base_batch_size, config.epochs, config.flip) == (dataset, base, epochs, True)
            assert (config.model, config.model_config, config.regime) == (model, {}, None), (name, row)


def test_a_figure_has_its_ladders_of_batch_sizes():
    for name, (dataset, model, base, epochs, ladders) in FIGURES.items():
        configs = configs_of(name)
        assert {row: columns(config) for row, config in configs.items()} == {
            f'{ladder}_bs{batch}': (batch, base if ghosts else None, lr, adapted)
            for ladder, (batches, (ghosts, lr, adapted)) in ladders.items()
            for batch in batches
        }, name
        for config in configs.values():
            assert (config.dataset, config.model) == (dataset, model), name
            assert (config.base_batch_size, config.epochs, config.flip) == (base, epochs, dataset == 'cifar10'), name
            assert not name.startswith('figure2') or tuple(config.regime) == (0,)  # the rate is never dropped


def test_the_quickstart_trains_on_real_data_without_a_download():
    assert {config.dataset for config in configs_of('quickstart').values()} == {'digits'}


def test_a_study_is_a_grid_of_batches_and_rates_and_one_over_ghosts():
    for name, (dataset, epochs, drops, batches, exponents, networks, ghost_batches, prefix) in STUDIES.items():
        grid = {
            f'{network}bs{batch}_eta1_{2**k}': (batch, None, 2.0**-k)
            for network in networks for batch in batches for k in exponents
        }  # fmt: skip
        ghosts = {f'{prefix}ghosts{ghost}_bs{batch}': (batch, ghost) for batch in ghost_batches for ghost in (2, 8, 32)}
        configs = configs_of(name)
        assert set(configs) == {*grid, *ghosts}
        for row, config in configs.items():
            found = (config.batch_size, config.ghost_batch_size, config.base_lr_per_example)
            assert found == grid.get(row, (*ghosts.get(row, ()), config.base_lr_per_example)), row
            assert math.frexp(config.base_lr_per_example)[0] == 0.5  # a power of two, exactly
            assert config.lr == config.base_lr_per_example * config.batch_size
            assert (config.dataset, config.epochs, config.base_batch_size) == (dataset, epochs, 2)
            assert (config.momentum, config.clip_grad, config.lr_scaling, config.flip) == (0.0, 0.0, 'none', False)
            assert {epoch: entry['lr'] for epoch, entry in config.regime.items()} == dict(
                zip((0, *drops), (1, 0.1, 0.01), strict=True)
            )
        assert drops == (epochs // 2, math.ceil(0.75 * epochs))


def test_the_networks_of_the_study_are_those_of_the_paper():
    for row, config in configs_of('small_batch').items():
        network = row.partition('_')[0]
        batch_norm = '_bn_' in row or 'ghosts' in row
        assert config.model == ('alexnet_small' if network == 'alexnet' else 'resnet')
        assert config.model_config.get('norm', 'batch') == ('batch' if batch_norm else 'none')
        assert config.model_config.get('depth') == (None if network == 'alexnet' else int(network[6:]))
        assert config.weight_decay == (5e-4 if network == 'alexnet' else 1e-4)
        assert config.augment is False


@pytest.mark.parametrize(('name', 'base', 'batch', 'epochs', 'flag', 'repairs'), [
    ('methods', 128, 4096, 50, 1280, REPAIRS), ('methods_digits', 32, 640, 8, 120, (*REPAIRS, 'crops')),
])  # fmt: skip
def test_every_repair_is_tried_at_equal_epochs_and_at_equal_updates(name, base, batch, epochs, flag, repairs):
    given = {
        flags[flags.index('--save') + 1]: given_flags(script, flags) for script, *flags in find_suite(name).commands
    }
    rows = [f'{first}_{repair}' for first in ('gbn', 'ra') for repair in repairs]
    assert set(given) == {'sb', 'lb', 'lb_lr', 'gbn', 'ra', *rows}
    for row, flags in given.items():
        assert (flags['batch_size'], flags['base_batch_size']) == (base if row == 'sb' else batch, base)
        assert flags.get('mini_batch_size', base) == base
        assert flags['epochs'] + flags.get('swap_epochs', 0) == epochs
        assert flags.get('regime_bb_fix', False) == row.startswith('ra')
        assert flags['lr_bb_fix'] == (row not in ('sb', 'lb', 'gbn_noise', 'ra_noise'))
    for repair in repairs:
        first, second = dict(given[f'gbn_{repair}']), dict(given[f'ra_{repair}'])
        first_start, second_start = first.pop('swa_start', None), second.pop('swa_start', None)
        assert second_start == (first_start and first_start * batch // base)
        assert second.pop('regime_bb_fix')
        assert {**first, 'save': ''} == {**second, 'save': ''}
    assert given['ra_swa']['swa_start'] == flag


def measured_of(name: str) -> list[str]:
    """List the paths that a suite measures; its lines that measure sharpness parse."""
    import measure_sharpness

    lines = [command for command in find_suite(name).commands if command[0] in MEASURING]
    for script, *flags in lines:
        assert script != 'measure_sharpness.py' or measure_sharpness.build_parser().parse_args(flags).evaluate
    return [word for line in lines for word in line if word.startswith('TrainingResults/')]


@pytest.mark.parametrize('kind', KESKAR)
def test_keskars_suites_train_alike_and_measure_what_they_train(kind):
    dataset, model, small, large, batches, starts = KESKAR[kind]
    figures = [configs_of(f'keskar_figure{number}{kind}') for number in (4, 5, 6)]
    for config in (config for rows in figures for config in rows.values()):
        assert (config.dataset, config.model, config.base_batch_size) == (dataset, model, small)
        assert (config.lr_scaling, config.pixels, config.augment, config.flip) == ('none', 'unit', False, False)
        assert config.ghost_batch_size is None
        assert config.regime in (None, {0: {'optimizer': 'Adam', 'lr': 1e-3}})
        assert kind or config.epochs == 100
    assert {config.batch_size for config in figures[0].values()} == set(batches)
    assert measured_of(f'keskar_figure4{kind}') == [f'TrainingResults/bs{size}' for size in batches]
    first = figures[1].pop('small')
    assert (first.batch_size, first.save_all, first.epochs) == (small, True, max(starts))
    assert {row: (config.batch_size, config.init_from) for row, config in figures[1].items()} == {
        f'from_epoch{epoch}': (large, f'TrainingResults/small/checkpoint_epoch_{epoch}.pth.tar') for epoch in starts
    }
    assert measured_of(f'keskar_figure5{kind}') == [f'TrainingResults/from_epoch{epoch}' for epoch in starts]
    assert {row: config.batch_size for row, config in figures[2].items()} == {'small': small, 'large': large}
    for row, config in figures[2].items():
        start, end = f'TrainingResults/{row}/checkpoint_epoch_', '.pth.tar'
        paths = [path for path in measured_of(f'keskar_figure6{kind}') if path.startswith(start)]
        epochs = [int(path[len(start) : -len(end)]) for path in paths]
        assert epochs == sorted(set(epochs)) and len(epochs) >= 8
        assert (epochs[-1], config.save_all) == (config.epochs, True)


# What the digits figures show, with one seed


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train rows of a suite in this process; returns the last rows of a table of theirs."""
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)

    def train(suite: str, *rows: str, more: tuple[str, ...] = (), table: str = 'results.csv'):
        for row in rows:
            script, flags = SHIPPED[f'{suite}-{row}']
            assert SCRIPTS[script].main([*flags, *more, '--seed', '0', '--results_dir', str(tmp_path)]) == 0
        return [
            {key: float(value or 'nan') for key, value in read_rows(tmp_path / row / table)[-1].items()} for row in rows
        ]

    return train


@pytest.mark.slow
def test_figure_2_shows_that_large_batches_fall_short_and_then_agree(trained):
    rows = ('before_bs32', 'before_bs640', 'after_bs640')
    small, large, repaired = trained('figure2_digits', *rows, more=('--epochs', '8'), table='weight_distance.csv')
    assert small['step'] == large['step'] == repaired['step']
    assert large['weight_distance'] < 0.6 * small['weight_distance']
    assert repaired['weight_distance'] == pytest.approx(small['weight_distance'], rel=0.15)


@pytest.mark.slow
def test_figures_1_and_3_show_the_gap_its_repair_and_that_the_adapted_regime_closes_it(trained):
    rows = trained('figure3_digits', 'small_bs32', 'same_epochs_bs640', 'adapted_bs640')
    small, same_epochs, adapted = (row['val_error1'] for row in rows)
    assert same_epochs > small + 0.5 > adapted
    plain, repaired = (row['val_error1'] for row in trained('figure1_digits', 'plain_bs640', 'lr_gbn_bs640'))
    assert plain > 2 * repaired
