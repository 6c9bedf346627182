"""Derived batch norms of more kinds convert, and what torch does with a network it does with a converted one."""

from __future__ import annotations

import copy
import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.layers.ghost_batch_norm import GhostNorm
from bigbatch.weights import probing
from tests.data_helpers import assert_refused


class Act(nn.BatchNorm2d):
    def forward(self, inputs):
        return F.gelu(super().forward(inputs))


class Function(nn.BatchNorm2d):
    """As timm's, which calls the function."""

    def forward(self, inputs):
        if self.training:
            self.num_batches_tracked = self.num_batches_tracked + 1  # another tensor, as older code has it
        running = self.running_mean, self.running_var
        return F.batch_norm(inputs, *running, self.weight, self.bias, self.training, self.momentum, self.eps)


class Conditional(nn.BatchNorm2d):
    def __init__(self, num_features):
        super().__init__(num_features, affine=False)
        self.scales = nn.Embedding(3, num_features)

    def forward(self, inputs, classes):
        return super().forward(inputs) * self.scales(classes)[:, :, None, None]


class ConditionalFunction(Conditional):
    def forward(self, inputs, classes):
        self.num_batches_tracked += int(self.training)
        settings = self.running_mean, self.running_var, None, None, self.training, self.momentum, self.eps
        return F.batch_norm(inputs, *settings) * self.scales(classes)[:, :, None, None]


class ChannelsLast(nn.BatchNorm1d):
    def forward(self, inputs):
        return super().forward(inputs.transpose(1, 2)).transpose(1, 2)


class Remembering(nn.BatchNorm2d):
    def forward(self, inputs):
        self.last = super().forward(inputs)
        return self.last


def test_derived_classes_with_other_inputs_or_a_memory_convert():
    classes, images = torch.randint(0, 3, (12,)), torch.randn(12, 3, 2, 5)
    remembering = Remembering(3)
    remembering(images)  # what it remembers is part of a graph, which cannot be copied
    failures = []
    for plain, *inputs in (
        (Conditional(3), images, classes), (ConditionalFunction(3), images, classes), (Function(3), images),
        (ChannelsLast(3), torch.randn(12, 5, 3)), (remembering, images),
    ):  # fmt: skip
        last, expected = getattr(plain, 'last', None), type(plain)(3)
        expected.load_state_dict(plain.state_dict())
        ghost = convert_ghost_batch_norm(plain, 4)
        assert isinstance(ghost, GhostNorm) and getattr(ghost, 'last', None) is last
        parts = [expected(*part) for part in zip(*(each.split(4) for each in inputs), strict=True)]
        found, state = ghost(*inputs), ghost.state_dict()
        same = {name: torch.allclose(state[name], value) for name, value in expected.state_dict().items()}
        if not torch.allclose(found, torch.cat(parts), atol=1e-6) or not all(same.values()):
            failures.append((type(plain).__name__, same))
    assert not failures, failures


def test_a_layer_that_turns_out_to_have_statistics_of_its_own_is_refused_in_training():
    class Shifted(Conditional):
        def forward(self, inputs, classes):
            ones = torch.ones(3)
            return F.batch_norm(inputs, self.running_mean, self.running_var, ones, None, self.training)

    layer, inputs = convert_ghost_batch_norm(Shifted(3), 4), (torch.randn(8, 3, 2, 2), torch.zeros(8).long())
    assert_refused('Shifted took its statistics in a way of its own', lambda: layer(*inputs))
    layer.eval()(*inputs)


def network(norm):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 2), norm, nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).train()


def pickled(model):
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def of_several(model):
    weights, buffers = stack_module_state([copy.deepcopy(model), copy.deepcopy(model)])
    return lambda inputs: vmap(lambda *state: functional_call(model, state, (inputs,)))(weights, buffers)[1]


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:.*is deprecated', 'ignore:There is a performance drop')
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def test_what_torch_does_with_a_network_it_does_with_a_converted_one():
    inputs = torch.randn(12, 1, 3, 3)
    ways = {
        'copy': copy.deepcopy, 'pickle': pickled, 'vmap over networks': of_several,
        'fx': lambda model: torch.fx.symbolic_trace(model.eval()).train(),
        'make_fx': lambda model: make_fx(copy.deepcopy(model))(inputs),
        'trace': lambda model: torch.jit.trace(model, inputs, check_trace=False),
        'export': lambda model: torch.export.export(model, (inputs,)).module(),
        'compile': lambda model: torch.compile(model, backend='eager'),
    }  # fmt: skip
    failures = []
    for norm in (nn.BatchNorm2d(3), nn.BatchNorm2d(3, bias=False), Act(3), Function(3)):
        model = convert_ghost_batch_norm(network(norm), 4)
        for name, way in ways.items():
            if name == 'fx' and type(norm).forward is not GhostNorm.forward:
                continue  # as with batch norm, its tracer goes into forward functions from outside torch
            torch._dynamo.reset()
            expected, found = copy.deepcopy(model)(inputs), way(copy.deepcopy(model))(inputs)
            if not torch.allclose(found, expected, atol=1e-6):
                failures.append((type(norm).__name__, name))
        with FlopCounterMode(display=False) as counter:
            copy.deepcopy(model)(inputs).sum().backward()
        if counter.get_total_flops() == 0:
            failures.append((type(norm).__name__, 'flops'))
    assert not failures, failures


def test_a_probing_pass_leaves_no_trace_in_buffers_and_attributes_that_it_replaces():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer('seen', torch.zeros(()))
            self.calls, self.norm = 0, Function(3)

        def forward(self, inputs):
            self.seen, self.calls, self.last = self.seen + len(inputs), self.calls + 1, inputs
            return self.norm(inputs)

    model = Counting().eval()
    before, seen = copy.deepcopy(model.state_dict()), model.seen
    with probing(model, training=True):
        model(torch.randn(4, 3, 2, 2))
        assert model.calls == 1 and model.norm.training
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert model.seen is seen and model.calls == 0 and not hasattr(model, 'last') and not model.norm.training
