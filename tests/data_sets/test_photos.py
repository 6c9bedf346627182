"""The transform of photographs, against torchvision's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from bigbatch.seeding import make_generator
from preprocess import default_augment, get_transform

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(300, 400), (500, 333), (224, 224), (100, 90), (64, 700)]


def photograph(size, seed=0):
    """Smooth, so that resizing has something to do: (height, width)."""
    rng = np.random.RandomState(seed)
    return Image.fromarray(rng.randint(0, 256, (9, 7, 3), dtype=np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)


def reference(*steps, mean=MEAN, std=STD):
    return v2.Compose([v2.PILToTensor(), *steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(('settings', 'crop', 'flip'), [
    ({}, 224, 1), ({'input_size': 64}, 64, 1), ({'flip': False}, 224, 0),
])  # fmt: skip
def test_training_is_torchvisions_crop_and_flip(size, settings, crop, flip):
    ours = get_transform('imagenet', **settings)
    steps = [v2.RandomResizedCrop(crop, antialias=True), *[v2.RandomHorizontalFlip()] * flip]
    image = photograph(size)
    for seed in range(5):
        torch.manual_seed(seed)
        expected = reference(*steps)(image)
        torch.manual_seed(seed)
        result = ours(image)
        assert result.shape == (3, crop, crop) and ours.output_size(size) == (crop, crop)
        torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(('settings', 'crop', 'resized'), [
    ({}, 224, 256), ({'input_size': 64}, 64, 73), ({'input_size': 64, 'scale_size': 64}, 64, 64),
    ({'input_size': 299}, 299, 342), ({'scale_size': 300}, 224, 300),
])  # fmt: skip
def test_evaluation_is_torchvisions_resize_and_centre_crop(size, settings, crop, resized):
    ours = get_transform('imagenet', augment=False, **settings)
    expected = reference(v2.Resize(resized, antialias=True), v2.CenterCrop(crop))(photograph(size))
    torch.testing.assert_close(ours(photograph(size)), expected, atol=1e-5, rtol=0)


def test_evaluation_is_close_to_the_resizing_of_pil():
    ours = get_transform('imagenet', augment=False)
    steps = v2.Compose([v2.Resize(256), v2.CenterCrop(224), v2.PILToTensor()])
    for size in SIZES:
        difference = ours.prepare(photograph(size)).int() - steps(photograph(size)).int()
        assert difference.abs().max() <= 1  # grey level


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


def test_choices_come_from_the_generator_or_the_global_one():
    transform = get_transform('imagenet', 32)
    images = torch.from_numpy(np.stack([photograph((60, 50), seed) for seed in range(6)])).permute(0, 3, 1, 2)
    state = torch.get_rng_state()
    first = transform.batch(images, make_generator(1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(transform.batch(images, make_generator(1)), first) and first.shape == (6, 3, 32, 32)
    assert not torch.equal(transform.batch(images, make_generator(2)), first)
    second = transform.batch(images)
    torch.set_rng_state(state)
    assert torch.equal(transform.batch(images), second)


def test_small_images_of_folders_are_padded_by_an_eighth():
    for size, pad in ((32, 4), (64, 8), (96, 12), (28, 3), (7, 0)):
        transform = get_transform('folder')
        choices = transform.draw(500, make_generator(0), image_size=(size, size + 1))
        assert choices.amax(0).tolist() == [2 * pad, 2 * pad, 1]
    assert (transform.mean, transform.std, transform.fill) == (MEAN, STD, 127)


def test_stl10_is_padded_by_twelve_as_published():
    transform = get_transform('stl10')
    assert transform.output_size((96, 96)) == (96, 96) and (transform.pad, transform.flip) == (12, True)
    assert transform.mean == (0.4467, 0.4398, 0.4066) and transform.std == (0.2603, 0.2566, 0.2713)


def test_photographs_are_augmented_by_default():
    assert default_augment('imagenet') and default_augment('folder') and default_augment('stl10')
    assert get_transform('imagenet').flip and not get_transform('imagenet', augment=False).flip
    own = {'mean': [0.1, 0.2, 0.3], 'std': [1, 2, 3]}
    image = photograph((300, 300))
    expected = reference(v2.Resize(256, antialias=True), v2.CenterCrop(224), mean=own['mean'], std=own['std'])(image)
    torch.testing.assert_close(get_transform('imagenet', normalize=own, augment=False)(image), expected)


@pytest.mark.parametrize(('make', 'message'), [
    (lambda: get_transform('imagnet'), r"'imagnet'; did you mean imagenet"),
    (lambda: get_transform('imagenet', 0), 'input_size 0 .* 1 or more'),
    (lambda: get_transform('imagenet', 224, 100, augment=False), 'scale_size 100 is less than the crop of 224'),
    (lambda: get_transform('imagenet', augment=False, flip=True), 'flip=True .* augment=False'),
    (lambda: get_transform('imagenet')(photograph((50, 50)).convert('L')), '3 values, the images 1 channels'),
])  # fmt: skip
def test_bad_input_is_one_line(make, message):
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert '\n' not in str(raised.value)
