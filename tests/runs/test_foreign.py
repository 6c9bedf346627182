"""Weights in files from elsewhere: loaded as they are there, or refused by what the file is or what it lacks."""

import argparse
import gzip
import logging
import pathlib
import pickle
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from utils.runs import checkpoint as checkpoints


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.fixture
def state():
    model = network().train()
    model(torch.randn(8, 3))
    return model.state_dict()


@pytest.fixture
def load(tmp_path, caplog):
    """Return the weights that a network takes from a file, or the message that refuses them, and what is warned of."""

    def call(content):
        caplog.clear()
        model, path = network(), tmp_path / 'weights.pth'
        torch.save(content, path)
        try:
            checkpoints.load_weights(model, checkpoints.load_state(path), path)
            found = model.state_dict()
        except ValueError as error:
            found = str(error)
        return found, [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    return call


def below(prefix, state):
    return {f'{prefix}{name}': value for name, value in state.items()}


def without(state, *names):
    return {name: value for name, value in state.items() if not name.endswith(names)}


def test_weights_lie_where_others_keep_them_and_what_is_left_out_is_named(state, load):
    wrapped = {name.replace('2.', '2._checkpoint_wrapped_module.'): value for name, value in state.items()}
    optimizer = {'state': {0: {'exp_avg': torch.ones(2)}}}
    kinds = {
        'bare': (state, ''), 'Lightning': ({'state_dict': below('model.', state), 'callbacks': {}, 'epoch': 3}, ''),
        'Lightning, compiled': ({'state_dict': below('model._orig_mod.', state)}, ''),
        'a loss beside it': ({'state_dict': below('net.', state) | {'loss.weight': torch.ones(2)}}, 'loss.weight'),
        'torchvision': ({'model': state, 'model_ema': below('module.', state)}, 'model_ema (9 tensors)'),
        'a tutorial': ({'model_state_dict': state, 'optimizer_state_dict': {'state': {}}, 'loss': 0.3}, ''),
        'a name of its own': ({'generator': below('module.', state), 'acc': 93.1}, ''),
        'AveragedModel': ({'n_averaged': torch.tensor(3), **below('module.', state)}, 'n_averaged'),
        'wrapped twice': (below('_orig_mod.module.', state), ''),
        'the other way': (below('module._orig_mod.', state), ''),
        'a part wrapped': ({name.replace('2.', '2._orig_mod.'): value for name, value in state.items()}, ''),
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
    for kind, (content, warned) in kinds.items():
        found, warnings = load(content)
        same = not isinstance(found, str) and all(found[name].equal(value) for name, value in state.items())
        if not same or len(warnings) != bool(warned) or not all(warned in line for line in warnings):
            failures.append((kind, same or found, warnings))
    assert not failures, failures


def test_weights_of_half_precision_and_those_from_before_torch_0_4_1_are_taken_silently(state, load):
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    found, warnings = load(halves)
    assert all(torch.allclose(found[name], value, rtol=1e-3, atol=1e-3) for name, value in state.items())
    found, more = load(without(state, 'num_batches_tracked'))
    expected = state | {'1.num_batches_tracked': torch.zeros((), dtype=torch.long)}
    assert all(found[name].equal(value) for name, value in expected.items())
    assert [*warnings, *more] == []


def test_what_does_not_fit_is_named_with_its_number_below_a_prefix_too(state, load):
    holding_itself: dict = {'epoch': 3}
    holding_itself['model'] = holding_itself
    cases = {
        'it lacks 2.bias;': {'state_dict': below('model.', without(state, '2.bias'))},
        'it lacks 0.bias and 1 more;': below('module.', without(state, '0.weight', '0.bias')),
        'it has besides aux.bias and 1 more;': below('module.', {**state, 'aux.bias': 1 * state['2.bias'],
                                                                 'aux.weight': 1 * state['2.bias']}),
        'it lacks 2.bias; it has besides head.bias; 2.weight is (5, 4), not (2, 4);': below(
            'model.', {**without(state, '2.bias'), 'head.bias': torch.ones(2), '2.weight': torch.ones(5, 4)}),
        '0.weight is of torch.int8, not torch.float32': {**state, '0.weight': state['0.weight'].to(torch.int8)},
        '0.bias is of torch.sparse_coo, not torch.strided;': {**state, '0.bias': state['0.bias'].to_sparse()},
        '0.bias is of device meta, without values': {**state, '0.bias': state['0.bias'].to('meta')},
        'no state dict, but 0, 1': {0: torch.ones(1), 1: torch.ones(1)},
        "no state dict, but b'0.weight'": {name.encode(): value for name, value in state.items()},
        'no state dict, but epoch, lr': {'epoch': 3, 'lr': 0.1},
        'no state dict, but epoch, model': holding_itself,
        'holds several state dicts, student, teacher: save one of them': {'student': state, 'teacher': state},
    }  # fmt: skip
    failures = []
    for words, content in cases.items():
        found, warnings = load(content)
        if words not in str(found) or '\n' in str(found) or warnings:
            failures.append((words, found, warnings))
    assert not failures, failures


def refusal(path, content) -> str:
    """Write a file, of bytes, of texts in a zip archive or by a function; return what refuses it."""
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, tuple):
        with zipfile.ZipFile(path, 'w') as archive:
            for name in content:
                archive.writestr(name, b'{}')
    else:
        content(path)
    with pytest.raises(ValueError) as refused:
        checkpoints.load_state(path)
    return str(refused.value)


@pytest.mark.filterwarnings('ignore:.*is deprecated')
def test_files_of_other_kinds_are_named_by_what_they_are_with_what_would_help(state, tmp_path):
    whole = tmp_path / 'whole.pth'
    torch.save(state, whole, _use_new_zipfile_serialization=False)
    old = whole.read_bytes()
    torch.save(state, whole)

    def tar(path):
        with tarfile.open(path, 'w') as archive:
            archive.add(whole)

    def script(path):
        torch.jit.save(torch.jit.trace(network().eval(), torch.ones(2, 3)), path)

    def holding(**more):
        return lambda path: torch.save({'state_dict': state, **more}, path)

    objects = {  # for which alone reading without weights_only would help
        'argparse.Namespace': holding(args=argparse.Namespace(lr=1)), 'multiarray.scalar': holding(best=np.float64(1)),
        'pathlib.': holding(out=pathlib.PurePosixPath('/x')), 'Sequential': lambda path: torch.save(network(), path),
        'a pickle of another protocol than 2': lambda path: torch.save(state, path, pickle_protocol=4),
    }  # fmt: skip
    others = [
        ('git lfs pull', b'version https://git-lfs.github.com/spec/v1\noid sha256:abc\n'), ('is empty', b''),
        ('a web page', b'\n<!DOCTYPE html><title>Sign in</title>'), ('a web page', b'<!-- saved --><html>'),
        ('gunzip', gzip.compress(b'x')), ('HDF5', b'\x89HDF\r\n\x1a\n' + bytes(99)), ('a tar archive', tar),
        ('TorchScript', script), ('an .npz file', lambda path: np.savez(path.open('wb'), x=np.ones(2))),
        ('network of ONNX', b'\x08\x07\x12\x07pytorch\x1a\x051.8.1:\xb2\x01' + bytes(40)),
        ('network of TensorFlow', b'\n\x0b\n\x05input\x12\x02' + bytes(60)),
        ('network of TensorFlow', b'\x08\x01\x12\xd5\xa1\x02\n' + bytes(60)),
        ('network of TensorFlow', b'\x1c\x00\x00\x00TFL3' + bytes(40)),
        ('checkpoint of TensorFlow', bytes(3) + b'\x01' + bytes(60) + b'\x57\xfb\x80\x8b\x24\x75\x47\xdb'),
        ('network of Keras', ('metadata.json', 'model.weights.h5')),
        ('program of torch.export', ('a/archive_format', 'a/data/weights/weight_0')),
        ('zip archive of 1 other file, such as a.txt', ('a.txt',)), ('zip archive of 0 other files', ()),
        *(('a pickle of Python', pickle.dumps({'a': 1}, protocol)) for protocol in (0, 2, 4, 5)),
        ('unzstd', b'\x28\xb5\x2f\xfd' + bytes(9)), ('begins with zeros', bytes(5000)),
        ("text that begins with 'epoch,step'", b'epoch,step\n1,2\n'), (r"begins with b'\x89PNG", b'\x89PNG\r\n'),
        ("""text that begins with '{"error": "no"}'""", b'{"error": "no"}'),
        ('cut off or damaged', whole.read_bytes()[:-9]), ('cut off or damaged', old[: 3 * len(old) // 10]),
    ]  # fmt: skip
    failures = []
    for words, content in [*objects.items(), *others]:
        said = refusal(tmp_path / 'file.pth', content)
        if words not in said or '\n' in said or ('weights_only=False' in said) != (words in objects):
            failures.append((words, said))
        if words in ('argparse.Namespace', 'multiarray.scalar', 'Sequential'):
            assert 'save its state dict alone by torch.save' in said
    assert not failures, failures


@pytest.mark.slow
def test_safetensors_are_read_and_a_damaged_file_is_one_line(state, tmp_path):
    from safetensors.torch import save_file

    model, path = network(), tmp_path / 'model.safetensors'
    save_file(below('model.', state), path)
    checkpoints.load_weights(model, checkpoints.load_state(path), path)
    assert all(value.equal(state[name]) for name, value in model.state_dict().items())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r'^[^\n]*damaged, or not a file of safetensors[^\n]*\Z'):
        checkpoints.load_state(path)


def test_without_the_package_of_safetensors_one_line_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    header = b'{"__metadata__":{}}'
    (tmp_path / 'model.safetensors').write_bytes(len(header).to_bytes(8, 'little') + header)
    with pytest.raises(ValueError, match='pip install safetensors'):
        checkpoints.load_state(tmp_path / 'model.safetensors')
