"""Class folders: what is read from them, against torchvision and PIL, and how they are refused."""

from __future__ import annotations

from shutil import rmtree as remove

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

import data
from data_sets import folder
from data_sets.images import ImageFiles, read_image
from tests.data_helpers import assert_all_refused, assert_refused, refusal, write_folder, write_image
from utils.logs import log

SMALL = 'ant', 'bee', 'cat'


@pytest.fixture
def small(tmp_path):
    return write_folder(tmp_path / 'small', splits=('train', 'test'))


def streamed(root, split='train', **settings):
    dataset = data.get_dataset(str(root), split, memory_limit=0, **settings)
    assert isinstance(dataset, ImageFiles)
    return dataset


def nested(root):
    """Write class folders with everything in them that has to be found or left out."""
    rng = np.random.RandomState(0)
    for name in ('b/z/1.png', 'b/a/2.JPG', 'b/0.jpeg', 'a/x.bmp', 'A/x.webp', 'a/10.png', 'a/9.png'):
        write_image(root / 'train' / name, rng)
    write_folder(root, splits=('test',), classes=('A', 'a', 'b'))
    (root / 'train/a/notes.txt').write_text('no image')
    (root / 'train/list.txt').write_text('no folder')
    return root


# what is read


def test_files_and_labels_are_those_of_torchvision(tmp_path):
    root = nested(tmp_path)
    theirs = ImageFolder(root / 'train')
    ours = streamed(root)
    assert [(str(ours.path(index)), int(ours.table.targets[index])) for index in range(len(ours))] == theirs.samples
    assert ours.num_classes == len(theirs.classes) == 3
    for index in range(len(ours)):
        (image, target), (expected, label) = ours[index], theirs[index]
        assert image.mode == 'RGB' and image.tobytes() == expected.tobytes() and target == label


def test_hidden_files_and_folders_are_left_out(tmp_path):
    root = nested(tmp_path)
    files = len(streamed(root))
    for name in ('.ipynb_checkpoints/1.png', 'a/.hidden/1.png', 'a/._9.png'):
        write_image(root / 'train' / name, np.random.RandomState(0))
    assert len(streamed(root)) == files and streamed(root).num_classes == 3


def test_decoded_images_are_those_of_pil(small):
    for split in ('train', 'val'):
        decoded, files = data.get_dataset(str(small), split), streamed(small, split)
        expected = np.stack([np.asarray(Image.open(files.path(index))) for index in range(len(files))])
        assert decoded.images.dtype == torch.uint8 and decoded.preset == files.preset == 'folder'
        np.testing.assert_array_equal(decoded.images.permute(0, 2, 3, 1), expected)
        assert decoded.targets.tolist() == files.table.targets.tolist() == [0] * 4 + [1] * 4 + [2] * 4
        assert decoded.input_shape == files.input_shape == (3, 10, 8) and decoded.num_classes == 3
        assert decoded.num_bytes == 12 * 240 and files.num_bytes == 0
        assert decoded.fingerprint() == files.fingerprint()


def test_processes_decode_the_same(small):
    files = streamed(small)
    one, two = (folder.decode_images(files, num_workers) for num_workers in (0, 2))
    assert torch.equal(one, two)


def test_every_mode_becomes_rgb(tmp_path):
    root = write_folder(tmp_path)
    modes = ('L', 'LA', 'RGBA', 'P', 'CMYK', '1')
    paths = {mode: root / f'train/ant/{mode}.{"jpg" if mode == "CMYK" else "png"}' for mode in modes}
    for mode, path in paths.items():
        write_image(path, np.random.RandomState(1), mode=mode)
    dataset = data.get_dataset(str(root))
    places = [dataset.files.path(index) for index in range(len(dataset))]
    for mode, path in paths.items():
        with Image.open(path) as image:
            assert image.mode == mode
            expected = np.asarray(image.convert('RGB'))
        np.testing.assert_array_equal(dataset.images[places.index(path)].permute(1, 2, 0), expected, mode)


def test_large_images_are_photographs(tmp_path):
    for size, preset, shape in (((128, 100), 'folder', (3, 128, 100)), ((129, 100), 'imagenet', (3, 224, 224))):
        dataset = data.get_dataset(str(write_folder(tmp_path / preset, num=1, size=size)))
        assert (dataset.preset, dataset.input_shape) == (preset, shape)
        assert isinstance(dataset, ImageFiles) == (preset == 'imagenet')


def test_images_of_different_sizes_are_photographs(small):
    write_image(small / 'train/bee/3.png', np.random.RandomState(0), size=(10, 9))
    for split in ('train', 'val'):  # the training images say what kind of set it is
        assert data.get_dataset(str(small), split).preset == 'imagenet'
    assert not list(small.glob('.*'))


def test_the_limit_decides_and_is_logged(small, caplog, monkeypatch):
    monkeypatch.setattr(log, 'propagate', True)
    caplog.set_level('INFO', log.name)
    needed = 12 * 3 * 10 * 8
    for limit, verdict in ((needed - 1, 'read from their files as they are needed'), (needed, 'decoded into memory')):
        caplog.clear()
        dataset = data.get_dataset(str(small), memory_limit=limit)
        assert isinstance(dataset, ImageFiles) == (limit < needed) and dataset.preset == 'folder'
        message = caplog.messages[0]
        assert f'{small}/train: 12 images take 0.0 MiB, half of the free memory is 0.0 MiB' in message
        assert message.endswith(verdict)


def test_subset_keeps_files_order_and_classes(small):
    for dataset in (data.get_dataset(str(small)), streamed(small)):
        chosen = dataset.subset(torch.tensor([7, 3, 7]))
        assert len(chosen) == 3 and chosen.num_classes == 3 and chosen.preset == 'folder'
        for index, original in enumerate((7, 3, 7)):
            assert chosen[index][0].tobytes() == dataset[original][0].tobytes()
            assert chosen[index][1] == dataset[original][1]
        assert chosen.fingerprint() == streamed(small).subset([7, 3, 7]).fingerprint() != dataset.fingerprint()
        assert [len(side) for side in data.split_validation(dataset, 0.25, 5)] == [9, 3]


def test_fingerprint_sees_names_and_labels(small):
    prints = {streamed(small).fingerprint()}
    path = small / 'train/bee/3.png'
    path.touch()
    prints.add(streamed(small).fingerprint())
    write_image(path, np.random.RandomState(9), size=(10, 9))
    prints.add(streamed(small).fingerprint())
    assert len(prints) == 1  # neither times nor content count: a copy of the set, or a mended one, is the same set
    path.rename(path.with_name('4.png'))
    prints.add(streamed(small).fingerprint())
    path.with_name('4.png').rename(small / 'train/cat/4.png')
    prints.add(streamed(small).fingerprint())
    assert len(prints) == 3


def test_transforms_apply_to_single_examples(small):
    for limit in (0, None):
        settings = {'transform': lambda image: image.size, 'target_transform': lambda target: -target}
        dataset = data.get_dataset(str(small), memory_limit=limit, **settings)
        assert dataset[11] == ((8, 10), -2)


# splits and names


def test_a_name_below_the_datasets_folder_or_a_path(small, monkeypatch):
    whole = data.get_dataset(str(small)).fingerprint()
    assert data.get_dataset('small', datasets_path=small.parent).fingerprint() == whole
    monkeypatch.setenv('DATASETS_DIR', str(small.parent))
    assert data.get_dataset('small').fingerprint() == whole
    monkeypatch.chdir(small)
    assert data.get_dataset('.').fingerprint() == data.get_dataset('../small/').fingerprint() == whole


def test_a_known_name_comes_before_a_folder(small, tmp_path, monkeypatch):
    small.rename(tmp_path / 'digits')
    monkeypatch.chdir(tmp_path)
    assert len(data.get_dataset('digits')) == 1280 and len(data.get_dataset('./digits')) == 12


def test_val_validates_and_test_is_apart(tmp_path):
    root = write_folder(tmp_path / 'both', splits=('train', 'val', 'test'))
    prints = [data.get_dataset(str(root), split).images.sum() for split in ('train', 'val', 'test')]
    assert len(set(prints)) == 3 and data.has_test(str(root))
    one = write_folder(tmp_path / 'one', splits=('train', 'test'))
    assert torch.equal(data.get_dataset(str(one), 'val').images, data.get_dataset(str(one), 'test').images)
    assert not data.has_test(str(one)) and not data.has_test('digits')


def test_a_test_without_labels_does_not_count(tmp_path):
    root = write_folder(tmp_path)
    write_image(root / 'test/1.png', np.random.RandomState(0))
    assert not data.has_test(str(root))
    assert torch.equal(data.get_dataset(str(root), 'test').images, data.get_dataset(str(root), 'val').images)


def test_imagenet_is_a_thousand_class_folders(tmp_path):
    classes = [f'n{index:08}' for index in range(1000)]
    root = write_folder(tmp_path / 'imagenet', classes=classes, num=1, size=(5, 4))
    train, val = (data.get_dataset('imagenet', split, datasets_path=tmp_path) for split in ('train', 'val'))
    assert len(train) == len(val) == train.num_classes == 1000 and train.preset is None
    assert train[3][0].size == (4, 5) and val[999][1] == 999
    for split in ('train', 'val'):
        remove(root / split / classes[-1])
    message = f'{root}/train holds 999 class folders, ImageNet has 1,000.*--dataset {root}'
    assert_refused(message, lambda: data.get_dataset('imagenet', datasets_path=tmp_path))


# bad input


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


DAMAGE = [
    (lambda root: remove(root / 'train'), 'no folder train/ in {root}, which holds test; expected train/ and val/ or'),
    (lambda root: remove(root / 'test'), 'no folder val/ or test/ in {root}, which holds train; expected'),
    (lambda root: remove(root / 'test/bee'), '{root}: .* train/ and test/ differ: only train/ has bee; expected'),
    (lambda root: remove(root / 'train/bee'), '{root}: .* train/ and test/ differ: only test/ has bee'),
    (lambda root: (root / 'test/bee').rename(root / 'test/eel'), 'only train/ has bee; only test/ has eel'),
    (lambda root: [remove(root / 'train' / name) for name in ('ant', 'bee')], 'train holds fewer than two .*cat'),
    (lambda root: [remove(root / 'train' / name) for name in SMALL], 'train holds fewer than two class folders .none'),
    (lambda root: [path.unlink() for path in root.glob('train/bee/*')], '{root}/train/bee holds no images; .*jpg'),
    (lambda root: [path.unlink() for path in root.glob('test/bee/*')], '{root}/test/bee holds no images; .*jpg'),
    (lambda root: (root / 'train/bee/2.png').write_text('text'), 'cannot read the image {root}/train/bee/2.png'),
    (lambda root: (root / 'train/bee/2.png').write_bytes(b''), 'cannot read the image {root}/train/bee/2.png'),
    (lambda root: cut(root / 'train/cat/0.png'), 'cannot read the image {root}/train/cat/0.png'),
    (lambda root: (root / 'train/bee/x.png').symlink_to('nowhere'), 'cannot read the image {root}/train/bee/x.png: No'),
]


def test_bad_folders_are_named(tmp_path):
    def load(number, damage):
        root = write_folder(tmp_path / str(number), splits=('train', 'test'))
        damage(root)
        try:
            data.get_dataset(str(root))
        finally:
            assert not list(root.glob('.*'))

    assert_all_refused(
        (message.format(root=tmp_path / str(number)), lambda number=number, damage=damage: load(number, damage))
        for number, (damage, message) in enumerate(DAMAGE)
    )


def test_many_different_classes_are_counted(tmp_path):
    root = write_folder(tmp_path, splits=('train',), classes=[f'c{index}' for index in range(9)], num=1)
    write_folder(root, splits=('val',), classes=('c0', 'd'), num=1)
    message = 'only train/ has c1, c2, c3, c4, c5 and 3 more; only val/ has d'
    assert_refused(message, lambda: data.get_dataset(str(root)))


def test_images_of_more_than_eight_bits_are_refused(small):
    path = small / 'train/ant/0.png'
    Image.fromarray(np.full((10, 8), 40000, np.uint16)).save(path)
    for limit in (0, None):
        message = f'cannot read the image {path}: .*8 bits'
        assert_refused(message, lambda limit=limit: data.get_dataset(str(small), memory_limit=limit)[0])


def test_an_error_about_an_image_names_it_once_and_the_remedy(small):
    path = small / 'train/bee/2.png'
    for content in (b'', b'text', None):
        path.unlink() if content is None else path.write_bytes(content)
        message = refusal(lambda: read_image(path))
        assert message.count('2.png') == 1
        assert message.endswith('; replace it by a readable image of that name; a begun run then goes on with --resume')


def test_a_good_split_stays_decoded_when_another_has_a_damaged_image(small):
    (small / 'test/bee/2.png').write_bytes(b'')
    data.get_dataset(str(small))
    assert_refused(f'cannot read the image {small}/test/bee/2.png', lambda: data.get_dataset(str(small), 'val'))
    assert [path.name for path in small.glob('.*')] == ['.bigbatch_train.npz']


def test_an_image_unlike_those_looked_at_is_named(small, monkeypatch):
    monkeypatch.setattr(folder, 'NUM_LOOKED_AT', 3)
    write_image(small / 'train/bee/3.png', np.random.RandomState(0), size=(10, 9))
    message = f'{small}/train/bee/3.png is 10x9, but the training images looked at first are all 10x8'
    assert_refused(message, lambda: data.get_dataset(str(small)))
    assert_refused(message, lambda: streamed(small)[7])


def test_unknown_names_say_what_there_is(small, tmp_path):
    def get(name):
        return lambda: data.get_dataset(name, datasets_path=tmp_path)

    assert_refused(rf"'smal'; did you mean small\? known: cifar10, .*small.*{tmp_path}", get('smal'))
    assert_refused(f'no folder nowhere/set in .* or {tmp_path}; expected one with train/', get('nowhere/set'))
    assert_refused('0.png is a file; expected a folder', get(str(small / 'train/ant/0.png')))
    assert_refused(f'no folder {tmp_path}/imagenet; expected train/ and val/.*DATASETS_DIR', get('imagenet'))
