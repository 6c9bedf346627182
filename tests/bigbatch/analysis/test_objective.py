"""The objective of any network, loss and loader, and the line between two, against torch in float64."""

import copy
import functools
import gc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bigbatch
from bigbatch.analysis.hessian import hessian_trace, top_eigenvalues
from bigbatch.analysis.objective import open_objective
from bigbatch.training.scoring import summed_criterion
from tests.data_helpers import assert_all_refused
from tests.networks import Batches, derivatives, unchanged


def network(dtype=torch.float64, *, dropout=0.0) -> nn.Module:
    """A small network with convolution, batch norm with statistics of its own, in-place ReLU and dropout."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(3, 4),
    ).to(dtype)  # fmt: skip
    for _ in range(5):
        model(torch.randn(32, 1, 6, 6, dtype=dtype))
    return model.eval()


def loader(batch_size=20, dtype=torch.float64):
    torch.manual_seed(1)
    return Batches(torch.randn(50, 1, 6, 6).to(dtype), torch.arange(50) % 4, batch_size)


def opened(model, batches, **settings):
    return open_objective(model, summed_criterion(None), batches, **settings)


@pytest.mark.parametrize(('mode', 'batch_size'), [('fixed', 7), ('fixed', 50), ('batch', 20), ('batch', 50)])
def test_loss_gradient_and_hessian_are_those_of_torch(mode, batch_size):
    model, counted = network(), []
    loss, gradient, hessian = derivatives(model.train(mode == 'batch'), loader(batch_size).parts)
    with opened(model.eval(), loader(batch_size), batch_norm=mode, advance=counted.append) as objective:
        x = objective.solution
        found, slope = objective(x)
        assert counted == [len(targets) for _, targets in loader(batch_size).parts]
        assert found == objective.loss(x) == pytest.approx(loss, rel=1e-12)
        np.testing.assert_allclose(slope, gradient, rtol=1e-9, atol=1e-12)
        columns = np.stack([objective.hessian_product(x, column) for column in np.eye(x.size)])
        np.testing.assert_allclose(columns, hessian, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(top_eigenvalues(objective, 2), np.linalg.eigvalsh(hessian)[:-3:-1], rtol=1e-3)
        trace, error = hessian_trace(objective, 40)
        assert abs(trace - np.trace(hessian)) < 3 * error


def test_float32_networks_are_summed_in_float64():
    in_32, in_64 = network(torch.float32), network(torch.float64)
    in_64.load_state_dict(in_32.state_dict())
    results = []
    for model, dtype in ((in_32, torch.float32), (in_64, torch.float64)):
        with opened(model, loader(7, dtype)) as objective:
            results.append((*objective(objective.solution), objective.resolution))
            assert next(model.parameters()).dtype == dtype
    (loss, gradient, resolution), (true_loss, true_gradient, fine) = results
    assert gradient.dtype == np.float64
    assert loss == pytest.approx(true_loss, rel=1e-6)
    assert np.allclose(gradient, true_gradient, rtol=1e-4, atol=1e-6)
    assert 1e-11 < resolution < 1e-6  # about what a loss near 1 has of float32
    assert fine < 1e-6 * resolution
    assert abs(loss - true_loss) < 10 * resolution


def test_losses_far_below_float32_are_told_apart():
    """The softmax of a confident network is 1 in float32; in float64 it is not."""
    model, data_loader = nn.Sequential(nn.Flatten(), nn.Linear(36, 4, bias=False)).eval(), loader(20, torch.float32)
    data_loader.parts = data_loader.parts[:1]
    [(inputs, targets)] = data_loader.parts
    data_loader.num_examples = len(targets)
    with torch.no_grad():  # 20 examples of 36 pixels can be fitted exactly
        model[1].weight.copy_(20 * torch.linalg.lstsq(inputs.flatten(1), F.one_hot(targets, 4).float()).solution.T)
        assert F.cross_entropy(model(inputs), targets).item() == 0
    with opened(model, data_loader) as objective:
        loss, _ = objective(objective.solution)
        higher = objective.loss(objective.solution * 0.999)
    assert 0 < loss < higher < 1e-8


def test_neither_passes_before_nor_autocast_nor_products_leave_a_trace():
    def num_tensors():
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    with opened(network(torch.float32), loader(7, torch.float32)) as objective:
        x = objective.solution
        first = objective(x)
        objective(x + 0.1)
        objective.hessian_product(x + 0.2, x)
        before = num_tensors()
        for _ in range(5):
            objective.hessian_product(x, x)
        assert num_tensors() <= before
        again = objective(x)
        assert first[0] == again[0] and np.array_equal(first[1], again[1])
    second = opened(network(torch.float32), loader(7, torch.float32))
    with torch.autocast('cpu'), second as objective:
        assert objective(x)[0] == first[0]


@pytest.mark.parametrize('mode', ['fixed', 'batch'])
def test_everything_is_restored(mode):
    model = network(torch.float32, dropout=0.5)
    frozen = next(model.parameters()).requires_grad_(False)
    settings = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision('high')
    try:
        objective = opened(model, loader(dtype=torch.float32), batch_norm=mode)
        with pytest.raises(KeyboardInterrupt), unchanged(model), objective as objective:
            assert torch.get_float32_matmul_precision() == 'highest'
            assert objective.solution.size == sum(each.numel() for each in model.parameters()) - frozen.numel()
            objective(objective.solution + 0.5)
            objective.hessian_product(objective.solution, objective.solution)
            raise KeyboardInterrupt
        assert torch.get_float32_matmul_precision() == 'high'
    finally:
        torch.set_float32_matmul_precision(settings[0])
    assert torch.backends.cudnn.allow_tf32 == settings[1]


def test_parameters_that_the_loss_does_not_depend_on_have_derivative_0():
    model = network()
    model.unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    with opened(model, loader()) as objective:
        assert next(model.named_parameters())[0] == 'unused'
        x = objective.solution
        assert np.array_equal(objective(x)[1][:3], np.zeros(3))
        assert np.array_equal(objective.hessian_product(x, x)[:3], np.zeros(3))


NUM = 50


def user_data():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(NUM, 6, generator=draw), torch.randint(3, (NUM,), generator=draw)


def user_network():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 3))
    model(user_data()[0])
    return model


def truth(model):
    return derivatives(copy.deepcopy(model).eval(), [user_data()])


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
    left, right, labels = as_dict(batch).values()
    return (left, right), labels


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
    loss, gradient, hessian = truth(user_network())
    for way, (wrap, criterion, collate, shuffle) in WAYS.items():
        model, random_before = wrap(user_network()).train(), torch.get_rng_state()
        loader = DataLoader(TensorDataset(*user_data()), 16, shuffle=shuffle, collate_fn=collate)
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
    loader = [user_data()]
    _, gradient, hessian = truth(user_network())
    last = slice(gradient.size - 18, gradient.size)
    for chosen in (['4.weight', '4.bias'], lambda name: name.startswith('4.')):
        objective = bigbatch.network_objective(user_network(), nn.CrossEntropyLoss(), loader, chosen)
        np.testing.assert_allclose(objective(objective.solution)[1], gradient[last], atol=1e-6)
        assert bigbatch.top_eigenvalues(objective)[0] == pytest.approx(
            np.linalg.eigvalsh(hessian[last, last])[-1], rel=1e-3
        )


def test_the_line_goes_through_what_the_networks_at_its_points_lose():
    model, start, end, points = user_network().train(), user_network().state_dict(), user_network().state_dict(), {}
    for value in end.values():
        value.mul_(2)
    for alpha in (-0.5, 0.0, 0.25, 1.0, 1.5):
        mixed = {name: a.double() * (1 - alpha) + alpha * end[name].double() for name, a in start.items()}
        mixed['1.running_var'].clamp_(min=0)
        point = user_network().double()
        point.load_state_dict(mixed)
        points[alpha] = truth(point)[0]
    loader = DataLoader(TensorDataset(*user_data()), 16, shuffle=True)
    for first in (start, model.state_dict()):
        with unchanged(model):
            found = bigbatch.loss_line(model, first, end, list(points), nn.CrossEntropyLoss(), loader)
        np.testing.assert_allclose(found, list(points.values()), rtol=1e-5)


def test_what_cannot_be_measured_is_refused_in_one_line():
    model, loss, state = user_network(), nn.CrossEntropyLoss(), user_network().state_dict()
    objective = functools.partial(bigbatch.network_objective, model, loss)
    line = functools.partial(bigbatch.loss_line, model, state)
    growing = [user_data()]
    grown = objective(growing)
    grown(grown.solution)
    growing.append(user_data())
    batch, shuffled = user_data(), DataLoader(TensorDataset(*user_data()), 16, shuffle=True, drop_last=True)
    refused = [
        ('a generator gives its batches only once', lambda: objective(each for each in [batch])),
        ('drops its last batch', lambda: objective(shuffled)),
        ("'5.weight' is no trainable parameter", lambda: objective([batch], ['5.weight'])),
        ('no parameter is chosen', lambda: objective([batch], lambda name: False)),
        ("batch_norm 'none': expected one of fixed, batch", lambda: objective([], batch_norm='none')),
        ('a batch is a Tensor', lambda: objective([batch[0]]).loss(np.zeros(63))),
        ('ndarray without tensors', lambda: objective([(np.zeros((4, 6)), batch[1])]).loss(np.zeros(63))),
        ('the loader gives no examples', lambda: line(state, [0.5], loss, [])),
        ("mode 'round': expected linear, sin or arc", lambda: line(state, [], loss, [batch], mode='round')),
        ('Flatten has no parameters', lambda: bigbatch.loss_line(nn.Flatten(), {}, {}, [0], loss, [batch])),
        ('Flatten has no parameters', lambda: bigbatch.smoothout(nn.Flatten(), 0.1, seed=0, step=0).__enter__()),
        ('nothing to measure', lambda: bigbatch.network_objective(nn.Flatten(), loss, [batch])),
        ('the loader gives 100 examples, before 50', lambda: grown(grown.solution)),
        ('weights that are none of Sequential', lambda: line({'0.weight': torch.zeros(5, 6)}, [0], loss, [batch])),
        ("mode 'round'", lambda: line(state, [0.5], loss, [batch], mode='round')),
    ]
    assert_all_refused(refused)
