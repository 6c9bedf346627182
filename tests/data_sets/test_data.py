"""Data sets: names, splits, the generated ones, what lives in memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import data
from data_sets.arrays import ArrayDataset
from preprocess import get_transform
from tests.data_helpers import FAKE, assert_all_refused, assert_refused

# names


def test_names_are_listed_without_torch():
    code = (
        "import data, sys; names = data.list_datasets(); assert names == sorted(names) and 'digits' in names;"
        "assert not {'torch', 'numpy', 'data_sets.digits'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=Path(data.__file__).parent)


def test_unknown_names_are_refused():
    assert_refused("'mnits'; did you mean mnist.* known: cifar10, cifar100, digits", lambda: data.get_dataset('mnits'))
    assert_refused("split 'vla'; did you mean val", lambda: data.get_dataset('fake', 'vla'))


def test_datasets_path_default(monkeypatch, tmp_path):
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path))
    assert data.default_datasets_path() == tmp_path
    monkeypatch.setenv('DATASETS_DIR', '')
    monkeypatch.setenv('HOME', '/home/user')
    assert str(data.default_datasets_path()) == '/home/user/Datasets'


# one data set after the other


@pytest.mark.parametrize(('name', 'num', 'shape', 'num_classes'), [
    ('digits', (1280, 517), (1, 8, 8), 10),
    ('fake', (2000, 500), (3, 32, 32), 10),
    ('fake:7', (7, 1), (3, 32, 32), 10),
    ('fake:2:1x5x6', (2, 1), (1, 5, 6), 10),
    ('fake:60:2x8x12:3', (60, 15), (2, 8, 12), 3),
])  # fmt: skip
def test_sizes_and_types(name, num, shape, num_classes):
    train, val, test = (data.get_dataset(name, split) for split in ('train', 'val', 'test'))
    assert (len(train), len(val)) == num
    for dataset in (train, val):
        assert dataset.images.dtype == torch.uint8 and dataset.targets.dtype == torch.int64
        assert dataset.input_shape == tuple(dataset.images.shape[1:]) == shape
        assert dataset.num_classes == num_classes and not dataset.is_float
        assert dataset.targets.min() >= 0 and dataset.targets.max() < num_classes
    assert val.fingerprint() == test.fingerprint() != train.fingerprint()
    assert data.get_dataset(name).fingerprint() == train.fingerprint()


def test_digits_are_those_of_sklearn_split_without_overlap(monkeypatch):
    from sklearn.datasets import load_digits

    source = load_digits()
    parts = [data.get_dataset('digits', split) for split in ('train', 'val')]
    rows = torch.cat([torch.cat([part.images.flatten(1), part.targets[:, None]], 1) for part in parts])
    expected = np.column_stack([np.floor(source.data * 15.9375 + 0.5), source.target])
    assert sorted(rows.tolist()) == sorted(expected.astype(int).tolist())
    assert rows[:, :-1].min() == 0 and rows[:, :-1].max() == 255
    monkeypatch.setattr('pathlib.Path.is_file', lambda path: False)  # as if the file of sklearn lay elsewhere
    assert data.get_dataset('digits').fingerprint() == parts[0].fingerprint()


def test_fake_images_can_be_learned_but_differ():
    train, val = data.get_dataset(FAKE), data.get_dataset(FAKE, 'val')
    assert torch.bincount(train.targets).tolist() == [30] * 10
    means = torch.stack([train.images[train.targets == k].double().mean(0) for k in range(10)])
    distance = torch.cdist(val.images.double().flatten(1), means.flatten(1))
    assert (distance.argmin(1) == val.targets).double().mean() > 0.9
    images = torch.cat([train.images, val.images]).flatten(1)
    assert len(images.unique(dim=0)) == len(images)


def test_malformed_fake_names_are_refused():
    names = ('fake:', 'fake:x', 'fake:5:3x3', 'fake:5:3x3x3:', 'fake:-5', 'fake:0', 'fake:5:0x2x2')
    assert_all_refused(
        (f"'{name}'.* expected fake, fake:NUM, fake:NUM:CxHxW", lambda name=name: data.get_dataset(name))
        for name in names
    )


# ArrayDataset


def test_transforms_apply_to_single_examples():
    transform = get_transform(FAKE, augment=False)
    dataset = data.get_dataset(FAKE, 'val', transform, lambda target: target + 100)
    image, target = dataset[5]
    torch.testing.assert_close(image, transform.apply(dataset.images[5:6])[0])
    assert target == int(dataset.targets[5]) + 100


def test_subset_keeps_order_and_classes():
    dataset = data.get_dataset(FAKE)
    subset = dataset.subset([7, 3, 7])
    assert torch.equal(subset.images, dataset.images[[7, 3, 7]])
    assert torch.equal(subset.targets, dataset.targets[[7, 3, 7]])
    assert subset.num_classes == 10


def test_fingerprint_sees_every_byte_shape_and_type():
    images, targets = torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
    changed = images.clone()
    changed[3, 0, 1, 1] = 1
    inputs = (images, images.clone(), changed, images.reshape(4, 2, 1, 2), torch.zeros(4, 1))
    prints = [ArrayDataset(values, targets).fingerprint() for values in inputs]
    prints.append(ArrayDataset(images, targets.flip(0)).fingerprint())
    assert prints[0] == prints[1] and len(set(prints)) == 5


def test_split_validation():
    dataset = data.get_dataset(FAKE)
    train, val = data.split_validation(dataset, 0.2, seed=3)
    assert (len(train), len(val)) == (240, 60)
    together = torch.cat([train.images, val.images]).flatten(1).unique(dim=0)
    assert torch.equal(together, dataset.images.flatten(1).unique(dim=0))
    again, other = (data.split_validation(dataset, 0.2, seed=seed)[1] for seed in (3, 4))
    assert val.fingerprint() == again.fingerprint() != other.fingerprint()


def test_split_validation_refuses_empty_sides():
    dataset = data.get_dataset(FAKE)
    for fraction in (0, 1, -0.1, 1.5, 0.001, 0.999, float('nan')):
        message = f'fraction {fraction} of 300 examples .* between 0 and 1'
        assert_refused(message, lambda fraction=fraction: data.split_validation(dataset, fraction, 0))
