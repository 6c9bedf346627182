"""Checkpoints: whole or not at all, and nothing in them is executed."""

import re

import pytest
import torch
from torch import nn

from bigbatch import seeding
from tests.each import check_each
from utils.runs import checkpoint as checkpoints


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(50, 40), nn.BatchNorm1d(40))
    content = {
        'state_dict': model.state_dict(), 'optimizer': {}, 'epoch': 0, 'step': 0, 'rng': seeding.get_rng_state(),
        'best': None, 'config': {}, 'version': checkpoints.VERSION,
    }  # fmt: skip
    path = tmp_path / 'checkpoint.pth.tar'
    checkpoints.save_checkpoint(path, checkpoints.checked(content))
    return path, model


def test_a_part_that_training_does_not_write_is_named_and_not_written(saved):
    path, _ = saved
    content = checkpoints.load_checkpoint(path)

    def check(parts, message):
        with pytest.raises(AssertionError, match=re.escape(message)):
            checkpoints.checked(content | parts)
        checkpoints.save_checkpoint(path, content | parts)
        with pytest.raises(ValueError, match=re.escape(f'not a checkpoint of this project: {message}')):
            checkpoints.load_checkpoint(path)

    check_each([
        ({'state_dict': {'weight': 1.0}}, 'its state_dict is "{\'weight\': 1.0}"'),
        ({'epoch': True}, "its epoch is 'True'"), ({'step': -1}, "its step is '-1'"),
        ({'best': {'epoch': 1.0, 'val_error1': 5.0}}, 'its best is'), ({'partial': {'num_steps': 1}}, 'its partial is'),
        ({'ranks': [{'rng': None, 'statistics': {}, 'partial': None}]}, 'its ranks is'),
    ], check)  # fmt: skip
    with pytest.raises(AssertionError, match='momentum'):  # which no one declared
        checkpoints.checked({**content, 'momentum': 0.9})
    with pytest.raises(AssertionError, match='optimizer'):
        checkpoints.checked({name: value for name, value in content.items() if name != 'optimizer'})
    checkpoints.save_checkpoint(path, {**content, 'version': checkpoints.VERSION + 1})
    with pytest.raises(ValueError, match='later version'):
        checkpoints.load_checkpoint(path)


def test_a_truncated_file_and_a_flipped_bit_in_a_weight_are_found(saved):
    path, model = saved
    content = bytearray(path.read_bytes())
    for share in (0.0, 0.1, 0.5, 0.99):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=r'^[^\n]*checkpoint\.pth\.tar: damaged[^\n]*\Z'):
            checkpoints.load_checkpoint(path)
    position = content.find(model[0].weight.detach().numpy().tobytes()[:64])
    assert position > 0
    content[position + 5] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match='checksum'):
        checkpoints.load_checkpoint(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / 'file'

    def check(content, message):
        if content is not None:
            torch.save(content, path)
        with pytest.raises(ValueError, match=message):
            checkpoints.load_state(path)

    check_each([
        (None, 'no such checkpoint'), ([1, 2], 'holds a list'), ({'epoch': 3}, 'holds no weights'),
    ], check)  # fmt: skip
    with pytest.raises(ValueError, match=r'lacks .*optimizer.*--init-from'):
        checkpoints.load_checkpoint(path)


def test_weights_lose_the_prefixes_of_wrappers_where_they_are_no_names(tmp_path):
    class Wrapping(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nn.Linear(1, 1)

    state = {'module.weight': torch.ones(1, 1), 'module.bias': torch.full((1,), 2.0)}
    published = {'epoch': 7, 'model': 'mnist_f1', 'best_prec1': 97.0, 'state_dict': state}  # of DataParallel
    for model, content in ((nn.Linear(1, 1), published), (Wrapping(), state)):
        torch.save(content, tmp_path / 'weights.pth', _use_new_zipfile_serialization=False)
        checkpoints.load_weights(model, checkpoints.load_state(tmp_path / 'weights.pth'), tmp_path)
        assert [parameter.item() for parameter in model.parameters()] == [1, 2]


def test_weights_of_another_network_change_nothing(saved):
    path, _ = saved
    other = nn.Sequential(nn.Linear(50, 41), nn.BatchNorm1d(41))
    before = [parameter.clone() for parameter in other.parameters()]
    with pytest.raises(ValueError, match=r'weights of another network.*\(40.*\), not \(41'):
        checkpoints.load_weights(other, checkpoints.load_state(path), path)
    assert all(torch.equal(old, new) for old, new in zip(before, other.parameters(), strict=True))
    with pytest.raises(ValueError, match='has besides bias and 5 more; weight is'):
        checkpoints.load_weights(nn.Linear(2, 2, bias=False), checkpoints.load_state(path), path)
