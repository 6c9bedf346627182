"""The catalog of the data sets: a set is a file and a line, and the file says all else about it."""

import pytest

import data
from data_sets import catalog
from data_sets.images import PHOTO_SIZE
from preprocess import PhotoTransform, default_augment, get_transform
from tests.conftest import TINY
from tests.data_helpers import assert_refused, refusal, write_folder

LINES = {**catalog.MODULES, **catalog.FORMS, **catalog.FOLDERS}
STRIPES = """
import torch

from data_sets.arrays import ArrayDataset
from data_sets.catalog import Preset

{facts}


def load(name, split, *, datasets_path, download):
    return ArrayDataset(torch.arange(64 * 64).remainder(7).byte().view(64, 1, 8, 8), torch.arange(64) % 2)
"""
PHOTOS = """
from data_sets.catalog import PhotoPreset
from data_sets.folder import open_splits, scan

PRESET = PhotoPreset(flip=False, augment=True, mean=(0.5,), std=(0.5,))


def load(name, split, *, datasets_path, download):
    splits = open_splits(datasets_path / 'photos')
    return scan(splits.folders['train'], splits.classes)
"""
PRESET = 'PRESET = Preset(pad=3, fill=9, flip=False, augment=True, mean=(0.25,), std=(0.125,))'


@pytest.fixture
def add_set(own_module, monkeypatch):
    """Add a data set with these facts in its file, as a user would."""

    def add(*facts: str) -> None:
        monkeypatch.setitem(catalog.MODULES, 'stripes', 'own_stripes')
        own_module('own_stripes', STRIPES.format(facts='\n'.join(facts)))

    return add


# what is there


def test_every_line_has_a_file_that_says_what_the_set_is():
    assert len(set(LINES.values())) == len(LINES) == sum(map(len, (catalog.MODULES, catalog.FORMS, catalog.FOLDERS)))
    assert set(data.list_datasets()) <= set(LINES)
    for name, line in LINES.items():
        module = catalog.import_set(line)
        assert module.__doc__ and isinstance(module.DOWNLOADS, bool), name
        assert isinstance(module.PRESET, (catalog.Preset, catalog.PhotoPreset)), name
        assert catalog.find_preset(name) is module.PRESET


def test_a_transform_is_what_the_preset_says():
    for name in LINES:
        preset, transform = catalog.find_preset(name), get_transform(name)
        assert (transform.mean, transform.std, transform.flip) == (preset.mean, preset.std, preset.flip), name
        assert transform.augment and default_augment(name) is preset.augment, name
        is_photo = isinstance(preset, catalog.PhotoPreset)
        assert isinstance(transform, PhotoTransform) is is_photo, name
        assert transform.output_size((32, 40)) == ((PHOTO_SIZE, PHOTO_SIZE) if is_photo else (32, 40)), name


@pytest.mark.parametrize('name', data.list_datasets())
def test_what_a_set_says_of_its_files_is_so(name, tmp_path):
    if not data.needs_files(name):
        assert not data.is_downloadable(name)
        assert len(data.get_dataset(name, datasets_path=tmp_path)) and not list(tmp_path.iterdir())
        return
    message = refusal(lambda: data.get_dataset(name, datasets_path=tmp_path))
    assert str(tmp_path) in message and ('--download' in message) is data.is_downloadable(name)


def test_a_name_is_that_of_one_set():
    names = {name: name for name in data.list_datasets()}
    names |= {'fake:7': 'fake', 'fake:x.npz': 'fake', 'fake:': 'fake', 'own.npz': '*.npz', 'mnist/own.npz': '*.npz'}
    names |= dict.fromkeys(('fakes', 'mnist:3', 'npz', './mnist'), 'folder')
    for name, line in names.items():
        assert catalog.find_set(name).__name__ == LINES[line], name
    for name in data.list_datasets():
        assert not any(catalog.import_set(LINES[form]).takes(name) for form in catalog.FORMS if form != name), name


# what is added


def test_a_set_that_is_added_is_known_everywhere(add_set, train, capsys):
    add_set(PRESET)
    assert 'stripes' in data.list_datasets()
    transform = get_transform('stripes')
    assert (transform.pad, transform.fill, transform.flip, transform.mean) == (3, 9, False, (0.25,))
    train('--help')
    assert ', '.join(data.list_datasets()) in ' '.join(capsys.readouterr().out.split())
    run = train(*TINY, '-mb', '4', '--dataset', 'stripes', '--epochs', '1')
    assert (run / 'results.csv').is_file()


def test_download_is_warned_of_as_the_file_says(add_set, train, capsys):
    no_source = ['warning: --download has no effect: there is no source for stripes']
    no_files = ['warning: --download and --datasets-dir have no effect: stripes needs no files']
    for fact, expected in (
        ('DOWNLOADS = True', []), ('DOWNLOADS = False', no_source), ('', no_source), ('NEEDS_FILES = False', no_files),
    ):  # fmt: skip
        add_set(PRESET, fact)
        train(*TINY, '-mb', '4', '--dataset', 'stripes', '--dry-run', '--download')
        warnings = [line for line in capsys.readouterr().err.splitlines() if '--download' in line]
        assert warnings == expected, fact


def test_a_set_without_a_preset_says_where_it_goes(add_set):
    add_set('DOWNLOADS = False')
    message = "no transform for data set 'stripes': own_stripes.py has no PRESET"
    assert_refused(message, lambda: get_transform('stripes'))


def test_photographs_of_a_set_are_treated_as_its_file_says(own_module, monkeypatch, tmp_path, train, capsys):
    write_folder(tmp_path / 'photos', size=(140, 90), num=6)
    monkeypatch.setitem(catalog.MODULES, 'stripes', 'own_stripes')
    own_module('own_stripes', PHOTOS)
    plans = []
    for dataset in ('photos', 'stripes'):
        train(*TINY, '-mb', '4', '--dataset', dataset, '--datasets-dir', str(tmp_path), '--dry-run')
        plans.append(capsys.readouterr().out)
    assert [plan.count('crop and flip at random') for plan in plans] == [1, 0]


def test_a_set_is_told_of_the_memory_if_it_asks(add_set, own_module):
    add_set()
    assert len(data.get_dataset('stripes', memory_limit=5)) == 64
    asking = 'def load(name, split, *, datasets_path, download, memory_limit=0):\n    raise ValueError(memory_limit)'
    own_module('own_stripes', asking)
    assert_refused('^5$', lambda: data.get_dataset('stripes', memory_limit=5))
