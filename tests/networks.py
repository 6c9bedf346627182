"""What the tests of the networks share: how to build each, and how to count."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import models
from models import create_model, list_models

# name -> (num_classes, input_shape) to try it with, in place of CIFAR-10's; alexnet's images are as small as it takes.
USUAL = {
    'mnist_f1': (10, (1, 28, 28)),
    'cifar100_shallow': (100, (3, 32, 32)),
    'keskar_f1': (10, (1, 28, 28)),
    'keskar_f2': (20, (360,)),
    'keskar_c3': (100, (3, 32, 32)),
    'keskar_c4': (100, (3, 32, 32)),
    'alexnet': (10, (3, 64, 64)),
    'alexnetv2': (10, (3, 64, 64)),
    'alexnetv3': (10, (3, 64, 64)),
    'alexnetvlr': (10, (3, 64, 64)),
}
# They only differ from another one in name, dropout or regime.
ALIKE = {'alexnetv2', 'alexnetv3', 'alexnetvlr', 'keskar_c2', 'keskar_c4', 'wide_WResNet', 'wide_resnet'}


@pytest.fixture
def registry(monkeypatch):
    """The table of networks, put back after the test."""
    monkeypatch.setattr(models, 'MODELS', dict(models.MODELS))
    return models.MODELS


def usual(name: str) -> tuple[int, tuple[int, ...]]:
    """Return the (num_classes, input_shape) to try a network with."""
    return USUAL.get(name, (10, (3, 32, 32)))


def cases(*others: tuple) -> list:
    """List (name, num_classes, input_shape, options) of all networks, those that are like another marked as slow.

    Args:
        others: more of them.
    """
    params = [
        pytest.param(name, *usual(name), {}, id=name, marks=[pytest.mark.slow] if name in ALIKE else [])
        for name in list_models()
    ]
    return params + [pytest.param(*other, id='-'.join(map(str, other)).replace(' ', '')) for other in others]


def build(name: str, num_classes: int, shape: tuple[int, ...], **config) -> nn.Module:
    """Create a network, the same at every call."""
    torch.manual_seed(0)
    return create_model(name, num_classes=num_classes, input_shape=shape, **config)


def outline(name: str, **config) -> nn.Module:
    """Create a network without memory for its weights, at once however large it is."""
    with torch.device('meta'):
        return create_model(name, **config)


def num_parameters(model: nn.Module) -> int:
    """Count the parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def batch_norm(channels: int) -> int:
    """Count its parameters: weight and bias."""
    return 2 * channels


def refusal(name: str, **config) -> str:
    """Return the one line with which a network is refused."""
    with pytest.raises(ValueError) as caught:
        outline(name, **config)
    assert '\n' not in str(caught.value)
    assert name in str(caught.value)
    return str(caught.value)
