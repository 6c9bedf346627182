"""What converts to ghost batch norm besides torch's own layers, what is refused, and what else torch does with it."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, jacrev, jvp, vmap

from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm1d, GhostNorm
from tests.data_helpers import assert_refused
from tests.ghosts import rests, use_kernel  # noqa: F401

SETTINGS = ({}, {'momentum': None}, {'track_running_stats': False}, {'affine': False}, {'bias': False})


class CallsFunction(nn.BatchNorm2d):
    """As timm's BatchNormAct2d: torch's forward written out, then more."""

    def forward(self, inputs):
        factor = self.momentum or 0.0
        if self.training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            factor = factor if self.momentum else 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or self.running_mean is None
        running = (self.running_mean, self.running_var)
        return F.relu(F.batch_norm(inputs, *running, self.weight, self.bias, by_batch, factor, self.eps))


class CallsSuper(nn.BatchNorm1d):
    def forward(self, inputs):
        return F.gelu(super().forward(inputs)) + 1


class Named(nn.BatchNorm2d):
    pass


class WithDropout(nn.BatchNorm2d):
    def forward(self, inputs):
        return F.dropout(super().forward(inputs), 0.5, self.training)


class OwnFormula(nn.BatchNorm2d):
    def forward(self, inputs):
        return (inputs - inputs.mean((0, 2, 3), keepdim=True)) / inputs.std((0, 2, 3), keepdim=True)


@pytest.mark.parametrize('kind', [CallsFunction, CallsSuper, Named])
def test_a_derived_class_does_over_each_ghost_what_it_did(kind):
    for settings in SETTINGS:
        torch.manual_seed(0)
        plain = kind(3, **settings)
        ghost = convert_ghost_batch_norm(copy.deepcopy(plain), 4)
        inputs = torch.randn(12, 3, *([] if issubclass(kind, nn.BatchNorm1d) else [2, 5]))
        expected, found = torch.cat([plain(part) for part in inputs.split(4)]), ghost(inputs)
        assert isinstance(ghost, kind) and isinstance(ghost, GhostNorm)
        torch.testing.assert_close(found, expected, msg=f'{settings}')
        torch.testing.assert_close(ghost.state_dict(), plain.state_dict(), msg=f'{settings}')
        assert ghost.eval()(inputs).equal(copy.deepcopy(ghost)(inputs)), settings
        assert convert_ghost_batch_norm(ghost, 6).train()(inputs).shape == inputs.shape


def test_dropout_in_a_derived_class_is_no_hindrance():
    layer = convert_ghost_batch_norm(WithDropout(3), 4).train()
    layer(torch.randn(12, 3, 2, 2))
    assert layer.num_batches_tracked == 3


@pytest.mark.filterwarnings('ignore:.*is deprecated')
def test_what_cannot_become_ghosts_is_refused_by_name_and_unchanged():
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3)).eval()
    exported = torch.export.export(network, (torch.randn(2, 1, 4, 4),)).module()
    cases = {
        'OwnFormula, whose forward takes its statistics in a way of its own': OwnFormula(3),
        'LazyBatchNorm1d, .* before it has its size': nn.LazyBatchNorm1d(), 'SyncBatchNorm': nn.SyncBatchNorm(3),
        'the model itself is scripted': torch.jit.script(network),
        '0 is scripted': nn.Sequential(torch.jit.script(network)),
        'itself is scripted, traced or exported': torch.jit.trace(network, torch.randn(2, 1, 4, 4)),
        'convert the network that it was made of': exported,
    }  # fmt: skip
    for message, layer in cases.items():
        model = nn.Sequential(nn.BatchNorm1d(3), layer) if 'itself' not in message else layer
        message = message.replace('0 is', '1.0 is')
        assert_refused(message, lambda model=model: convert_ghost_batch_norm(model, 4))
        assert not any(isinstance(module, GhostNorm) for module in model.modules())


@pytest.mark.parametrize('missing', ['weight', 'bias'])
def test_without_weight_or_bias_all_kernels_have_the_derivatives_of_batch_norm_over_each_ghost(rests, missing):  # noqa: F811
    for rest in rests:
        torch.manual_seed(1)
        plain = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(rest) - 1](rest[0])
        ghost = copy.deepcopy(plain.double())
        ghost.register_parameter(missing, None)
        convert_ghost_batch_norm(ghost, 4)
        name, parameter = next(ghost.named_parameters())
        getattr(plain, name).data = nn.init.uniform_(parameter, 0.5, 1.5).clone()
        inputs = torch.randn(12, *rest, dtype=torch.float64, requires_grad=True)
        found = []
        for layer, outputs in ((plain, torch.cat([plain(part) for part in inputs.split(4)])), (ghost, ghost(inputs))):
            leaves = [inputs, getattr(layer, name)]
            first = torch.autograd.grad(outputs.pow(3).sum(), leaves, create_graph=True)
            second = torch.autograd.grad(sum(each.pow(2).sum() for each in first), leaves)
            found.append([outputs, *first, *second])
        torch.testing.assert_close(found[1], found[0], msg=f'{rest}')


@pytest.mark.filterwarnings('ignore:There is a performance drop')
def test_torch_func_and_forward_mode_see_batch_norm_over_each_ghost():
    torch.manual_seed(2)
    inputs, directions = torch.randn(2, 8, 3, dtype=torch.float64)

    class Halves(nn.BatchNorm1d):
        def forward(self, inputs):
            return torch.cat([super(Halves, self).forward(part) for part in inputs.split(4)])

    found = []
    for layer in (Halves(3), GhostBatchNorm1d(3, 4)):
        state = {name: value.detach().clone() for name, value in layer.double().train().state_dict().items()}
        weights = {name: state.pop(name) for name in ('weight', 'bias')}

        def outputs(weights, inputs=inputs, layer=layer, state=state):
            buffers = {name: value.clone() for name, value in state.items()}
            return functional_call(layer, (weights, buffers), (inputs,))

        def loss(weights, outputs=outputs):
            return outputs(weights).pow(3).sum()

        several = {name: torch.stack([value, 2 * value]) for name, value in weights.items()}
        tangents = {name: torch.ones_like(value) for name, value in weights.items()}
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(inputs, directions)
            tangent = torch.autograd.forward_ad.unpack_dual(layer(dual)).tangent

        def of_several(weights, state, layer=layer):
            return functional_call(layer, (weights, state), (inputs,)).pow(3).sum()

        found.append([
            grad(loss)(weights), jvp(loss, (weights,), (tangents,)), jacrev(outputs)(weights), tangent,
            jvp(grad(loss), (weights,), (tangents,)),
            vmap(of_several)(several, {name: torch.stack([value, value]) for name, value in state.items()}),
        ])  # fmt: skip
    torch.testing.assert_close(found[1], found[0])


def test_torch_fx_traces_around_ghosts_as_docs_say():
    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, nn.modules.batchnorm._BatchNorm) or super().is_leaf_module(module, name)

    model = convert_ghost_batch_norm(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU()), 4).train()
    traced = torch.fx.GraphModule(model, Tracer().trace(model))
    inputs = torch.randn(8, 3)
    assert torch.equal(traced(inputs), model(inputs))
