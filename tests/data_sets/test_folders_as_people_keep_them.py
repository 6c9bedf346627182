"""What lies in folders of images beside what is used, and images of all kinds: used, refused, or counted."""

from __future__ import annotations

import os
import warnings

import numpy as np
import PIL.Image
import pytest

import data
from data_sets.images import read_header, read_image
from tests.data_helpers import assert_refused, write_folder, write_image
from utils.logs import log

COMPOSED, APART = 'caf\u00e9', 'cafe\u0301'


@pytest.fixture
def notes(caplog, monkeypatch):
    """Return what is said while a split is loaded, without decoding it."""
    monkeypatch.setattr(log, 'propagate', True)
    caplog.set_level('WARNING', log.name)

    def load(root, split='train') -> list[str]:
        caplog.clear()
        data.get_dataset(str(root), split, memory_limit=0)
        return caplog.messages

    return load


def test_files_that_are_not_used_are_counted_in_a_line_for_each_folder(tmp_path, notes):
    root = write_folder(tmp_path / 'set', splits=('train', 'test'))
    data.get_dataset(str(root))  # keeps its pixels there
    assert notes(root) == notes(root, 'val') == []
    for name in ('ant/a.GIF', 'ant/deep/b.gif', 'bee/list.txt', 'bee/README', 'cat/._0.png', '.cache/x', 'loose.png'):
        write_image(root / 'train' / f'{name}.png').rename(root / 'train' / name)
    write_image(root / 'train/ant/deep/used.png')
    (root / 'labels.csv').touch()
    write_folder(root / 'test2', splits=('x',))
    in_root = f'{root}: not used are labels.csv, test2/'
    in_train = f'{root}/train: 7 files not used: 2 .gif, 1 .png, 1 .txt, 2 hidden, 1 without a suffix'
    assert notes(root) == [in_root, in_train]
    assert notes(root, 'val') == [in_root] and len(data.get_dataset(str(root), memory_limit=0)) == 13


def test_a_class_of_other_files_alone_says_what_they_are(tmp_path):
    root = write_folder(tmp_path)
    for path in (root / 'val/bee').iterdir():
        path.rename(path.with_suffix('.gif'))
    assert_refused(f'{root}/val/bee holds no images but 4 .gif; expected', lambda: data.get_dataset(str(root)))


def test_splits_that_are_not_used_are_named(tmp_path, notes):
    root = write_folder(tmp_path, splits=('train', 'val', 'validation'))
    write_image(root / 'test/1.png')  # no class folders, so no labels
    assert notes(root) == [f'{root}: not used are test/, validation/']


def test_class_names_are_matched_however_their_accents_are_stored(tmp_path, capsys):
    root = write_folder(tmp_path / 'set', splits=('train',), classes=('a', COMPOSED, 'zoo'))
    write_folder(root, splits=('val',), classes=('a', APART, 'zoo'), num=2)
    train, val = (data.get_dataset(str(root), split) for split in ('train', 'val'))
    assert list(train.classes) == list(val.classes) == ['a', COMPOSED, 'zoo'] and train.num_classes == 3
    assert val.targets.tolist() == [0, 0, 1, 1, 2, 2] and APART in str(val.files.path(2))
    write_folder(root, splits=('val',), classes=(COMPOSED,))
    assert_refused(f'{root}/val has two folders {COMPOSED}.*accents', lambda: data.get_dataset(str(root)))


def test_names_of_any_bytes_can_be_printed(tmp_path, notes):
    root = write_folder(tmp_path, classes=('ant', os.fsdecode(b'b\xe9e')))
    for name in (b'x\ny', b'caf\xe9.csv', b'train/ant/x.\xe9'):
        (root / os.fsdecode(name)).touch()
    said = '\n'.join(notes(root))
    expected = f'{root}: not used are caf\\xe9.csv, x y\n{root}/train: 1 file not used: 1 .\\xe9'
    assert said == expected and data.get_dataset(str(root)).classes == ['ant', 'b\\xe9e']


def test_images_are_turned_as_their_exif_orientation_says(tmp_path):
    stored = np.repeat(np.arange(6, dtype=np.uint8).reshape(2, 3, 1) * 40, 3, axis=2)
    upright = {  # what the standard says of the stored first row and column
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1],
        5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1), 7: stored[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(stored, 1),
    }  # fmt: skip
    for orientation, expected in upright.items():
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        for suffix, settings in (('png', {}), ('tif', {}), ('webp', {'lossless': True, 'exact': True})):
            path = tmp_path / f'{orientation}.{suffix}'
            PIL.Image.fromarray(stored).save(path, exif=exif, **settings)
            found = np.asarray(read_image(path))
            np.testing.assert_array_equal(found, expected, path.name)
            assert read_header(path).size == expected.shape[:2], path.name
        PIL.Image.fromarray(stored.repeat(16, 0).repeat(16, 1)).save(tmp_path / 'x.jpg', exif=exif, quality=95)
        np.testing.assert_allclose(np.asarray(read_image(tmp_path / 'x.jpg'))[8::16, 8::16], expected, atol=8)


def test_what_rgb_of_8_bits_leaves_out_is_counted(tmp_path, notes):
    root = write_folder(tmp_path, size=(4, 4))
    frames = [PIL.Image.new('RGB', (4, 4), color) for color in ('red', 'blue')]
    for suffix in ('webp', 'tif', 'png'):
        frames[0].save(root / f'train/ant/frames.{suffix}', save_all=True, append_images=frames[1:])
    write_image(root / 'train/bee/x.png', size=(4, 4), mode='RGBA')
    write_image(root / 'train/bee/y.png', size=(4, 4), mode='LA')
    assert notes(root) == [f'{root}/train: left out of 17 images looked at: further frames (3), transparency (2)']
    PIL.Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(root / 'train/cat/deep.png')
    assert_refused('train/cat/deep.png: it has more than 8 bits per channel', lambda: notes(root))


def test_damaged_metadata_of_an_image_print_nothing(tmp_path):
    content = write_image(tmp_path / 'x.jpg').read_bytes()
    damaged = b'Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x1a\0\5\0\0\0\1\0\0\xff\xff'
    (tmp_path / 'x.jpg').write_bytes(
        content[:2] + b'\xff\xe1' + (len(damaged) + 2).to_bytes(2, 'big') + damaged + content[2:]
    )
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always')
        read_header(tmp_path / 'x.jpg'), read_image(tmp_path / 'x.jpg')
    assert found == []
