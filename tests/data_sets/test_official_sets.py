"""cifar10, cifar100 and stl10 from small official files: what is read, where it is found, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

import data
from tests.conftest import main_normal
from tests.official_files import (
    SOURCES,
    draw_images,
    pack,
    small_checksums,
    write_all,
    write_cifar,
    write_imagenet,
    write_mnist,
)

SHAPES = {'cifar10': (3, 32, 32), 'cifar100': (3, 32, 32), 'stl10': (3, 96, 96), 'mnist': (1, 28, 28)}
CLASSES = {'cifar10': 10, 'cifar100': 100, 'stl10': 10, 'mnist': 10}
# every file that has to be there
FILES = {
    'cifar10': [*(f'cifar-10-batches-py/data_batch_{k}' for k in '12345'), 'cifar-10-batches-py/test_batch',
                'cifar-10-batches-py/batches.meta'],
    'cifar100': [f'cifar-100-python/{file}' for file in ('train', 'test', 'meta')],
    'stl10': [f'stl10_binary/{part}_{kind}.bin' for part in ('train', 'test') for kind in 'Xy'],
}  # fmt: skip
ALL_FILES = [(name, file) for name, files in FILES.items() for file in files]


@pytest.fixture
def sets(tmp_path):
    """A folder of small data sets, whose checksums torchvision expects."""
    with small_checksums(write_all(tmp_path / 'sets')) as path:
        yield path


def load(name: str, split: str = 'train', **where):
    return data.get_dataset(name, split, **where)


def refusal(name: str, datasets_path: Path, **where) -> str:
    """Return the one line with which a set is refused."""
    with pytest.raises(ValueError) as caught:
        load(name, datasets_path=datasets_path, **where)
    message = str(caught.value)
    assert '\n' not in message and message.isprintable()
    return message


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Return what lies in a folder."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob('*')}


# What is read


@pytest.mark.parametrize('name', SHAPES)
@pytest.mark.parametrize(('split', 'num', 'seed'), [('train', 20, 1), ('val', 10, 2), ('test', 10, 2)])
def test_images_and_labels_are_those_in_the_files(sets, name, split, num, seed):
    dataset = load(name, split, datasets_path=sets)
    images, labels = draw_images(num, SHAPES[name], CLASSES[name], seed)
    assert dataset.images.dtype == torch.uint8 and dataset.targets.dtype == torch.int64
    assert np.array_equal(dataset.images.numpy(), images)
    assert np.array_equal(dataset.targets.numpy(), labels)
    assert dataset.num_classes == CLASSES[name]


@pytest.mark.parametrize('name', FILES)
def test_an_example_equals_that_of_torchvision(sets, name):
    part = {'split': 'test'} if name == 'stl10' else {'train': False}
    source = type('Labelled', (SOURCES[name],), {'train_list': SOURCES[name].train_list[:2]})
    theirs, ours = source(sets / name, **part), load(name, 'val', datasets_path=sets)
    assert len(theirs) == len(ours) == 10
    for (image, label), (expected, expected_label) in zip(ours, theirs, strict=False):
        assert label == expected_label and np.array_equal(np.asarray(image), np.asarray(expected))


@pytest.mark.parametrize('name', SHAPES)
def test_the_small_files_can_be_learned(name):
    parts = [draw_images(num, SHAPES[name], CLASSES[name], seed) for num, seed in ((300, 1), (100, 2))]
    (images, labels), (val_images, val_labels) = [(a.reshape(len(a), -1).astype(float), b) for a, b in parts]
    means = np.stack([images[labels == label].mean(0) for label in range(CLASSES[name])])
    nearest = ((val_images[:, None] - means) ** 2).sum(2).argmin(1)
    assert (nearest == val_labels).mean() > 0.9
    assert len(np.unique(np.concatenate([images, val_images]), axis=0)) == 400


def test_the_small_imagenet_has_class_folders_of_jpegs(tmp_path):
    root = write_imagenet(tmp_path / 'imagenet')
    for part, num in (('train', 4), ('val', 2)):
        folders = sorted((root / part).iterdir())
        assert [folder.name for folder in folders] == ['n01440764', 'n01440765', 'n01440766']
        assert [len(list(folder.iterdir())) for folder in folders] == [num] * 3
    pictures = [Image.open(path) for path in sorted(root.rglob('*.JPEG'))]
    assert {picture.format for picture in pictures} == {'JPEG'}
    assert sorted({picture.mode for picture in pictures}) == ['L', 'RGB']
    assert all(260 <= side <= 340 for picture in pictures for side in picture.size)
    assert len({picture.size for picture in pictures}) > 3


# Where it is found


@pytest.mark.parametrize('name', FILES)
def test_files_may_lie_directly_in_the_folder_of_the_sets(sets, name):
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
    with pytest.raises(RuntimeError, match='not found or corrupted'):
        SOURCES['stl10'](sets / 'stl10')
    (sets / 'stl10/stl10_binary/unlabeled_X.bin').write_bytes(b'half of it')
    assert len(load('stl10', datasets_path=sets)) == 20


@pytest.mark.parametrize('name', FILES)
def test_what_is_not_there_names_both_folders_files_and_flags(tmp_path, name):
    message = refusal(name, tmp_path)
    for folder in (f'{tmp_path}/{name}', f'{tmp_path}'):
        assert f'{folder}/{SOURCES[name].base_folder}' in message
    for word in (*(Path(file).name for file in FILES[name]), '--download', '--datasets-dir', '$DATASETS_DIR'):
        assert word in message
    assert list(tmp_path.iterdir()) == []


# What is refused


@pytest.mark.parametrize(('name', 'file'), ALL_FILES)
def test_a_missing_file_is_named(sets, name, file):
    (sets / name / file).unlink()
    message = refusal(name, sets)
    assert f'{sets / name / file} is missing' in message
    assert f'delete {(sets / name / file).parent}' in message and '--download' in message


@pytest.mark.parametrize(('name', 'file'), ALL_FILES)
@pytest.mark.parametrize('damage', ['truncated', 'one byte', 'empty'])
def test_a_damaged_file_is_named(sets, name, file, damage):
    path = sets / name / file
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({'truncated': content[:middle], 'one byte': flipped, 'empty': b''}[damage])
    for split in ('train', 'val'):
        message = refusal(name, sets, split=split)
        assert f'{path} is damaged' in message and 'checksum' in message
        assert f'delete {path.parent}' in message and '--download' in message


@pytest.mark.parametrize('name', FILES)
def test_files_without_the_official_checksum_are_refused(tmp_path, name):
    write_all(tmp_path)
    assert f'{tmp_path / name / FILES[name][0]} is damaged' in refusal(name, tmp_path)


@pytest.mark.parametrize(('name', 'file'), [('cifar10', FILES['cifar10'][2]), ('stl10', FILES['stl10'][0])])
def test_a_file_that_passes_but_cannot_be_decoded_is_one_line(tmp_path, name, file):
    path = write_all(tmp_path) / name / file
    path.write_bytes(path.read_bytes()[:-100])
    with small_checksums(tmp_path):
        message = refusal(name, tmp_path)
    assert f'cannot read {name} in {path.parent}: ' in message and '--download' in message


@pytest.mark.skipif(not Path('/proc/self/mem').exists(), reason='needs the files of Linux')
def test_a_file_that_cannot_be_read_is_named(sets):
    path = sets / 'cifar10' / FILES['cifar10'][0]
    path.unlink()
    path.symlink_to('/proc/self/mem')  # a regular file, the first byte of which nobody can read
    assert f'cannot read cifar10 in {path.parent}: OSError: [Errno 5]' in refusal('cifar10', sets)


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


@pytest.mark.parametrize('name', FILES)
def test_a_failed_download_is_one_line(tmp_path, no_network, name):
    message = refusal(name, tmp_path, download=True)
    assert f'cannot download {name} to {tmp_path / name}: URLError: <urlopen error no route>' in message
    assert SOURCES[name].url in message and 'delete' not in message
    assert SOURCES[name].url.partition(':')[2] in no_network[0]


@pytest.mark.parametrize('name', FILES)
def test_nothing_is_fetched_unless_asked_for_or_in_a_dry_run(sets, tmp_path, no_network, name, capsys):
    load(name, datasets_path=sets, download=True)  # all there
    empty = tmp_path / 'empty'
    empty.mkdir()
    refusal(name, empty)
    flags = ('--dataset', name, '--datasets-dir', str(empty), '--results_dir', str(tmp_path / 'results'))
    assert main_normal.main([*flags, '--download', '--dry-run']) == 2
    assert capsys.readouterr().err.splitlines()[-1].count('not with --dry-run') == 1
    assert list(empty.iterdir()) == [] and no_network == []


@pytest.mark.parametrize('direct', [False, True])
@pytest.mark.parametrize('name', FILES)
def test_download_unpacks_an_archive_that_is_there(sets, no_network, name, direct):
    expected = load(name, datasets_path=sets).fingerprint()
    folder, archive = sets / name / SOURCES[name].base_folder, SOURCES[name].filename
    pack(folder, sets / name / archive)
    with small_checksums(sets, name):  # now that of the archive too
        if direct:
            shutil.move(sets / name / archive, sets / archive)
        assert f'--download unpacks {sets if direct else sets / name}/{archive}' in refusal(name, sets)
        assert load(name, datasets_path=sets, download=True).fingerprint() == expected
    assert load(name, datasets_path=sets).fingerprint() == expected
    assert folder.exists() != direct and no_network == []


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
        assert f'delete {folder}' in refusal('cifar10', sets, download=True)


# As a command


@pytest.mark.parametrize(('flags', 'named'), [((), 'cifar10'), (('--dataset', 'cifar100'), 'cifar100')])
def test_a_bare_command_without_files_is_one_line(refused, tmp_path, monkeypatch, flags, named):
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path))
    refused(*flags, words=(f'no files of {named} in {tmp_path}/{named}/', '--download'), script=main_normal)


def test_a_bare_command_plans_resnet44_on_cifar10(sets, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv('DATASETS_DIR', str(sets))
    before = snapshot(tmp_path)
    flags = ('--results_dir', str(tmp_path / 'results'), '--b', '8')
    assert main_normal.main([*flags, '--dry-run']) == 0
    plan = ' '.join(capsys.readouterr().out.split())
    assert 'cifar10: 20 training, 10 validation examples of 3x32x32; crop and flip at random' in plan
    assert 'model resnet' in plan
    assert snapshot(tmp_path) == before


def test_mnist_files_are_read_by_torchvision_too(tmp_path):
    from torchvision.datasets import MNIST

    write_mnist(tmp_path / 'mnist')
    for split, num in (('train', 20), ('val', 10)):
        ours, theirs = load('mnist', split, datasets_path=tmp_path), MNIST(tmp_path / 'mnist', train=split == 'train')
        assert len(ours) == num and torch.equal(ours.images[:, 0], theirs.data)
        assert torch.equal(ours.targets, theirs.targets)
