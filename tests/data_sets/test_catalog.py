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
from data_sets import fake
from data_sets.catalog import PhotoPreset, Preset

{facts}


def load(name, split, *, datasets_path, download):
    return fake.load('fake:64:1x8x8:2', split, datasets_path=datasets_path, download=download)
"""
PRESET = 'PRESET = Preset(pad=3, fill=9, flip=False, augment=True, mean=(0.25,), std=(0.125,))'


@pytest.fixture
def add_set(own_module, monkeypatch):
    """Add a data set with these facts in its file, as a user would."""

    def add(*facts: str) -> None:
        monkeypatch.setitem(catalog.MODULES, 'stripes', 'own_stripes')
        own_module('own_stripes', STRIPES.format(facts='\n'.join(facts)))

    return add


def test_every_line_has_a_file_that_says_what_the_set_is():
    assert len(set(LINES.values())) == len(LINES) == sum(map(len, (catalog.MODULES, catalog.FORMS, catalog.FOLDERS)))
    assert set(data.list_datasets()) <= set(LINES)
    for name, line in LINES.items():
        module, preset, transform = catalog.import_set(line), catalog.find_preset(name), get_transform(name)
        assert module.__doc__ and isinstance(module.DOWNLOADS, bool), name
        is_photo = isinstance(preset, catalog.PhotoPreset)
        assert preset is module.PRESET and (is_photo or isinstance(preset, catalog.Preset)), name
        assert (transform.mean, transform.std, transform.flip) == (preset.mean, preset.std, preset.flip), name
        assert transform.augment and default_augment(name) is preset.augment, name
        assert isinstance(transform, PhotoTransform) is is_photo, name
        assert transform.output_size((32, 40)) == ((PHOTO_SIZE, PHOTO_SIZE) if is_photo else (32, 40)), name


def test_what_a_set_says_of_its_files_is_so(tmp_path):
    for name in data.list_datasets():
        if not data.needs_files(name):
            assert not data.is_downloadable(name) and len(data.get_dataset(name, datasets_path=tmp_path))
        else:
            message = refusal(lambda name=name: data.get_dataset(name, datasets_path=tmp_path))
            assert str(tmp_path) in message and ('--download' in message) is data.is_downloadable(name), name
        assert not list(tmp_path.iterdir()), name


def test_a_name_is_that_of_one_set():
    names = {name: name for name in data.list_datasets()}
    names |= {'fake:7': 'fake', 'fake:x.npz': 'fake', 'fake:': 'fake', 'own.npz': '*.npz', 'mnist/own.npz': '*.npz'}
    names |= dict.fromkeys(('fakes', 'mnist:3', 'npz', './mnist'), 'folder')
    for name, line in names.items():
        assert catalog.find_set(name).__name__ == LINES[line], name
    for name in data.list_datasets():
        assert not any(catalog.import_set(LINES[form]).takes(name) for form in catalog.FORMS if form != name), name


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


def test_photographs_of_a_set_are_treated_as_its_file_says(add_set, monkeypatch, tmp_path, train, capsys):
    write_folder(tmp_path / 'photos', size=(140, 90), num=6)
    add_set('PRESET = PhotoPreset(False, True, (0.5,), (0.5,))')
    files = data.get_dataset(str(tmp_path / 'photos'))
    files.preset = None  # that of the set it is loaded as
    monkeypatch.setattr('own_stripes.load', lambda *_, datasets_path, download: files)
    plans = []
    for dataset in ('photos', 'stripes'):
        train(*TINY, '-mb', '4', '--dataset', dataset, '--datasets-dir', str(tmp_path), '--dry-run')
        plans.append(capsys.readouterr().out)
    assert [plan.count('crop and flip at random') for plan in plans] == [1, 0]


def test_a_set_needs_a_preset_to_be_transformed_and_is_told_of_the_memory_if_it_asks(add_set, own_module):
    add_set()
    message = "no transform for data set 'stripes': own_stripes.py has no PRESET"
    assert_refused(message, lambda: get_transform('stripes'))
    assert len(data.get_dataset('stripes', memory_limit=5)) == 64
    asking = 'def load(name, split, *, datasets_path, download, memory_limit=0):\n    raise ValueError(memory_limit)'
    own_module('own_stripes', asking)
    assert_refused('^5$', lambda: data.get_dataset('stripes', memory_limit=5))
