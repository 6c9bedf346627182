"""Data sets: what they hold and how they refuse bad input. Loaders: order, augmentation, sizes, exactness."""

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import transforms

import data
from datasets.arrays import ArrayDataset
from datasets.loader import DeviceLoader, StreamLoader, split_evenly
from preprocess import get_transform
from utils.seeding import make_generator

FAKE = 'fake:300:3x32x32:10'


def write_idx(path, array):
    array = np.asarray(array, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f'>HBB{array.ndim}I', 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture
def mnist_folder(tmp_path):
    rng = np.random.RandomState(0)
    for prefix, num in (('train', 50), ('t10k', 20)):
        raw = tmp_path / 'mnist' / 'MNIST' / 'raw'
        write_idx(raw / f'{prefix}-images-idx3-ubyte', rng.randint(0, 256, (num, 28, 28)))
        write_idx(raw / f'{prefix}-labels-idx1-ubyte', np.arange(num) % 10)
    return tmp_path


def npz_arrays(**changes):
    rng = np.random.RandomState(0)
    arrays = {
        'x_train': rng.randint(0, 256, (40, 12, 10, 3), dtype=np.uint8),
        'y_train': np.arange(40) % 4,
        'x_test': rng.randint(0, 256, (9, 12, 10, 3), dtype=np.uint8),
        'y_test': np.arange(9) % 4,
    }
    arrays.update(changes)
    return {key: array for key, array in arrays.items() if array is not None}


@pytest.fixture
def write_npz(tmp_path):
    def write(**changes):
        np.savez(tmp_path / 'own.npz', **npz_arrays(**changes))
        return str(tmp_path / 'own.npz')

    return write


def assert_refused(message, make):
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert '\n' not in str(raised.value)


# names


def test_names_are_listed_without_torch():
    code = (
        "import data, sys; assert data.list_datasets() == ['digits', 'fake', 'mnist'];"
        "assert not {'torch', 'numpy', 'datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=Path(data.__file__).parent)


@pytest.mark.parametrize('name', data.list_datasets())
def test_every_listed_name_has_a_transform(name):
    assert get_transform(name).output_size((32, 32)) == (32, 32)


def test_unknown_names_are_refused():
    assert_refused(
        "'mnits'; did you mean mnist.* known: digits, fake, mnist", lambda: data.get_dataset('mnits')
    )
    assert_refused("split 'vla'; did you mean val", lambda: data.get_dataset('fake', 'vla'))


def test_datasets_path_default(monkeypatch, tmp_path):
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path))
    assert data.default_datasets_path() == tmp_path
    monkeypatch.setenv('DATASETS_DIR', '')
    monkeypatch.setenv('HOME', '/home/user')
    assert str(data.default_datasets_path()) == '/home/user/Datasets'


# one data set after the other


@pytest.mark.parametrize(
    ('name', 'num', 'shape', 'num_classes'),
    [
        ('digits', (1280, 517), (1, 8, 8), 10),
        ('fake', (2000, 500), (3, 32, 32), 10),
        ('fake:7', (7, 1), (3, 32, 32), 10),
        ('fake:2:1x5x6', (2, 1), (1, 5, 6), 10),
        ('fake:60:2x8x12:3', (60, 15), (2, 8, 12), 3),
    ],
)
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


def test_digits_are_those_of_sklearn_split_without_overlap():
    from sklearn.datasets import load_digits

    source = load_digits()
    parts = [data.get_dataset('digits', split) for split in ('train', 'val')]
    rows = torch.cat([torch.cat([part.images.flatten(1), part.targets[:, None]], 1) for part in parts])
    expected = np.column_stack([np.floor(source.data * 15.9375 + 0.5), source.target])
    assert sorted(rows.tolist()) == sorted(expected.astype(int).tolist())
    assert rows[:, :-1].min() == 0 and rows[:, :-1].max() == 255


def test_fake_images_can_be_learned_but_differ():
    train, val = data.get_dataset(FAKE), data.get_dataset(FAKE, 'val')
    assert torch.bincount(train.targets).tolist() == [30] * 10
    means = torch.stack([train.images[train.targets == k].double().mean(0) for k in range(10)])
    distance = torch.cdist(val.images.double().flatten(1), means.flatten(1))
    assert (distance.argmin(1) == val.targets).double().mean() > 0.9
    images = torch.cat([train.images, val.images]).flatten(1)
    assert len(images.unique(dim=0)) == len(images)


@pytest.mark.parametrize(
    'name', ['fake:', 'fake:x', 'fake:5:3x3', 'fake:5:3x3x3:', 'fake:-5', 'fake:0', 'fake:5:0x2x2']
)
def test_malformed_fake_names_are_refused(name):
    assert_refused(f"'{name}'.* expected fake, fake:NUM, fake:NUM:CxHxW", lambda: data.get_dataset(name))


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
    message = (
        f'{tmp_path}/mnist/MNIST/raw; .*--download.*--datasets-dir.*DATASETS_DIR.*t10k-labels-idx1-ubyte'
    )
    assert_refused(message, lambda: data.get_dataset('mnist', datasets_path=tmp_path))


@pytest.mark.parametrize(
    ('file', 'damage', 'message'),
    [
        ('train-images-idx3-ubyte', lambda path: path.write_bytes(path.read_bytes()[:-1]), 'truncated'),
        ('train-images-idx3-ubyte', lambda path: path.write_bytes(path.read_bytes() + b'x'), 'announces'),
        ('train-images-idx3-ubyte', lambda path: path.write_bytes(b''), 'not an idx file'),
        ('train-images-idx3-ubyte', lambda path: path.write_bytes(b'<html>' * 99), 'not an idx file'),
        ('train-labels-idx1-ubyte', lambda path: write_idx(path, [1, 2]), '2 labels for 50 images'),
        ('train-labels-idx1-ubyte', lambda path: write_idx(path, [11] * 50), 'label 11'),
        ('train-labels-idx1-ubyte', lambda path: write_idx(path, np.zeros((50, 1))), '1 dimensions'),
    ],
)
def test_damaged_mnist_is_named(mnist_folder, file, damage, message):
    damage(mnist_folder / 'mnist/MNIST/raw' / file)
    assert_refused(f'{file}.*{message}', lambda: data.get_dataset('mnist', datasets_path=mnist_folder))


@pytest.mark.parametrize(
    'damage', [lambda raw: raw[:-20], lambda raw: b'x' + raw, lambda raw: raw[:20] + b'?' * 40]
)
def test_damaged_gzip_is_named(mnist_folder, damage):
    path = mnist_folder / 'mnist/MNIST/raw/train-images-idx3-ubyte'
    path.with_name(path.name + '.gz').write_bytes(damage(gzip.compress(path.read_bytes())))
    path.unlink()
    assert_refused(f'{path.name}.gz', lambda: data.get_dataset('mnist', datasets_path=mnist_folder))


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


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_npz_features_stay_float(write_npz, dtype):
    x = {key: (npz_arrays()[key][..., 0] / 7).astype(dtype) for key in ('x_train', 'x_test')}
    dataset = data.get_dataset(write_npz(**x), 'val')
    assert dataset.is_float and dataset.images.dtype == torch.float32
    assert dataset.input_shape == (12, 10)
    features, target = dataset[4]
    np.testing.assert_array_equal(features, x['x_test'][4].astype(np.float32))
    assert target == 0 and isinstance(target, int)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'y_test': None}, 'lacks y_test: it holds x_train, y_train, x_test; expected'),
        ({'x_train': np.array([{}, []], object)}, 'x_train holds Python objects'),
        ({'y_train': np.array(['cat'] * 40, object)}, 'y_train holds Python objects'),
        ({'y_train': np.arange(39)}, 'y_train has 39 labels for 40 examples'),
        ({'y_test': np.arange(8)}, 'y_test has 8 labels for 9 examples'),
        ({'y_train': np.arange(40) - 1}, 'y_train has the label -1'),
        ({'y_train': np.arange(40) / 2}, 'y_train is of type float64'),
        ({'y_train': np.eye(40, dtype=int)}, 'y_train has the shape'),
        ({'x_train': np.zeros((40, 12, 10, 3), np.int64)}, 'x_train is of type int64'),
        (
            {'x_train': np.zeros((40, 12, 10, 5), np.uint8)},
            r'x_train has the shape .* expected images \(N, H, W\)',
        ),
        ({'x_train': np.zeros((40, 12), np.uint8)}, 'x_train has the shape'),
        ({'x_train': np.zeros((40,))}, 'x_train has the shape'),
        ({'x_train': np.zeros((0, 12, 10, 3), np.uint8)}, 'x_train has the shape'),
        ({'x_train': np.full((40, 5), np.nan), 'x_test': np.zeros((9, 5))}, 'x_train has 200 values NaN'),
        ({'x_test': np.full((9, 5), 1e300), 'x_train': np.zeros((40, 5))}, 'x_test has 45 values'),
        ({'x_test': np.zeros((9, 5))}, 'one type and shape'),
        ({'x_test': np.zeros((9, 12, 11, 3), np.uint8)}, 'one type and shape'),
    ],
)
@pytest.mark.parametrize('split', ['train', 'val'])
def test_bad_npz_names_file_and_array(write_npz, changes, message, split):
    path = write_npz(**changes)
    assert_refused(f'{path}.*{message}', lambda: data.get_dataset(path, split))


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
    prints = {ArrayDataset(images, targets).fingerprint() for _ in range(3)}
    assert len(prints) == 1
    changed = images.clone()
    changed[3, 0, 1, 1] = 1
    prints.add(ArrayDataset(changed, targets).fingerprint())
    prints.add(ArrayDataset(images, targets.flip(0)).fingerprint())
    prints.add(ArrayDataset(images.reshape(4, 2, 1, 2), targets).fingerprint())
    prints.add(ArrayDataset(torch.zeros(4, 1), targets).fingerprint())
    assert len(prints) == 5


def test_split_validation():
    dataset = data.get_dataset(FAKE)
    train, val = data.split_validation(dataset, 0.2, seed=3)
    assert (len(train), len(val)) == (240, 60)
    together = torch.cat([train.images, val.images]).flatten(1).unique(dim=0)
    assert torch.equal(together, dataset.images.flatten(1).unique(dim=0))
    again, other = (data.split_validation(dataset, 0.2, seed=seed)[1] for seed in (3, 4))
    assert val.fingerprint() == again.fingerprint() != other.fingerprint()


@pytest.mark.parametrize('fraction', [0, 1, -0.1, 1.5, 0.001, 0.999, float('nan')])
def test_split_validation_refuses_empty_sides(fraction):
    message = f'fraction {fraction} of 300 examples .* between 0 and 1'
    assert_refused(message, lambda: data.split_validation(data.get_dataset(FAKE), fraction, 0))


# loaders


def compose():
    return transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.ToTensor()])


def make_loader(kind='device', split='train', **settings):
    settings = {'batch_size': 64, 'shuffle': True, 'seed': 1} | settings
    transform = get_transform(FAKE, augment=split == 'train') if kind == 'device' else compose()
    loader = data.build_loader(data.get_dataset(FAKE, split), transform, **settings)
    assert isinstance(loader, DeviceLoader if kind == 'device' else StreamLoader)
    return loader


def collect(loader, epoch=0, start_step=0):
    """Return inputs, targets and indices of an epoch, each as one tensor."""
    parts = [part for batch in loader.epoch(epoch, start_step) for part in batch]
    return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))


def by_example(inputs, indices):
    return inputs[indices.argsort()]


def assert_same(first, second):
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


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
    for settings in ({'micro_batch_size': 16}, {'micro_batch_size': 7}, {'batch_size': 300}):
        loader = make_loader(kind, **settings)
        collect(loader, epoch=0)  # earlier epochs and global draws leave no trace
        torch.rand(1)
        assert_same(collect(loader, epoch=3), first)
    for other in (collect(make_loader(kind), epoch=4), collect(make_loader(kind, seed=2), epoch=3)):
        assert not torch.equal(other[2], first[2])
        assert not torch.equal(by_example(other[0], other[2]), by_example(first[0], first[2]))


@pytest.mark.parametrize('kind', KINDS)
def test_augmentation_does_not_depend_on_the_order(kind):
    inputs, _, indices = collect(make_loader(kind))
    assert torch.equal(by_example(inputs, indices), collect(make_loader(kind, shuffle=False))[0])


def test_inputs_are_those_of_the_transform():
    loader = make_loader()
    choices = loader.transform.draw(300, make_generator(1, 'augmentation', 2), image_size=(32, 32))
    inputs, _, indices = collect(loader, epoch=2)
    expected = loader.transform.apply(loader.dataset.images, choices)
    assert torch.equal(by_example(inputs, indices), expected)


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


@pytest.mark.parametrize('size', [1, 2, 7, 16, 29, 30])
def test_pieces_are_whole_and_never_single(size):
    for num in range(1, 60):
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


@pytest.mark.parametrize('shuffle', [False, True])
def test_float_features_are_cast_only(shuffle):
    features, targets = torch.randn(50, 7, generator=make_generator(0)), torch.arange(50) % 3
    dataset = ArrayDataset(features, targets)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        loader = data.build_loader(dataset, None, batch_size=8, dtype=dtype, shuffle=shuffle)
        inputs, _, indices = collect(loader)
        assert torch.equal(inputs, features[indices].to(dtype)) and inputs.dtype == dtype
        assert loader.input_shape == (7,)


def test_unshuffled_features_are_not_copied():
    dataset = ArrayDataset(torch.randn(50, 7), torch.arange(50))
    (part,) = next(iter(DeviceLoader(dataset, None, batch_size=8).epoch(0, 1)))
    assert part.inputs.data_ptr() == dataset.images[8:].data_ptr()


def test_target_transform_reaches_the_loader():
    dataset = data.get_dataset(FAKE, target_transform=lambda target: 9 - target)
    loader = data.build_loader(dataset, get_transform(FAKE), batch_size=64)
    assert torch.equal(collect(loader)[1], 9 - dataset.targets)


def test_stream_does_not_depend_on_workers_and_leaves_the_global_generators():
    first = collect(make_loader('stream'))
    state = torch.get_rng_state()
    assert_same(collect(make_loader('stream', num_workers=2)), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_stream_uses_the_data_sets_own_transform():
    dataset = data.get_dataset(FAKE, transform=compose())
    loader = data.build_loader(dataset, None, batch_size=64, seed=1, shuffle=True)
    assert_same(collect(loader), collect(make_loader('stream')))


def test_stream_casts_inputs():
    parts = next(make_loader('stream', dtype=torch.float64).epoch(0))
    assert all(part.inputs.dtype == torch.float64 for part in parts)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('setting', ['batch_size', 'micro_batch_size'])
def test_sizes_below_one_are_refused(kind, setting):
    assert_refused('batch size 0 .* 1 or more', lambda: make_loader(kind, **{setting: 0}))


def test_transforms_that_do_not_fit_are_refused():
    images, features = data.get_dataset(FAKE), ArrayDataset(torch.zeros(4, 2), torch.zeros(4))
    transform = get_transform(FAKE)
    settings = {'batch_size': 2}
    assert_refused('expected transform None', lambda: DeviceLoader(features, transform, **settings))
    assert_refused('images need a transform', lambda: DeviceLoader(images, None, **settings))
    assert_refused('returns a Image; expected a tensor', lambda: StreamLoader(images, None, **settings))
    large = get_transform(FAKE, 41)
    assert_refused('expected 1 to 40', lambda: DeviceLoader(images, large, **settings))
    images.transform = transform
    assert_refused('transform of its own', lambda: DeviceLoader(images, transform, **settings))


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
