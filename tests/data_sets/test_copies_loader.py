"""Several copies of each example in a batch: their layouts, and that only the seed and their numbers decide on them."""

from __future__ import annotations

import pytest
import torch

import data
from bigbatch.seeding import make_generator
from data_sets.stream import StreamLoader
from preprocess import get_transform
from tests.data_helpers import FAKE, assert_same, collect
from tests.data_sets.test_loader import KINDS, compose, make_loader

LAYOUTS = ['spread', 'together']


def by_copy(loader, epoch: int = 0) -> dict[tuple[int, int], torch.Tensor]:
    """Return the inputs of an epoch by (copy, example), the copies counted here as a layout has them."""
    found = {}
    for batch in loader.epoch(epoch):
        num = batch.num_examples // loader.duplicates
        inputs = torch.cat([part.inputs for part in batch])
        assert torch.equal(torch.cat([part.indices for part in batch]), batch.indices)
        for place, index in enumerate(batch.indices.tolist()):
            copy = place // num if loader.copies == 'spread' else place % loader.duplicates
            assert (copy, index) not in found
            found[copy, index] = inputs[place]
    return found


def differing(one: dict, two: dict) -> list:
    """Return the keys of what is not the same in both."""
    return [key for key in one.keys() | two.keys() if not (key in one and key in two and one[key].equal(two[key]))]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_copies_are_those_of_their_numbers_in_any_batches(kind, layout):
    settings = {'duplicates': 3, 'copies': layout}
    found = by_copy(make_loader(kind, **settings), epoch=2)
    assert found.keys() == {(copy, index) for copy in range(3) for index in range(300)}
    assert differing({key: found[key] for key in found if key[0] == 0}, by_copy(make_loader(kind), epoch=2)) == []
    changes = [{'batch_size': 300, 'shuffle': False}, {'micro_batch_size': 7, 'duplicates': 2}]
    for change in [{**changes[0], **changes[1], 'num_workers': 2}] if kind == 'stream' else changes:
        other = by_copy(make_loader(kind, **{**settings, **change}), epoch=2)
        assert differing(other, {key: found[key] for key in other}) == []
    assert differing(found, by_copy(make_loader(kind, **settings, seed=2), epoch=2))
    equal = [torch.equal(found[0, index], found[copy, index]) for copy in (1, 2) for index in range(300)]
    assert sum(equal) < 20  # of 600; 162 crops and mirrors in memory, 81 crops streamed


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_the_order_within_a_batch(kind, layout):
    loader = make_loader(kind, duplicates=3, copies=layout, batch_size=64)
    batches = list(loader.epoch(0)) if kind == 'device' else loader.epoch(0)
    for batch, alone in zip(batches, make_loader('device', batch_size=64).epoch(0), strict=True):
        examples = alone.indices.tolist()
        expected = examples * 3 if layout == 'spread' else [index for index in examples for _ in range(3)]
        assert batch.indices.tolist() == expected
        assert batch.num_examples == 3 * len(examples) and batch.duplicates == 3 and len(batch) == 1
        targets = torch.cat([part.targets for part in batch])
        assert torch.equal(targets, loader.dataset.targets[batch.indices])
    assert (loader.num_examples, loader.batch_size, loader.num_steps) == (300, 64, 5)


def test_inputs_are_those_of_the_transform_with_choices_drawn_for_each_copy():
    loader = make_loader(duplicates=3)
    found = by_copy(loader, epoch=4)
    for copy, purpose in enumerate([(), ('copy', 1), ('copy', 2)]):
        choices = loader.transform.draw(300, make_generator(1, 'augmentation', 4, *purpose), image_size=(32, 32))
        expected = loader.transform.apply(loader.dataset.images, choices)
        assert all(torch.equal(found[copy, index], expected[index]) for index in range(300))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_one_copy_is_a_batch_of_its_own(kind, layout):
    settings = {'duplicates': 3, 'copies': layout}
    loaders = [make_loader(kind, micro_batch_size=micro, **settings) for micro in (None, 30)]
    for is_whole, batch in ((loader is loaders[0], batch) for loader in loaders for batch in loader.epoch(1)):
        whole = [torch.cat(tensors) for tensors in zip(*batch, strict=True)]
        num = batch.num_examples // 3
        for number in range(3):
            one = batch.copy(number)
            assert one.num_examples == num and one.duplicates == 1
            assert len(one) == (1 if is_whole else -(-num // 30))
            parts = [torch.cat(tensors) for tensors in zip(*one, strict=True)]
            chosen = slice(number * num, (number + 1) * num) if layout == 'spread' else slice(number, None, 3)
            assert_same(parts, [tensor[chosen] for tensor in whole])
            assert torch.equal(one.indices, whole[2][chosen])
            assert one.copy(0) is one


@pytest.mark.parametrize('layout', LAYOUTS)
def test_streamed_and_in_memory_agree(layout):
    transform, dataset = get_transform(FAKE, cutout=9), data.get_dataset(FAKE)
    settings = {'batch_size': 64, 'seed': 1, 'shuffle': True, 'duplicates': 2, 'copies': layout}
    whole = collect(data.build_loader(dataset, transform, **settings), epoch=2)
    assert_same(collect(StreamLoader(dataset, transform, **settings), epoch=2), whole)
    assert_same(collect(StreamLoader(dataset, transform, num_workers=2, micro_batch_size=20, **settings), 2), whole)


def test_a_batch_that_is_not_read_to_its_end_leaves_the_next_alone():
    loader = make_loader('stream', duplicates=2, copies='together')
    whole = [torch.cat([part.inputs for part in batch]) for batch in loader.epoch(0)]
    for batch, expected in zip(loader.epoch(0), whole, strict=True):
        assert torch.equal(next(iter(batch.copy(1))).inputs, expected[1::2])


def test_features_and_transforms_of_the_users_own_are_repeated():
    dataset = data.get_dataset(FAKE, transform=compose())
    loader = data.build_loader(dataset, None, batch_size=64, seed=1, shuffle=True, duplicates=2)
    assert differing(by_copy(loader), by_copy(make_loader('stream', duplicates=2))) == []


def test_without_augmentation_copies_are_equal():
    loader = data.build_loader(
        data.get_dataset(FAKE), get_transform(FAKE, augment=False), batch_size=64, duplicates=2, copies='together'
    )
    inputs, _, indices = collect(loader)
    assert torch.equal(inputs[::2], inputs[1::2]) and torch.equal(indices[::2], indices[1::2])
    assert indices[::2].tolist() == list(range(300))
