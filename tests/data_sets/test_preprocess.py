"""Transforms of small images, against brute force in float64 and against torchvision."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torch.profiler import profile
from torchvision.transforms import functional as tvf

from bigbatch.seeding import make_generator
from preprocess import default_augment, get_transform
from tests.data_helpers import assert_all_refused

# name, (C, H, W), further settings
CASES = [
    ('mnist', (1, 28, 28), {}),
    ('mnist', (1, 28, 28), {'flip': True, 'input_size': 24}),
    ('digits', (1, 8, 8), {}),
    ('cifar10', (3, 32, 32), {}),
    ('cifar100', (3, 32, 32), {'input_size': 40}),
    ('cifar10', (3, 32, 32), {'scale_size': 34, 'flip': False}),
    ('fake', (3, 32, 32), {}),
    ('fake:50:2x12x20', (2, 12, 20), {}),
    ('fake', (4, 9, 7), {'input_size': 6}),
    ('folder/own.npz', (3, 16, 16), {'normalize': {'mean': [0.1, 0.2, 0.3], 'std': [1, 2, 3]}}),
]
PADS = {'mnist': (2, 0), 'digits': (1, 0), 'cifar10': (4, 127), 'cifar100': (4, 127), 'fake': (4, 127)}


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


@pytest.mark.parametrize(('name', 'shape', 'settings'), CASES)
def test_a_batch_equals_brute_force_and_its_images_one_by_one(name, shape, settings):
    transform = get_transform(name, **settings)
    images = random_images(200, shape)
    choices = transform.draw(200, make_generator('choices'), image_size=shape)
    pad, fill = PADS.get(name, (2, 0 if name.endswith('.npz') else 127))
    if shape == (4, 9, 7):
        pad = 2
    if 'scale_size' in settings:
        pad = (settings['scale_size'] - min(shape[1:])) // 2
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


def test_evaluation_pads_what_training_pads():
    images = random_images(3, (3, 32, 32))
    result = get_transform('cifar10', 36, augment=False).batch(images)
    choices = torch.tensor([[2, 2, 0]] * 3)
    assert torch.equal(result, get_transform('cifar10', 36).apply(images, choices))
    assert torch.equal(result[0], get_transform('cifar10', 36).apply(images)[0])


def test_choices_are_uniform_and_independent():
    transform = get_transform('cifar10', 30)
    num, counts = 100_000, (11, 11, 2)
    choices = transform.draw(num, make_generator(0), image_size=(32, 32)).numpy()
    cells = np.ravel_multi_index(choices.T, counts)  # raises outside the range
    observed = np.bincount(cells, minlength=242)
    expected = num / 242
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert 170 < chi_square < 320  # 241 degrees of freedom: mean 241, standard deviation 22


def test_digits_are_not_mirrored_and_photographs_are():
    for name, shape, mirrored in [('mnist', (28, 28), 0), ('digits', (8, 8), 0), ('cifar10', (32, 32), 1)]:
        transform = get_transform(name)
        assert transform.draw(500, make_generator(0), image_size=shape)[:, 2].max() == mirrored
    assert get_transform('mnist', flip=True).flip
    assert not get_transform('cifar10', flip=False).flip


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


def test_input_is_left_alone():
    images = random_images(10, (1, 28, 28))
    before = images.clone()
    for augment in (True, False):
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_a_gpu_nothing_waits_and_the_result_is_that_of_the_cpu():
    transform = get_transform('cifar10')
    images = random_images(300, (3, 32, 32))
    choices = transform.draw(300, make_generator(0), image_size=(32, 32))
    expected = transform.apply(images, choices)
    images, choices = images.cuda(), choices.cuda()
    transform.apply(images, choices)
    torch.cuda.set_sync_debug_mode('error')
    try:
        result = transform.apply(images, choices)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    torch.testing.assert_close(result.cpu(), expected)


def test_bad_input_is_one_line():
    digit, choices = random_images(1, (1, 28, 28)), torch.zeros(1, 3).long()
    half = {'mean': [0.5]}
    assert_all_refused([
        (r"data set 'mnits'; did you mean mnist or digits\? known: .*cifar10", lambda: get_transform('mnits')),
        ('no transform', lambda: get_transform('npz')),
        ("'mnist:3'", lambda: default_augment('mnist:3')),
        ('input_size 0 .* 1 or more', lambda: get_transform('mnist', 0)),
        ('scale_size -1 .* 1 or more', lambda: get_transform('mnist', scale_size=-1)),
        ('flip=True .* augment=False', lambda: get_transform('cifar10', augment=False, flip=True)),
        ("expected 'mean' and 'std'", lambda: get_transform('cifar10', normalize=half)),
        ('stds above 0', lambda: get_transform('cifar10', normalize={**half, 'std': [0]})),
        ('as many means', lambda: get_transform('cifar10', normalize={'mean': [1, 2], 'std': [1]})),
        ('expected 1 values', lambda: get_transform('cifar10').batch(random_images(2, (1, 32, 32)))),
        ('expected 2 values', lambda: get_transform('cifar10')(random_images(1, (2, 32, 32))[0])),
        ('input_size 33 .* expected 1 to 32', lambda: get_transform('mnist', 33).output_size((1, 28, 28))),
        ('expected 1 to 32', lambda: get_transform('mnist', 33)(digit[0])),
        ('expected 1 to 40', lambda: get_transform('fake', 41, augment=False).output_size((32, 50))),
        ('expected 1 to 28', lambda: get_transform('fake', 30, 28, augment=False).output_size((32, 32))),
        ('scale_size 27 .*28 or more', lambda: get_transform('mnist', scale_size=27).output_size((28, 28))),
        ('expected 32 or 34', lambda: get_transform('mnist', scale_size=33).output_size((28, 28))),
        ('expected None', lambda: get_transform('mnist', augment=False).apply(digit, choices)),
    ])  # fmt: skip
