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


def example(regime, num_classes=1000):
    """The published example with its dots filled in: 1000 outputs, a regime and transforms of its own."""
    from torchvision import transforms

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 13 * 13, num_classes)
    )  # fmt: skip
    model.regime, random = regime, [transforms.RandomHorizontalFlip(), transforms.ColorJitter(0.2)]
    model.input_transform = {
        'train': transforms.Compose([transforms.RandomCrop(28), *random, transforms.ToTensor()]),
        'eval': transforms.Compose([transforms.CenterCrop(28), transforms.ToTensor()]),
    }
    return model


@pytest.fixture
def run_example(train, monkeypatch, registry):
    """Register a network as `model` and train it for an epoch; returns a function of the run's name and more flags."""
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
    shared = (
        '--model', 'model', '--dataset', 'fake:64:3x32x32:4', '--b', '16', '--base-batch-size', '16',
        '--epochs', '1', '--device', 'cpu',
    )  # fmt: skip

    def run(network, save, *flags):
        registry['model'] = network
        return train(*shared, *flags, script=main_normal, save=save)

    return run


DICT_REGIME = {
    0: {'optimizer': 'SGD', 'lr': 1e-2, 'weight_decay': 5e-4, 'momentum': 0.9},
    15: {'lr': 1e-3, 'weight_decay': 0},
}


def function_regime(epoch):
    return {'optimizer': 'SGD', 'lr': 1e-2 / (1 + epoch), 'momentum': 0.9}


@pytest.mark.parametrize('regime', [DICT_REGIME, function_regime], ids=['dict', 'function'])
def test_a_users_network_trains_alike_with_any_number_of_workers(run_example, regime):
    before = copy.deepcopy(regime)
    runs = [run_example(lambda **kwargs: example(regime), f'workers{num}', '--workers', num) for num in ('0', '2')]
    assert stable_rows(runs[0]) == stable_rows(runs[1])
    row = stable_rows(runs[0])[0]
    assert (row['epoch'], row['step'], float(row['lr'])) == ('1', '4', 0.01)
    assert float(row['train_loss']) > 3  # 1000 outputs: it starts near log 1000, where 4 of them start at log 4
    still = run_example(lambda **kwargs: example(regime), 'still', '--workers', '0', '--no-augment')
    assert stable_rows(still) != stable_rows(runs[0])
    assert regime == before


def test_a_users_network_learns_the_number_of_classes_of_the_data(run_example):
    run = run_example(lambda **kwargs: example(DICT_REGIME, kwargs['num_classes']), 'run', '--workers', '0')
    outputs = 4 * 13 * 13 * 4 + 4
    assert read_json(run / 'config.json')['num_parameters'] == 3 * 4 * 9 + 4 + batch_norm(4) + outputs


def test_a_network_or_a_data_set_that_cannot_be_loaded_is_named(registry, own_module, refused, monkeypatch):
    monkeypatch.setitem(catalog.MODULES, 'own', 'own_data')
    registry.update({'bottel': 'models.bottel', 'deep': 'models.none.deep', 'own': 'own_net'})
    for flag, name, text, words in (
        ('--model', 'bottel', None, ("'bottel': 'models.bottel'", 'no models/bottel.py', 'mend that line')),
        ('--model', 'deep', None, ("'deep': 'models.none.deep'", 'no models/none/deep.py')),
        ('--model', 'own', 'own = 5', ("'own': 'own_net'", 'no function own', 'mend that line')),
        ('--dataset', 'own', None, ("'own_data'", 'no own_data.py')),
        ('--dataset', 'own', '', ('own_data.py has no function load(name, split, *, datasets_path, download)',)),
        ('--dataset', 'own', 'def load(name, split): pass', ('load cannot be called', 'datasets_path', 'mend its arg')),
        ('--dataset', 'own', 'def load(name, split, *, datasets_path, download, more): pass', ("'more'",)),
        ('--model_config', "{'num_classes': 'a'}", None, ("'num_classes': 'a'", 'check the options given')),
    ):
        if text is not None:
            own_module('own_net' if flag == '--model' else 'own_data', text)
        refused(*TINY, '-mb', '4', flag, name, words=words)


def test_a_fault_in_a_users_file_keeps_its_traceback(registry, own_module, monkeypatch):
    registry['own'] = 'own_net'
    monkeypatch.setitem(catalog.MODULES, 'own', 'own_data')
    for name, make, text, error in (
        ('own_net', models.create_model, 'import no_such_library', ModuleNotFoundError),
        ('own_net', models.create_model, 'import models.none', ModuleNotFoundError),
        ('own_net', models.create_model, '1 / 0', ZeroDivisionError),
        ('own_net', models.create_model, 'def own(**options): return options[0]', KeyError),
        ('own_data', data.get_dataset, 'import no_such_library', ModuleNotFoundError),
        ('own_data', data.get_dataset, 'def load(name, split, *, datasets_path, download): len(5)', TypeError),
    ):
        own_module(name, text)
        with pytest.raises(error):
            make('own')
