"""cifar10, cifar100 and stl10 from small official files: what is read, where it is found, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

import data
from tests.conftest import main_normal
from tests.data_helpers import refusal
from tests.official_files import SOURCES, draw_images, pack, small_checksums, write_all, write_cifar

SHAPES = {'cifar10': (3, 32, 32), 'cifar100': (3, 32, 32), 'stl10': (3, 96, 96), 'mnist': (1, 28, 28)}
CLASSES = {'cifar10': 10, 'cifar100': 100, 'stl10': 10, 'mnist': 10}
# every file that has to be there
FILES = {
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


def load(name: str, split: str = 'train', **where):
    return data.get_dataset(name, split, **where)


def refused_as(name: str, datasets_path: Path, **where) -> str:
    """Return the one line with which a set is refused."""
    message = refusal(lambda: load(name, datasets_path=datasets_path, **where))
    assert '\n' not in message and message.isprintable()
    return message


def lacking(message: str, *words: str) -> list[str]:
    """Return which of the words a message lacks, and with them the message."""
    missing = [word for word in words if word not in message]
    return [*missing, message] if missing else []


# What is read


@pytest.mark.parametrize('name', SHAPES)
def test_images_and_labels_are_those_in_the_files(sets, name):
    for split, num, seed in (('train', 20, 1), ('val', 10, 2), ('test', 10, 2)):
        dataset = load(name, split, datasets_path=sets)
        images, labels = draw_images(num, SHAPES[name], CLASSES[name], seed)
        assert dataset.images.dtype == torch.uint8 and dataset.targets.dtype == torch.int64
        assert np.array_equal(dataset.images.numpy(), images)
        assert np.array_equal(dataset.targets.numpy(), labels)
        assert dataset.num_classes == CLASSES[name]


def test_an_example_equals_that_of_torchvision(sets):
    for name in FILES:
        part = {'split': 'test'} if name == 'stl10' else {'train': False}
        source = type('Labelled', (SOURCES[name],), {'train_list': SOURCES[name].train_list[:2]})
        theirs, ours = source(sets / name, **part), load(name, 'val', datasets_path=sets)
        assert len(theirs) == len(ours) == 10
        for (image, label), (expected, expected_label) in zip(ours, theirs, strict=False):
            assert label == expected_label and np.array_equal(np.asarray(image), np.asarray(expected)), name


# Where it is found


def test_files_may_lie_directly_in_the_folder_of_the_sets(sets):
    for name in FILES:
        expected = load(name, datasets_path=sets).fingerprint()
        folder = SOURCES[name].base_folder
        shutil.move(sets / name / folder, sets / folder)
        assert load(name, datasets_path=sets).fingerprint() == expected
        (sets / name / folder).mkdir()  # begun and left
        assert load(name, datasets_path=sets).fingerprint() == expected


def test_of_two_complete_folders_the_one_of_the_name_is_read(tmp_path):
    write_cifar(tmp_path / 'cifar10')
    write_cifar(tmp_path, num_train=5)
    with small_checksums(tmp_path, 'cifar10'):
        assert len(load('cifar10', datasets_path=tmp_path)) == 20


def test_the_unlabelled_images_are_not_needed(sets):
    assert not (sets / 'stl10/stl10_binary/unlabeled_X.bin').exists()
    (sets / 'stl10/stl10_binary/unlabeled_X.bin').write_bytes(b'half of it')
    assert len(load('stl10', datasets_path=sets)) == 20


def test_what_is_not_there_names_both_folders_files_and_flags(tmp_path):
    for name, files in FILES.items():
        folder, names = SOURCES[name].base_folder, (Path(file).name for file in files)
        places = (f'{tmp_path}/{name}/{folder}', f'{tmp_path}/{folder}')
        words = (*places, *names, '--download', '--datasets-dir', '$DATASETS_DIR')
        assert lacking(refused_as(name, tmp_path), *words) == []
    assert list(tmp_path.iterdir()) == []


# What is refused


@pytest.mark.parametrize('name', FILES)
def test_a_missing_or_damaged_file_is_named(sets, name):
    failures = []
    for path in (sets / name / file for file in FILES[name]):
        whole = path.read_bytes()
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        for content in (whole[:middle], flipped, b''):
            path.write_bytes(content)
            for split in ('train', 'val'):
                message = refused_as(name, sets, split=split)
                failures += lacking(message, f'{path} is damaged', 'checksum', f'delete {path.parent}', '--download')
        path.unlink()
        failures += lacking(refused_as(name, sets), f'{path} is missing', f'delete {path.parent}', '--download')
        path.write_bytes(whole)
    assert failures == []


def test_files_without_the_official_checksum_are_refused(tmp_path):
    write_all(tmp_path)
    for name, files in FILES.items():
        assert f'{tmp_path / name / files[0]} is damaged' in refused_as(name, tmp_path)


def test_a_file_that_passes_but_cannot_be_decoded_is_one_line(tmp_path):
    write_all(tmp_path)
    paths = {'cifar10': tmp_path / 'cifar10' / FILES['cifar10'][2], 'stl10': tmp_path / 'stl10' / FILES['stl10'][0]}
    for path in paths.values():
        path.write_bytes(path.read_bytes()[:-100])
    with small_checksums(tmp_path):
        for name, path in paths.items():
            assert lacking(refused_as(name, tmp_path), f'cannot read {name} in {path.parent}: ', '--download') == []


@pytest.mark.skipif(not Path('/proc/self/mem').exists(), reason='needs the files of Linux')
def test_a_file_that_cannot_be_read_is_named(sets):
    path = sets / 'cifar10' / FILES['cifar10'][0]
    path.unlink()
    path.symlink_to('/proc/self/mem')  # a regular file, the first byte of which nobody can read
    assert f'cannot read cifar10 in {path.parent}: OSError: [Errno 5]' in refused_as('cifar10', sets)


# Download


@pytest.fixture
def no_network(monkeypatch):
    """Let every request fail; returns the list of those made."""
    requests = []

    def fail(request, *args, **kwargs):
        requests.append(request.full_url)
        raise URLError('no\nroute')

    monkeypatch.setattr('urllib.request.urlopen', fail)
    return requests


def test_a_failed_download_is_one_line(tmp_path, no_network):
    for name in FILES:
        message = refused_as(name, tmp_path, download=True)
        words = f'cannot download {name} to {tmp_path / name}: URLError: <urlopen error no route>'
        assert lacking(message, words, SOURCES[name].url) == [] and 'delete' not in message
        assert SOURCES[name].url.partition(':')[2] in no_network[0]
        no_network.clear()


def test_nothing_is_fetched_unless_asked_for_or_in_a_dry_run(sets, tmp_path, no_network, capsys):
    empty = tmp_path / 'empty'
    empty.mkdir()
    for name in FILES:
        load(name, datasets_path=sets, download=True)  # all there
        refused_as(name, empty)
        flags = ('--dataset', name, '--datasets-dir', str(empty), '--results_dir', str(tmp_path / 'results'))
        assert main_normal.main([*flags, '--download', '--dry-run']) == 2
        assert capsys.readouterr().err.splitlines()[-1].count('not with --dry-run') == 1
    assert list(empty.iterdir()) == [] and no_network == []


@pytest.mark.parametrize('name', FILES)
def test_download_unpacks_an_archive_that_is_there(sets, no_network, name):
    expected = load(name, datasets_path=sets).fingerprint()
    folder, archive = sets / name / SOURCES[name].base_folder, SOURCES[name].filename
    pack(folder, sets / name / archive)
    with small_checksums(sets, name):  # now that of the archive too
        for place in (sets / name, sets):
            if place == sets:
                shutil.rmtree(folder)
                shutil.move(sets / name / archive, sets / archive)
            assert f'--download unpacks {place}/{archive}' in refused_as(name, sets)
            assert load(name, datasets_path=sets, download=True).fingerprint() == expected
            assert (place / folder.name).exists()
    assert load(name, datasets_path=sets).fingerprint() == expected
    assert not folder.exists() and no_network == []


def test_download_mends_a_damaged_file(sets, no_network):
    folder, archive = sets / 'cifar10/cifar-10-batches-py', sets / 'cifar10/cifar-10-python.tar.gz'
    expected = load('cifar10', datasets_path=sets).fingerprint()
    pack(folder, archive)
    with small_checksums(sets, 'cifar10'):
        load('cifar10', datasets_path=sets, download=True)
        (folder / 'data_batch_3').write_bytes(b'')
        assert load('cifar10', datasets_path=sets, download=True).fingerprint() == expected
        archive.unlink()
        (folder / 'data_batch_3').write_bytes(b'')
        assert f'delete {folder}' in refused_as('cifar10', sets, download=True)


# As a command


def test_a_bare_command_without_files_is_one_line(refused, tmp_path, monkeypatch):
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path))
    for flags, named in (((), 'cifar10'), (('--dataset', 'cifar100'), 'cifar100')):
        refused(*flags, words=(f'no files of {named} in {tmp_path}/{named}/', '--download'), script=main_normal)


def test_a_bare_command_plans_resnet44_on_cifar10(sets, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv('DATASETS_DIR', str(sets))
    before = {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob('*')}
    assert main_normal.main(['--results_dir', str(tmp_path / 'results'), '--b', '8', '--dry-run']) == 0
    plan = ' '.join(capsys.readouterr().out.split())
    assert 'cifar10: 20 training, 10 validation examples of 3x32x32; crop and flip at random' in plan
    assert 'model resnet' in plan
    assert {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob('*')} == before
