"""What the tests of networks share: how to build, count, measure and compare them."""

import contextlib
import copy
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from models import create_model, list_models

# name -> (num_classes, input_shape) to try it with, in place of CIFAR-10's; alexnet's images are as small as it takes.
USUAL = {
    **dict.fromkeys(('mnist_f1', 'keskar_f1'), (10, (1, 28, 28))),
    **dict.fromkeys(('cifar100_shallow', 'keskar_c3', 'keskar_c4'), (100, (3, 32, 32))),
    **dict.fromkeys(('alexnet', 'alexnetv2', 'alexnetv3', 'alexnetvlr'), (10, (3, 64, 64))),
    'keskar_f2': (20, (360,)),
}
# They only differ from another one in name, dropout or regime.
ALIKE = {'alexnetv2', 'alexnetv3', 'alexnetvlr', 'keskar_c2', 'keskar_c4', 'wide_WResNet', 'wide_resnet'}


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(models, 'MODELS', dict(models.MODELS))
    return models.MODELS


def cases(*others: tuple) -> list:
    """List (name, num_classes, input_shape, options) of all networks, those like another marked as slow, and others."""
    slow = {name: [pytest.mark.slow] for name in ALIKE}
    params = [
        pytest.param(name, *USUAL.get(name, (10, (3, 32, 32))), {}, id=name, marks=slow.get(name, []))
        for name in list_models()
    ]
    return params + [pytest.param(*other, id='-'.join(map(str, other)).replace(' ', '')) for other in others]


def build(name: str, num_classes: int, shape: tuple[int, ...], **config) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=num_classes, input_shape=shape, **config)


def outline(name: str, **config) -> nn.Module:
    """Create a network without memory for its weights, at once however large it is."""
    with torch.device('meta'):
        return create_model(name, **config)


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def batch_norm(channels: int) -> int:
    return 2 * channels


def refusal(name: str, **config) -> str:
    with pytest.raises(ValueError) as caught:
        outline(name, **config)
    assert '\n' not in str(caught.value)
    assert name in str(caught.value)
    return str(caught.value)


class Batches:
    """A loader of fixed examples in order, as the ones of a Network."""

    def __init__(self, inputs, targets, batch_size):
        self.batch_size, self.num_examples = batch_size, len(inputs)
        targets = torch.zeros(len(inputs)) if targets is None else targets
        self.parts = list(zip(inputs.split(batch_size), targets.split(batch_size), strict=True))

    def epoch(self, number):
        return ([(*part, None)] for part in self.parts)


def modes(model: nn.Module) -> list[tuple]:
    names = ('training', 'momentum', 'track_running_stats')
    return [[getattr(module, name, None) for name in names] for module in model.modules()]


@contextlib.contextmanager
def unchanged(model: nn.Module, *but: str) -> Iterator[None]:
    """Assert that a block, even one that fails, leaves a network as it is, but for the tensors of these names."""
    before, modes_before = copy.deepcopy(model.state_dict()), modes(model)
    try:
        yield
    finally:
        assert {key for key, value in model.state_dict().items() if not value.equal(before[key])} <= {*but}
        assert modes(model) == modes_before
        assert all(parameter.grad is None for parameter in model.parameters())


def derivatives(model: nn.Module, batches: list[tuple]) -> tuple:
    """Return mean loss, gradient and Hessian over batches of (inputs, targets) by torch, in float64 and its mode."""
    model = copy.deepcopy(model).double()
    names, shapes = zip(*[(name, parameter.shape) for name, parameter in model.named_parameters()], strict=True)

    def loss(x):
        parts = [part.view(shape) for part, shape in zip(x.split([s.numel() for s in shapes]), shapes, strict=True)]
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        tensors = {**dict(zip(names, parts, strict=True)), **buffers}
        sums = [
            F.cross_entropy(torch.func.functional_call(model, tensors, (inputs.double(),)), targets, reduction='sum')
            for inputs, targets in batches
        ]
        return sum(sums) / sum(len(targets) for _, targets in batches)

    x = nn.utils.parameters_to_vector(model.parameters()).detach()
    gradient = torch.autograd.functional.jacobian(loss, x).numpy()
    return loss(x).item(), gradient, torch.autograd.functional.hessian(loss, x).numpy()
