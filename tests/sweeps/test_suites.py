"""The suites that come with the project: every command of them can run, and is the one that it should be."""

from __future__ import annotations

import ast
import re
import shlex

import pytest

from data import get_dataset, list_datasets
from models import list_models
from tests.conftest import PROJECT, main_gbn, main_normal, read_rows
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.config.run import RunConfig
from utils.sweeps.suite import SUITES, find_suite, list_suites

SCRIPTS = {'main_normal.py': main_normal, 'main_gbn.py': main_gbn}
SHIPPED = [
    pytest.param(script, tuple(flags), id=f'{suite.name}-{flags[flags.index("--save") + 1]}')
    for suite in list_suites() for script, *flags in suite.commands if script in SCRIPTS
]  # fmt: skip

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
TABLE_8192 = {
    'sb': (128, None, False, False),
    'lb4096': (4096, None, False, False),
    'lb4096_lr': (4096, None, True, False),
    'lb4096_lr_gbn': (4096, 128, True, False),
    'lb4096_lr_gbn_ra': (4096, 128, True, True),
    'lb8192': (8192, None, False, False),
    'lb8192_lr': (8192, None, True, False),
    'lb8192_lr_gbn': (8192, 128, True, False),
    'lb8192_lr_gbn_ra': (8192, 128, True, True),
}
# suite -> data set, base batch, epochs, mirrored, and for each name of rows: network, rows
TABLES = {
    'table1_mnist': ('mnist', 256, 50, True, {'f1': ('mnist_f1', TABLE)}),
    'table1_cifar10': ('cifar10', 128, 200, True, {
        'c1': ('cifar10_shallow', TABLE), 'resnet44': ('resnet', TABLE), 'vgg': ('vgg', TABLE),
    }),
    'table1_cifar100': ('cifar100', 128, 200, True, {
        'c3': ('cifar100_shallow', TABLE), 'wresnet16_4': ('wresnet16_4', TABLE),
    }),
    'table1_imagenet': ('imagenet', 128, 30, True, {'alexnet': ('alexnet', TABLE_8192)}),
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


def config_of(script: str, flags: tuple[str, ...]) -> RunConfig:
    """Resolve a command as its script does."""
    parser = build_parser(None, list_models(), list_datasets(), prog=script, batch_size=256)
    if script == 'main_gbn.py':
        add_ghost_args(parser, default=128)
    return parse_config(parser, list(flags))


def configs_of(name: str) -> dict[str, RunConfig]:
    """Resolve the rows of a suite, by name."""
    configs = [config_of(script, flags) for script, *flags in find_suite(name).commands]
    return {config.save: config for config in configs}


def columns(config: RunConfig) -> tuple:
    return config.batch_size, config.ghost_batch_size, config.lr_scaling == 'sqrt', config.regime_bb_fix


def num_epochs(config: RunConfig) -> int:
    factor = -(-config.batch_size // config.base_batch_size) if config.regime_bb_fix else 1
    return config.epochs * factor * config.regime_bb_multi


# What all of them are like


def test_every_suite_is_there_and_says_what_it_shows_in_a_line():
    names = [suite.name for suite in list_suites()]
    assert names == sorted(path.stem for path in SUITES.glob('*.sh'))
    assert set(names) >= {'quickstart', 'readme', *TABLES, *FIGURES}
    for suite in list_suites():
        assert len(suite.description) > 20, suite.name
    for name in (*TABLES, *FIGURES):
        assert len(f'{name:17}{find_suite(name).description}') <= 120


@pytest.mark.parametrize('name', ['quickstart', *TABLES, *FIGURES])
def test_what_a_description_says_about_the_cost_is_so(name):
    suite, configs = find_suite(name), configs_of(name)
    numbers = re.findall(r'([\d,]+) (runs|epochs)', suite.description)
    assert 'runs' in dict(map(reversed, numbers))
    for number, word in numbers:
        true = len(suite.runs()) if word == 'runs' else sum(map(num_epochs, configs.values())) * suite.num_seeds
        if f'to {number} epochs' in suite.description:
            true = max(map(num_epochs, configs.values()))
        assert int(number.replace(',', '')) == true


@pytest.mark.parametrize(('script', 'flags'), [row for row in SHIPPED if not row.id.startswith('readme-')])
def test_nothing_that_decides_between_rows_is_left_to_a_default(script, flags):
    assert '--base-batch-size' in flags
    assert sum(flag in flags for flag in ('--lr_bb_fix', '--no-lr_bb_fix')) == 1
    assert sum(flag in flags for flag in ('--flip', '--no-flip')) == 1
    assert ('--mini-batch-size' in flags) == (script == 'main_gbn.py')


@pytest.mark.parametrize('name', ['quickstart', *TABLES, *FIGURES])
def test_the_rows_of_a_suite_can_be_compared(name):
    configs = configs_of(name).values()
    for setting in ('dataset', 'base_batch_size', 'epochs', 'flip', 'augment', 'clip_grad', 'drop_last', 'regime'):
        assert len({str(getattr(config, setting)) for config in configs}) == 1, setting
    times = 2 if name == 'table1_mnist' else 1  # what gave the paper's figures, docs/reproduction.md
    assert min(config.batch_size for config in configs) * times == next(iter(configs)).base_batch_size
    assert all(config.seed == 123 for config in configs)  # not given: the sweep gives them


def check_plan(script: str, flags: tuple[str, ...], capsys, tmp_path) -> str:
    """Assert that a command passes --dry-run and creates nothing, on generated data where its own is not there."""
    if '--init-from' in flags:  # of a run that another line makes
        start = flags.index('--init-from')
        flags = (*flags[:start], *flags[start + 2 :])
    config = config_of(script, flags)
    assert config.dataset in {*list_datasets(), *GENERATED} or config.dataset.startswith('fake')
    try:
        get_dataset(config.dataset)
    except ValueError:
        assert config.dataset in GENERATED
        flags = (*flags, '--dataset', GENERATED[config.dataset], '--augment')
    capsys.readouterr()
    status = SCRIPTS[script].main([*flags, '--results_dir', str(tmp_path / 'results'), '--dry-run'])
    shown = capsys.readouterr()
    assert list(tmp_path.iterdir()) == []
    assert status == 0, shown.err
    return shown.out


@pytest.mark.parametrize(('script', 'flags'), [
    pytest.param(*row.values, id=row.id, marks=() if 'digits' in row.values[1] else pytest.mark.slow) for row in SHIPPED
    if not re.fullmatch(r'keskar_figure5-from_epoch([2-9]|\d\d)', row.id)  # of a hundred that differ in the number
])  # fmt: skip
def test_every_command_of_a_suite_passes_a_dry_run(script, flags, capsys, tmp_path):
    plan = check_plan(script, flags, capsys, tmp_path)
    config = config_of(script, flags)
    for word in ('model', 'batch', 'regime', f'{tmp_path}/results/{config.save}/', f' {num_epochs(config):,} epochs'):
        assert word in plan


def shown_in_docstrings() -> list:
    cases = []
    for path in SCRIPTS:
        docstring = ast.get_docstring(ast.parse((PROJECT / path).read_text()))
        lines = [line.strip() for line in docstring.splitlines() if line.strip().startswith('python ')]
        cases += [(script, tuple(flags)) for _, script, *flags in map(shlex.split, lines)]
    return cases


@pytest.mark.parametrize(('script', 'flags'), shown_in_docstrings())
def test_every_command_in_a_docstring_passes_a_dry_run(script, flags, capsys, tmp_path):
    assert 'regime' in check_plan(script, flags, capsys, tmp_path)


# What each of them is


@pytest.mark.parametrize('name', TABLES)
def test_a_table_has_the_rows_of_the_paper(name):
    dataset, base, epochs, flip, networks = TABLES[name]
    configs = configs_of(name)
    assert {row: columns(config) for row, config in configs.items()} == {
        f'{net}_{row}': expected for net, (_, rows) in networks.items() for row, expected in rows.items()
    }
    for row, config in configs.items():
        model = next(model for net, (model, _) in networks.items() if row.startswith(f'{net}_'))
        assert (config.dataset, config.base_batch_size, config.epochs, config.flip) == (dataset, base, epochs, flip)
        assert (config.model, config.model_config, config.regime) == (model, {}, None)


@pytest.mark.parametrize('name', FIGURES)
def test_a_figure_has_its_ladders_of_batch_sizes(name):
    dataset, model, base, epochs, ladders = FIGURES[name]
    configs = configs_of(name)
    assert {row: columns(config) for row, config in configs.items()} == {
        f'{ladder}_bs{batch}': (batch, base if ghosts else None, lr, adapted)
        for ladder, (batches, (ghosts, lr, adapted)) in ladders.items()
        for batch in batches
    }
    for config in configs.values():
        assert (config.dataset, config.model, config.base_batch_size, config.epochs) == (dataset, model, base, epochs)
        assert config.flip == (dataset == 'cifar10')


def test_the_quickstart_trains_on_real_data_without_a_download():
    configs = configs_of('quickstart').values()
    assert {config.dataset for config in configs} == {'digits'}
    assert find_suite('quickstart').num_seeds >= 3


@pytest.mark.parametrize('name', ['figure2', 'figure2_digits'])
def test_the_rate_of_figure_2_is_never_dropped(name):
    assert {tuple(config.regime) for config in configs_of(name).values()} == {(0,)}


# What the digits figures show, with one seed


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train rows of a suite in this process; returns their run folders."""
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)

    def train(suite: str, *rows: str, more: tuple[str, ...] = ()):
        commands = {flags[flags.index('--save') + 1]: (script, flags) for script, *flags in find_suite(suite).commands}
        for row in rows:
            script, flags = commands[row]
            assert SCRIPTS[script].main([*flags, *more, '--seed', '0', '--results_dir', str(tmp_path)]) == 0
        return [tmp_path / row for row in rows]

    return train


def last_errors(folders) -> list[float]:
    return [float(read_rows(folder / 'results.csv')[-1]['val_error1']) for folder in folders]


@pytest.mark.slow
def test_figure_1_shows_the_gap_and_the_repair(trained):
    small, large, repaired = last_errors(trained('figure1_digits', 'plain_bs32', 'plain_bs640', 'lr_gbn_bs640'))
    assert large > 3 * small
    assert repaired < large / 2


@pytest.mark.slow
def test_figure_2_shows_that_large_batches_fall_short_and_then_agree(trained):
    folders = trained('figure2_digits', 'before_bs32', 'before_bs640', 'after_bs640', more=('--epochs', '8'))
    small, large, repaired = (read_rows(folder / 'weight_distance.csv')[-1] for folder in folders)
    assert small['step'] == large['step'] == repaired['step']
    assert float(large['weight_distance']) < 0.6 * float(small['weight_distance'])
    assert float(repaired['weight_distance']) == pytest.approx(float(small['weight_distance']), rel=0.15)


@pytest.mark.slow
def test_figure_3_shows_that_the_adapted_regime_closes_the_gap(trained):
    folders = trained('figure3_digits', 'small_bs32', 'same_epochs_bs640', 'adapted_bs640')
    small, same_epochs, adapted = last_errors(folders)
    assert same_epochs > small + 0.5
    assert adapted < small + 0.5
