"""Layers, kernels and a float64 reference for the tests of ghost batch norm."""

import pytest
import torch
from torch import nn

from bigbatch.layers import ghost_batch_norm as gbn
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm1d, GhostBatchNorm2d, GhostBatchNorm3d

LAYERS = {2: GhostBatchNorm1d, 3: GhostBatchNorm1d, 4: GhostBatchNorm2d, 5: GhostBatchNorm3d}
REST = [(3,), (3, 5), (3, 2, 3), (3, 2, 1, 2)]  # shape of one example


# What torch computes on a GPU alone, for (N, C, L).


def batch_norm_elemt(inputs, weight, bias, mean, invstd, eps):
    weight, bias = (default if given is None else given for given, default in ((weight, 1.0), (bias, 0.0)))
    return ((inputs.movedim(1, -1) - mean) * invstd * weight + bias).movedim(-1, 1).contiguous()


def batch_norm_backward_reduce(grads, inputs, mean, invstd, weight, input_g, weight_g, bias_g):
    products = grads * (inputs.movedim(1, -1) - mean).movedim(-1, 1)
    assert input_g and not weight_g and not bias_g
    return grads.sum((0, 2)), products.sum((0, 2)), None, None


def batch_norm_backward_elemt(grads, inputs, mean, invstd, weight, sum_dy, sum_dy_xmu, count):
    assert count.dtype == torch.int32
    weight = 1.0 if weight is None else weight
    grads, centred = grads.movedim(1, -1), inputs.movedim(1, -1) - mean
    inner = grads - sum_dy / count.sum() - centred * invstd**2 * sum_dy_xmu / count.sum()
    return (inner * invstd * weight).movedim(-1, 1).contiguous()


@pytest.fixture
def use_kernel(monkeypatch):
    for function in (batch_norm_elemt, batch_norm_backward_reduce, batch_norm_backward_elemt):
        monkeypatch.setattr(torch, function.__name__, function)

    def use(name: str) -> None:
        kernel = getattr(gbn, name)
        monkeypatch.setattr(gbn, '_choose_kernel', lambda layer, inputs: kernel)

    return use


@pytest.fixture(params=['_looped', '_folded', '_rows', '_viewed'])
def rests(request, use_kernel):
    """The shapes of one example that a kernel takes, which every ghost batch norm is made to use."""
    use_kernel(request.param)
    return REST[:1] if request.param == '_rows' else REST


def make_layer(rest, ghost_batch_size=4, dtype=torch.float64, **settings):
    """A layer for examples of that shape, with weights that are not ones; the same at every call."""
    torch.manual_seed(0)
    layer = LAYERS[len(rest) + 1](rest[0], ghost_batch_size, **settings).to(dtype)
    if layer.affine:
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.uniform_(layer.bias, -1, 1)
    return layer


def split_by_rule(inputs, size):
    ghosts = [inputs[i : i + size] for i in range(0, len(inputs), size)]
    if len(ghosts) > 1 and ghosts[-1][:, 0].numel() == 1:
        ghosts[-2:] = [torch.cat(ghosts[-2:])]
    return ghosts


class Reference:
    """Ghost batch norm and its running statistics, spelled out with nothing but means."""

    def __init__(self, layer):
        self.layer = layer
        self.running_mean = torch.zeros(layer.num_features, dtype=torch.float64)
        self.running_var = torch.ones(layer.num_features, dtype=torch.float64)
        self.seen = 0

    def __call__(self, inputs):
        outputs = [self.normalize(ghost) for ghost in split_by_rule(inputs, self.layer.ghost_batch_size)]
        outputs = torch.cat(outputs).movedim(1, -1)
        if self.layer.affine:
            outputs = outputs * self.layer.weight.double() + self.layer.bias.double()
        return outputs.movedim(-1, 1)

    def normalize(self, ghost):
        dims = [0, *range(2, ghost.dim())]
        count = ghost[:, 0].numel()
        mean = ghost.mean(dims, keepdim=True)
        var = ((ghost - mean) ** 2).mean(dims, keepdim=True)
        self.seen += 1
        rate = 1 / self.seen if self.layer.momentum is None else self.layer.momentum
        self.running_mean = (1 - rate) * self.running_mean + rate * mean.detach().flatten()
        unbiased = var.detach().flatten() * count / (count - 1)
        self.running_var = (1 - rate) * self.running_var + rate * unbiased
        return (ghost - mean) / (var + self.layer.eps).sqrt()


def assert_near(actual, expected, tolerance=1e-11, where=''):
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(
            one.double(), other.double(), rtol=tolerance, atol=tolerance, msg=lambda text: f'{where} {text}'
        )


def gradients(function, inputs, layer, directions):
    inputs = inputs.detach().clone().requires_grad_()
    outputs = function(inputs)
    return [outputs, *torch.autograd.grad(outputs, [inputs, *layer.parameters()], directions)]


def make_network():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(),
        nn.Linear(36, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Linear(8, 3),
    ).double()  # fmt: skip
