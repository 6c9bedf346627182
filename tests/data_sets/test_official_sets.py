"""cifar10, cifar100 and stl10 from small official files: what is read, where it is found, what is refused."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

import data
from tests.conftest import main_normal
from tests.data_helpers import refusal
from tests.official_files import CLASSES, SHAPES, SOURCES, draw_images, small_checksums, write_all, write_set

FILES = {  # every file that has to be there
    'cifar10': [*(f'cifar-10-batches-py/data_batch_{k}' for k in '12345'), 'cifar-10-batches-py/test_batch',
                'cifar-10-batches-py/batches.meta'],
    'cifar100': [f'cifar-100-python/{file}' for file in ('train', 'test', 'meta')],
    'stl10': [f'stl10_binary/{part}_{kind}.bin' for part in ('train', 'test') for kind in 'Xy'],
}  # fmt: skip


@pytest.fixture
def sets(tmp_path):
    """A folder of small data sets, whose checksums torchvision expects."""
    with small_checksums(write_all(tmp_path / 'sets')) as path:
        yield path


def check_refused(name: str, datasets_path: Path, *words: str, **where) -> str:
    """Assert that a set is refused in one line that holds the words; returns the line."""
    message = refusal(lambda: data.get_dataset(name, datasets_path=datasets_path, **where))
    assert '\n' not in message and message.isprintable()
    assert [word for word in words if word not in message] == [], message
    return message


@pytest.mark.parametrize('name', SHAPES)
def test_examples_are_those_in_the_files_and_of_torchvision(sets, name):
    for split, num, seed in (('train', 20, 1), ('val', 10, 2), ('test', 10, 2)):
        dataset = data.get_dataset(name, split, datasets_path=sets)
        images, labels = draw_images(name, num, seed)
        assert dataset.images.dtype == torch.uint8 and dataset.targets.dtype == torch.int64
        assert np.array_equal(dataset.images, images) and np.array_equal(dataset.targets, labels)
        assert dataset.num_classes == CLASSES[name]
    if name in SOURCES:
        part = {'split': 'test'} if name == 'stl10' else {'train': False}
        theirs = type('Labelled', (SOURCES[name],), {'train_list': SOURCES[name].train_list[:2]})(sets / name, **part)
        for (image, label), (expected, expected_label) in zip(dataset, theirs, strict=False):
            assert label == expected_label and np.array_equal(np.asarray(image), np.asarray(expected))


def test_files_may_lie_directly_in_the_folder_of_the_sets(sets):
    (sets / 'stl10/stl10_binary/unlabeled_X.bin').write_bytes(b'half of it')  # which is not needed
    for name in FILES:
        expected = data.get_dataset(name, datasets_path=sets).fingerprint()
        folder = SOURCES[name].base_folder
        shutil.move(sets / name / folder, sets / folder)
        assert data.get_dataset(name, datasets_path=sets).fingerprint() == expected
        (sets / name / folder).mkdir()  # begun and left
        assert data.get_dataset(name, datasets_path=sets).fingerprint() == expected
    shutil.rmtree(sets / 'cifar10')
    write_set(sets / 'cifar10', 'cifar10', num_train=5)
    with small_checksums(sets, 'cifar10'):  # of two complete folders that of the name is read
        assert len(data.get_dataset('cifar10', datasets_path=sets)) == 5


@pytest.mark.parametrize('name', FILES)
def test_a_missing_or_damaged_file_is_named(sets, name):
    for path in (sets / name / file for file in FILES[name]):
        whole = path.read_bytes()
        middle, remedy = len(whole) // 2, (f'delete {path.parent}', '--download')
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        for content in (whole[:middle], flipped, b''):
            path.write_bytes(content)
            for split in ('train', 'val'):
                check_refused(name, sets, f'{path} is damaged', 'checksum', *remedy, split=split)
        path.unlink()
        check_refused(name, sets, f'{path} is missing', *remedy)
        path.write_bytes(whole)


def test_files_without_the_official_checksum_or_that_cannot_be_read_are_refused(tmp_path):
    write_all(tmp_path)
    for name, files in FILES.items():
        check_refused(name, tmp_path, f'{tmp_path / name / files[0]} is damaged')
    paths = {'cifar10': tmp_path / 'cifar10' / FILES['cifar10'][2], 'stl10': tmp_path / 'stl10' / FILES['stl10'][0]}
    for path in paths.values():
        path.write_bytes(path.read_bytes()[:-100])
    with small_checksums(tmp_path):
        for name, path in paths.items():
            check_refused(name, tmp_path, f'cannot read {name} in {path.parent}: ', '--download')
        if Path('/proc/self/mem').exists():
            (path := paths['cifar10']).unlink()
            path.symlink_to('/proc/self/mem')  # a regular file, the first byte of which nobody can read
            check_refused('cifar10', tmp_path, f'cannot read cifar10 in {path.parent}: OSError: [Errno 5]')


@pytest.fixture
def no_network(monkeypatch):
    requests = []

    def fail(request, *args, **kwargs):
        requests.append(request.full_url)
        raise URLError('no\nroute')

    monkeypatch.setattr('urllib.request.urlopen', fail)
    return requests


def test_only_download_fetches_and_its_failure_is_one_line(sets, tmp_path, no_network, capsys):
    empty = tmp_path / 'empty'
    empty.mkdir()
    for name, files in FILES.items():
        data.get_dataset(name, datasets_path=sets, download=True)  # all there
        places = [f'{place}/{SOURCES[name].base_folder}' for place in (empty / name, empty)]
        names = (Path(file).name for file in files)
        check_refused(name, empty, *places, *names, '--download', '--datasets-dir', '$DATASETS_DIR')
        flags = ('--dataset', name, '--datasets-dir', str(empty), '--results_dir', str(tmp_path / 'results'))
        assert main_normal.main([*flags, '--download', '--dry-run']) == 2
        assert capsys.readouterr().err.splitlines()[-1].count('not with --dry-run') == 1
    assert list(empty.iterdir()) == [] and no_network == []
    for name in FILES:
        words = f'cannot download {name} to {empty / name}: URLError: <urlopen error no route>'
        assert 'delete' not in check_refused(name, empty, words, SOURCES[name].url, download=True)
        assert SOURCES[name].url.partition(':')[2] in no_network.pop()


@pytest.mark.parametrize('name', FILES)
def test_download_unpacks_an_archive_that_is_there_and_mends_a_damaged_file(sets, no_network, name):
    expected = data.get_dataset(name, datasets_path=sets).fingerprint()
    folder, archive = sets / name / SOURCES[name].base_folder, SOURCES[name].filename
    with tarfile.open(sets / name / archive, 'w:gz') as tar:
        tar.add(folder, folder.name)
    shutil.rmtree(folder)
    with small_checksums(sets, name):  # now that of the archive too
        for place in (sets / name, sets):
            if place == sets:
                shutil.rmtree(folder)
                shutil.move(sets / name / archive, sets / archive)
            check_refused(name, sets, f'--download unpacks {place}/{archive}')
            assert data.get_dataset(name, datasets_path=sets, download=True).fingerprint() == expected
            assert (place / folder.name).exists()
        assert data.get_dataset(name, datasets_path=sets).fingerprint() == expected
        (sets / FILES[name][0]).write_bytes(b'')
        assert data.get_dataset(name, datasets_path=sets, download=True).fingerprint() == expected
        assert not folder.exists() and no_network == []
        (sets / FILES[name][0]).write_bytes(b'')
        (sets / archive).unlink()
        check_refused(name, sets, f'delete {sets / folder.name}', download=True)
