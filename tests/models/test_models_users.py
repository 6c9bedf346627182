"""A network of a user, as the README of the published code shows one, in a whole run."""

# ruff: noqa: F811 - fixtures are imported by name
import copy

import pytest
from torch import nn

import data
import models
from data_sets import catalog
from tests.conftest import TINY, main_normal, read_json, stable_rows
from tests.networks import batch_norm, registry  # noqa: F401


def example(regime):
    """The published example with its dots filled in: 1000 outputs, a regime and transforms of its own."""
    from torchvision import transforms

    class Model(nn.Module):
        def __init__(self, num_classes=1000):
            super().__init__()
            self.model = nn.Sequential(
                nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                nn.Linear(4 * 13 * 13, num_classes),
            )  # fmt: skip
            self.regime = regime
            self.input_transform = {
                'train': transforms.Compose([
                    transforms.RandomCrop(28), transforms.RandomHorizontalFlip(), transforms.ColorJitter(0.2),
                    transforms.ToTensor(),
                ]),
                'eval': transforms.Compose([transforms.CenterCrop(28), transforms.ToTensor()]),
            }  # fmt: skip

        def forward(self, inputs):
            return self.model(inputs)

    return Model


@pytest.fixture
def run_example(tmp_path, monkeypatch, registry):
    """Register a network as `model` and train it for an epoch; returns a function of the run's name and more flags."""
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)

    def run(network, save, *flags):
        registry['model'] = network
        status = main_normal.main([
            '--model', 'model', '--dataset', 'fake:64:3x32x32:4', '--b', '16', '--base-batch-size', '16',
            '--epochs', '1', '--device', 'cpu', '--results_dir', str(tmp_path), '--save', save, *flags,
        ])  # fmt: skip
        assert status == 0
        return tmp_path / save

    return run


DICT_REGIME = {
    0: {'optimizer': 'SGD', 'lr': 1e-2, 'weight_decay': 5e-4, 'momentum': 0.9},
    15: {'lr': 1e-3, 'weight_decay': 0},
}


def function_regime(epoch):
    return {'optimizer': 'SGD', 'lr': 1e-2 / (1 + epoch), 'momentum': 0.9}


@pytest.mark.parametrize('regime', [DICT_REGIME, function_regime], ids=['dict', 'function'])
def test_a_users_network_trains_alike_with_any_number_of_workers(run_example, regime):
    before, network = copy.deepcopy(regime), example(regime)
    runs = [run_example(lambda **kwargs: network(), f'workers{num}', '--workers', num) for num in ('0', '2')]
    assert stable_rows(runs[0]) == stable_rows(runs[1])
    row = stable_rows(runs[0])[0]
    assert (row['epoch'], row['step'], float(row['lr'])) == ('1', '4', 0.01)
    assert float(row['train_loss']) > 3  # 1000 outputs: it starts near log 1000, where 4 of them start at log 4
    still = run_example(lambda **kwargs: network(), 'still', '--workers', '0', '--no-augment')
    assert stable_rows(still) != stable_rows(runs[0])
    assert regime == before


def test_a_users_network_learns_the_number_of_classes_of_the_data(run_example):
    run = run_example(lambda **kwargs: example(DICT_REGIME)(kwargs['num_classes']), 'run', '--workers', '0')
    outputs = 4 * 13 * 13 * 4 + 4
    assert read_json(run / 'config.json')['num_parameters'] == 3 * 4 * 9 + 4 + batch_norm(4) + outputs


def test_an_entry_that_leads_nowhere_is_named(registry, own_module, refused):
    own_module('own_networks', 'bottle = 5\n')
    registry['bottel'] = 'models.bottel'
    registry['bottle'] = 'own_networks'
    registry['deep'] = 'models.none.deep'
    for name, words in (
        ('bottel', ("'bottel': 'models.bottel'", 'no models/bottel.py', 'mend that line')),
        ('deep', ("'deep': 'models.none.deep'", 'no models/none/deep.py')),
        ('bottle', ("'bottle': 'own_networks'", 'no function bottle', 'mend that line')),
    ):
        refused(*TINY, '-mb', '4', '--model', name, words=words)


def test_a_fault_in_a_users_file_keeps_its_traceback(registry, own_module):
    registry['own_faulty'] = 'own_faulty'
    for text, error in (
        ('import no_such_library', ModuleNotFoundError), ('import models.none', ModuleNotFoundError),
        ('1 / 0', ZeroDivisionError), ('def own_faulty(**options):\n    return options[0]', KeyError),
    ):  # fmt: skip
        own_module('own_faulty', text)
        with pytest.raises(error):
            models.create_model('own_faulty')


def test_a_wrong_option_says_where_to_look(refused):
    words = ("'num_classes': 'a'", 'check the options given')
    refused(*TINY, '-mb', '4', '--model_config', "{'num_classes': 'a'}", words=words)


def test_a_data_set_that_cannot_be_loaded_is_named(own_module, refused, monkeypatch):
    monkeypatch.setitem(catalog.MODULES, 'own', 'own_data')
    for text, words in (
        ('', ("'own_data'", 'no own_data.py')),
        ('def loads(): pass', ('own_data.py has no function load(name, split, *, datasets_path, download)',)),
        ('def load(name, split): pass', ('own_data.py: load cannot be called', 'datasets_path', 'mend its arguments')),
        ('def load(name, split, *, datasets_path, download, more): pass', ("'more'",)),
    ):
        if text:
            own_module('own_data', text)
        refused(*TINY, '-mb', '4', '--dataset', 'own', words=words)


def test_a_fault_in_a_users_data_set_keeps_its_traceback(own_module, monkeypatch):
    monkeypatch.setitem(catalog.MODULES, 'own', 'own_data')
    own_module('own_data', 'import no_such_library')
    with pytest.raises(ModuleNotFoundError, match='no_such_library'):
        data.get_dataset('own')
    own_module('own_data', 'def load(name, split, *, datasets_path, download):\n    return len(5)')
    with pytest.raises(TypeError):
        data.get_dataset('own')
