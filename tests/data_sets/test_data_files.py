"""Data sets in MNIST's four files and in .npz files: what they hold and how they refuse bad input."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import data
from tests.data_helpers import assert_all_refused, assert_refused
from tests.official_files import write_mnist


def idx_of(array) -> bytes:
    array = np.asarray(array, np.uint8)
    return struct.pack(f'>HBB{array.ndim}I', 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist_folder(tmp_path):
    write_mnist(tmp_path / 'mnist', num_train=50)
    return tmp_path


def npz_arrays(**changes):
    rng = np.random.RandomState(0)
    arrays = {}
    for part, num in (('train', 40), ('test', 9)):
        arrays[f'x_{part}'] = rng.randint(0, 256, (num, 12, 10, 3), dtype=np.uint8)
        arrays[f'y_{part}'] = np.arange(num) % 4
    return {key: array for key, array in {**arrays, **changes}.items() if array is not None}


@pytest.fixture
def write_npz(tmp_path):
    def write(**changes):
        np.savez(tmp_path / 'own.npz', **npz_arrays(**changes))
        return str(tmp_path / 'own.npz')

    return write


def test_mnist_equals_torchvision(mnist_folder):
    from torchvision.datasets import MNIST

    for split in ('train', 'val'):
        ours = data.get_dataset('mnist', split, datasets_path=mnist_folder)
        theirs = MNIST(mnist_folder / 'mnist', train=split == 'train')
        assert torch.equal(ours.images[:, 0], theirs.data) and torch.equal(ours.targets, theirs.targets)
        assert ours.input_shape == (1, 28, 28) and ours.num_classes == 10
        (our_image, our_target), (their_image, their_target) = ours[3], theirs[3]
        assert our_image.mode == their_image.mode == 'L' and our_target == their_target
        assert our_image.tobytes() == their_image.tobytes()


def test_mnist_may_be_gzipped_and_found_by_environment(mnist_folder, monkeypatch):
    monkeypatch.setenv('DATASETS_DIR', str(mnist_folder))
    plain = data.get_dataset('mnist').fingerprint()
    for path in (mnist_folder / 'mnist/MNIST/raw').iterdir():
        path.with_name(path.name + '.gz').write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert data.get_dataset('mnist').fingerprint() == plain


def test_missing_mnist_names_folder_and_remedies(tmp_path):
    message = f'{tmp_path}/mnist/MNIST/raw; .*--download.*--datasets-dir.*DATASETS_DIR.*t10k-labels-idx1-ubyte'
    assert_refused(message, lambda: data.get_dataset('mnist', datasets_path=tmp_path))


def test_damaged_mnist_is_named(mnist_folder):
    raw = mnist_folder / 'mnist/MNIST/raw'
    images, labels = raw / 'train-images-idx3-ubyte', raw / 'train-labels-idx1-ubyte'
    whole = {images: images.read_bytes(), labels: labels.read_bytes()}

    def load_with(path, content):
        path.write_bytes(content)
        try:
            data.get_dataset('mnist', datasets_path=mnist_folder)
        finally:
            path.write_bytes(whole[path])

    cases = [
        (images, whole[images][:-1], 'truncated'),
        (images, whole[images] + b'x', 'announces'),
        (images, b'', 'not an idx file'),
        (images, b'<html>' * 99, 'not an idx file'),
        (labels, idx_of([1, 2]), '2 labels for 50 images'),
        (labels, idx_of([11] * 50), 'label 11'),
        (labels, idx_of(np.zeros((50, 1))), '1 dimensions'),
    ]
    assert_all_refused(
        (f'{path.name}.*{message}', lambda path=path, content=content: load_with(path, content))
        for path, content, message in cases
    )
    images.unlink()
    path, packed = images.with_name(f'{images.name}.gz'), gzip.compress(whole[images])
    for content in (packed[:-20], b'x' + packed, packed[:20] + b'?' * 40):
        path.write_bytes(content)
        assert_refused(str(path), lambda: data.get_dataset('mnist', datasets_path=mnist_folder))


def test_failed_download_is_one_line(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    def fail(self):
        raise RuntimeError('Error downloading:\nno route')

    monkeypatch.setattr(MNIST, 'download', fail)
    message = f'download MNIST to {tmp_path}/mnist: Error downloading: no route'
    assert_refused(message, lambda: data.get_dataset('mnist', download=True, datasets_path=tmp_path))


def test_npz_layouts_give_the_same_images(write_npz):
    x = npz_arrays()['x_train']
    first = data.get_dataset(write_npz())
    assert torch.equal(first.images, torch.from_numpy(x).permute(0, 3, 1, 2))
    assert first.num_classes == 4 and first.input_shape == (3, 12, 10)
    channels_first = {key: npz_arrays()[key].transpose(0, 3, 1, 2) for key in ('x_train', 'x_test')}
    assert data.get_dataset(write_npz(**channels_first)).fingerprint() == first.fingerprint()
    column = {key: npz_arrays()[key][:, None].astype(np.uint8) for key in ('y_train', 'y_test')}
    assert data.get_dataset(write_npz(**column)).fingerprint() == first.fingerprint()
    grey = {key: npz_arrays()[key][..., 0] for key in ('x_train', 'x_test')}
    dataset = data.get_dataset(write_npz(**grey), 'val')
    assert torch.equal(dataset.images[:, 0], torch.from_numpy(grey['x_test']))
    assert dataset[2][0].size == (10, 12)  # PIL says width first


def test_npz_below_the_datasets_folder(write_npz, tmp_path):
    write_npz()
    assert len(data.get_dataset('own.npz', 'val', datasets_path=tmp_path)) == 9


def test_npz_features_stay_float(write_npz):
    for dtype in (np.float16, np.float32, np.float64):
        x = {key: (npz_arrays()[key][..., 0] / 7).astype(dtype) for key in ('x_train', 'x_test')}
        dataset = data.get_dataset(write_npz(**x), 'val')
        assert dataset.is_float and dataset.images.dtype == torch.float32
        assert dataset.input_shape == (12, 10)
        features, target = dataset[4]
        np.testing.assert_array_equal(features, x['x_test'][4].astype(np.float32))
        assert target == 0 and isinstance(target, int)


def test_bad_npz_names_file_and_array(write_npz):
    cases = [
        ({'y_test': None}, 'lacks y_test: it holds x_train, y_train, x_test; expected'),
        ({'x_train': np.array([{}, []], object)}, 'x_train holds Python objects'),
        ({'y_train': np.array(['cat'] * 40, object)}, 'y_train holds Python objects'),
        ({'y_train': np.arange(39)}, 'y_train has 39 labels for 40 examples'),
        ({'y_test': np.arange(8)}, 'y_test has 8 labels for 9 examples'),
        ({'y_train': np.arange(40) - 1}, 'y_train has the label -1'),
        ({'y_train': np.arange(40) / 2}, 'y_train is of type float64'),
        ({'y_train': np.eye(40, dtype=int)}, 'y_train has the shape'),
        ({'x_train': np.zeros((40, 12, 10, 3), np.int64)}, 'x_train is of type int64'),
        ({'x_train': np.zeros((40, 12, 10, 5), np.uint8)}, r'x_train has the shape .* expected images \(N, H, W\)'),
        ({'x_train': np.zeros((40, 12), np.uint8)}, 'x_train has the shape'),
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
    np.save(tmp_path / 'one.npy', np.zeros(3))
    (tmp_path / 'one.npy').rename(path)
    assert_refused('holds one array', lambda: data.get_dataset(str(path)))
