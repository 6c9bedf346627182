"""The objective of a network against finite differences, plain training code and itself in float64."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import data
from bigbatch.analysis.objective import open_objective
from bigbatch.training.scoring import summed_criterion
from bigbatch.weights import trainable

MODES = ('fixed', 'batch')


def network(dtype=torch.float64, *, dropout=0.0) -> nn.Module:
    """A small network with convolution, batch norm with statistics of its own, in-place ReLU and dropout."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(27, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(8, 4),
    ).to(dtype)  # fmt: skip
    with torch.no_grad():
        for _ in range(5):
            model(torch.randn(32, 1, 8, 8, dtype=dtype))
    return model.eval()


def loader(batch_size=20, dtype=torch.float64, num=50):
    """Examples that do not fill the last batch."""
    dataset = data.get_dataset(f'fake:{num}:1x8x8:4')
    return data.build_loader(dataset, None if dataset.is_float else transform(), batch_size=batch_size, dtype=dtype)


def transform():
    import preprocess

    return preprocess.get_transform('digits', augment=False)


def examples(loader):
    parts = [part for batch in loader.epoch(0) for part in batch]
    return torch.cat([part.inputs for part in parts]), torch.cat([part.targets for part in parts])


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


def test_the_gradient_is_that_of_finite_differences(mode):
    with open_objective(network(), summed_criterion(None), loader(), batch_norm=mode) as objective:
        x, rng = objective.solution, np.random.default_rng(0)
        _, gradient = objective(x)
        for _ in range(5):
            direction = rng.normal(size=x.size) * 1e-5
            slope = (objective.loss(x + direction) - objective.loss(x - direction)) / 2
            assert slope == pytest.approx(gradient @ direction, rel=1e-5, abs=1e-13)


def test_it_equals_the_mean_over_all_examples_whatever_the_batches():
    model = network()
    inputs, targets = examples(loader())
    plain = F.cross_entropy(model(inputs), targets)
    plain.backward()
    expected = torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters()]).numpy()
    for batch_size, counts in ((7, [7] * 7 + [1]), (20, [20, 20, 10]), (50, [50])):
        counted = []
        opened = open_objective(network(), summed_criterion(None), loader(batch_size), advance=counted.append)
        with opened as objective:
            loss, gradient = objective(objective.solution)
            assert counted == counts
            assert objective.loss(objective.solution) == loss
        assert loss == pytest.approx(plain.item(), rel=1e-12)
        assert np.allclose(gradient, expected, rtol=1e-9, atol=1e-12), batch_size


def test_batch_statistics_are_those_of_each_batch():
    model, data_loader = network(), loader(20)
    with open_objective(model, summed_criterion(None), data_loader, batch_norm='batch') as objective:
        loss, _ = objective(objective.solution)
    copied, total = copy.deepcopy(model).train(), 0.0
    inputs, targets = examples(data_loader)
    for part in (slice(0, 20), slice(20, 40), slice(40, 50)):
        total += F.cross_entropy(copied(inputs[part]), targets[part], reduction='sum').item()
    assert loss == pytest.approx(total / 50, rel=1e-12)


def test_float32_networks_are_summed_in_float64():
    in_32, in_64 = network(torch.float32), network(torch.float64)
    in_64.load_state_dict(in_32.state_dict())
    results = []
    for model, dtype in ((in_32, torch.float32), (in_64, torch.float64)):
        with open_objective(model, summed_criterion(None), loader(7, dtype)) as objective:
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
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False)).eval()
    data_loader = loader(20, torch.float32)
    inputs, targets = examples(data_loader)
    with torch.no_grad():  # 50 examples of 64 pixels can be fitted exactly
        model[1].weight.copy_(20 * torch.linalg.lstsq(inputs.flatten(1), F.one_hot(targets, 4).float()).solution.T)
        assert F.cross_entropy(model(inputs), targets).item() == 0
    with open_objective(model, summed_criterion(None), data_loader) as objective:
        loss, _ = objective(objective.solution)
        higher = objective.loss(objective.solution * 0.999)
    assert 0 < loss < higher < 1e-8


def test_it_has_no_memory():
    with open_objective(network(torch.float32), summed_criterion(None), loader(7, torch.float32)) as objective:
        x = objective.solution
        first = objective(x)
        objective(x + 0.1)
        objective.hessian_product(x + 0.2, x)
        again = objective(x)
        assert first[0] == again[0] and np.array_equal(first[1], again[1])


def test_everything_is_restored(mode):
    model = network(torch.float32, dropout=0.5)
    for parameter in list(model.parameters())[:1]:
        parameter.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    settings = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision('high')
    opened = open_objective(model, summed_criterion(None), loader(dtype=torch.float32), batch_norm=mode)
    try:
        with pytest.raises(KeyboardInterrupt), opened as objective:
            assert torch.get_float32_matmul_precision() == 'highest'
            assert objective.solution.size == sum(parameter.numel() for _, parameter in trainable(model))
            objective(objective.solution + 0.5)
            objective.hessian_product(objective.solution, objective.solution)
            raise KeyboardInterrupt
        assert torch.get_float32_matmul_precision() == 'high'
    finally:
        torch.set_float32_matmul_precision(settings[0])
    assert torch.backends.cudnn.allow_tf32 == settings[1]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_autocast_has_no_say():
    model, data_loader = network(torch.float32), loader(dtype=torch.float32)
    losses = []
    for enabled in (False, True):
        opened = open_objective(model, summed_criterion(None), data_loader)
        with torch.autocast('cpu', enabled=enabled), opened as objective:
            losses.append(objective(objective.solution)[0])
    assert losses[0] == losses[1]


def test_parameters_that_the_loss_does_not_depend_on_have_derivative_0():
    model = network()
    model.unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    with open_objective(model, summed_criterion(None), loader()) as objective:
        assert next(model.named_parameters())[0] == 'unused'
        x = objective.solution
        assert np.array_equal(objective(x)[1][:3], np.zeros(3))
        assert np.array_equal(objective.hessian_product(x, x)[:3], np.zeros(3))


def test_a_network_without_weights_to_train_is_refused():
    model = network().requires_grad_(False)
    with pytest.raises(ValueError, match='no trainable'), open_objective(model, summed_criterion(None), loader()):
        pass


def test_memory_stays_flat_over_products():
    import gc

    def num_tensors():
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    with open_objective(network(), summed_criterion(None), loader()) as objective:
        x = objective.solution
        objective.hessian_product(x, x)
        before = num_tensors()
        for _ in range(5):
            objective.hessian_product(x, x)
        assert num_tensors() <= before
