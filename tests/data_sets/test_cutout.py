"""The blanked square, against slicing by hand, drawn apart from crops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import data
from bigbatch.seeding import make_generator
from data_sets.stream import StreamLoader
from preprocess import get_transform
from tests.config.test_flags import build
from tests.conftest import TINY_GBN
from tests.data_helpers import FAKE, assert_all_refused, assert_same, collect
from tests.data_sets.test_preprocess import random_images
from utils.engine.plan import describe_plan

CASES = [('cifar10', (3, 32, 32), 16), ('mnist', (1, 28, 28), 7), ('fake', (2, 9, 14), 13), ('digits', (1, 8, 8), 1)]


def blanked(images: torch.Tensor, centers: torch.Tensor, side: int) -> torch.Tensor:
    """Zero the square of each image by slicing, as the published code does for even sides."""
    images = images.clone()
    for image, (row, column) in zip(images, centers.tolist(), strict=True):
        top, left = row - side // 2, column - side // 2
        image[:, max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = 0
    return images


@pytest.mark.parametrize(('name', 'shape', 'side'), CASES)
@pytest.mark.parametrize('augment', [True, False])
def test_it_is_zeros_behind_all_else(name, shape, side, augment):
    plain, cut = (get_transform(name, augment=augment, cutout=cutout) for cutout in (None, side))
    images = random_images(100, shape)
    choices = cut.draw(100, make_generator(1), image_size=shape)
    without = plain.draw(100, make_generator(1), image_size=shape)
    assert torch.equal(choices[:, :-2], without if augment else choices[:, :0])
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        whole = plain.apply(images, without, dtype=dtype)
        assert torch.equal(cut.apply(images, dtype=dtype), plain.apply(images, dtype=dtype))  # no choices: left whole
        result = cut.apply(images, choices, dtype=dtype)
        assert result.dtype == dtype and not torch.equal(result, whole)
        assert torch.equal(result, blanked(whole, choices[:, -2:], side))
    for index in range(10):
        choices = cut.draw(1, make_generator(index), image_size=shape)
        result = cut(images[index], generator=make_generator(index))
        torch.testing.assert_close(result, cut.apply(images[index : index + 1], choices)[0])


def test_centers_are_uniform_over_the_image():
    transform = get_transform('fake', cutout=4)
    centers = transform.draw(40_000, make_generator(0), image_size=(8, 10))[:, -2:].numpy()
    observed = np.bincount(np.ravel_multi_index(centers.T, (8, 10)), minlength=80)
    assert 40 < ((observed - 500) ** 2 / 500).sum() < 130  # 79 degrees of freedom: standard deviation 12.6


def test_photographs_are_cut_on_the_device():
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


@pytest.mark.parametrize('augment', [True, False])
def test_loaders_agree_and_micro_batches_do_not_count(augment):
    transform, dataset = get_transform(FAKE, augment=augment, cutout=12), data.get_dataset(FAKE)
    settings = {'batch_size': 64, 'seed': 1, 'shuffle': True}
    whole = collect(data.build_loader(dataset, transform, **settings), epoch=2)
    assert_same(collect(data.build_loader(dataset, transform, micro_batch_size=7, **settings), epoch=2), whole)
    assert_same(collect(StreamLoader(dataset, transform, **settings), epoch=2), whole)
    share = (whole[0] == 0).all(1).double().mean().item()
    assert 0.06 < share < 144 / 1024  # a tenth: less than the whole square, which the border clips


def test_bad_input_is_one_line():
    assert_all_refused([
        ('cutout 16 .* 8x8; .* at most 7, as 4', lambda: get_transform('digits', cutout=16).output_size((1, 8, 8))),
        ('expected at most 19, as 10', lambda: get_transform('fake', cutout=20).output_size((3, 12, 20))),
        ('16x16; expected at most 15', lambda: get_transform('imagenet', 16, cutout=16).output_size((3, 90, 90))),
        ('cutout 0 is not a size in pixels; expected 1 or more', lambda: get_transform('mnist', cutout=0)),
    ])  # fmt: skip


def test_the_flag(refused, tmp_path):
    refused(*TINY_GBN, '--cutout', words=('cutout 16', '8x8', 'at most 7, as 4'))
    refused(*TINY_GBN, '--cutout', '0', words=('--cutout', "'0'"))
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
