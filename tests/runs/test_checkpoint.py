"""Checkpoints: whole or not at all, and nothing in them is executed."""

import io
import pickle
import re
import zipfile

import pytest
import torch
from torch import nn

from bigbatch import seeding
from bigbatch.errors import UserError
from tests.each import check_each
from utils.files import write_atomically
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


def test_round_trip(saved):
    path, model = saved
    loaded = checkpoints.load_checkpoint(path)
    assert all(torch.equal(loaded['state_dict'][name], value) for name, value in model.state_dict().items())
    assert [child.name for child in path.parent.iterdir()] == [path.name]


WRONG = [
    ({'state_dict': {'weight': 1.0}}, 'its state_dict is "{\'weight\': 1.0}"'),
    ({'optimizer': None}, "its optimizer is 'None'"),
    ({'epoch': True}, "its epoch is 'True'"),
    ({'step': -1}, "its step is '-1'"),
    ({'rng': {'torch': 1}}, 'its rng is'),
    ({'best': {'epoch': 1.0, 'val_error1': 5.0}}, 'its best is'),
    ({'version': 'one'}, "its version is 'one'"),
    ({'estimator': 5}, "its estimator is '5'"),
    ({'partial': {'num_steps': 1}}, 'its partial is'),
    ({'ranks': [{'rng': None, 'statistics': {}, 'partial': None}]}, 'its ranks is'),
]


def test_a_part_that_training_does_not_write_is_named_and_not_written(saved):
    path, _ = saved
    content = checkpoints.load_checkpoint(path)

    def check(parts, message):
        with pytest.raises(AssertionError, match=re.escape(message)):
            checkpoints.checked(content | parts)
        checkpoints.save_checkpoint(path, content | parts)
        with pytest.raises(ValueError, match=re.escape(f'not a checkpoint of this project: {message}')):
            checkpoints.load_checkpoint(path)

    check_each(WRONG, check)
    with pytest.raises(AssertionError, match='momentum'):  # which no one declared
        checkpoints.checked({**content, 'momentum': 0.9})
    with pytest.raises(AssertionError, match='optimizer'):
        checkpoints.checked({name: value for name, value in content.items() if name != 'optimizer'})
    checkpoints.save_checkpoint(path, {**content, 'version': checkpoints.VERSION + 1})
    with pytest.raises(ValueError, match='later version'):
        checkpoints.load_checkpoint(path)


def test_a_truncated_file_is_named(saved):
    path, _ = saved
    content = path.read_bytes()
    for share in (0.0, 0.1, 0.5, 0.99):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=r'^[^\n]*checkpoint\.pth\.tar: damaged[^\n]*\Z'):
            checkpoints.load_checkpoint(path)


def test_a_flipped_bit_in_a_weight_is_found(saved):
    path, model = saved
    content = bytearray(path.read_bytes())
    position = content.find(model[0].weight.detach().numpy().tobytes()[:64])
    assert position > 0
    content[position + 5] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match='checksum'):
        checkpoints.load_checkpoint(path)


def test_a_pickle_bomb_is_refused_and_not_executed(tmp_path):
    target = tmp_path / 'executed'

    class Bomb:
        def __reduce__(self):
            return (open, (str(target), 'w'))

    path, bomb = tmp_path / 'bomb.pth.tar', {'state_dict': Bomb()}
    for write in (lambda: path.write_bytes(pickle.dumps(bomb)), lambda: torch.save(bomb, path)):
        write()
        with pytest.raises(ValueError, match='damaged, or not a checkpoint'):
            checkpoints.load_state(path)
        assert not target.exists()


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match='no such checkpoint'):
        checkpoints.load_state(tmp_path / 'missing.pth.tar')
    path = tmp_path / 'archive.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('../evil', 'text')
    with pytest.raises(ValueError, match='damaged'):
        checkpoints.load_state(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match='holds a list'):
        checkpoints.load_state(path)
    torch.save({'epoch': 3}, path)
    with pytest.raises(ValueError, match='holds no weights'):
        checkpoints.load_state(path)
    with pytest.raises(ValueError, match=r'lacks .*optimizer.*--init-from'):
        checkpoints.load_checkpoint(path)


def test_a_published_checkpoint_gives_its_weights(tmp_path):
    """bigBatch: a dict with 'state_dict', in the file format before zip, names wrapped by DataParallel."""
    model = nn.Linear(3, 2)
    published = {'epoch': 7, 'model': 'mnist_f1', 'best_prec1': 97.0}
    published['state_dict'] = {f'module.{name}': value for name, value in model.state_dict().items()}
    path = tmp_path / 'model_best.pth.tar'
    torch.save(published, path, _use_new_zipfile_serialization=False)
    other = nn.Linear(3, 2)
    checkpoints.load_weights(other, checkpoints.load_state(path), path)
    assert torch.equal(other.weight, model.weight)


def test_wrapper_prefixes_come_off_in_any_order_where_they_are_no_names(tmp_path):
    class Wrapping(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nn.Linear(1, 1)

    path, plain, own = tmp_path / 'weights.pth', nn.Linear(1, 1), Wrapping()
    torch.save({'_orig_mod.module.weight': torch.ones(1, 1), 'module._orig_mod.bias': torch.ones(1)}, path)
    checkpoints.load_weights(plain, checkpoints.load_state(path), path)
    assert plain.weight.item() == plain.bias.item() == 1
    torch.save({'module.weight': torch.full((1, 1), 2.0), 'module.bias': torch.zeros(1)}, path)
    checkpoints.load_weights(own, checkpoints.load_state(path), path)
    assert own.module.weight.item() == 2


def test_weights_of_another_network_change_nothing(saved):
    path, _ = saved
    other = nn.Sequential(nn.Linear(50, 41), nn.BatchNorm1d(41))
    before = [parameter.clone() for parameter in other.parameters()]
    with pytest.raises(ValueError, match=r'weights of another network.*\(40.*\), not \(41'):
        checkpoints.load_weights(other, checkpoints.load_state(path), path)
    assert all(torch.equal(old, new) for old, new in zip(before, other.parameters(), strict=True))
    with pytest.raises(ValueError, match='and 7 more'):
        checkpoints.load_weights(nn.Linear(2, 2, bias=False), checkpoints.load_state(path), path)


def test_write_atomically_replaces(tmp_path):
    path = tmp_path / 'file'
    path.write_text('old')
    write_atomically(path, lambda file: file.write(b'new'))
    assert path.read_text() == 'new'

    def fail(file: io.BufferedWriter) -> None:
        file.write(b'half')
        raise OSError('disk full')

    with pytest.raises(UserError, match=r'file cannot be written \(disk full\)'):
        write_atomically(path, fail)
    assert path.read_text() == 'new'
    assert [child.name for child in tmp_path.iterdir()] == ['file']
