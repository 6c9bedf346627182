"""The suites of the small-batch study and of all methods: their grids, and what their rows share."""

from __future__ import annotations

import math

import pytest

from data import list_datasets
from models import list_models
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.sweeps.commands import given_flags
from utils.sweeps.suite import find_suite

# suite -> data set, epochs, drops of the rate, batches, exponents of the rates, networks, batches over ghosts, prefix
STUDIES = {
    'small_batch': ('cifar10', 82, (41, 62), (2, 8, 32, 128, 512), (12, 10, 8, 6, 4), (
        'alexnet_', 'resnet8_', 'resnet20_', 'resnet32_', 'resnet32_bn_',
    ), (32, 128, 512), 'resnet32_'),
    'small_batch_digits': ('digits', 8, (4, 6), (2, 32, 128, 512), (10, 8, 6, 4), ('',), (128, 512), ''),
}  # fmt: skip
REPAIRS = ('smooth', 'ada', 'noise', 'copies', 'swa', 'swap')  # and crops, where not all rows have them


def commands_of(name: str) -> dict[str, tuple[str, list[str]]]:
    return {flags[flags.index('--save') + 1]: (script, flags) for script, *flags in find_suite(name).commands}


def config_of(script: str, flags: list[str]):
    parser = build_parser(None, list_models(), list_datasets(), prog=script, batch_size=256)
    if script == 'main_gbn.py':
        add_ghost_args(parser, default=128)
    return parse_config(parser, flags)


@pytest.mark.parametrize('name', STUDIES)
def test_a_study_is_a_grid_of_batches_and_rates_and_one_over_ghosts(name):
    dataset, epochs, drops, batches, exponents, networks, ghost_batches, prefix = STUDIES[name]
    commands = commands_of(name)
    grid = {
        f'{network}bs{batch}_eta1_{2**k}': (batch, None, 2.0**-k)
        for network in networks for batch in batches for k in exponents
    }  # fmt: skip
    ghosts = {f'{prefix}ghosts{ghost}_bs{batch}': (batch, ghost) for batch in ghost_batches for ghost in (2, 8, 32)}
    configs = {row: config_of(*command) for row, command in commands.items()}
    assert set(configs) == {*grid, *ghosts}
    for row, config in configs.items():
        found = (config.batch_size, config.ghost_batch_size, config.base_lr_per_example)
        assert found == grid.get(row, (*ghosts.get(row, ()), config.base_lr_per_example))
        assert math.frexp(config.base_lr_per_example)[0] == 0.5  # a power of two, exactly
        assert config.lr == config.base_lr_per_example * config.batch_size
        assert (config.dataset, config.epochs, config.base_batch_size) == (dataset, epochs, 2)
        assert (config.momentum, config.clip_grad, config.lr_scaling, config.flip) == (0.0, 0.0, 'none', False)
        assert tuple(config.regime) == (0, *drops)
        assert [entry['lr'] for entry in config.regime.values()] == [1, 0.1, 0.01]
    assert drops == (epochs // 2, math.ceil(0.75 * epochs))


def test_the_networks_of_the_study_are_those_of_the_paper():
    configs = {row: config_of(*command) for row, command in commands_of('small_batch').items()}
    for row, config in configs.items():
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
    commands = commands_of(name)
    rows = [f'{first}_{repair}' for first in ('gbn', 'ra') for repair in repairs]
    assert set(commands) == {'sb', 'lb', 'lb_lr', 'gbn', 'ra', *rows}
    given = {row: given_flags(script, flags) for row, (script, flags) in commands.items()}
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


@pytest.mark.parametrize('name', [*STUDIES, 'methods', 'methods_digits'])
def test_what_a_description_says_about_the_cost_is_so(name):
    suite = find_suite(name)
    assert f' {len(suite.runs())} runs, ' in suite.description
    assert suite.num_seeds == (2 if name == 'methods_digits' else 3)
    assert len(f'{name:20}{suite.description}') <= 140
