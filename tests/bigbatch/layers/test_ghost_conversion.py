"""Conversion to ghost batch norm, and what becomes of a converted model."""

from __future__ import annotations

import copy
import functools
import pickle

import torch
from torch import nn

from bigbatch.layers.ghost_batch_norm import (
    GhostBatchNorm1d,
    GhostBatchNorm2d,
    GhostBatchNorm3d,
    convert_ghost_batch_norm,
)
from tests.data_helpers import assert_refused
from tests.ghosts import assert_near, make_network


def test_conversion_keeps_every_object_and_setting():
    third = nn.BatchNorm3d(2, eps=1e-2, momentum=None)
    model = nn.Sequential(make_network(), nn.InstanceNorm2d(3, affine=True), third)
    model[0][1].weight.requires_grad_(False)
    model[0][5].eval()
    calls = []
    model[0][1].register_forward_hook(lambda *_: calls.append(1))
    kept = [*model.modules(), *model.parameters(), *model.buffers()]
    assert convert_ghost_batch_norm(model, 4) is model
    now = [*model.modules(), *model.parameters(), *model.buffers()]
    assert all(one is other for one, other in zip(kept, now, strict=True))
    first, second, instance, last = model[0][1], model[0][5], model[1], model[2]
    assert [type(m) for m in (first, second, last)] == [GhostBatchNorm2d, GhostBatchNorm1d, GhostBatchNorm3d]
    assert type(instance) is nn.InstanceNorm2d
    assert not hasattr(instance, 'ghost_batch_size')
    assert (last.eps, last.momentum, last.ghost_batch_size) == (1e-2, None, 4)
    assert (first.weight.requires_grad, first.training, second.training) == (False, True, False)
    assert 'ghost_batch_size=4' in repr(first)
    first(torch.randn(8, 4, 3, 3, dtype=torch.float64))
    assert calls == [1]


def test_conversion_twice_sets_the_size_and_handles_roots_and_shared_modules():
    root = nn.BatchNorm1d(3)
    assert convert_ghost_batch_norm(root, 4) is root
    assert isinstance(convert_ghost_batch_norm(root, 8), GhostBatchNorm1d)
    assert root.ghost_batch_size == 8
    shared = nn.BatchNorm1d(3)
    model = convert_ghost_batch_norm(nn.Sequential(shared, nn.ReLU(), shared), 2)
    assert model[0] is model[2] is shared
    assert isinstance(shared, GhostBatchNorm1d)
    model(torch.randn(6, 3))
    assert shared.num_batches_tracked == 6


def test_other_batch_norms_are_refused_by_name_and_nothing_changes():
    activated = type('Activated', (nn.BatchNorm2d,), {'forward': lambda self, input: input.relu()})
    for odd in (nn.SyncBatchNorm(4), nn.LazyBatchNorm2d(), activated(4)):
        model = nn.Sequential(nn.BatchNorm2d(4), nn.Sequential(odd))
        message = rf'^1\.0 is a {type(odd).__name__}, '
        assert_refused(message, functools.partial(convert_ghost_batch_norm, model, 4))
        assert type(model[0]) is nn.BatchNorm2d
        assert_refused('^the model itself is a ', functools.partial(convert_ghost_batch_norm, odd, 4))


def test_copies_and_state_dicts_train_as_the_original():
    plain, model = make_network(), convert_ghost_batch_norm(make_network(), 4)
    nn.init.normal_(plain[1].weight)
    assert list(plain.state_dict()) == list(model.state_dict())
    model.load_state_dict(plain.state_dict())
    inputs = torch.randn(8, 2, 5, 5, dtype=torch.float64)
    assert torch.equal(plain.eval()(inputs), model.eval()(inputs))
    for duplicate in (copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))):
        twin = duplicate(model.train())
        assert torch.equal(model(inputs), twin(inputs))
        assert_near(model.buffers(), twin.buffers(), tolerance=0)
        assert twin[1].ghost_batch_size == 4
    plain.load_state_dict(model.state_dict())
    assert torch.equal(plain(inputs), model.eval()(inputs))
