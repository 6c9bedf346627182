"""Data sets: names, splits, the generated ones, those in MNIST's four files and in .npz files."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import data
from data_sets.arrays import ArrayDataset
from preprocess import get_transform
from tests.data_helpers import FAKE, assert_all_refused, assert_refused
from tests.official_files import write_all


def test_unknown_and_malformed_names_are_refused():
    assert_refused("'mnits'; did you mean mnist.* known: cifar10, cifar100, digits", lambda: data.get_dataset('mnits'))
    assert_refused("split 'vla'; did you mean val", lambda: data.get_dataset('fake', 'vla'))
    for name in ('fake:', 'fake:x', 'fake:5:3x3', 'fake:5:3x3x3:', 'fake:-5', 'fake:0', 'fake:5:0x2x2'):
        message = f"'{name}'.* expected fake, fake:NUM, fake:NUM:CxHxW"
        assert_refused(message, lambda name=name: data.get_dataset(name))


def test_sizes_and_types():
    for name, num, shape, num_classes in (
        ('digits', (1280, 517), (1, 8, 8), 10),
        ('fake', (2000, 500), (3, 32, 32), 10),
        ('fake:7', (7, 1), (3, 32, 32), 10),
        ('fake:2:1x5x6', (2, 1), (1, 5, 6), 10),
        ('fake:60:2x8x12:3', (60, 15), (2, 8, 12), 3),
    ):
        train, val, test = (data.get_dataset(name, split) for split in ('train', 'val', 'test'))
        assert (len(train), len(val)) == num, name
        for dataset in (train, val):
            assert dataset.images.dtype == torch.uint8 and dataset.targets.dtype == torch.int64, name
            assert dataset.input_shape == tuple(dataset.images.shape[1:]) == shape, name
            assert dataset.num_classes == num_classes and not dataset.is_float, name
            assert dataset.targets.min() >= 0 and dataset.targets.max() < num_classes, name
        assert val.fingerprint() == test.fingerprint() != train.fingerprint(), name
        assert data.get_dataset(name).fingerprint() == train.fingerprint(), name


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


def test_transforms_apply_to_single_examples_and_subsets_keep_order_and_classes():
    transform = get_transform(FAKE, augment=False)
    dataset = data.get_dataset(FAKE, 'val', transform, lambda target: target + 100)
    image, target = dataset[5]
    torch.testing.assert_close(image, transform.apply(dataset.images[5:6])[0])
    assert target == int(dataset.targets[5]) + 100
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
    for fraction in (0, 1, -0.1, 1.5, 0.001, 0.999, float('nan')):
        message = f'fraction {fraction} of 300 examples .* between 0 and 1'
        assert_refused(message, lambda fraction=fraction: data.split_validation(dataset, fraction, 0))


def idx_of(array) -> bytes:
    array = np.asarray(array, np.uint8)
    return struct.pack(f'>HBB{array.ndim}I', 0, 8, array.ndim, *array.shape) + array.tobytes()


def npz_arrays():
    x = np.random.RandomState(0).randint(0, 256, (49, 12, 10, 3), dtype=np.uint8)
    return {'x_train': x[:40], 'y_train': np.arange(40) % 4, 'x_test': x[40:], 'y_test': np.arange(9) % 4}


@pytest.fixture
def write_npz(tmp_path):
    def write(**changes):
        arrays = {key: array for key, array in {**npz_arrays(), **changes}.items() if array is not None}
        np.savez(tmp_path / 'own.npz', **arrays)
        return str(tmp_path / 'own.npz')

    return write


def test_mnist_equals_torchvision_and_may_be_gzipped(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setenv('DATASETS_DIR', str(write_all(tmp_path, 'mnist')))
    for split in ('train', 'val'):
        ours, theirs = data.get_dataset('mnist', split), MNIST(tmp_path / 'mnist', train=split == 'train')
        assert torch.equal(ours.images[:, 0], theirs.data) and torch.equal(ours.targets, theirs.targets)
        assert ours.input_shape == (1, 28, 28) and ours.num_classes == 10
        (image, target), (expected, label) = ours[3], theirs[3]
        assert image.mode == 'L' and image.tobytes() == expected.tobytes() and target == label
    for path in (tmp_path / 'mnist/MNIST/raw').iterdir():
        path.with_name(path.name + '.gz').write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert data.get_dataset('mnist', 'val').fingerprint() == ours.fingerprint()


def test_missing_or_damaged_mnist_is_named(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    def fail(self):
        raise RuntimeError('Error downloading:\nno route')

    def load(**settings):
        return data.get_dataset('mnist', datasets_path=tmp_path, **settings)

    monkeypatch.setattr(MNIST, 'download', fail)
    message = f'download MNIST to {tmp_path}/mnist: Error downloading: no route'
    assert_refused(message, lambda: load(download=True))
    raw = write_all(tmp_path, 'mnist') / 'mnist/MNIST/raw'
    images, labels = raw / 'train-images-idx3-ubyte', raw / 'train-labels-idx1-ubyte'
    whole = images.read_bytes()
    cases = [
        (images, whole[:-1], 'truncated'),
        (images, whole + b'x', 'announces'),
        (images, b'<html>' * 99, 'not an idx file'),
        (labels, idx_of([1, 2]), '2 labels for 20 images'),
        (labels, idx_of([11] * 20), 'label 11'),
        (labels, idx_of(np.zeros((20, 1))), '1 dimensions'),
    ]
    for path, content, message in cases:
        before = path.read_bytes()
        path.write_bytes(content)
        assert_refused(f'{path.name}.*{message}', load)
        path.write_bytes(before)
    images.unlink()
    path, packed = images.with_name(f'{images.name}.gz'), gzip.compress(whole)
    for content in (packed[:-20], b'x' + packed, packed[:20] + b'?' * 40):
        path.write_bytes(content)
        assert_refused(str(path), load)


def test_npz_layouts_give_the_same_images(write_npz, tmp_path):
    arrays = npz_arrays()
    first = data.get_dataset(write_npz())
    assert torch.equal(first.images, torch.from_numpy(arrays['x_train']).permute(0, 3, 1, 2))
    assert first.num_classes == 4 and first.input_shape == (3, 12, 10)
    channels_first = {key: arrays[key].transpose(0, 3, 1, 2) for key in ('x_train', 'x_test')}
    column = {key: arrays[key][:, None].astype(np.uint8) for key in ('y_train', 'y_test')}
    for changes in (channels_first, column):
        assert data.get_dataset(write_npz(**changes)).fingerprint() == first.fingerprint()
    write_npz(**{key: arrays[key][..., 0] for key in ('x_train', 'x_test')})
    grey = data.get_dataset('own.npz', 'val', datasets_path=tmp_path)
    assert torch.equal(grey.images[:, 0], torch.from_numpy(arrays['x_test'][..., 0]))
    assert grey[2][0].size == (10, 12)  # PIL says width first


def test_npz_features_stay_float(write_npz):
    for dtype in (np.float16, np.float32, np.float64):
        x = {key: (npz_arrays()[key][..., 0] / 7).astype(dtype) for key in ('x_train', 'x_test')}
        dataset = data.get_dataset(write_npz(**x), 'val')
        assert dataset.is_float and dataset.images.dtype == torch.float32 and dataset.input_shape == (12, 10)
        features, target = dataset[4]
        np.testing.assert_array_equal(features, x['x_test'][4].astype(np.float32))
        assert target == 0 and isinstance(target, int)


def test_bad_npz_names_file_and_array(write_npz):
    cases = [
        ({'y_test': None}, 'lacks y_test: it holds x_train, y_train, x_test; expected'),
        ({'x_train': np.array([{}, []], object)}, 'x_train holds Python objects'),
        ({'y_train': np.arange(39)}, 'y_train has 39 labels for 40 examples'),
        ({'y_train': np.arange(40) - 1}, 'y_train has the label -1'),
        ({'y_train': np.arange(40) / 2}, 'y_train is of type float64'),
        ({'y_train': np.eye(40, dtype=int)}, 'y_train has the shape'),
        ({'x_train': np.zeros((40, 12, 10, 3), np.int64)}, 'x_train is of type int64'),
        ({'x_train': np.zeros((40, 12, 10, 5), np.uint8)}, r'x_train has the shape .* expected images \(N, H, W\)'),
        ({'x_train': np.zeros((40,))}, 'x_train has the shape'),
        ({'x_train': np.zeros((0, 12, 10, 3), np.uint8)}, 'x_train has the shape'),
        ({'x_train': np.full((40, 5), np.nan), 'x_test': np.zeros((9, 5))}, 'x_train has 200 values NaN'),
        ({'x_test': np.full((9, 5), 1e300), 'x_train': np.zeros((40, 5))}, 'x_test has 45 values'),
        ({'x_test': np.zeros((9, 5))}, 'one type and shape'),
        ({'x_test': np.zeros((9, 12, 11, 3), np.uint8)}, 'one type and shape'),
    ]
    assert_all_refused(
        (f'own.npz.*{message}', lambda changes=changes, split=split: data.get_dataset(write_npz(**changes), split))
        for changes, message in cases
        for split in ('train', 'val')
    )


def test_unreadable_npz_is_named(write_npz, tmp_path):
    path = tmp_path / 'own.npz'
    assert_refused('no file .*own.npz', lambda: data.get_dataset(str(path)))
    whole = Path(write_npz()).read_bytes()
    damaged = bytearray(whole)
    damaged[3000:3100] = bytes(100)
    for content in (whole[: len(whole) // 2], b'', b'text', bytes(damaged)):
        path.write_bytes(content)
        assert_refused(str(path), lambda: data.get_dataset(str(path)))
    with path.open('wb') as file:
        np.save(file, np.zeros(3))
    assert_refused('holds one array', lambda: data.get_dataset(str(path)))
