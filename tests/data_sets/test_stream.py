"""Streaming: equal to what lives in memory, independent of workers, bounded in memory, plain about errors."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from torchvision.transforms import v2

import data
from data_sets import stream
from data_sets.loader import DeviceLoader
from data_sets.stream import PIECE, StreamLoader
from preprocess import get_transform
from tests.data_helpers import assert_refused, assert_same, collect, write_folder, write_image

with_and_without_workers = pytest.mark.parametrize('num_workers', [0, 2])


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp('sets') / 'small', num=30)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    root = write_folder(tmp_path_factory.mktemp('sets') / 'photos', num=27, size=(40, 50))
    for split, name, index in itertools.product(('train', 'val'), ('ant', 'bee', 'cat'), range(3)):
        size = (30 + index, 60) if name == 'bee' else (150, 20 + index)
        write_image(root / split / f'{name}/x{index}.png', seed=index, size=size)
    return root


def loader_of(root, split='train', *, limit=0, size=None, augment=True, cutout=None, **settings):
    dataset = data.get_dataset(str(root), split, memory_limit=limit)
    transform = get_transform(dataset.preset, input_size=size, augment=augment, cutout=cutout)
    settings = {'batch_size': 32, 'seed': 3, 'shuffle': augment} | settings
    return data.build_loader(dataset, transform, **settings)


def test_small_images_are_the_same_streamed_and_in_memory(small):
    for settings in (
        {'micro_batch_size': 7}, {'augment': False}, {'size': 6}, {'dtype': torch.float64},
        {'cutout': 5, 'duplicates': 2}, {'cutout': 5, 'augment': False, 'duplicates': 2},
        {'cutout': 5, 'duplicates': 2, 'copies': 'together', 'num_workers': 2, 'micro_batch_size': 20},
    ):  # fmt: skip
        decoded, streamed = loader_of(small, limit=None, **settings), loader_of(small, **settings)
        assert isinstance(decoded, DeviceLoader) and isinstance(streamed, StreamLoader)
        assert decoded.input_shape == streamed.input_shape and decoded.num_steps == streamed.num_steps
        for epoch in (0, 3):
            assert_same(collect(streamed, epoch), collect(decoded, epoch))
            assert [*map(len, streamed.epoch(epoch))] == [*map(len, decoded.epoch(epoch))]
        assert_same(streamed.peek(70), decoded.peek(70))  # more than a piece


def test_photographs_are_those_of_the_transform(photos):
    loader = loader_of(photos, 'val', size=24, augment=False, num_workers=2)
    inputs, targets, indices = collect(loader)
    assert indices.tolist() == list(range(90)) and targets.tolist() == loader.dataset.table.targets.tolist()
    assert next(loader._first_pieces(3))[0].dtype == torch.uint8  # bytes are what crosses to this process
    assert inputs.shape == (90, 3, 24, 24) == (90, *loader.input_shape)
    for index in (0, 31, 89):
        torch.testing.assert_close(inputs[index], loader.transform(loader.dataset[index][0]))
    module = v2.Compose([v2.CenterCrop(20), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    inputs, _, _ = collect(data.build_loader(loader.dataset, module, batch_size=50))
    assert torch.equal(inputs[5], module(loader.dataset[5][0]))


@with_and_without_workers
def test_a_streamed_batch_can_be_read_again_in_any_order_and_later(photos, num_workers):
    first = [collect([batch]) for batch in loader_of(photos, size=24, micro_batch_size=10).epoch(0)]
    batches = list(loader_of(photos, size=24, micro_batch_size=10, num_workers=num_workers).epoch(0))
    for batch, expected in [*zip(batches, first, strict=True)][::-1]:
        next(iter(batch))
        assert_same([*collect([batch]), *collect([batch])], [*expected, *expected])


@with_and_without_workers
def test_an_epoch_can_be_left_and_the_next_begun_in_pieces_of_any_size(photos, num_workers, monkeypatch):
    expected = collect(loader_of(photos, size=24), 1)
    loader, workers = loader_of(photos, size=24, num_workers=num_workers), []
    for steps in (0, 1, 2):
        batches = loader.epoch(0)
        for _ in range(steps):
            next(iter(next(batches)))
        assert_same(collect(loader, 1), expected)
        workers.append([worker.pid for worker in loader._source._iterator._workers] if num_workers else [])
    assert workers[0] == workers[1] == workers[2] and len(workers[0]) == num_workers
    for piece in (1, 10, 200):
        monkeypatch.setattr(stream, 'PIECE', piece)
        assert_same(collect(loader_of(photos, size=24), 1), expected)


def test_a_batch_is_read_piece_by_piece_and_of_a_look_only_the_first_examples(small):
    reads, to_tensor = [], v2.PILToTensor()
    dataset = data.get_dataset('fake:640:1x2x3:5', transform=lambda image: reads.append(1) or to_tensor(image))
    loader = StreamLoader(dataset, None, batch_size=8 * PIECE, micro_batch_size=PIECE // 2)
    assert len(reads) == 1
    batches = loader.epoch(0)
    parts = iter(next(batches))
    assert len(reads) == 1
    for num in range(1, 6):
        next(parts)
        assert len(reads) == 1 + -(-num // 2) * PIECE
    next(batches)
    assert len(reads) == 1 + 8 * PIECE  # the rest of the first batch, none of the second
    loader = StreamLoader(dataset, None, batch_size=500, num_workers=2)
    reads.clear()
    inputs, targets, indices = loader.peek(2)
    assert len(reads) == 2 and loader._source._iterator is None
    assert torch.equal(inputs, dataset.images[:2].float()) and torch.equal(targets, dataset.targets[:2])
    assert indices.tolist() == [0, 1]
    for limit in (0, None):
        validation = loader_of(small, 'val', augment=False, limit=limit)
        assert_same(validation.peek(5), [tensor[:5] for tensor in collect(validation)])
        assert len(validation.peek(10**6).inputs) == validation.num_examples


@with_and_without_workers
def test_an_unreadable_image_is_named_and_workers_end(tmp_path, num_workers):
    loader = loader_of(write_folder(tmp_path, num=30), num_workers=num_workers)
    path = tmp_path / 'train/bee/7.png'
    path.write_bytes(path.read_bytes()[:60])
    assert_refused(f'^cannot read the image {path}: ', functools.partial(collect, loader))
    workers = loader._source._iterator._workers if num_workers else []
    assert len(workers) == num_workers
    del loader
    assert not any(worker.is_alive() for worker in workers)  # rather than when garbage is next collected


@with_and_without_workers
def test_transforms_that_do_not_fit_are_refused(photos, num_workers):
    dataset = data.get_dataset(str(photos))
    crop = v2.Compose([v2.RandomCrop(100), v2.PILToTensor()])

    settings = {'batch_size': 32, 'num_workers': num_workers}
    for transform, message in (
        (None, 'returns a Image; expected a tensor'),
        (crop, 'cannot read the first example: ValueError: Required crop size'),
        (v2.PILToTensor(), r'different shapes, \(3, 40, 50\) and \(3, 150, 22\); expected'),
    ):
        assert_refused(message, lambda given=transform: collect(StreamLoader(dataset, given, **settings)))
