"""Streaming: equal to what lives in memory, independent of workers, bounded in memory, plain about errors."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset
from torchvision.transforms import v2

import data
from data_sets import stream
from data_sets.loader import DeviceLoader
from data_sets.stream import PIECE, StreamLoader
from preprocess import get_transform
from tests.data_helpers import (
    assert_all_refused,
    assert_refused,
    assert_same,
    by_example,
    collect,
    write_folder,
    write_image,
)

NUM = 3 * 30


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp('sets') / 'small', num=30)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    root = write_folder(tmp_path_factory.mktemp('sets') / 'photos', num=27, size=(40, 50))
    for split, name, index in itertools.product(('train', 'val'), ('ant', 'bee', 'cat'), range(3)):
        size = (30 + index, 60) if name == 'bee' else (150, 20 + index)
        write_image(root / split / f'{name}/x{index}.png', np.random.RandomState(index), size=size)
    return root


def loader_of(root, split='train', *, limit=0, size=None, augment=True, **settings):
    dataset = data.get_dataset(str(root), split, memory_limit=limit)
    transform = get_transform(dataset.preset, input_size=size, augment=augment)
    settings = {'batch_size': 32, 'seed': 3, 'shuffle': augment} | settings
    return data.build_loader(dataset, transform, **settings)


class Counted(Dataset):
    """Images of 1x2x3 pixels that count how often they are read."""

    def __init__(self, num):
        self.num, self.reads = num, 0

    def __len__(self):
        return self.num

    def __getitem__(self, index):
        self.reads += 1
        return torch.full((1, 2, 3), index % 256, dtype=torch.uint8), index % 5


# equal to memory


def test_small_images_are_the_same_streamed_and_in_memory(small):
    for settings in ({'micro_batch_size': 7}, {'augment': False}, {'size': 6}, {'dtype': torch.float64}):
        decoded, streamed = loader_of(small, limit=None, **settings), loader_of(small, **settings)
        assert isinstance(decoded, DeviceLoader) and isinstance(streamed, StreamLoader)
        assert decoded.input_shape == streamed.input_shape and decoded.num_steps == streamed.num_steps
        for epoch in (0, 3):
            for one, two in zip(decoded.epoch(epoch), streamed.epoch(epoch), strict=True):
                assert torch.equal(one.indices, two.indices) and len(one) == len(two)
                for part, other in zip(one, two, strict=True):
                    assert_same(part, other)
        assert_same(streamed.peek(70), decoded.peek(70))  # more than a piece


# a pure function of (seed, epoch, example)


@pytest.mark.parametrize('settings', [{'micro_batch_size': 5}, {'batch_size': 17, 'num_workers': 2}])
def test_photographs_depend_on_seed_epoch_and_example_alone(photos, settings):
    first = collect(loader_of(photos, size=24), epoch=2)
    loader = loader_of(photos, size=24, **settings)
    collect(loader, epoch=0)
    torch.rand(1)
    assert_same(collect(loader, epoch=2), first)
    assert first[0].shape == (NUM, 3, 24, 24) == (NUM, *loader.input_shape)
    for other in (collect(loader, epoch=1), collect(loader_of(photos, size=24, seed=4), epoch=2)):
        assert not torch.equal(other[2], first[2])
        assert not torch.equal(by_example(other[0], other[2]), by_example(first[0], first[2]))


def test_photographs_are_those_of_the_transform(photos):
    loader = loader_of(photos, 'val', size=24, augment=False, num_workers=2)
    inputs, targets, indices = collect(loader)
    assert indices.tolist() == list(range(NUM)) and torch.equal(targets, torch.from_numpy(loader.dataset.table.targets))
    for index in (0, 31, 89):
        torch.testing.assert_close(inputs[index], loader.transform(loader.dataset[index][0]))
    module = v2.Compose([v2.CenterCrop(20), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    inputs, _, _ = collect(data.build_loader(loader.dataset, module, batch_size=50))
    assert torch.equal(inputs[5], module(loader.dataset[5][0]))


def test_each_piece_does_not_depend_on_the_others(photos, monkeypatch):
    whole = collect(loader_of(photos, size=24))
    for piece in (1, 10, 200):
        monkeypatch.setattr(stream, 'PIECE', piece)
        assert_same(collect(loader_of(photos, size=24)), whole)


def test_nothing_is_drawn_from_the_global_generators(photos):
    loader = loader_of(photos, size=24, num_workers=2)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    collect(loader)
    loader.peek(3)
    assert torch.equal(torch.get_rng_state(), states[0]) and (np.random.get_state()[1] == states[1]).all()


@pytest.mark.parametrize('num_workers', [0, 2])
def test_a_streamed_batch_can_be_read_again_in_any_order_and_later(photos, num_workers):
    first = [list(batch) for batch in loader_of(photos, size=24, micro_batch_size=10).epoch(0)]
    batches = list(loader_of(photos, size=24, micro_batch_size=10, num_workers=num_workers).epoch(0))
    for batch, expected in [*zip(batches, first, strict=True)][::-1]:
        next(iter(batch))
        for part, other in zip([*batch, *batch], [*expected, *expected], strict=True):
            assert_same(part, other)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_an_epoch_can_be_left_and_the_next_begun(photos, num_workers):
    expected = collect(loader_of(photos, size=24), 1)
    loader = loader_of(photos, size=24, num_workers=num_workers)
    for steps in (0, 1, 2):
        batches = loader.epoch(0)
        for _ in range(steps):
            next(iter(next(batches)))
        assert_same(collect(loader, 1), expected)


def test_workers_stay_from_epoch_to_epoch(small):
    loader, processes = loader_of(small, num_workers=2), []
    for epoch in range(3):
        collect(loader, epoch)
        processes.append([worker.pid for worker in loader._source._iterator._workers])
    assert processes[0] == processes[1] == processes[2] and len(processes[0]) == 2


# bounded


def test_a_batch_is_read_piece_by_piece():
    dataset = Counted(10 * PIECE)
    loader = StreamLoader(dataset, None, batch_size=8 * PIECE, micro_batch_size=PIECE // 2)
    assert dataset.reads == 1
    batches = loader.epoch(0)
    parts = iter(next(batches))
    assert dataset.reads == 1
    for num in range(1, 6):
        next(parts)
        assert dataset.reads == 1 + -(-num // 2) * PIECE
    next(batches)
    assert dataset.reads == 1 + 8 * PIECE  # the rest of the first batch, none of the second


def test_a_look_at_the_first_examples_reads_no_others(small):
    dataset = Counted(1000)
    loader = StreamLoader(dataset, None, batch_size=500, num_workers=2)
    before = dataset.reads
    inputs, targets, indices = loader.peek(2)
    assert dataset.reads == before + 2 and loader._source._iterator is None
    assert inputs.flatten(1).unique(dim=1).tolist() == [[0], [1]] and targets.tolist() == indices.tolist() == [0, 1]
    for limit in (0, None):
        validation = loader_of(small, 'val', augment=False, limit=limit)
        assert_same(validation.peek(5), [tensor[:5] for tensor in collect(validation)])
        assert len(validation.peek(10**6).inputs) == validation.num_examples


def test_what_crosses_to_this_process_is_bytes(photos):
    assert next(loader_of(photos, size=24)._first_pieces(3))[0].dtype == torch.uint8


# errors


@pytest.mark.parametrize('num_workers', [0, 2])
def test_an_unreadable_image_is_named_and_workers_end(tmp_path, num_workers):
    loader = loader_of(write_folder(tmp_path, num=30), num_workers=num_workers)
    path = tmp_path / 'train/bee/7.png'
    path.write_bytes(path.read_bytes()[:60])
    assert_refused(f'^cannot read the image {path}: ', functools.partial(collect, loader))
    workers = loader._source._iterator._workers if num_workers else []
    assert len(workers) == num_workers
    del loader
    assert not any(worker.is_alive() for worker in workers)  # rather than when garbage is next collected


@pytest.mark.parametrize('num_workers', [0, 2])
def test_transforms_that_do_not_fit_are_refused(photos, num_workers):
    dataset = data.get_dataset(str(photos))
    crop = v2.Compose([v2.RandomCrop(100), v2.PILToTensor()])

    def load(transform):
        return StreamLoader(dataset, transform, batch_size=32, num_workers=num_workers)

    assert_all_refused([
        ('returns a Image; expected a tensor', lambda: load(None)),
        ('cannot read the first example: ValueError: Required crop size', lambda: load(crop)),
        (r'different shapes, \(3, 40, 50\) and \(3, 150, 22\); expected', lambda: collect(load(v2.PILToTensor()))),
    ])  # fmt: skip


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_a_gpu_batches_are_those_of_the_cpu(photos):
    expected = collect(loader_of(photos, size=24, num_workers=2))
    on_gpu = collect(loader_of(photos, size=24, num_workers=2, device='cuda'))
    torch.testing.assert_close([tensor.cpu() for tensor in on_gpu], list(expected))
