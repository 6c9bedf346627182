"""The kernels of ghost batch norm: layouts and strides, what may surround them, which is chosen and what it costs."""

# ruff: noqa: F811 - fixtures are imported by name
import copy

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils._python_dispatch import TorchDispatchMode

from bigbatch.layers import ghost_batch_norm as gbn
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm1d, GhostBatchNorm2d
from tests.ghosts import assert_near, gradients, make_layer, rests, use_kernel  # noqa: F401


@pytest.mark.parametrize('kernel', ['_looped', '_folded', '_viewed'])
def test_channels_last_stays_and_changes_nothing(kernel, use_kernel):
    use_kernel(kernel)
    for rest, memory_format in (((3, 4, 5), torch.channels_last), ((3, 2, 4, 5), torch.channels_last_3d)):
        for batch_size in (12, 14):
            layer = make_layer(rest)
            inputs, directions = torch.randn(2, batch_size, *rest, dtype=torch.float64)
            expected = gradients(layer, inputs, layer, directions)
            moved = [tensor.to(memory_format=memory_format) for tensor in (inputs, directions)]
            actual = gradients(layer, moved[0], layer, moved[1])
            assert all(each.is_contiguous(memory_format=memory_format) for each in actual[:2]), (rest, batch_size)
            assert_near(actual, expected, where=(rest, batch_size))


def test_strided_inputs_and_expanded_gradients(rests):
    for rest in rests:
        layer = make_layer(rest)
        wide = torch.randn(28, *rest[:-1], 2 * rest[-1], dtype=torch.float64)
        expanded = torch.randn(14, *rest[:-1], 1, dtype=torch.float64).expand(14, *rest)
        turned = torch.randn(*rest[::-1], 14, dtype=torch.float64).permute(*range(len(rest), -1, -1))
        for number, inputs in enumerate((wide[::2, ..., ::2], expanded, turned)):
            direction = torch.ones((), dtype=torch.float64).expand(inputs.shape)
            expected = gradients(layer, inputs.contiguous(), layer, direction.contiguous())
            outputs = layer(inputs.detach().requires_grad_())
            actual = [outputs, *torch.autograd.grad(outputs, list(layer.parameters()), direction)]
            assert_near(actual, [expected[0], *expected[2:]], where=(rest, number))


def test_two_forwards_before_one_backward(rests):
    layer, inputs = make_layer((3,)), torch.randn(2, 14, 3, dtype=torch.float64)
    first, second = (layer(part).pow(3).sum() for part in (inputs[0], inputs[1, :5]))
    together = torch.autograd.grad(first + second, layer.weight)
    apart = [torch.autograd.grad(layer(part).pow(3).sum(), layer.weight)[0] for part in (inputs[0], inputs[1, :5])]
    assert_near(together, [sum(apart)])


def test_an_in_place_relu_may_follow(rests):
    for rest in rests:
        layer = make_layer(rest)
        inputs, directions = torch.randn(2, 14, *rest, dtype=torch.float64)
        inside = gradients(nn.Sequential(layer, nn.ReLU(inplace=True)), inputs, layer, directions)
        outside = gradients(nn.Sequential(layer, nn.ReLU()), inputs, layer, directions)
        assert_near(inside, outside, where=rest)


def test_rows_work_block_by_block(use_kernel, monkeypatch):
    layer = make_layer((3,))
    inputs, directions = torch.randn(2, 20, 3, dtype=torch.float64)
    use_kernel('_looped')
    expected = gradients(layer, inputs, layer, directions)
    use_kernel('_rows')
    monkeypatch.setattr(gbn, '_BLOCK', 30)  # two ghosts of 4 x 3 values, and one left over
    assert_near(gradients(layer, inputs, layer, directions), expected)


class Count(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize('kernel', ['_folded', '_rows', '_viewed'])
def test_number_of_operations_does_not_grow_with_the_ghosts(kernel, use_kernel):
    use_kernel(kernel)
    for rest in [(3,)] if kernel == '_rows' else [(3,), (3, 4, 4)]:
        counts = []
        for num_ghosts in (2, 32):
            inputs = torch.randn(4 * num_ghosts, *rest, dtype=torch.float64, requires_grad=True)
            with Count() as calls:
                make_layer(rest)(inputs).sum().backward()
            counts.append(calls.count)
        assert counts[0] == counts[1] > 0, rest


def test_kernel_choice():
    half = {'dtype': torch.bfloat16}
    for layer, shape, settings, name in (
        (GhostBatchNorm1d(128, 32), (640, 128), {}, '_rows'),
        (GhostBatchNorm1d(512, 128), (4096, 512), {}, '_rows'),
        (GhostBatchNorm1d(512, 512), (4096, 512), {}, '_looped'),
        (GhostBatchNorm1d(128, 32, affine=False), (640, 128), {}, '_looped'),
        (GhostBatchNorm2d(16, 32), (640, 16, 8, 8), {}, '_looped'),
        (GhostBatchNorm2d(16, 32), (640, 16, 8, 8), half, '_looped'),
        (GhostBatchNorm1d(16, 32), (640, 16), half, '_folded'),
        (GhostBatchNorm2d(16, 32, affine=False), (640, 16, 8, 8), half, '_folded'),
        (GhostBatchNorm1d(128, 32), (640, 128), {'device': 'meta'}, '_folded'),
    ):
        assert gbn._choose_kernel(layer, torch.empty(shape, **settings)).__name__ == name, (layer, settings)


@pytest.mark.parametrize('momentum', [0.1, None])
def test_compiled_layer_has_one_graph_and_the_same_numbers(momentum):
    for rest in ((3,), (3, 4, 4)):
        torch._dynamo.reset()
        layer = make_layer(rest, momentum=momentum)
        twin = copy.deepcopy(layer)
        counter = CompileCounterWithBackend('eager')
        compiled = torch.compile(layer, backend=counter, fullgraph=True)
        for batch_size, num_graphs in ((12, 1), (12, 1), (12, 1), (6, 2), (12, 2)):
            inputs, directions = torch.randn(2, batch_size, *rest, dtype=torch.float64)
            actual = gradients(compiled, inputs, layer, directions) + list(layer.buffers())
            expected = gradients(twin, inputs, twin, directions) + list(twin.buffers())
            assert_near(actual, expected, where=(rest, batch_size))
            assert counter.frame_count == num_graphs, rest


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 1e-4), (torch.bfloat16, 3e-2)])
def test_a_gpu_computes_what_a_cpu_does(dtype, tolerance):
    for rest in ((3,), (3, 5), (3, 8, 8), (64, 16, 16)):
        for memory_format in (torch.contiguous_format, torch.channels_last)[: 1 + (len(rest) == 3)]:
            layer = make_layer(rest, ghost_batch_size=8, dtype=torch.float32)
            twin = copy.deepcopy(layer).double()
            inputs, directions = torch.randn(2, 28, *rest).to(dtype)
            expected = gradients(twin, inputs.double(), twin, directions.double())
            there = layer.cuda()
            moved = [tensor.cuda().to(memory_format=memory_format) for tensor in (inputs, directions)]
            actual = gradients(there, moved[0], there, moved[1])
            for one, other in zip(actual, expected, strict=True):
                atol = tolerance * other.abs().max().item()
                torch.testing.assert_close(one.cpu().double(), other, rtol=tolerance, atol=atol)
            assert_near([each.cpu() for each in there.buffers()], twin.buffers(), tolerance, (rest, memory_format))
