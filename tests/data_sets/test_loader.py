"""Loaders: order, augmentation, sizes, exactness; what is true of sets in memory and of streamed ones."""

import itertools

import pytest
import torch
from torchvision import transforms

import data
from bigbatch.seeding import make_generator
from bigbatch.splits import split_evenly
from data_sets.arrays import ArrayDataset
from data_sets.loader import DeviceLoader
from data_sets.stream import StreamLoader
from preprocess import get_transform
from tests.data_helpers import FAKE, assert_all_refused, assert_refused, assert_same, by_example, collect


def compose():
    return transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.ToTensor()])


def make_loader(kind='device', split='train', **settings):
    settings = {'batch_size': 64, 'shuffle': True, 'seed': 1} | settings
    transform = get_transform(FAKE, augment=split == 'train') if kind == 'device' else compose()
    loader = data.build_loader(data.get_dataset(FAKE, split), transform, **settings)
    assert isinstance(loader, DeviceLoader if kind == 'device' else StreamLoader)
    return loader


KINDS = ['device', 'stream']


@pytest.mark.parametrize('kind', KINDS)
def test_every_example_comes_once_with_its_target(kind):
    loader = make_loader(kind)
    inputs, targets, indices = collect(loader)
    assert sorted(indices.tolist()) == list(range(300)) != indices.tolist()
    assert torch.equal(targets, loader.dataset.targets[indices])
    assert (inputs.dtype, targets.dtype, indices.dtype) == (torch.float32, torch.int64, torch.int64)
    assert inputs.shape == (300, *loader.input_shape) == (300, 3, 32, 32)
    assert loader.num_examples == 300 and loader.num_steps == 5 and loader.batch_size == 64


@pytest.mark.parametrize('kind', KINDS)
def test_order_and_augmentation_depend_on_seed_and_epoch_alone(kind):
    first = collect(make_loader(kind), epoch=3)
    for settings in ({'micro_batch_size': 7}, {'batch_size': 300}):
        loader = make_loader(kind, **settings)
        collect(loader, epoch=0)  # earlier epochs and global draws leave no trace
        torch.rand(1)
        assert_same(collect(loader, epoch=3), first)
    for other in (collect(make_loader(kind), epoch=4), collect(make_loader(kind, seed=2), epoch=3)):
        assert not torch.equal(other[2], first[2])
        assert not torch.equal(by_example(other[0], other[2]), by_example(first[0], first[2]))
    assert torch.equal(by_example(first[0], first[2]), collect(make_loader(kind, shuffle=False), epoch=3)[0])


@pytest.mark.parametrize('kind', KINDS)
def test_start_step_skips_exactly(kind):
    loader = make_loader(kind)
    whole = collect(loader, epoch=1)
    assert_same(collect(loader, 1, start_step=3), [tensor[3 * 64 :] for tensor in whole])
    assert list(loader.epoch(1, start_step=5)) == []
    for step in (-1, 6):
        assert_refused(f'step {step} .* expected 0 to 5', lambda step=step: loader.epoch(1, step))


@pytest.mark.parametrize('kind', KINDS)
def test_a_batch_can_be_iterated_twice(kind):
    for batch in make_loader(kind, micro_batch_size=30).epoch(0):
        first, second = list(batch), list(batch)
        assert len(batch) == len(first) == -(-batch.num_examples // 30)
        for one, two in zip(first, second, strict=True):
            assert_same(one, two)
        assert torch.equal(torch.cat([part.indices for part in first]), batch.indices)
        assert sum(len(part.inputs) for part in first) == batch.num_examples


@pytest.mark.parametrize('kind', KINDS)
def test_drop_last(kind):
    loader = make_loader(kind, drop_last=True)
    assert loader.num_steps == 4
    assert [batch.num_examples for batch in loader.epoch(0)] == [64] * 4
    assert [batch.num_examples for batch in make_loader(kind).epoch(0)] == [64] * 4 + [44]
    message = '301 is more than the 300 examples .* --no-drop-last or a batch of at most 300'
    assert_refused(message, lambda: make_loader(kind, batch_size=301, drop_last=True))
    assert make_loader(kind, batch_size=301).num_steps == 1


def test_pieces_are_whole_and_never_single():
    for size, num in itertools.product((1, 2, 7, 16, 29, 30), range(1, 60)):
        pieces = split_evenly(num, size)
        assert [index for start, stop in pieces for index in range(start, stop)] == list(range(num))
        sizes = [stop - start for start, stop in pieces]
        assert all(length == size for length in sizes[:-1])
        assert sizes[-1] <= size + (size > 1)
        assert size == 1 or num == 1 or 1 not in sizes


def test_validation_is_untouched_and_in_order():
    loader = make_loader(split='val', shuffle=False, micro_batch_size=20)
    images = data.get_dataset(FAKE, 'val').images
    for epoch in (0, 1):
        inputs, targets, indices = collect(loader, epoch)
        assert indices.tolist() == list(range(75))
        torch.testing.assert_close(inputs.double(), images.double() / 127.5 - 1, atol=1e-6, rtol=0)
        assert torch.equal(targets, loader.dataset.targets)
    assert torch.equal(loader.dataset.images, images)


def test_float_features_are_cast_only_and_not_copied_unshuffled():
    features, targets = torch.randn(50, 7, generator=make_generator(0)), torch.arange(50) % 3
    dataset = ArrayDataset(features, targets)
    for dtype, shuffle in itertools.product((torch.float32, torch.float64, torch.bfloat16), (False, True)):
        loader = data.build_loader(dataset, None, batch_size=8, dtype=dtype, shuffle=shuffle)
        inputs, _, indices = collect(loader)
        assert torch.equal(inputs, features[indices].to(dtype)) and inputs.dtype == dtype
        assert loader.input_shape == (7,)
    (part,) = next(iter(DeviceLoader(dataset, None, batch_size=8).epoch(0, 1)))
    assert part.inputs.data_ptr() == dataset.images[8:].data_ptr()


def test_target_transform_reaches_the_loader():
    dataset = data.get_dataset(FAKE, target_transform=lambda target: 9 - target)
    loader = data.build_loader(dataset, get_transform(FAKE), batch_size=64)
    assert torch.equal(collect(loader)[1], 9 - dataset.targets)


def test_a_stream_uses_the_data_sets_own_transform_and_casts():
    dataset = data.get_dataset(FAKE, transform=compose())
    loader = data.build_loader(dataset, None, batch_size=64, seed=1, shuffle=True, num_workers=2)
    expected = collect(make_loader('stream'))
    assert_same(collect(loader), expected)
    assert_same(collect(make_loader('stream', dtype=torch.float64))[:1], [expected[0].double()])


def test_what_does_not_fit_is_refused():
    images, features = data.get_dataset(FAKE), ArrayDataset(torch.zeros(4, 2), torch.zeros(4))
    own, transform = data.get_dataset(FAKE, transform=compose()), get_transform(FAKE)
    size = {'batch_size': 2}
    assert_all_refused([
        ('^batch size 0 .* 1 or more', lambda: make_loader(batch_size=0)),
        ('micro-batch size 0 .* 1 or more', lambda: make_loader('stream', micro_batch_size=0)),
        ('duplicates 0 .* 1 or more', lambda: make_loader(duplicates=0)),
        ("copies 'side' is no layout; .*together", lambda: make_loader(copies='side')),
        ('expected transform None', lambda: DeviceLoader(features, transform, **size)),
        ('images need a transform', lambda: DeviceLoader(images, None, **size)),
        ('returns a Image; expected a tensor', lambda: StreamLoader(images, None, **size)),
        ('expected 1 to 40', lambda: DeviceLoader(images, get_transform(FAKE, 41), **size)),
        ('transform of its own', lambda: DeviceLoader(own, transform, **size)),
    ])  # fmt: skip


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_a_gpu_no_step_waits_for_the_device():
    expected = collect(make_loader(micro_batch_size=16))
    loader = make_loader(micro_batch_size=16, device='cuda')
    collect(loader)
    batches = loader.epoch(0)
    parts = list(next(batches))  # order and augmentation of the epoch are moved with its first batch
    torch.cuda.set_sync_debug_mode('error')
    try:
        parts += [part for batch in batches for part in batch]
    finally:
        torch.cuda.set_sync_debug_mode('default')
    result = [torch.cat(tensors).cpu() for tensors in zip(*parts, strict=True)]
    torch.testing.assert_close(result, list(expected))
