"""The suites that come with the project: every command of them can run, and is the one that it should be."""

import ast
import contextlib
import functools
import io
import math
import re
import shlex
from collections.abc import Sequence

import pytest

import measure_sharpness
from data import get_dataset, list_datasets
from models import list_models
from tests.conftest import PROJECT, read_rows
from tests.sweep_helpers import SCRIPTS
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.config.run import RunConfig
from utils.parser import Parser
from utils.sweeps.commands import MEASURING, given_flags
from utils.sweeps.suite import SUITES, find_suite, list_suites

TRAINING = ('main_normal.py', 'main_gbn.py')
SHIPPED = {
    f'{suite.name}-{flags[flags.index("--save") + 1]}': (script, tuple(flags))
    for suite in list_suites() for script, *flags in suite.commands if script in TRAINING
}  # fmt: skip
# Data of the shape of what is missing, no more than the largest batch needs; AlexNet scales images of any size.
GENERATED = {
    'mnist': 'fake:4096:1x28x28:10', 'cifar10': 'fake:10240:3x32x32:10', 'cifar100': 'fake:4096:3x32x32:100',
    'imagenet': 'fake:8192:3x8x8:1000', 'cifar10_jpg': 'fake:4096:3x32x32:10',
}  # fmt: skip

# row -> batch size, ghosts, scaled rate, adapted regime; by hand from Table 1 of the paper
TABLE = {
    'sb': (128, None, False, False), 'lb': (4096, None, False, False), 'lb_lr': (4096, None, True, False),
    'lb_lr_gbn': (4096, 128, True, False), 'lb_lr_gbn_ra': (4096, 128, True, True),
}  # fmt: skip
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
# figure, all of ResNet on CIFAR-10 -> epochs, and for each name of rows: batch sizes, (ghosts, scaled rate, adapted)
FIGURES = {
    'figure1': (200, {
        'plain': ((128, 256, 512, 1024, 2048, 4096), PLAIN),
        'lr_gbn': ((256, 512, 1024, 2048, 4096), LR_GBN),
        'lr_gbn_ra': ((256, 512, 1024, 2048, 4096), ALL),
    }),
    'figure2': (20, {'before': ((128, 512, 2048, 4096), STRETCHED), 'after': ((512, 2048, 4096), ALL)}),
    'figure3': (200, {
        'small': ((128,), PLAIN), 'same_epochs': ((1024, 4096), LR_GBN), 'adapted': ((1024, 4096), ALL),
    }),
}  # fmt: skip


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
    return resolved(script, tuple(flags))


def configs_of(name: str) -> dict[str, RunConfig]:
    configs = [config_of(script, flags) for script, *flags in find_suite(name).commands if script in TRAINING]
    return {config.save: config for config in configs}


def columns(config: RunConfig) -> tuple:
    return config.batch_size, config.ghost_batch_size, config.lr_scaling == 'sqrt', config.regime_bb_fix


def num_epochs(config: RunConfig) -> int:
    factor = -(-config.batch_size // config.base_batch_size) if config.regime_bb_fix else 1
    return config.epochs * factor * config.regime_bb_multi


def test_every_suite_is_listed_and_says_what_it_costs():
    suites = list_suites()
    assert [suite.name for suite in suites] == sorted(path.stem for path in SUITES.glob('*.sh'))
    for suite in suites:
        assert len(suite.description) > 20 and len(f'{suite.name:23}{suite.description}') <= 145, suite.name
        if suite.name == 'readme' or suite.name.startswith('reproduction'):
            continue
        lengths = [num_epochs(config) for config in configs_of(suite.name).values()]
        said = {word: number for number, word in re.findall(r'([\d,]+) (runs|epochs)', suite.description)}
        assert said['runs'] == f'{len(suite.runs()):,}', suite.name
        if number := said.get('epochs'):  # of all runs, or of the longest
            true = sum(lengths) * suite.num_seeds if f'runs, {number} epochs' in suite.description else max(lengths)
            assert number == f'{true:,}', suite.name


def test_nothing_that_decides_between_rows_is_left_to_a_default():
    for row, (script, flags) in SHIPPED.items():
        if not row.startswith('readme-'):
            assert '--base-batch-size' in flags, row
            assert sum(flag in flags for flag in ('--lr_bb_fix', '--no-lr_bb_fix')) == 1, row
            assert sum(flag in flags for flag in ('--flip', '--no-flip')) == 1, row
            assert ('--mini-batch-size' in flags) == (script == 'main_gbn.py'), row


def test_the_rows_of_a_suite_can_be_compared():
    for name in ('quickstart', *TABLES, *FIGURES, *(f'{figure}_digits' for figure in FIGURES)):
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
    try:
        get_dataset(config_of(script, flags).dataset)
    except ValueError:
        flags = (*flags, '--dataset', GENERATED[config_of(script, flags).dataset], '--augment')
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = SCRIPTS[script].main([*flags, '--results_dir', str(results), '--dry-run'])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.slow
def test_every_command_of_a_suite_passes_a_dry_run(tmp_path):
    failures = []
    for row, (script, flags) in SHIPPED.items():
        if re.fullmatch(r'keskar_figure5-from_epoch([2-9]|\d\d)', row):  # of a hundred that differ in the number
            continue
        if '_digits-' not in row:
            status, plan, complaints = plan_of(script, flags, tmp_path / 'results')
            config = config_of(script, flags)
            folder, length = f'{tmp_path}/results/{config.save}/', f' {num_epochs(config):,} epochs'
            missing = [word for word in ('model', 'batch', 'regime', folder, length) if word not in plan]
            if status or missing:
                failures.append((row, missing, complaints))
    assert not failures
    assert list(tmp_path.iterdir()) == []


def test_every_command_in_a_docstring_passes_a_dry_run(tmp_path):
    for path in TRAINING:
        docstring = ast.get_docstring(ast.parse((PROJECT / path).read_text()))
        lines = [line.strip() for line in docstring.splitlines() if line.strip().startswith('python ')]
        assert lines
        for _, script, *flags in map(shlex.split, lines):
            status, plan, complaints = plan_of(script, tuple(flags), tmp_path / 'results')
            assert status == 0 and 'regime' in plan, (flags, complaints)


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
    for name, (epochs, ladders) in FIGURES.items():
        configs = configs_of(name)
        assert {row: columns(config) for row, config in configs.items()} == {
            f'{ladder}_bs{batch}': (batch, 128 if ghosts else None, lr, adapted)
            for ladder, (batches, (ghosts, lr, adapted)) in ladders.items()
            for batch in batches
        }, name
        for config in configs.values():
            assert (config.dataset, config.model, config.base_batch_size) == ('cifar10', 'resnet', 128), name
            assert (config.epochs, config.flip) == (epochs, True), name
            assert name != 'figure2' or tuple(config.regime) == (0,)  # the rate is never dropped


def test_the_study_of_small_batches_is_a_grid_of_batches_and_rates_and_one_over_ghosts():
    networks = ('alexnet', 'resnet8', 'resnet20', 'resnet32', 'resnet32_bn')
    grid = {
        f'{network}_bs{batch}_eta1_{2**k}': (batch, None, 2.0**-k)
        for network in networks for batch in (2, 8, 32, 128, 512) for k in (12, 10, 8, 6, 4)
    }  # fmt: skip
    ghosts = {
        f'resnet32_ghosts{ghost}_bs{batch}': (batch, ghost) for batch in (32, 128, 512) for ghost in (2, 8, 32)
    }  # fmt: skip
    configs = configs_of('small_batch')
    assert set(configs) == {*grid, *ghosts}
    for row, config in configs.items():
        rate, network = config.base_lr_per_example, row.partition('_')[0]
        found = (config.batch_size, config.ghost_batch_size, rate)
        assert found == grid.get(row, (*ghosts.get(row, ()), rate)), row
        assert math.frexp(rate)[0] == 0.5  # a power of two, exactly
        assert config.lr == rate * config.batch_size
        assert (config.dataset, config.epochs, config.base_batch_size) == ('cifar10', 82, 2)
        assert (config.momentum, config.clip_grad, config.lr_scaling, config.flip) == (0.0, 0.0, 'none', False)
        assert {epoch: entry['lr'] for epoch, entry in config.regime.items()} == {0: 1, 41: 0.1, 62: 0.01}
        has_norm, depth = '_bn_' in row or 'ghosts' in row, None if network == 'alexnet' else int(network[6:])
        assert config.model == ('alexnet_small' if network == 'alexnet' else 'resnet')
        assert config.model_config.get('norm', 'batch') == ('batch' if has_norm else 'none')
        assert config.model_config.get('depth') == depth
        assert (config.weight_decay, config.augment) == (5e-4 if network == 'alexnet' else 1e-4, False)


def test_every_repair_is_tried_at_equal_epochs_and_at_equal_updates():
    repairs = ('smooth', 'ada', 'noise', 'copies', 'swa', 'swap')
    given = {
        flags[flags.index('--save') + 1]: given_flags(script, flags)
        for script, *flags in find_suite('methods').commands
    }
    rows = [f'{first}_{repair}' for first in ('gbn', 'ra') for repair in repairs]
    assert set(given) == {'sb', 'lb', 'lb_lr', 'gbn', 'ra', *rows}
    for row, flags in given.items():
        assert (flags['batch_size'], flags['base_batch_size']) == (128 if row == 'sb' else 4096, 128)
        assert flags.get('mini_batch_size', 128) == 128
        assert flags['epochs'] + flags.get('swap_epochs', 0) == 50
        assert flags.get('regime_bb_fix', False) == row.startswith('ra')
        assert flags['lr_bb_fix'] == (row not in ('sb', 'lb', 'gbn_noise', 'ra_noise'))
    for repair in repairs:
        first, second = dict(given[f'gbn_{repair}']), dict(given[f'ra_{repair}'])
        first_start, second_start = first.pop('swa_start', None), second.pop('swa_start', None)
        assert second_start == (first_start and first_start * 4096 // 128)
        assert second.pop('regime_bb_fix')
        assert {**first, 'save': ''} == {**second, 'save': ''}
    assert given['ra_swa']['swa_start'] == 1280


def measured_of(name: str) -> list[str]:
    """List the paths that a suite measures; its lines that measure sharpness parse."""
    lines = [command for command in find_suite(name).commands if command[0] in MEASURING]
    for script, *flags in lines:
        assert script != 'measure_sharpness.py' or measure_sharpness.build_parser().parse_args(flags).evaluate
    return [word for line in lines for word in line if word.startswith('TrainingResults/')]


def test_keskars_suites_train_alike_and_measure_what_they_train():
    figures = [configs_of(f'keskar_figure{number}') for number in (4, 5, 6)]
    for config in (config for rows in figures for config in rows.values()):
        assert (config.dataset, config.model, config.base_batch_size) == ('cifar10', 'keskar_c1', 256)
        assert (config.lr_scaling, config.pixels, config.augment, config.flip) == ('none', 'unit', False, False)
        assert (config.ghost_batch_size, config.epochs) == (None, 100)
        assert config.regime in (None, {0: {'optimizer': 'Adam', 'lr': 1e-3}})
    batches = (256, 512, 1024, 2048, 5000, 10000)
    assert {config.batch_size for config in figures[0].values()} == set(batches)
    assert measured_of('keskar_figure4') == [f'TrainingResults/bs{size}' for size in batches]
    first = figures[1].pop('small')
    assert (first.batch_size, first.save_all) == (256, True)
    assert {row: (config.batch_size, config.init_from) for row, config in figures[1].items()} == {
        f'from_epoch{epoch}': (5000, f'TrainingResults/small/checkpoint_epoch_{epoch}.pth.tar')
        for epoch in range(1, 101)
    }
    assert measured_of('keskar_figure5') == [f'TrainingResults/from_epoch{epoch}' for epoch in range(1, 101)]
    assert {row: config.batch_size for row, config in figures[2].items()} == {'small': 256, 'large': 5000}
    for row, config in figures[2].items():
        start, end = f'TrainingResults/{row}/checkpoint_epoch_', '.pth.tar'
        paths = [path for path in measured_of('keskar_figure6') if path.startswith(start)]
        epochs = [int(path[len(start) : -len(end)]) for path in paths]
        assert epochs == sorted(set(epochs)) and len(epochs) >= 8
        assert (epochs[-1], config.save_all) == (config.epochs, True)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train rows of a suite in this process with one seed; returns the last rows of a table of theirs."""
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
