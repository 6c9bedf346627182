"""The transform of photographs, against torchvision's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from bigbatch.seeding import make_generator
from preprocess import default_augment, get_transform
from tests.data_helpers import assert_all_refused

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(300, 400), (500, 333), (224, 224), (100, 90), (64, 700)]


def photograph(size, seed=0):
    """Smooth, so that resizing has something to do: (height, width)."""
    rng = np.random.RandomState(seed)
    return Image.fromarray(rng.randint(0, 256, (9, 7, 3), dtype=np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)


def reference(*steps, mean=MEAN, std=STD):
    return v2.Compose([v2.PILToTensor(), *steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])


@pytest.mark.parametrize('size', SIZES)
def test_training_is_torchvisions_crop_and_flip(size):
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


@pytest.mark.parametrize('size', SIZES)
def test_evaluation_is_torchvisions_resize_and_centre_crop(size):
    for input_size, scale_size, resized in (
        (None, None, 256), (64, None, 73), (64, 64, 64), (299, None, 342), (None, 300, 300),
    ):  # fmt: skip
        ours = get_transform('imagenet', input_size, scale_size, augment=False)
        steps = (v2.Resize(resized, antialias=True), v2.CenterCrop(input_size or 224))
        torch.testing.assert_close(ours(photograph(size)), reference(*steps)(photograph(size)), atol=1e-5, rtol=0)


def test_two_stages_are_one():
    transform = get_transform('imagenet', 64)
    torch.manual_seed(0)
    whole = torch.stack([transform(photograph(size)) for size in SIZES])
    torch.manual_seed(0)
    prepared = torch.stack([transform.prepare(photograph(size)) for size in SIZES])
    assert prepared.dtype == torch.uint8 and transform.draw(5, image_size=(64, 64)) is None
    assert torch.equal(transform.apply(prepared), whole)
    double = transform.apply(prepared, dtype=torch.float64)
    expected = (prepared.double() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(double, expected.double(), atol=1e-6, rtol=0)


def test_small_images_of_folders_are_padded_by_an_eighth():
    for size, pad in ((32, 4), (64, 8), (96, 12), (28, 3), (7, 0)):
        transform = get_transform('folder')
        choices = transform.draw(500, make_generator(0), image_size=(size, size + 1))
        assert choices.amax(0).tolist() == [2 * pad, 2 * pad, 1]
    assert (transform.mean, transform.std, transform.fill) == (MEAN, STD, 127)


def test_presets_are_those_of_the_sets():
    stl10 = get_transform('stl10')
    assert stl10.output_size((96, 96)) == (96, 96) and (stl10.pad, stl10.flip) == (12, True)  # as published
    assert stl10.mean == (0.4467, 0.4398, 0.4066) and stl10.std == (0.2603, 0.2566, 0.2713)
    names = ('imagenet', 'folder', 'stl10', 'mnist', 'cifar10', 'fake:20', 'digits')
    assert [name for name in names if not default_augment(name)] == ['digits']
    assert get_transform('imagenet').flip and not get_transform('imagenet', augment=False).flip


def test_photographs_are_normalised_as_told():
    own = {'mean': [0.1, 0.2, 0.3], 'std': [1, 2, 3]}
    image = photograph((300, 300))
    expected = reference(v2.Resize(256, antialias=True), v2.CenterCrop(224), **own)(image)
    torch.testing.assert_close(get_transform('imagenet', normalize=own, augment=False)(image), expected)


def test_bad_input_is_one_line():
    grey = photograph((50, 50)).convert('L')
    assert_all_refused([
        ("'imagnet'; did you mean imagenet", lambda: get_transform('imagnet')),
        ('input_size 0 .* 1 or more', lambda: get_transform('imagenet', 0)),
        ('scale_size 0 .* 1 or more', lambda: get_transform('imagenet', scale_size=0)),
        ('scale_size 100 is less than the crop of 224', lambda: get_transform('imagenet', 224, 100, augment=False)),
        ('3 values, the images 1 channels', lambda: get_transform('imagenet')(grey)),
    ])  # fmt: skip
