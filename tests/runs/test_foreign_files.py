"""Files from elsewhere: what is left over or lacking is named with its number, and what is none says what it is."""

from __future__ import annotations

import logging
import pickle
import re
import zipfile

import pytest
import torch
from torch import nn

from utils.runs import checkpoint as checkpoints


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.fixture
def state():
    return network().state_dict()


def below(prefix, state):
    return {f'{prefix}{name}': value for name, value in state.items()}


def without(state, *names):
    return {name: value for name, value in state.items() if not name.endswith(names)}


def load(content, path, caplog):
    """Return the weights that a network takes from a file, or the message that refuses them, and what is warned of."""
    caplog.clear()
    torch.save(content, path)
    model = network()
    try:
        checkpoints.load_weights(model, checkpoints.load_state(path), path)
        found = model.state_dict()
    except ValueError as error:
        found = str(error)
    return found, [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_weights_in_the_files_of_more_projects_are_found_and_what_is_not_used_is_named(state, tmp_path, caplog):
    wrapped = {name.replace('2.', '2._checkpoint_wrapped_module.'): value for name, value in state.items()}
    optimizer = {'state': {0: {'exp_avg': torch.ones(2)}}}
    cases = {
        'FSDP': (below('_fsdp_wrapped_module.', state), ''), 'checkpoints of activations': (wrapped, ''),
        'DeepSpeed': ({'module': state, 'optimizer': optimizer}, ''),
        'Composer': ({'state': {'model': below('module.', state), 'optimizers': {}}, 'rng': []}, ''),
        'one in the other': ({'model': {'state_dict': state}, 'epoch': 3}, ''),
        'timm': ({'state_dict': state, 'state_dict_ema': state}, 'not used: state_dict_ema (9 tensors)'),
        'BasicSR': ({'params_ema': state, 'params': state}, 'its params; not used: params_ema (9 tensors)'),
        'two below prefixes': ({**below('online.', state), **below('ema.', state)}, 'ema.0.weight and 8 more'),
        'numbers among them': ({**state, 'epoch': 3, 'acc': 0.5}, 'no tensors: epoch, acc'),
        'a metric beside it': ({'state_dict': state, 'best': {'loss': torch.ones(())}}, 'best (1 tensor)'),
    }  # fmt: skip
    failures = []
    for name, (content, warned) in cases.items():
        found, warnings = load(content, tmp_path / 'file.pth', caplog)
        same = not isinstance(found, str) and all(found[key].equal(value) for key, value in state.items())
        if not same or len(warnings) != bool(warned) or not all(warned in line for line in warnings):
            failures.append((name, same or found, warnings))
    assert not failures, failures


def test_what_is_left_over_or_lacking_is_named_with_its_number_below_a_prefix_too(state, tmp_path, caplog):
    cases = {
        'it lacks 2.bias;': {'state_dict': below('model.', without(state, '2.bias'))},
        'it lacks 0.bias and 1 more;': below('module.', without(state, '0.weight', '0.bias')),
        'it has besides aux.bias and 1 more;': below('module.', {**state, 'aux.bias': 1 * state['2.bias'],
                                                                 'aux.weight': 1 * state['2.bias']}),
        'it lacks 2.bias; it has besides head.bias; 2.weight is (5, 4), not (2, 4);': below(
            'model.', {**without(state, '2.bias'), 'head.bias': torch.ones(2), '2.weight': torch.ones(5, 4)}),
        '0.bias is of torch.sparse_coo, not torch.strided;': {**state, '0.bias': state['0.bias'].to_sparse()},
        '0.bias is of device meta, without values': {**state, '0.bias': state['0.bias'].to('meta')},
        'no state dict, but 0, 1': {0: torch.ones(1), 1: torch.ones(1)},
        "no state dict, but b'0.weight'": {name.encode(): value for name, value in state.items()},
        'holds several state dicts, student, teacher: save one of them': {'student': state, 'teacher': state},
    }  # fmt: skip
    failures = []
    for words, content in cases.items():
        found, warnings = load(content, tmp_path / 'file.pth', caplog)
        if words not in str(found) or warnings:
            failures.append((words, found, warnings))
    assert not failures, failures


def test_a_mapping_that_holds_itself_is_searched_to_an_end(tmp_path, caplog):
    content: dict = {'epoch': 3}
    content['model'] = content
    assert 'no state dict, but epoch, model' in load(content, tmp_path / 'file.pth', caplog)[0]


def zip_of(*names):
    def write(path):
        with zipfile.ZipFile(path, 'w') as archive:
            for name in names:
                archive.writestr(name, b'{}')

    return write


def test_files_of_other_programs_are_named_by_their_first_bytes(state, tmp_path):
    path, whole = tmp_path / 'file.pth', tmp_path / 'whole.pth'
    torch.save(state, whole, _use_new_zipfile_serialization=False)
    old = whole.read_bytes()
    torch.save(state, whole)
    cases = [
        ('network of ONNX', b'\x08\x07\x12\x07pytorch\x1a\x051.8.1:\xb2\x01' + bytes(40)),
        ('network of TensorFlow', b'\n\x0b\n\x05input\x12\x02' + bytes(60)),
        ('network of TensorFlow', b'\x08\x01\x12\xd5\xa1\x02\n' + bytes(60)),
        ('network of TensorFlow', b'\x1c\x00\x00\x00TFL3' + bytes(40)),
        ('checkpoint of TensorFlow', bytes(3) + b'\x01' + bytes(60) + b'\x57\xfb\x80\x8b\x24\x75\x47\xdb'),
        ('network of Keras', zip_of('metadata.json', 'model.weights.h5')),
        ('program of torch.export', zip_of('a/archive_format', 'a/data/weights/weight_0')),
        ('zip archive of 1 other file, such as a.txt', zip_of('a.txt')), ('zip archive of 0 other files', zip_of()),
        *(('a pickle of Python', pickle.dumps({'a': 1}, protocol)) for protocol in (0, 2, 4, 5)),
        ('unzstd', b'\x28\xb5\x2f\xfd' + bytes(9)), ('begins with zeros', bytes(5000)),
        ('a web page', b'<!-- saved --><html>'), ("text that begins with 'epoch,step'", b'epoch,step\n1,2\n'),
        ("""text that begins with '{"error": "no"}'""", b'{"error": "no"}'), (r"begins with b'\x89PNG", b'\x89PNG\r\n'),
        ('cut off or damaged', whole.read_bytes()[:-9]), ('cut off or damaged', old[: 3 * len(old) // 10]),
        ('a pickle of another protocol than 2', lambda path: torch.save(state, path, pickle_protocol=4)),
    ]  # fmt: skip
    failures = []
    for words, content in cases:
        path.unlink(missing_ok=True)
        content(path) if callable(content) else path.write_bytes(content)
        with pytest.raises(ValueError) as refused:
            checkpoints.load_state(path)
        advice = re.search('weights_only=False', str(refused.value))  # for files of torch with objects alone
        if words not in str(refused.value) or '\n' in str(refused.value) or bool(advice) != ('protocol' in words):
            failures.append((words, str(refused.value)))
    assert not failures, failures
