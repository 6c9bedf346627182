"""Transforms of images, against brute force in float64 and against torchvision."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torch.profiler import profile
from torchvision.transforms import functional as tvf
from torchvision.transforms import v2

from bigbatch.seeding import make_generator
from preprocess import default_augment, get_transform
from tests.config.test_flags import build
from tests.conftest import TINY_GBN
from tests.data_helpers import assert_all_refused
from utils.engine.plan import describe_plan

CASES = [  # name, (C, H, W), further settings; by hand: pixels added on each side, their grey level
    ('mnist', (1, 28, 28), {}, 2, 0),
    ('mnist', (1, 28, 28), {'flip': True, 'input_size': 24}, 2, 0),
    ('digits', (1, 8, 8), {}, 1, 0),
    ('cifar10', (3, 32, 32), {}, 4, 127),
    ('cifar100', (3, 32, 32), {'input_size': 40}, 4, 127),
    ('cifar10', (3, 32, 32), {'scale_size': 34, 'flip': False}, 1, 127),
    ('fake', (3, 32, 32), {}, 4, 127),
    ('fake:50:2x12x20', (2, 12, 20), {}, 2, 127),
    ('fake', (4, 9, 7), {'input_size': 6}, 2, 127),
    ('folder/own.npz', (3, 16, 16), {'normalize': {'mean': [0.1, 0.2, 0.3], 'std': [1, 2, 3]}}, 2, 0),
]


def random_images(num, shape):
    return torch.randint(0, 256, (num, *shape), dtype=torch.uint8, generator=make_generator('images'))


def brute_force(images, choices, size, *, pad, fill, mean, std):
    """Slice one by one, in float64."""
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    crops = []
    for image, (top, left, flip) in zip(padded, choices.tolist(), strict=True):
        crop = image[:, top : top + size[0], left : left + size[1]]
        crops.append(crop[:, :, ::-1] if flip else crop)
    mean, std = (np.reshape(value, (-1, 1, 1)) for value in (mean, std))
    return (np.stack(crops) / 255 - mean) / std


@pytest.mark.parametrize(('name', 'shape', 'settings', 'pad', 'fill'), CASES)
def test_a_batch_equals_brute_force_and_its_images_one_by_one(name, shape, settings, pad, fill):
    transform = get_transform(name, **settings)
    images = random_images(200, shape)
    choices = transform.draw(200, make_generator('choices'), image_size=shape)
    size = (settings['input_size'],) * 2 if 'input_size' in settings else shape[1:]
    expected = brute_force(images, choices, size, pad=pad, fill=fill, mean=transform.mean, std=transform.std)
    result = transform.apply(images, choices)
    assert result.dtype == torch.float32 and result.is_contiguous()
    assert tuple(result.shape[-2:]) == transform.output_size(shape) == tuple(size)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(transform.apply(images, choices, dtype=torch.float64), expected, atol=1e-13)
    for index, image in enumerate(images[:20]):
        choices = transform.draw(1, make_generator(index), image_size=shape)
        expected = transform.apply(image[None], choices)[0]
        assert torch.equal(transform(image, generator=make_generator(index)), expected)
        if shape[0] in (1, 3):
            picture = Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy())
            assert torch.equal(transform(picture, generator=make_generator(index)), expected)


def test_evaluation_is_resize_and_centre_crop_as_in_torchvision():
    cases = [('cifar10', (3, 32, 32), *sizes) for sizes in itertools.product((None, 20, 27, 28, 31), (None, 35))]
    for name, shape, size, scale_size in (*cases, ('fake', (3, 24, 36), 10, 12)):
        images, transform = random_images(5, shape), get_transform(name, size, scale_size, augment=False)
        expected = images if scale_size is None else tvf.resize(images, [scale_size])
        expected = tvf.center_crop(expected, [size or 32]).double() / 255
        mean, std = (values * (3 // len(values)) for values in (transform.mean, transform.std))
        expected = tvf.normalize(expected, mean, std)
        assert transform.draw(5, image_size=shape) is None
        torch.testing.assert_close(transform.batch(images).double(), expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(transform(images[2]).double(), expected[2], atol=1e-6, rtol=0)
    images = random_images(3, (3, 32, 32))
    result = get_transform('cifar10', 36, augment=False).batch(images)  # it pads what training pads
    choices = torch.tensor([[2, 2, 0]] * 3)
    assert torch.equal(result, get_transform('cifar10', 36).apply(images, choices))
    assert torch.equal(result[0], get_transform('cifar10', 36).apply(images)[0])


def test_choices_are_uniform_and_independent():
    transform = get_transform('cifar10', 30)
    num, counts = 100_000, (11, 11, 2)
    choices = transform.draw(num, make_generator(0), image_size=(32, 32)).numpy()
    cells = np.ravel_multi_index(choices.T, counts)  # raises outside the range
    observed, expected = np.bincount(cells, minlength=242), num / 242
    # 241 degrees of freedom: mean 241, standard deviation 22
    assert 170 < ((observed - expected) ** 2 / expected).sum() < 320
    centers = get_transform('fake', cutout=4).draw(40_000, make_generator(0), image_size=(8, 10))[:, -2:].numpy()
    observed = np.bincount(np.ravel_multi_index(centers.T, (8, 10)), minlength=80)
    assert 40 < ((observed - 500) ** 2 / 500).sum() < 130  # 79 degrees of freedom: standard deviation 12.6


def test_an_image_does_not_depend_on_its_batch_and_half_precision_is_rounded_once():
    transform = get_transform('cifar10')
    images = random_images(97, (3, 32, 32))
    choices = transform.draw(97, make_generator(0), image_size=(32, 32))
    whole = transform.apply(images, choices)
    chosen = torch.randperm(97, generator=make_generator(1))[:13]
    assert torch.equal(transform.apply(images[chosen], choices[chosen]), whole[chosen])
    assert torch.equal(transform.apply(images[5:6], choices[5:6])[0], whole[5])
    for dtype in (torch.bfloat16, torch.float16):
        assert torch.equal(transform.apply(images, choices, dtype=dtype), whole.to(dtype))
    images = random_images(10, (1, 28, 28))
    before = images.clone()
    for augment in (True, False):  # what comes out is no view of what went in
        get_transform('mnist', augment=augment).batch(images).add_(1)
        get_transform('mnist', augment=augment)(images[0]).add_(1)
    assert torch.equal(images, before)


@pytest.mark.parametrize(('name', 'size'), [('fake', None), ('imagenet', 24)])
def test_choices_come_from_the_generator_or_the_global_one(name, size):
    transform, images = get_transform(name, size), random_images(20, (3, 32, 32))
    state = torch.get_rng_state()
    first = transform.batch(images, make_generator(1))
    assert torch.equal(transform.batch(images, make_generator(1)), first) and first.shape[2:] == (size or 32,) * 2
    assert not torch.equal(transform.batch(images, make_generator(2)), first)
    assert torch.equal(torch.get_rng_state(), state)
    second = transform.batch(images)
    torch.set_rng_state(state)
    assert torch.equal(transform.batch(images), second)


def test_constants_made_in_inference_mode_serve_training():
    normalize = {'mean': [0.123], 'std': [0.456]}  # used by no other test, so not made yet
    transform = get_transform('mnist', normalize=normalize, augment=False)
    images = random_images(2, (1, 28, 28))
    with torch.inference_mode():
        first = transform.batch(images).clone()
    weight = torch.ones(1, requires_grad=True)
    (transform.batch(images) * weight).sum().backward()
    torch.testing.assert_close(weight.grad[0], first.sum())


def test_number_of_kernels_does_not_grow_with_the_batch():
    transform, counts = get_transform('cifar10'), []
    for num in (2, 200):
        images, choices = random_images(num, (3, 32, 32)), transform.draw(num, image_size=(32, 32))
        transform.apply(images, choices)  # the constants are made once
        with profile() as operations:
            transform.apply(images, choices)
        counts.append(len(operations.events()))
    assert 0 < counts[0] == counts[1]


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(300, 400), (500, 333), (224, 224), (100, 90), (64, 700)]


def photograph(size):
    """Smooth, so that resizing has something to do: (height, width)."""
    cells = np.random.RandomState(0).randint(0, 256, (9, 7, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size[::-1], Image.Resampling.BICUBIC)


def reference(*steps, mean=MEAN, std=STD):
    return v2.Compose([v2.PILToTensor(), *steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])


@pytest.mark.parametrize('size', SIZES)
def test_photographs_are_treated_by_torchvisions_steps(size):
    image = photograph(size)
    for settings, crop, flip in (({}, 224, 1), ({'input_size': 64}, 64, 1), ({'flip': False}, 224, 0)):
        ours = get_transform('imagenet', **settings)
        steps = [v2.RandomResizedCrop(crop, antialias=True), *[v2.RandomHorizontalFlip()] * flip]
        for seed in range(3):
            torch.manual_seed(seed)
            expected = reference(*steps)(image)
            torch.manual_seed(seed)
            result = ours(image)
            assert result.shape == (3, crop, crop) and ours.output_size(size) == (crop, crop)
            torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)
    own = {'mean': [0.1, 0.2, 0.3], 'std': [1, 2, 3]}
    for input_size, scale_size, resized, pixels in (
        (None, None, 256, {}), (64, None, 73, {}), (64, 64, 64, {}), (299, None, 342, own), (None, 300, 300, {}),
    ):  # fmt: skip
        ours = get_transform('imagenet', input_size, scale_size, pixels or None, augment=False)
        steps = (v2.Resize(resized, antialias=True), v2.CenterCrop(input_size or 224))
        torch.testing.assert_close(ours(image), reference(*steps, **pixels)(image), atol=1e-5, rtol=0)


def test_presets_are_those_of_the_sets():
    for size, pad in ((32, 4), (64, 8), (96, 12), (28, 3), (7, 0)):
        transform = get_transform('folder')
        choices = transform.draw(500, make_generator(0), image_size=(size, size + 1))
        assert choices.amax(0).tolist() == [2 * pad, 2 * pad, 1]
    assert (transform.mean, transform.std, transform.fill) == (MEAN, STD, 127)
    stl10 = get_transform('stl10')
    assert stl10.output_size((96, 96)) == (96, 96) and (stl10.pad, stl10.flip) == (12, True)  # as published
    assert stl10.mean == (0.4467, 0.4398, 0.4066) and stl10.std == (0.2603, 0.2566, 0.2713)
    names = ('imagenet', 'folder', 'stl10', 'mnist', 'cifar10', 'fake:20', 'digits')
    assert [name for name in names if not default_augment(name)] == ['digits']
    assert get_transform('imagenet').flip and not get_transform('imagenet', augment=False).flip
    for name, shape, mirrored in [('mnist', (28, 28), 0), ('digits', (8, 8), 0), ('cifar10', (32, 32), 1)]:
        choices = get_transform(name).draw(500, make_generator(0), image_size=shape)
        assert choices[:, 2].max() == mirrored
    assert get_transform('mnist', flip=True).flip and not get_transform('cifar10', flip=False).flip


def blanked(images: torch.Tensor, centers: torch.Tensor, side: int) -> torch.Tensor:
    """Zero the square of each image by slicing, as the published code does for even sides."""
    images = images.clone()
    for image, (row, column) in zip(images, centers.tolist(), strict=True):
        top, left = row - side // 2, column - side // 2
        image[:, max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = 0
    return images


def test_a_cutout_is_zeros_behind_all_else():
    sets = ('cifar10', (3, 32, 32), 16), ('mnist', (1, 28, 28), 7), ('fake', (2, 9, 14), 13), ('digits', (1, 8, 8), 1)
    for (name, shape, side), augment in itertools.product(sets, (True, False)):
        plain, cut = (get_transform(name, augment=augment, cutout=cutout) for cutout in (None, side))
        images = random_images(100, shape)
        choices = cut.draw(100, make_generator(1), image_size=shape)
        without = plain.draw(100, make_generator(1), image_size=shape)
        assert torch.equal(choices[:, :-2], without if augment else choices[:, :0])
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            whole = plain.apply(images, without, dtype=dtype)
            assert torch.equal(cut.apply(images, dtype=dtype), plain.apply(images, dtype=dtype))  # no choices
            result = cut.apply(images, choices, dtype=dtype)
            assert result.dtype == dtype and not torch.equal(result, whole)
            assert torch.equal(result, blanked(whole, choices[:, -2:], side))
        for index in range(10):
            choices = cut.draw(1, make_generator(index), image_size=shape)
            result = cut(images[index], generator=make_generator(index))
            torch.testing.assert_close(result, cut.apply(images[index : index + 1], choices)[0])


def test_cutouts_of_photographs_are_made_on_the_device():
    plain, cut = (get_transform('imagenet', 32, cutout=cutout) for cutout in (None, 10))
    images = random_images(6, (3, 40, 50))
    torch.manual_seed(0)
    prepared = torch.stack([cut.prepare(image) for image in images])
    torch.manual_seed(0)
    assert torch.equal(prepared, torch.stack([plain.prepare(image) for image in images]))
    choices = cut.draw(6, make_generator(3), image_size=(32, 32))
    assert plain.draw(6, image_size=(32, 32)) is None
    assert torch.equal(cut.apply(prepared, choices), blanked(plain.apply(prepared), choices, 10))
    assert all((cut(image) == 0).all(0).sum() >= 25 for image in images)


def test_bad_input_is_one_line():
    digit, choices = random_images(1, (1, 28, 28)), torch.zeros(1, 3).long()
    half = {'mean': [0.5]}
    assert_all_refused([
        (r"data set 'mnits'; did you mean mnist or digits\? known: .*cifar10", lambda: get_transform('mnits')),
        ('input_size 0 .* 1 or more', lambda: get_transform('imagenet', 0)),
        ('scale_size -1 .* 1 or more', lambda: get_transform('mnist', scale_size=-1)),
        ('flip=True .* augment=False', lambda: get_transform('cifar10', augment=False, flip=True)),
        ("expected 'mean' and 'std'", lambda: get_transform('cifar10', normalize=half)),
        ('stds above 0', lambda: get_transform('cifar10', normalize={**half, 'std': [0]})),
        ('as many means', lambda: get_transform('cifar10', normalize={'mean': [1, 2], 'std': [1]})),
        ('input_size 33 .* expected 1 to 32', lambda: get_transform('mnist', 33)(digit[0])),
        ('expected 1 to 40', lambda: get_transform('fake', 41, augment=False).output_size((32, 50))),
        ('expected 1 to 28', lambda: get_transform('fake', 30, 28, augment=False).output_size((32, 32))),
        ('scale_size 27 .*28 or more', lambda: get_transform('mnist', scale_size=27).output_size((28, 28))),
        ('expected 32 or 34', lambda: get_transform('mnist', scale_size=33).output_size((28, 28))),
        ('expected at most 19, as 10', lambda: get_transform('fake', cutout=20).output_size((3, 12, 20))),
        ('16x16; expected at most 15', lambda: get_transform('imagenet', 16, cutout=16).output_size((3, 90, 90))),
        ('cutout 0 is not a size in pixels; expected 1 or more', lambda: get_transform('mnist', cutout=0)),
        ('expected None', lambda: get_transform('mnist', augment=False).apply(digit, choices)),
        ('scale_size 100 is less than the crop of 224', lambda: get_transform('imagenet', 224, 100, augment=False)),
        ('3 values, the images 1 channels', lambda: get_transform('imagenet')(photograph((50, 50)).convert('L'))),
    ])  # fmt: skip


def test_cutout_as_a_flag(refused, tmp_path):
    refused(*TINY_GBN, '--cutout', words=('cutout 16', '8x8', 'at most 7, as 4'))
    sizes = ('--b', '16', '-mb', '8')
    alexnet = ('--model', 'alexnet', '--dataset', 'fake:64:3x32x32:4', *sizes)
    refused(*alexnet, '--cutout', words=('--cutout 16', 'alexnet', 'input_transform'))
    features, x, y = tmp_path / 'features.npz', np.zeros((32, 5), np.float32), np.arange(32) % 3
    np.savez(features, x_train=x, y_train=y, x_test=x, y_test=y)
    flags = ('--model', 'mnist_f1', '--dataset', str(features), *sizes, '--cutout', '2')
    refused(*flags, words=('--cutout 2', 'holds features'))
    experiment = build(*TINY_GBN, '--cutout', '3')
    assert 'cutout of 3 pixels' in describe_plan(experiment)
    assert experiment.data.val.transform.cutout is None
