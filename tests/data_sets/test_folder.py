"""Class folders: what is read from them, against torchvision and PIL, what is kept decoded, how they are refused."""

from __future__ import annotations

import multiprocessing
import os
from shutil import rmtree as remove

import numpy as np
import PIL.Image
import pytest
import torch
from torchvision.datasets import ImageFolder

import data
from data_sets import cache, folder
from data_sets.images import ImageFiles, read_image
from tests.data_helpers import assert_refused, refusal, write_folder, write_image
from utils.files import write_atomically
from utils.logs import log

KEPT = '.bigbatch_train.npz'


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user_cache'))
    return write_folder(tmp_path / 'small', splits=('train', 'test'))


def load(root, split='train', **settings):
    return data.get_dataset(str(root), split, **settings)


def streamed(root, split='train'):
    dataset = load(root, split, memory_limit=0)
    assert isinstance(dataset, ImageFiles)
    return dataset


def test_files_and_labels_are_those_of_torchvision_without_hidden_ones(tmp_path):
    for name in ('b/z/1.png', 'b/a/2.JPG', 'b/0.jpeg', 'a/x.bmp', 'A/x.webp', 'a/10.png', 'a/9.png'):
        write_image(tmp_path / 'train' / name)
    write_folder(tmp_path, splits=('test',), classes=('A', 'a', 'b'))
    (tmp_path / 'train/a/notes.txt').write_text('no image')
    (tmp_path / 'train/list.txt').write_text('no folder')
    theirs = ImageFolder(tmp_path / 'train')
    for name in ('.ipynb_checkpoints/1.png', 'a/.hidden/1.png', 'a/._9.png'):
        write_image(tmp_path / 'train' / name)
    ours = streamed(tmp_path)
    assert [(str(ours.path(index)), int(ours.table.targets[index])) for index in range(len(ours))] == theirs.samples
    assert ours.num_classes == len(theirs.classes) == 3
    for (image, target), (expected, label) in zip(ours, theirs, strict=False):
        assert image.mode == 'RGB' and image.tobytes() == expected.tobytes() and target == label


def test_decoded_images_are_those_of_pil(small):
    for split in ('train', 'val'):
        decoded, files = load(small, split), streamed(small, split)
        expected = np.stack([np.asarray(PIL.Image.open(files.path(index))) for index in range(len(files))])
        assert decoded.images.dtype == torch.uint8 and decoded.preset == files.preset == 'folder'
        np.testing.assert_array_equal(decoded.images.permute(0, 2, 3, 1), expected)
        assert decoded.targets.tolist() == files.table.targets.tolist() == [0] * 4 + [1] * 4 + [2] * 4
        assert decoded.input_shape == files.input_shape == (3, 10, 8) and decoded.num_classes == 3
        assert decoded.num_bytes == 12 * 240 and files.num_bytes == 0
        assert decoded.fingerprint() == files.fingerprint()
        assert torch.equal(folder.decode_images(files, 2), decoded.images)


def test_every_mode_becomes_rgb(tmp_path):
    root = write_folder(tmp_path)
    for mode in ('L', 'LA', 'RGBA', 'P', 'CMYK', '1'):
        write_image(root / f'train/ant/{mode}.{"jpg" if mode == "CMYK" else "png"}', seed=1, mode=mode)
    dataset, modes = load(root), set()
    for index, decoded in enumerate(dataset.images):
        with PIL.Image.open(dataset.files.path(index)) as image:
            np.testing.assert_array_equal(decoded.permute(1, 2, 0), np.asarray(image.convert('RGB')), image.mode)
            modes.add(image.mode)
    assert len(modes) == 7


def test_large_images_and_those_of_different_sizes_are_photographs(tmp_path, small):
    for size, preset, shape in (((128, 100), 'folder', (3, 128, 100)), ((129, 100), 'imagenet', (3, 224, 224))):
        dataset = load(write_folder(tmp_path / preset, num=1, size=size))
        assert (dataset.preset, dataset.input_shape) == (preset, shape)
        assert isinstance(dataset, ImageFiles) == (preset == 'imagenet')
    write_image(small / 'train/bee/3.png', size=(10, 9))
    for split in ('train', 'val'):  # the training images say what kind of set it is
        assert load(small, split).preset == 'imagenet'
    assert not list(small.glob('.*'))


def test_the_limit_decides_and_is_logged(small, caplog, monkeypatch):
    monkeypatch.setattr(log, 'propagate', True)
    caplog.set_level('INFO', log.name)
    needed = 12 * 3 * 10 * 8
    for limit, verdict in ((needed - 1, 'read from their files as they are needed'), (needed, 'decoded into memory')):
        caplog.clear()
        dataset = load(small, memory_limit=limit)
        assert isinstance(dataset, ImageFiles) == (limit < needed) and dataset.preset == 'folder'
        assert caplog.messages[0].startswith(f'{small}/train: 12 images take 0.0 MiB, half of the free memory is')
        assert caplog.messages[0].endswith(verdict)
    assert isinstance(load(small, memory_limit=needed - 1), ImageFiles)  # also where they are kept decoded


def test_subsets_and_transforms(small):
    for limit in (None, 0):
        dataset = load(small, memory_limit=limit)
        chosen = dataset.subset(torch.tensor([7, 3, 7]))
        assert len(chosen) == 3 and chosen.num_classes == 3 and chosen.preset == 'folder'
        for index, original in enumerate((7, 3, 7)):
            assert chosen[index][0].tobytes() == dataset[original][0].tobytes()
            assert chosen[index][1] == dataset[original][1]
        assert chosen.fingerprint() == streamed(small).subset([7, 3, 7]).fingerprint() != dataset.fingerprint()
        assert [len(side) for side in data.split_validation(dataset, 0.25, 5)] == [9, 3]
        settings = {'transform': lambda image: image.size, 'target_transform': lambda target: -target}
        assert load(small, memory_limit=limit, **settings)[11] == ((8, 10), -2)


def test_fingerprint_sees_names_and_labels(small):
    prints = [streamed(small).fingerprint()]
    path, other = small / 'train/bee/3.png', small / 'train/bee/4.png'
    for change in (
        path.touch,
        lambda: write_image(path, seed=9, size=(10, 9)),
        lambda: path.rename(other),
        lambda: other.rename(small / 'train/cat/4.png'),
    ):
        change()
        prints.append(streamed(small).fingerprint())
    # neither times nor content count: a copy of the set, or a mended one, is the same set
    assert len(set(prints[:3])) == 1 and len(set(prints)) == 3


def test_a_name_is_a_known_one_or_below_the_datasets_folder_or_a_path(small, monkeypatch):
    whole = load(small).fingerprint()
    assert data.get_dataset('small', datasets_path=small.parent).fingerprint() == whole
    monkeypatch.setenv('DATASETS_DIR', str(small.parent))
    assert data.get_dataset('small').fingerprint() == whole
    monkeypatch.setenv('DATASETS_DIR', '')
    monkeypatch.setenv('HOME', '/home/user')
    assert str(data.default_datasets_path()) == '/home/user/Datasets'
    monkeypatch.chdir(small)
    assert data.get_dataset('.').fingerprint() == data.get_dataset('../small/').fingerprint() == whole
    small.rename(small.with_name('digits'))
    monkeypatch.chdir(small.parent)
    assert len(data.get_dataset('digits')) == 1280 and len(data.get_dataset('./digits')) == 12


def test_val_validates_and_test_is_apart(tmp_path):
    both = write_folder(tmp_path / 'both', splits=('train', 'val', 'test'))
    prints = [load(both, split).images.sum() for split in ('train', 'val', 'test')]
    assert len(set(prints)) == 3 and data.has_test(str(both)) and not data.has_test('digits')
    one = write_folder(tmp_path / 'one', splits=('train', 'test'))
    unlabelled = write_folder(tmp_path / 'unlabelled')
    write_image(unlabelled / 'test/1.png')
    for root in (one, unlabelled):
        assert torch.equal(load(root, 'val').images, load(root, 'test').images) and not data.has_test(str(root))


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


DAMAGE = [
    (lambda root: remove(root / 'train'), 'no folder train/ in {root}, which holds test; expected train/ and val/ or'),
    (lambda root: remove(root / 'test'), 'no folder val/ or test/ in {root}, which holds train; expected'),
    (lambda root: (root / 'test/bee').rename(root / 'test/eel'), '{root}: .* only train/ has bee; only test/ has eel'),
    (lambda root: [remove(root / 'train' / name) for name in ('ant', 'bee')], 'train holds fewer than two .*cat'),
    (lambda root: [path.unlink() for path in root.glob('train/bee/*')], '{root}/train/bee holds no images; .*jpg'),
    (lambda root: [path.unlink() for path in root.glob('test/bee/*')], '{root}/test/bee holds no images; .*jpg'),
    (lambda root: (root / 'train/cat/0.png').write_bytes(b''), 'cannot read the image {root}/train/cat/0.png'),
    (lambda root: (root / 'train/bee/x.png').symlink_to('nowhere'), 'cannot read the image {root}/train/bee/x.png: No'),
    (lambda root: write_folder(root, splits=('train',), classes='012345678', num=1), 'has 0, 1, 2, 3, 4 and 4 more;'),
]


def test_bad_folders_are_named(tmp_path):
    for number, (damage, message) in enumerate(DAMAGE):
        root = write_folder(tmp_path / str(number), splits=('train', 'test'))
        damage(root)
        assert_refused(message.format(root=root), lambda root=root: load(root))
        assert not list(root.glob('.*'))


def test_an_error_about_an_image_names_it_once_and_the_remedy(small):
    path = small / 'test/bee/2.png'
    PIL.Image.fromarray(np.full((10, 8), 40000, np.uint16)).save(path)
    half = path.read_bytes()[:-30]
    for content, reason in ((path.read_bytes(), '8 bits'), (half, ''), (b'text', ''), (None, 'No such file')):
        path.unlink() if content is None else path.write_bytes(content)
        message = refusal(lambda: read_image(path))
        assert message.startswith(f'cannot read the image {path}: ') and reason in message
        assert message.count('2.png') == 1
        assert message.endswith('; replace it by a readable image of that name; a begun run then goes on with --resume')
    path.write_bytes(b'')
    load(small)
    assert_refused(f'cannot read the image {path}', lambda: load(small, 'val'))
    assert [path.name for path in small.glob('.*')] == [KEPT]  # a good split stays decoded


def test_an_image_unlike_those_looked_at_is_named(small, monkeypatch):
    monkeypatch.setattr(folder, 'NUM_LOOKED_AT', 3)
    write_image(small / 'train/bee/3.png', size=(10, 9))
    message = f'{small}/train/bee/3.png is 10x9, but the training images looked at first are all 10x8'
    assert_refused(message, lambda: load(small))
    assert_refused(message, lambda: streamed(small)[7])


def test_unknown_names_say_what_there_is(small, tmp_path):
    def get(name):
        return lambda: data.get_dataset(name, datasets_path=tmp_path)

    assert_refused(rf"'smal'; did you mean small\? known: cifar10, .*small.*{tmp_path}", get('smal'))
    assert_refused(f'no folder nowhere/set in .* or {tmp_path}; expected one with train/', get('nowhere/set'))
    assert_refused('0.png is a file; expected a folder', get(str(small / 'train/ant/0.png')))
    assert_refused(f'no folder {tmp_path}/imagenet; expected train/ and val/.*DATASETS_DIR', get('imagenet'))


@pytest.fixture
def opened(monkeypatch):
    """The paths of the images that are opened."""
    paths, original = [], PIL.Image.open
    monkeypatch.setattr(PIL.Image, 'open', lambda path: paths.append(path) or original(path))
    return paths


def expected_of(dataset) -> np.ndarray:
    return np.stack([np.asarray(image).transpose(2, 0, 1) for image, _ in dataset])


def test_the_second_start_opens_no_image_also_where_the_set_was_moved(small, opened):
    first = load(small).images, load(small, 'val').images
    assert len(opened) >= 24
    assert sorted(path.name for path in small.glob('.*')) == ['.bigbatch_test.npz', KEPT]
    opened.clear()
    for place in (small, small.with_name('moved')):
        small = small.rename(place)
        second = load(small).images, load(small, 'val').images
        assert opened == [] and all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    dataset = load(small)
    assert dataset.preset == 'folder' and dataset.subset([0]).preset == 'folder'


def change_content(root):
    """Change an image, but not the number of its bytes."""
    path = root / 'train/bee/1.png'
    before = path.stat()
    PIL.Image.fromarray(np.asarray(PIL.Image.open(path))[::-1]).save(path)
    with open(path, 'ab') as file:
        file.write(bytes(max(0, before.st_size - path.stat().st_size)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


CHANGES = [
    change_content,
    lambda root: write_image(root / 'train/bee/new.png', seed=7),
    lambda root: (root / 'train/bee/1.png').unlink(),
    lambda root: (root / 'train/bee/2.png').rename(root / 'train/cat/9.png'),
    lambda root: [(root / split / 'bee').rename(root / split / 'zebra') for split in ('train', 'test')],
]


def test_a_changed_set_is_decoded_anew(small):
    load(small)
    for number, change in enumerate(CHANGES):
        change(small)
        after = load(small)
        np.testing.assert_array_equal(after.images, expected_of(after.files), str(number))
        assert after.targets.tolist() == [target for _, target in after.files], number
        assert torch.equal(load(small).images, after.images), number


def test_a_read_only_set_is_kept_in_the_users_folder_or_nowhere(small, opened, caplog, monkeypatch):
    def write(path, do):  # no folder is read-only to the tests' user if that is root
        if read_only & {*path.parents}:
            raise PermissionError(13, 'Permission denied')
        write_atomically(path, do)

    monkeypatch.setattr(cache, 'write_atomically', write)
    monkeypatch.setattr(log, 'propagate', True)
    caplog.set_level('INFO', log.name)
    other = write_folder(small.parent / 'elsewhere/small', classes=('x', 'y'))  # of the same name
    read_only = {small, other}
    first = load(small).images
    (path,) = (small.parent / 'user_cache/bigbatch').iterdir()
    assert not list(small.glob('.*')) and f'decoded images kept in {path}' in caplog.messages
    opened.clear()
    assert torch.equal(load(small).images, first) and opened == []
    assert len(load(other)) == len(load(other)) == 8
    assert torch.equal(load(small).images, first) and len(list(path.parent.iterdir())) == 2
    path.unlink()
    read_only.add(small.parent)
    assert torch.equal(load(small).images, first) and not path.exists() and not list(small.glob('.*'))
    assert any('cannot be kept' in message and 'Permission denied' in message for message in caplog.messages)


CACHE_DAMAGE = [
    lambda path: path.write_bytes(b''),
    lambda path: path.write_bytes(path.read_bytes()[:-100]),
    lambda path: path.write_bytes(path.read_bytes()[:1000] + b'xxxx' + path.read_bytes()[1004:]),
    lambda path: np.savez(path, other=np.zeros(3)),
    lambda path: np.savez(path, key=np.load(path)['key'], images=np.zeros((12, 3, 10, 8))),
    lambda path: np.savez(path, key=np.load(path)['key'], images=np.load(path)['images'][:5]),
]


def test_a_damaged_file_is_made_anew(small, opened):
    first = load(small).images
    for number, damage in enumerate(CACHE_DAMAGE):
        damage(small / KEPT)
        for is_read in (True, False):
            opened.clear()
            assert torch.equal(load(small).images, first) and (len(opened) >= 12) == is_read, number


def test_processes_that_build_it_at_once_do_no_harm(small):
    fork = multiprocessing.get_context('fork')
    ready = fork.Barrier(4)

    def build():
        ready.wait(30)
        load(small)

    processes = [fork.Process(target=build) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert [path.name for path in small.glob('.*')] == [KEPT]
    np.testing.assert_array_equal(np.load(small / KEPT)['images'], expected_of(streamed(small)))
