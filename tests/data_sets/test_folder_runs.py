"""Runs on class folders, as a user types them."""

from __future__ import annotations

import shutil

import pytest
from torch import nn
from torchvision import transforms

import data
from tests.conftest import TINY_GBN, main_gbn, read_json, read_rows, stable_rows
from tests.data_helpers import write_folder, write_image
from utils.engine import loading

LARGE = ('--model', 'cifar10_shallow', '--model_config', '{}', '--input_size', '32')


@pytest.fixture
def small(tmp_path):
    return write_folder(tmp_path / 'small', num=12)


@pytest.fixture
def photos(tmp_path):
    root = write_folder(tmp_path / 'photos', num=12, size=(40, 50))
    for split in ('train', 'val'):
        write_image(root / split / 'bee/0.png', size=(60, 30))
    return root


def flags_of(root, *more):
    return (*TINY_GBN, '--dataset', root.name, '--datasets-dir', str(root.parent), *more)


@pytest.mark.slow
def test_a_run_is_the_same_streamed_and_in_memory_and_goes_on_where_there_is_less(train, small, monkeypatch):
    decoded = train(*flags_of(small, '--epochs', '2'), save='decoded')
    part = train(*flags_of(small, '--epochs', '1'), save='part')
    monkeypatch.setattr(loading, 'memory_limit', lambda device: 0)
    streamed = train(*flags_of(small, '--epochs', '2', '--workers', '2'), save='streamed')
    assert main_gbn.main(['--resume', str(part), '--epochs', '2']) == 0
    assert stable_rows(decoded) == stable_rows(streamed) == stable_rows(part)
    assert 'read by 2 workers' in (streamed / 'log.txt').read_text()
    assert 'read by' not in (decoded / 'log.txt').read_text()


def test_photographs_train_and_hold_out(train, photos):
    run = train(*flags_of(photos, *LARGE, '--val-fraction', '0.25', '--epochs', '1', '--workers', '1'))
    assert read_json(run / 'config.json')['test']['error1'] <= 100
    log = (run / 'log.txt').read_text()
    assert '27 training, 9 validation, 36 test examples of 3x32x32, read by 1 worker; crop and flip at random' in log


@pytest.mark.slow
def test_augmentation_can_be_switched_off(train, photos):
    rows = [
        stable_rows(train(*flags_of(photos, *LARGE, '--epochs', '1', '--workers', '0', *more), save=save))
        for save, more in (('on', ()), ('unflipped', ('--no-flip',)), ('off', ('--no-augment',)))
    ]
    assert rows[0] != rows[1] != rows[2] != rows[0]


def test_a_test_folder_is_scored_once_at_the_end(train, tmp_path, refused):
    root = write_folder(tmp_path / 'three', splits=('train', 'val', 'test'), num=8)
    run = train(*flags_of(root, '--epochs', '1'))
    test, row = read_json(run / 'config.json')['test'], read_rows(run / 'results.csv')[-1]
    assert str(test['loss']) != row['val_loss'] and ', 24 test examples' in (run / 'log.txt').read_text()
    refused(*flags_of(root, '--val-fraction', '0.1'), words=('--val-fraction 0.1', 'three', 'val/', 'test/'))


def test_a_networks_own_transform_is_used(train, photos, capsys, monkeypatch):
    import models

    def build(name, *, num_classes, **options):
        model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, num_classes))
        crop = transforms.Compose([transforms.CenterCrop(6), transforms.ToTensor()])
        model.input_transform = {'train': crop, 'eval': crop}
        return model

    monkeypatch.setattr(models, 'create_model', build)
    train(*flags_of(photos, '--epochs', '1', '--flip', '--workers', '0', '--lr', '0.1'))
    captured = capsys.readouterr()
    assert 'brings its own input_transform' in captured.out
    assert 'has its own input_transform: --flip has no effect' in captured.err


def test_a_plan_decodes_nothing(small, capsys, train, monkeypatch):
    from data_sets import folder

    monkeypatch.setattr(folder, 'decode_images', None)
    before = sorted(small.parent.rglob('*'))
    train(*flags_of(small, '--dry-run'))
    assert '36 training, 36 validation examples of 3x10x8; crop' in capsys.readouterr().out
    assert sorted(small.parent.rglob('*')) == before


def test_an_image_that_fails_ends_the_run_in_one_line(photos, capsys, train, monkeypatch):
    monkeypatch.setattr('data_sets.folder.NUM_LOOKED_AT', 3)  # not at this one
    (photos / 'train/cat/11.png').write_bytes(b'')
    assert train(*flags_of(photos, *LARGE, '--epochs', '1', '--workers', '1')) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith('error')] == lines[-1:]
    assert f'cannot read the image {photos}/train/cat/11.png' in lines[-1]
    assert lines[-1].count('11.png') == 1 and '--resume' in lines[-1]
    run = next(photos.parent.glob('results/*/config.json')).parent
    assert read_json(run / 'config.json')['status'] == 'failed'
    shutil.copy(photos / 'train/cat/10.png', photos / 'train/cat/11.png')
    assert main_gbn.main(['--resume', str(run)]) == 0
    assert read_json(run / 'config.json')['status'] == 'done'


def test_flags_without_effect_are_warned_about(train, small, capsys):
    train(*flags_of(small, '--epochs', '1', '--workers', '3'))
    assert '--workers 3 has no effect' in capsys.readouterr().err
    train(*flags_of(small, '--dataset', str(small), '--dry-run'), save='other')
    assert f'--datasets-dir has no effect: {small} is the whole path' in capsys.readouterr().err


def test_sizes_that_do_not_fit_are_refused(refused, small):
    data.get_dataset(str(small)), data.get_dataset(str(small), 'val')
    refused(*flags_of(small, '--input_size', '99'), words=('99', '10x8'))
    write_folder(small, splits=('train',), num=12, size=(12, 12))  # what is kept of val still holds
    data.get_dataset(str(small))
    refused(*flags_of(small), words=('train and val are 3x12x12 and 3x10x8',))
