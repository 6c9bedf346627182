"""bigbatch.network_objective and loss_line: any network, loss and loader, against torch in float64."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bigbatch
from tests.data_helpers import assert_all_refused
from tests.networks import derivatives, unchanged

NUM = 50


def data():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(NUM, 6, generator=draw), torch.randint(3, (NUM,), generator=draw)


def network():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 3))
    model(data()[0])
    return model


def truth(model):
    return derivatives(copy.deepcopy(model).eval(), [data()])


class Keywords(nn.Module):
    """A network of two arguments, that computes its own loss where it gets labels."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, left, right, labels=None):
        logits = self.inner(torch.cat([left, right], dim=1))
        return {'logits': logits, 'loss': None if labels is None else F.cross_entropy(logits, labels)}


def as_dict(batch):
    inputs, labels = map(torch.stack, zip(*batch, strict=True))
    return {'left': inputs[:, :2], 'right': inputs[:, 2:], 'labels': labels}


def as_pair(batch):
    found = as_dict(batch)
    return (found['left'], found['right']), found['labels']


def logits_loss(outputs, targets):
    return F.cross_entropy(outputs['logits'], targets, reduction='none')


WAYS = {  # what a user may hand over: network, loss, how a batch is made, shuffled
    'mean': (lambda model: model, nn.CrossEntropyLoss(), None, True),
    'sum': (lambda model: model, nn.CrossEntropyLoss(reduction='sum'), None, False),
    'weights of classes': (lambda model: model, nn.CrossEntropyLoss(torch.ones(3)), None, False),
    'a function, one loss an example': (Keywords, logits_loss, as_pair, False),
    'its own loss': (Keywords, lambda outputs, batch: outputs['loss'], as_dict, True),
}


def test_loss_gradient_and_hessian_are_those_of_torch_and_nothing_is_left_behind():
    loss, gradient, hessian = truth(network())
    for way, (wrap, criterion, collate, shuffle) in WAYS.items():
        model, random_before = wrap(network()).train(), torch.get_rng_state()
        loader = DataLoader(TensorDataset(*data()), 16, shuffle=shuffle, collate_fn=collate)
        with unchanged(model):
            objective = bigbatch.network_objective(model, criterion, loader)
            found, slope = objective(objective.solution)
            assert found == pytest.approx(loss, rel=1e-6), way
            assert objective.loss(objective.solution) == pytest.approx(loss, rel=1e-6), way
            np.testing.assert_allclose(slope, gradient, atol=1e-6, err_msg=way)
            product = objective.hessian_product(objective.solution, gradient)
            np.testing.assert_allclose(product, hessian @ gradient, atol=1e-5, err_msg=way)
            objective(objective.solution + 1)
        assert torch.equal(torch.get_rng_state(), random_before), way


def test_some_parameters_are_chosen_by_name():
    loader = [data()]
    _, gradient, hessian = truth(network())
    last = slice(gradient.size - 18, gradient.size)
    for chosen in (['4.weight', '4.bias'], lambda name: name.startswith('4.')):
        objective = bigbatch.network_objective(network(), nn.CrossEntropyLoss(), loader, chosen)
        np.testing.assert_allclose(objective(objective.solution)[1], gradient[last], atol=1e-6)
        assert bigbatch.top_eigenvalues(objective)[0] == pytest.approx(
            np.linalg.eigvalsh(hessian[last, last])[-1], rel=1e-3
        )


def test_the_line_goes_through_what_the_networks_at_its_points_lose():
    model, start, end, points = network().train(), network().state_dict(), network().state_dict(), {}
    for value in end.values():
        value.mul_(2)
    for alpha in (-0.5, 0.0, 0.25, 1.0, 1.5):
        mixed = {name: a.double() * (1 - alpha) + alpha * end[name].double() for name, a in start.items()}
        mixed['1.running_var'].clamp_(min=0)
        point = network().double()
        point.load_state_dict(mixed)
        points[alpha] = truth(point)[0]
    loader = DataLoader(TensorDataset(*data()), 16, shuffle=True)
    for first in (start, model.state_dict()):
        with unchanged(model):
            found = bigbatch.loss_line(model, first, end, list(points), nn.CrossEntropyLoss(), loader)
        np.testing.assert_allclose(found, list(points.values()), rtol=1e-5)


def test_what_cannot_be_measured_is_refused_in_one_line():
    model, loss, state = network(), nn.CrossEntropyLoss(), network().state_dict()
    objective = functools.partial(bigbatch.network_objective, model, loss)
    line = functools.partial(bigbatch.loss_line, model, state)
    growing = [data()]
    grown = objective(growing)
    grown(grown.solution)
    growing.append(data())
    assert_all_refused(
        [
            ('a generator gives its batches only once', lambda: objective(batch for batch in [data()])),
            ('drops its last batch', lambda: objective(DataLoader(TensorDataset(*data()), 16, True, drop_last=True))),
            ("'5.weight' is no trainable parameter", lambda: objective([data()], ['5.weight'])),
            ('no parameter is chosen', lambda: objective([data()], lambda name: False)),
            ("batch_norm 'none': expected one of fixed, batch", lambda: objective([], batch_norm='none')),
            ('a batch is a Tensor', lambda: objective([data()[0]]).loss(np.zeros(63))),
            ('nothing to measure', lambda: bigbatch.network_objective(nn.Flatten(), loss, [data()])),
            ('the loader gives 100 examples, before 50', lambda: grown(grown.solution)),
            ('weights that are none of Sequential', lambda: line({'0.weight': torch.zeros(5, 6)}, [0], loss, [data()])),
            ("mode 'round'", lambda: line(state, [0.5], loss, [data()], mode='round')),
        ]
    )
