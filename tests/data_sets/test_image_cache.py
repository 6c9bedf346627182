"""Decoded images on disk: when they are taken, when they are made anew, where they lie."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import PIL.Image
import pytest
import torch

import data
from data_sets import cache
from tests.data_helpers import write_folder, write_image
from utils.logs import log

USER_CACHE = 'user_cache'


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / USER_CACHE))
    return write_folder(tmp_path / 'set')


@pytest.fixture
def opened(monkeypatch):
    """The paths of the images that are opened."""
    paths, original = [], PIL.Image.open

    def open_image(path, *rest, **more):
        paths.append(path)
        return original(path, *rest, **more)

    monkeypatch.setattr(PIL.Image, 'open', open_image)
    return paths


@pytest.fixture
def logged(caplog, monkeypatch):
    monkeypatch.setattr(log, 'propagate', True)
    caplog.set_level('INFO', log.name)
    return caplog


def load(root, split='train', **settings):
    return data.get_dataset(str(root), split, **settings).images


@pytest.fixture
def read_only(monkeypatch):
    """Make folders unwritable, which they are not to the tests' user if that is root."""
    folders, original = [], cache.write_atomically

    def write(path, do):
        if any(folder in path.parents for folder in folders):
            raise PermissionError(13, 'Permission denied')
        original(path, do)

    monkeypatch.setattr(cache, 'write_atomically', write)
    return folders


def test_the_second_start_opens_no_image(root, opened):
    first = load(root), load(root, 'val')
    assert len(opened) >= 24
    assert sorted(path.name for path in root.glob('.*')) == ['.bigbatch_train.npz', '.bigbatch_val.npz']
    opened.clear()
    second = load(root), load(root, 'val')
    assert opened == [] and all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    dataset = data.get_dataset(str(root))
    assert dataset.preset == 'folder' and dataset.subset([0]).preset == 'folder'


def change_content(root):
    path = root / 'train/bee/1.png'
    before = path.stat()
    pixels = np.asarray(PIL.Image.open(path))[::-1]
    PIL.Image.fromarray(pixels).save(path)
    with open(path, 'ab') as file:
        file.write(bytes(max(0, before.st_size - path.stat().st_size)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


CHANGES = [
    change_content,
    lambda root: write_image(root / 'train/bee/1.png', np.random.RandomState(7), low=200),
    lambda root: write_image(root / 'train/bee/new.png', np.random.RandomState(7)),
    lambda root: (root / 'train/bee/1.png').unlink(),
    lambda root: (root / 'train/bee/2.png').rename(root / 'train/cat/9.png'),
    lambda root: [(root / split / 'bee').rename(root / split / 'zebra') for split in ('train', 'val')],
]


def test_a_changed_set_is_decoded_anew(root):
    load(root)
    for number, change in enumerate(CHANGES):
        change(root)
        after = data.get_dataset(str(root))
        images, targets = zip(*(after.files[index] for index in range(len(after))), strict=True)
        expected = np.stack([np.asarray(image) for image in images])
        np.testing.assert_array_equal(after.images.permute(0, 2, 3, 1), expected, str(number))
        assert after.targets.tolist() == list(targets), number
        assert torch.equal(load(root), after.images), number


def test_a_read_only_set_is_kept_in_the_users_folder(root, opened, read_only, logged):
    read_only.append(root)
    first = load(root)
    (path,) = (root.parent / USER_CACHE / 'bigbatch').iterdir()
    assert not list(root.glob('.*')) and f'decoded images kept in {path}' in logged.messages
    opened.clear()
    assert torch.equal(load(root), first) and opened == []
    other = write_folder(root.parent / 'elsewhere/set', classes=('x', 'y'))  # of the same name
    read_only.append(other)
    assert load(other).shape[0] == load(other).shape[0] == 8
    assert torch.equal(load(root), first)
    assert len(list(path.parent.iterdir())) == 2


def test_no_place_to_write_is_a_warning(root, read_only, logged):
    read_only.append(root.parent)
    assert load(root).shape == (12, 3, 10, 8)
    assert any('cannot be kept' in message and 'Permission denied' in message for message in logged.messages)
    assert not list(root.glob('.*')) and not (root.parent / USER_CACHE).is_file()


DAMAGE = [
    lambda path: path.write_bytes(b''),
    lambda path: path.write_bytes(path.read_bytes()[:-100]),
    lambda path: path.write_bytes(path.read_bytes()[:1000] + b'xxxx' + path.read_bytes()[1004:]),
    lambda path: np.savez(path, other=np.zeros(3)),
    lambda path: np.savez(path, key=np.load(path)['key'], images=np.zeros((12, 3, 10, 8))),
    lambda path: np.savez(path, key=np.load(path)['key'], images=np.load(path)['images'][:5]),
    lambda path: np.savez(path, key=np.array({}, object), images=np.zeros((12, 3, 10, 8), np.uint8)),
]


def test_a_damaged_file_is_made_anew(root, opened):
    first, failures = load(root), []
    for number, damage in enumerate(DAMAGE):
        damage(root / '.bigbatch_train.npz')
        for is_read in (True, False):
            opened.clear()
            if not torch.equal(load(root), first) or (len(opened) >= 12) != is_read:
                failures.append((number, is_read, len(opened)))
    assert failures == []


def test_decoded_images_above_the_limit_are_not_read(root):
    load(root)
    dataset = data.get_dataset(str(root), memory_limit=1000)
    assert dataset.num_bytes == 0 and dataset.preset == 'folder'


def test_a_moved_set_keeps_its_file(root, opened):
    first = load(root)
    moved = root.rename(root.with_name('moved'))
    opened.clear()
    assert torch.equal(load(moved), first) and opened == []


def test_two_processes_that_build_it_at_once_do_no_harm(root):
    fork = multiprocessing.get_context('fork')
    ready = fork.Barrier(4)

    def build():
        ready.wait(30)
        load(root)

    processes = [fork.Process(target=build) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    (path,) = root.glob('.*')
    files = data.get_dataset(str(root), memory_limit=0)
    expected = [np.asarray(image).transpose(2, 0, 1) for image, _ in (files[index] for index in range(12))]
    np.testing.assert_array_equal(np.load(path)['images'], expected)
