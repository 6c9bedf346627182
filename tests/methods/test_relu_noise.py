"""Noise on the outputs of ReLUs, and dropout set from outside."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.gradients.relu_noise import NoisyRelus, ReluNoise, calls_relu
from tests.conftest import TINY
from tests.each import check_each
from tests.methods.test_smoothout import SUM, batch_of
from utils.methods.dropout import Dropout

KINDS = {
    'module': nn.ReLU(),
    'module in place': nn.ReLU(inplace=True),
    'function': F.relu,
    'function in place': lambda x: F.relu(x, inplace=True),
    'torch': torch.relu,
    'torch in place': torch.relu_,
    'method': lambda x: x.relu(),
    'method in place': lambda x: x.relu_(),
}


def test_each_output_gets_a_factor_of_its_own():
    def check(kind, relu):
        torch.manual_seed(0)
        scale = torch.ones((), requires_grad=True)
        inputs = torch.linspace(-1, 1, 20_001)
        with NoisyRelus(0.25) as relus:
            outputs = relu(inputs * scale)
        assert relus.num_calls == 1
        positive = inputs > 0
        factors = outputs[positive] / inputs[positive]
        assert (outputs[~positive] == 0).all()
        assert 0.75 <= factors.min() < 0.76 and 1.24 < factors.max() <= 1.25
        assert factors.var().item() == pytest.approx(0.25**2 / 3, rel=0.05)
        outputs.sum().backward()
        assert scale.grad.item() == pytest.approx(outputs.sum().item(), rel=1e-5)  # d/ds of s * x * factor, at s = 1
        assert torch.equal(relu(inputs.clone()), inputs.clamp(min=0))

    check_each(KINDS.items(), check)


def test_networks_are_seen_to_have_relus():
    def check(name, shape, config):
        model = models.create_model(name, num_classes=4, input_shape=shape, **config)
        before, state = {key: value.clone() for key, value in model.state_dict().items()}, torch.get_rng_state()
        assert calls_relu(model, torch.zeros(2, *shape))
        assert torch.equal(torch.get_rng_state(), state) and model.training
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())

    check_each([
        ('mnist_f1', (1, 28, 28), {}), ('resnet', (3, 32, 32), {'depth': 8}), ('keskar_c1', (3, 32, 32), {}),
    ], check)  # fmt: skip
    assert not calls_relu(nn.Sequential(nn.Flatten(), nn.Tanh()), torch.zeros(2, 1, 4, 4))


def test_only_the_gradient_meets_the_noise():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)).double()
    noisy = ReluNoise(inner=PlainGradient(), width=0.5)
    torch.manual_seed(0)
    losses = [noisy(model, SUM, batch_of(12), step=step).scores().loss for step in range(2)]
    plain = PlainGradient()(model, SUM, batch_of(12), step=0).scores().loss
    assert len({*losses, plain}) == 3
    assert PlainGradient()(model, SUM, batch_of(12), step=0).scores().loss == plain


def test_dropout_of_every_layer_is_set():
    model = models.create_model('vgg', num_classes=4, input_shape=(3, 32, 32))
    layers = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert len({layer.p for layer in layers}) > 1
    Dropout(dropout=0.125).fit(model)
    assert {layer.p for layer in layers} == {0.125}


def test_a_network_without_relus_is_refused(refused, monkeypatch):
    monkeypatch.setattr('bigbatch.training.gradients.relu_noise.calls_relu', lambda model, inputs: False)
    refused(*TINY, '-mb', '4', '--relu_noise', '0.1', words=('--relu_noise 0.1', 'mnist_f1 has no ReLU'))
