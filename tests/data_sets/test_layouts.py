"""Where official files may lie and how they may be called: as downloads and people leave them."""

import gzip
import shutil

import torch

import data
from data_sets.mnist import FOLDERS
from tests.official_files import SOURCES, small_checksums, write_all

RAW = 'mnist/MNIST/raw'


def dotted(name):
    return name.replace('-idx', '.idx')


def test_mnist_is_found_in_each_usual_folder_by_each_usual_name(tmp_path):
    expected = data.get_dataset('mnist', 'train', datasets_path=write_all(tmp_path / 'plain', 'mnist'))
    names = {
        'with a dash': lambda name: name,
        'with a dot': dotted,
        'in a folder of its name': lambda name: f'{name}/{name}',
        'in a folder of its name, with dots': lambda name: f'{name}/{dotted(name)}',
    }
    failures = []
    for number, (folder, (case, rename)) in enumerate((folder, name) for folder in FOLDERS for name in names.items()):
        for packed in (False, True) if 'folder' not in case else (False,):
            root = tmp_path / f'{number}_{packed}'
            for file in (tmp_path / 'plain' / RAW).iterdir():
                target = root / folder / (rename(file.name) + '.gz' * packed)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(gzip.compress(file.read_bytes()) if packed else file.read_bytes())
            try:
                found = data.get_dataset('mnist', 'train', datasets_path=root, download=True)
                same = torch.equal(found.images, expected.images) and torch.equal(found.targets, expected.targets)
            except ValueError as error:
                same = str(error)
            failures += [] if same is True else [(folder, case, packed, same)]
    assert failures == []


def test_files_of_two_folders_are_not_mixed(tmp_path):
    root = write_all(tmp_path, 'mnist')
    shutil.copytree(root / RAW, root / 'MNIST/raw')
    (root / RAW / 'train-labels-idx1-ubyte').unlink()
    try:
        data.get_dataset('mnist', 'train', datasets_path=root)
    except ValueError as error:
        assert f'no train-labels-idx1-ubyte (or .gz) in {root / RAW}' in str(error)
    else:
        raise AssertionError('labels of another folder were taken')


def test_the_other_sets_are_found_below_a_name_in_capitals_and_in_their_own_folder(tmp_path):
    with small_checksums(write_all(tmp_path / 'sets', *SOURCES), *SOURCES) as root:
        failures = []
        for name, source in SOURCES.items():
            expected = data.get_dataset(name, 'val', datasets_path=root).targets.tolist()
            place = tmp_path / 'capitals' / name.upper()
            shutil.copytree(root / name, place)
            for path in (tmp_path / 'capitals', place, place / source.base_folder):
                try:
                    found = data.get_dataset(name, 'val', datasets_path=path).targets.tolist()
                except ValueError as error:
                    found = str(error)
                failures += [] if found == expected else [(name, path, found)]
    assert failures == []


def test_read_only_folders_are_read(tmp_path):
    root = write_all(tmp_path, 'mnist')
    for place in sorted(root.rglob('*'), reverse=True):
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        assert len(data.get_dataset('mnist', 'val', datasets_path=root)) == 10
    finally:
        for place in root.rglob('*'):
            place.chmod(0o755)
