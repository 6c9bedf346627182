"""Weights in files from elsewhere are loaded as they are there, or refused by what the file is."""

from __future__ import annotations

import argparse
import gzip
import logging
import pathlib
import sys
import tarfile

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


def below(prefix, state):
    return {f'{prefix}{name}': value for name, value in state.items()}


def load_into(model, path):
    checkpoints.load_weights(model, checkpoints.load_state(path), path)
    return model.state_dict()


def test_weights_lie_where_others_keep_them_and_what_is_left_out_is_named(state, tmp_path, caplog):
    counters = {'1.num_batches_tracked': torch.zeros((), dtype=torch.long)}
    kinds = {
        'bare': (state, []), 'Lightning': ({'state_dict': below('model.', state), 'callbacks': {}, 'epoch': 3}, []),
        'Lightning, compiled': ({'state_dict': below('model._orig_mod.', state)}, []),
        'a loss beside it': ({'state_dict': below('net.', state) | {'loss.weight': torch.ones(2)}}, ['loss.weight']),
        'torchvision': ({'model': state, 'model_ema': below('module.', state)}, ['model_ema (9 tensors)']),
        'a tutorial': ({'model_state_dict': state, 'optimizer_state_dict': {'state': {}}, 'loss': 0.3}, []),
        'a name of its own': ({'generator': below('module.', state), 'acc': 93.1}, []),
        'AveragedModel': ({'n_averaged': torch.tensor(3), **below('module.', state)}, ['n_averaged']),
        'wrapped twice': (below('_orig_mod.module.', state), []),
        'the other way': (below('module._orig_mod.', state), []),
        'a part wrapped': ({name.replace('2.', '2._orig_mod.'): value for name, value in state.items()}, []),
        'before torch 0.4.1': ({name: value for name, value in state.items() if name not in counters}, []),
        'half': ({name: value.half() if value.is_floating_point() else value for name, value in state.items()}, []),
    }  # fmt: skip
    failures = []
    for kind, (content, named) in kinds.items():
        caplog.clear()
        torch.save(content, tmp_path / 'weights.pth')
        loaded = load_into(network(), tmp_path / 'weights.pth')
        expected = state | counters if kind == 'before torch 0.4.1' else state
        tolerance = 1e-3 if kind == 'half' else 0
        same = all(
            torch.allclose(loaded[name], value, rtol=tolerance, atol=tolerance) for name, value in expected.items()
        )
        messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        if not same or len(messages) != len(named) or not all(map(str.__contains__, messages, named)):
            failures.append((kind, same, messages))
    assert not failures, failures


@pytest.mark.filterwarnings('ignore:.*is deprecated')
def test_what_is_no_state_dict_says_what_it_is_and_what_would_help(state, tmp_path):
    whole = tmp_path / 'whole.pth'
    torch.save(state, whole)
    path = tmp_path / 'weights.pth'

    def refusal(write) -> str:
        write(path)
        with pytest.raises(ValueError) as refused:
            checkpoints.load_state(path)
        return str(refused.value)

    def tar(path):
        with tarfile.open(path, 'w') as archive:
            archive.add(whole)

    def script(path):
        torch.jit.save(torch.jit.trace(network().eval(), torch.ones(2, 3)), path)

    def holding(**more):
        return lambda path: torch.save({'state_dict': state, **more}, path)

    wanted = {
        'git lfs pull': lambda path: path.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:abc\n'),
        'a web page': lambda path: path.write_text('\n<!DOCTYPE html><title>Sign in</title>'),
        'is empty': lambda path: path.write_bytes(b''), 'gunzip': lambda path: path.write_bytes(gzip.compress(b'x')),
        'HDF5': lambda path: path.write_bytes(b'\x89HDF\r\n\x1a\n' + bytes(99)), 'a tar archive': tar,
        'TorchScript': script, 'an .npz file': lambda path: np.savez(path.open('wb'), x=np.ones(2)),
        'argparse.Namespace': holding(args=argparse.Namespace(lr=1)), 'multiarray.scalar': holding(best=np.float64(1)),
        'pathlib.': holding(out=pathlib.PurePosixPath('/x')), 'Sequential': lambda path: torch.save(network(), path),
        'several state dicts, a, b': lambda path: torch.save({'a': state, 'b': state}, path),
        'no state dict, but epoch, lr': lambda path: torch.save({'epoch': 3, 'lr': 0.1}, path),
    }  # fmt: skip
    found = {words: refusal(write) for words, write in wanted.items()}
    assert [(words, message) for words, message in found.items() if words not in message or '\n' in message] == []
    for words in ('argparse.Namespace', 'multiarray.scalar', 'Sequential'):
        assert 'save its state dict alone by torch.save' in found[words]


def test_weights_that_are_no_floats_are_refused(state, tmp_path):
    state['0.weight'] = (state['0.weight'] * 100).to(torch.int8)
    torch.save(state, tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match=r'0\.weight is of torch\.int8, not torch\.float32'):
        load_into(network(), tmp_path / 'weights.pth')


@pytest.mark.slow
def test_safetensors_are_read_and_a_damaged_file_is_one_line(state, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / 'model.safetensors'
    save_file(below('model.', state), path)
    assert all(value.equal(state[name]) for name, value in load_into(network(), path).items())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r'^[^\n]*damaged, or not a file of safetensors[^\n]*\Z'):
        checkpoints.load_state(path)


def test_without_the_package_of_safetensors_one_line_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    header = b'{"__metadata__":{}}'
    (tmp_path / 'model.safetensors').write_bytes(len(header).to_bytes(8, 'little') + header)
    with pytest.raises(ValueError, match='pip install safetensors'):
        checkpoints.load_state(tmp_path / 'model.safetensors')
