"""Loaders: order, augmentation, copies, sizes, exactness; what is true of sets in memory and of streamed ones."""

import itertools

import numpy as np
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

of_each_kind = pytest.mark.parametrize('kind', ['device', 'stream'])
of_each_layout = pytest.mark.parametrize('layout', ['spread', 'together'])


def compose():
    return transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.ToTensor()])


def make_loader(kind='device', split='train', **settings):
    settings = {'batch_size': 64, 'shuffle': True, 'seed': 1} | settings
    transform = get_transform(FAKE, augment=split == 'train') if kind == 'device' else compose()
    loader = data.build_loader(data.get_dataset(FAKE, split), transform, **settings)
    assert isinstance(loader, DeviceLoader if kind == 'device' else StreamLoader)
    return loader


@of_each_kind
def test_an_epoch_has_every_example_once_and_can_be_begun_at_a_step(kind):
    loader = make_loader(kind)
    inputs, targets, indices = whole = collect(loader)
    assert sorted(indices.tolist()) == list(range(300)) != indices.tolist()
    assert torch.equal(targets, loader.dataset.targets[indices])
    assert (inputs.dtype, targets.dtype, indices.dtype) == (torch.float32, torch.int64, torch.int64)
    assert inputs.shape == (300, *loader.input_shape) == (300, 3, 32, 32)
    assert loader.num_examples == 300 and loader.num_steps == 5 and loader.batch_size == 64
    assert_same(collect(loader, start_step=3), [tensor[3 * 64 :] for tensor in whole])
    assert list(loader.epoch(1, start_step=5)) == []
    for step in (-1, 6):
        assert_refused(f'step {step} .* expected 0 to 5', lambda step=step: loader.epoch(1, step))
    assert [batch.num_examples for batch in loader.epoch(0)] == [64] * 4 + [44]
    loader = make_loader(kind, drop_last=True)
    assert [batch.num_examples for batch in loader.epoch(0)] == [64] * 4 == [64] * loader.num_steps
    message = '301 is more than the 300 examples .* --no-drop-last or a batch of at most 300'
    assert_refused(message, lambda: make_loader(kind, batch_size=301, drop_last=True))
    assert make_loader(kind, batch_size=301).num_steps == 1


@of_each_kind
def test_order_and_augmentation_depend_on_seed_and_epoch_alone(kind):
    first = collect(make_loader(kind), epoch=3)
    for settings in ({'micro_batch_size': 7}, {'batch_size': 300, 'num_workers': 2}):
        loader = make_loader(kind, **settings)
        collect(loader, epoch=0)  # earlier epochs and global draws leave no trace
        torch.rand(1)
        states = torch.get_rng_state(), np.random.get_state()[1].copy()
        assert_same(collect(loader, epoch=3), first)
        loader.peek(3)
        assert torch.equal(torch.get_rng_state(), states[0]) and (np.random.get_state()[1] == states[1]).all()
    for other in (collect(make_loader(kind), epoch=4), collect(make_loader(kind, seed=2), epoch=3)):
        assert not torch.equal(other[2], first[2])
        assert not torch.equal(by_example(other[0], other[2]), by_example(first[0], first[2]))
    assert torch.equal(by_example(first[0], first[2]), collect(make_loader(kind, shuffle=False), epoch=3)[0])


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
    inputs, _, indices = collect(make_loader(split='val', shuffle=False, duplicates=2, copies='together'))
    assert torch.equal(inputs[::2], inputs[1::2])
    assert indices[::2].tolist() == indices[1::2].tolist() == list(range(75))


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


def test_the_data_sets_own_transforms_reach_the_loader_and_a_stream_casts():
    dataset = data.get_dataset(FAKE, target_transform=lambda target: 9 - target)
    loader = data.build_loader(dataset, get_transform(FAKE), batch_size=64)
    assert torch.equal(collect(loader)[1], 9 - dataset.targets)
    dataset, settings = data.get_dataset(FAKE, transform=compose()), {'batch_size': 64, 'seed': 1, 'shuffle': True}
    expected = collect(make_loader('stream'))
    assert_same(collect(data.build_loader(dataset, None, num_workers=2, **settings)), expected)
    assert_same(collect(make_loader('stream', dtype=torch.float64))[:1], [expected[0].double()])
    loader = data.build_loader(dataset, None, duplicates=2, **settings)
    assert by_copy(loader) == by_copy(make_loader('stream', duplicates=2))


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
        ('expected 1 to 40', lambda: DeviceLoader(images, get_transform(FAKE, 41), **size)),
        ('transform of its own', lambda: DeviceLoader(own, transform, **size)),
    ])  # fmt: skip


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('kind', [DeviceLoader, StreamLoader])
def test_on_a_gpu_batches_are_those_of_the_cpu(kind):
    dataset, transform = data.get_dataset(FAKE), get_transform(FAKE)
    on_gpu, on_cpu = (collect(kind(dataset, transform, batch_size=64, device=device)) for device in ('cuda', 'cpu'))
    torch.testing.assert_close([tensor.cpu() for tensor in on_gpu], list(on_cpu))


def by_copy(loader, epoch: int = 0) -> dict[tuple[int, int], bytes]:
    """Return the inputs of an epoch by (copy, example), the copies counted here as a layout has them."""
    found = {}
    for batch in loader.epoch(epoch):
        num = batch.num_examples // loader.duplicates
        inputs, _, indices = collect([batch])
        assert torch.equal(indices, batch.indices)
        for place, index in enumerate(indices.tolist()):
            copy = place // num if loader.copies == 'spread' else place % loader.duplicates
            assert (copy, index) not in found
            found[copy, index] = inputs[place].numpy().tobytes()
    return found


@of_each_kind
@of_each_layout
def test_copies_are_those_of_their_numbers_in_any_batches(kind, layout):
    settings = {'duplicates': 3, 'copies': layout}
    found = by_copy(make_loader(kind, **settings), epoch=2)
    assert found.keys() == {(copy, index) for copy in range(3) for index in range(300)}
    assert {key: found[key] for key in found if key[0] == 0} == by_copy(make_loader(kind), epoch=2)
    changes = [{'batch_size': 300, 'shuffle': False}, {'micro_batch_size': 7, 'duplicates': 2}]
    for change in [{**changes[0], **changes[1], 'num_workers': 2}] if kind == 'stream' else changes:
        other = by_copy(make_loader(kind, **{**settings, **change}), epoch=2)
        assert other == {key: found[key] for key in other}
    assert found != by_copy(make_loader(kind, **settings, seed=2), epoch=2)
    equal = [found[0, index] == found[copy, index] for copy in (1, 2) for index in range(300)]
    assert sum(equal) < 20  # of 600; 162 crops and mirrors in memory, 81 crops streamed


@of_each_kind
@of_each_layout
def test_the_order_within_a_batch_and_a_copy_as_a_batch_of_its_own(kind, layout):
    for micro in (None, 30):
        loader = make_loader(kind, duplicates=3, copies=layout, micro_batch_size=micro)
        assert (loader.num_examples, loader.batch_size, loader.num_steps) == (300, 64, 5)
        for batch, alone in zip(loader.epoch(1), make_loader('device').epoch(1), strict=True):
            examples = alone.indices.tolist()
            num, whole = len(examples), collect([batch])
            expected = examples * 3 if layout == 'spread' else [index for index in examples for _ in range(3)]
            assert whole[2].tolist() == batch.indices.tolist() == expected
            assert batch.num_examples == 3 * num and batch.duplicates == 3
            assert len(batch) == len(list(batch)) == (-(-3 * num // micro) if micro else 1)
            assert_same(collect([batch]), whole)  # iterated once more
            assert torch.equal(whole[1], loader.dataset.targets[batch.indices])
            for number in range(3):
                one = batch.copy(number)
                assert one.num_examples == num and one.duplicates == 1 and one.copy(0) is one
                assert len(one) == (-(-num // micro) if micro else 1)
                chosen = slice(number * num, (number + 1) * num) if layout == 'spread' else slice(number, None, 3)
                assert_same(collect([one]), [tensor[chosen] for tensor in whole])
                assert torch.equal(one.indices, whole[2][chosen])


def test_inputs_are_those_of_the_transform_with_choices_drawn_for_each_copy():
    loader = make_loader(duplicates=3)
    found = by_copy(loader, epoch=4)
    for copy, purpose in enumerate([(), ('copy', 1), ('copy', 2)]):
        choices = loader.transform.draw(300, make_generator(1, 'augmentation', 4, *purpose), image_size=(32, 32))
        expected = loader.transform.apply(loader.dataset.images, choices)
        assert all(found[copy, index] == expected[index].numpy().tobytes() for index in range(300))
