"""Ghost batch norm, on every kernel, against a float64 reference and against torch's batch norm."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.utils._python_dispatch import TorchDispatchMode

from models.layers import ghost_batch_norm as gbn
from models.layers.ghost_batch_norm import (
    GhostBatchNorm1d,
    GhostBatchNorm2d,
    GhostBatchNorm3d,
    convert_ghost_batch_norm,
)

LAYERS = {2: GhostBatchNorm1d, 3: GhostBatchNorm1d, 4: GhostBatchNorm2d, 5: GhostBatchNorm3d}
REST = [(3,), (3, 5), (3, 2, 3), (3, 2, 1, 2)]  # shape of one example
KERNELS = ['_looped', '_folded', '_rows']
CASES = [(kernel, rest) for kernel in KERNELS for rest in REST if kernel != '_rows' or len(rest) == 1]


@pytest.fixture
def use_kernel(monkeypatch):
    """Make every ghost batch norm use the kernel of that name."""

    def use(name: str) -> None:
        kernel = getattr(gbn, name)
        monkeypatch.setattr(gbn, '_choose_kernel', lambda layer, inputs: kernel)

    return use


def make_layer(rest, ghost_batch_size=4, dtype=torch.float64, **settings):
    """A layer for examples of that shape, with weights that are not ones."""
    layer = LAYERS[len(rest) + 1](rest[0], ghost_batch_size, **settings).to(dtype)
    if layer.affine:
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.uniform_(layer.bias, -1, 1)
    return layer


def split_by_rule(inputs, size):
    """The ghosts of a batch, by the written rule."""
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

    def __call__(self, inputs, weight=None, bias=None):
        outputs = [self.normalize(ghost) for ghost in split_by_rule(inputs, self.layer.ghost_batch_size)]
        outputs = torch.cat(outputs).movedim(1, -1)
        if weight is not None:
            outputs = outputs * weight + bias
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


def assert_near(actual, expected, tolerance=1e-11):
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=tolerance, atol=tolerance)


def gradients(function, inputs, layer, directions):
    inputs = inputs.detach().clone().requires_grad_()
    outputs = function(inputs)
    return [outputs, *torch.autograd.grad(outputs, [inputs, *layer.parameters()], directions)]


@pytest.mark.parametrize('momentum', [0.1, 0.0, 1.0, None])
@pytest.mark.parametrize(('kernel', 'rest'), CASES)
def test_output_gradients_and_buffers_match_the_reference(kernel, rest, momentum, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest, momentum=momentum, eps=1e-3)
    reference = Reference(layer)
    for batch_size in (12, 13, 14, 3, 5, 8):  # no remainder, 1, 2; one ghost; a remainder of 1 on one ghost
        inputs, directions = 2 + 3 * torch.randn(2, batch_size, *rest, dtype=torch.float64)
        actual = gradients(layer, inputs, layer, directions)
        expected = gradients(lambda x: reference(x, layer.weight, layer.bias), inputs, layer, directions)
        assert_near(actual, expected)
        assert_near([layer.running_mean, layer.running_var], [reference.running_mean, reference.running_var])
        assert layer.num_batches_tracked == reference.seen


@pytest.mark.parametrize(('kernel', 'rest'), CASES)
def test_second_derivatives_pass_gradcheck(kernel, rest, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest, ghost_batch_size=3)
    inputs = torch.randn(7, *rest, dtype=torch.float64, requires_grad=True)
    leaves = [p.detach().clone().requires_grad_() for p in layer.parameters()]

    def function(inputs, weight, bias):
        return torch.func.functional_call(layer, {'weight': weight, 'bias': bias}, (inputs,))

    assert torch.autograd.gradcheck(function, (inputs, *leaves), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (inputs, *leaves), fast_mode=True)


@pytest.mark.parametrize(('kernel', 'rest'), [case for case in CASES if case[0] != '_rows'])
def test_without_weights_and_without_running_statistics(kernel, rest, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest, affine=False, track_running_stats=False)
    inputs, directions = torch.randn(2, 14, *rest, dtype=torch.float64)
    reference = Reference(layer)
    assert_near(gradients(layer, inputs, layer, directions), gradients(reference, inputs, layer, directions))
    assert layer.running_mean is None
    inputs.requires_grad_()
    assert torch.autograd.gradgradcheck(layer, (inputs,), fast_mode=True)
    plain = nn.BatchNorm3d(3, affine=False, track_running_stats=False).double().eval()
    whole = inputs.reshape(14, 3, -1, 1, 1)
    assert_near([layer.eval()(inputs)], [plain(whole).view_as(inputs)])


@pytest.mark.parametrize('frozen', ['inputs', 'weight', 'bias'])
@pytest.mark.parametrize('kernel', KERNELS)
def test_a_frozen_tensor_gets_no_gradient_and_the_others_theirs(kernel, frozen, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer((3,))
    inputs = torch.randn(12, 3, dtype=torch.float64, requires_grad=True)
    tensors = {'inputs': inputs, 'weight': layer.weight, 'bias': layer.bias}
    layer(inputs).square().sum().backward()
    expected = {name: tensor.grad for name, tensor in tensors.items()}
    for tensor in tensors.values():
        tensor.grad = None
    tensors[frozen].requires_grad_(False)
    layer(inputs).square().sum().backward()
    assert tensors.pop(frozen).grad is None
    assert_near([t.grad for t in tensors.values()], [expected[name] for name in tensors])


def test_running_mean_by_hand_and_its_order():
    first = torch.tensor([[3.0], [5.0]])  # mean 4, unbiased variance 2
    second = torch.tensor([[6.0], [10.0]])  # mean 8, unbiased variance 8
    layer = GhostBatchNorm1d(1, 2, momentum=0.5)
    layer(torch.cat([first, second]))
    assert layer.running_mean.item() == 5.0  # (0 + 4) / 2 = 2, (2 + 8) / 2
    assert layer.running_var.item() == 4.75  # (1 + 2) / 2 = 1.5, (1.5 + 8) / 2
    layer.reset_running_stats()
    layer(torch.cat([second, first]))
    assert layer.running_mean.item() == 4.0
    assert layer.running_var.item() == 3.25


@pytest.mark.parametrize('batch_size', [16, 10])
@pytest.mark.parametrize('rest', REST)
def test_one_ghost_is_batch_norm(rest, batch_size):
    torch.manual_seed(0)
    layer = make_layer(rest, ghost_batch_size=16, dtype=torch.float32)
    plain = type(layer).__bases__[1](rest[0])
    plain.load_state_dict(layer.state_dict())
    inputs, directions = torch.randn(2, batch_size, *rest)
    actual = gradients(layer, inputs, layer, directions)
    assert_near(actual, gradients(plain, inputs, plain, directions), tolerance=1e-6)
    assert_near(layer.buffers(), plain.buffers(), tolerance=1e-6)


def make_network():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(),
        nn.Linear(36, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Linear(8, 3),
    ).double()  # fmt: skip


@pytest.mark.parametrize('batch_size', [16, 18])
def test_one_pass_equals_the_published_loop_over_chunks(batch_size):
    plain, ghost = make_network(), convert_ghost_batch_norm(make_network(), 4)
    inputs = torch.randn(batch_size, 2, 5, 5, dtype=torch.float64)
    targets = torch.randint(0, 3, (batch_size,))
    summed = nn.CrossEntropyLoss(reduction='sum')
    loss = summed(ghost(inputs), targets) / batch_size
    loss.backward()
    total = 0.0
    for chunk, answers in zip(inputs.split(4), targets.split(4), strict=True):
        part = summed(plain(chunk), answers) / batch_size
        part.backward()
        total += part.item()
    assert loss.item() == pytest.approx(total, rel=1e-12)
    assert_near([p.grad for p in ghost.parameters()], [p.grad for p in plain.parameters()])
    assert_near(ghost.buffers(), plain.buffers())


@pytest.mark.parametrize(('kernel', 'rest'), CASES)
def test_order_matters_between_ghosts_only(kernel, rest, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest)
    inputs = torch.randn(8, *rest, dtype=torch.float64)
    outputs = layer(inputs)
    inside = torch.tensor([2, 0, 3, 1, 5, 4, 7, 6])
    assert_near([layer(inputs[inside])], [outputs[inside]])
    across = torch.tensor([4, 1, 2, 3, 0, 5, 6, 7])
    assert (layer(inputs[across]) - outputs[across]).abs().max() > 1e-2


@pytest.mark.parametrize(('rest', 'memory_format'), [
    ((3, 4, 5), torch.channels_last), ((3, 2, 4, 5), torch.channels_last_3d),
])  # fmt: skip
@pytest.mark.parametrize('kernel', ['_looped', '_folded'])
@pytest.mark.parametrize('batch_size', [12, 14])
def test_channels_last_stays_and_changes_nothing(kernel, rest, memory_format, batch_size, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest)
    inputs, directions = torch.randn(2, batch_size, *rest, dtype=torch.float64)
    expected = gradients(layer, inputs, layer, directions)
    last = inputs.to(memory_format=memory_format)
    actual = gradients(layer, last, layer, directions.to(memory_format=memory_format))
    assert actual[0].is_contiguous(memory_format=memory_format)
    assert actual[1].is_contiguous(memory_format=memory_format)
    assert_near(actual, expected)


@pytest.mark.parametrize(('kernel', 'rest'), CASES)
def test_strided_inputs_and_expanded_gradients(kernel, rest, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest)
    wide = torch.randn(28, *rest[:-1], 2 * rest[-1], dtype=torch.float64)
    expanded = torch.randn(14, *rest[:-1], 1, dtype=torch.float64).expand(14, *rest)
    turned = torch.randn(*rest[::-1], 14, dtype=torch.float64).permute(*range(len(rest), -1, -1))
    for inputs in (wide[::2, ..., ::2], expanded, turned):
        direction = torch.ones((), dtype=torch.float64).expand(inputs.shape)
        expected = gradients(layer, inputs.contiguous(), layer, direction.contiguous())
        outputs = layer(inputs.detach().requires_grad_())
        assert_near([outputs], expected[:1])
        actual = torch.autograd.grad(outputs, list(layer.parameters()), direction)
        assert_near(actual, expected[2:])


@pytest.mark.parametrize(('kernel', 'rest'), [('_looped', (3, 4)), ('_folded', (3, 4, 4)), ('_rows', (3,))])
def test_a_large_offset_costs_no_more_than_in_batch_norm(kernel, rest, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest, ghost_batch_size=64, dtype=torch.float32)
    plain = nn.BatchNorm3d(3)
    plain.load_state_dict(layer.state_dict())
    inputs = 1e4 + torch.randn(256, *rest)
    directions = torch.randn_like(inputs)

    def chunks(x):
        return torch.cat([plain(part.reshape(64, 3, -1, 1, 1)) for part in x.split(64)]).view_as(x)

    reference = Reference(layer)
    weight, bias = layer.weight.double(), layer.bias.double()
    frozen = nn.Identity()
    exact = gradients(lambda x: reference(x, weight, bias), inputs.double(), frozen, directions.double())
    ours = gradients(layer, inputs, layer, directions)
    theirs = gradients(chunks, inputs, plain, directions)
    for one, other, truth in zip(ours, theirs, exact, strict=False):
        assert (one - truth).abs().max() <= 2 * (other - truth).abs().max() + 1e-6
    assert_near([layer.running_var], [reference.running_var], tolerance=1e-4)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('rest', [(3,), (3, 4, 4)])
def test_half_precision_inputs_keep_float32_statistics(rest, dtype):
    torch.manual_seed(0)
    layer = make_layer(rest, dtype=torch.float32)
    reference = Reference(layer)
    inputs = (5 + torch.randn(14, *rest)).to(dtype).requires_grad_()
    outputs = layer(inputs)
    outputs.float().square().sum().backward()
    assert outputs.dtype == inputs.grad.dtype == dtype
    expected = reference(inputs.detach().double(), layer.weight.double(), layer.bias.double())
    assert_near([outputs], [expected], tolerance=2e-2)
    assert layer.running_mean.dtype == layer.running_var.dtype == layer.weight.grad.dtype == torch.float32
    # far below the resolution of the inputs (2**-8 at best): the sums were not rounded to it
    assert_near([layer.running_mean], [reference.running_mean], 1e-6)
    assert_near([layer.running_var], [reference.running_var], 1e-6)


def test_autocast_changes_no_statistics():
    torch.manual_seed(0)
    layer = make_layer((3,), dtype=torch.float32)
    twin = copy.deepcopy(layer)
    inputs = torch.randn(14, 3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = layer(inputs)
    assert torch.equal(outputs, twin(inputs))
    assert_near(layer.buffers(), twin.buffers(), tolerance=0)


@pytest.mark.parametrize('rest', REST)
def test_eval_is_batch_norm_and_moves_nothing(rest):
    torch.manual_seed(0)
    model = nn.Sequential(make_layer(rest, dtype=torch.float32))
    model(torch.randn(12, *rest))
    plain = nn.BatchNorm3d(3)
    plain.load_state_dict(model[0].state_dict())
    model[0].eval()  # frozen inside a model that trains
    before = copy.deepcopy(model.state_dict())
    for batch_size in (1, 5, 9):
        inputs = torch.randn(batch_size, *rest)
        expected = plain.eval()(inputs.view(batch_size, 3, -1, 1, 1)).view_as(inputs)
        assert torch.equal(model(inputs), expected)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    model.train()
    model(torch.randn(12, *rest))
    assert model[0].num_batches_tracked == 6


@pytest.mark.parametrize('kernel', KERNELS)
def test_two_forwards_before_one_backward(kernel, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer((3,))
    inputs = torch.randn(2, 14, 3, dtype=torch.float64)
    (layer(inputs[0]).pow(3).sum() + layer(inputs[1, :5]).pow(3).sum()).backward()
    together = layer.weight.grad
    layer.weight.grad = None
    layer(inputs[0]).pow(3).sum().backward()
    layer(inputs[1, :5]).pow(3).sum().backward()
    assert_near([together], [layer.weight.grad])


@pytest.mark.parametrize(('kernel', 'rest'), CASES)
def test_an_in_place_relu_may_follow(kernel, rest, use_kernel):
    use_kernel(kernel)
    torch.manual_seed(0)
    layer = make_layer(rest)
    inputs, directions = torch.randn(2, 14, *rest, dtype=torch.float64)
    inside = gradients(nn.Sequential(layer, nn.ReLU(inplace=True)), inputs, layer, directions)
    outside = gradients(nn.Sequential(layer, nn.ReLU()), inputs, layer, directions)
    assert_near(inside, outside)


def test_rows_work_block_by_block(use_kernel, monkeypatch):
    torch.manual_seed(0)
    layer = make_layer((3,))
    inputs, directions = torch.randn(2, 20, 3, dtype=torch.float64)
    use_kernel('_looped')
    expected = gradients(layer, inputs, layer, directions)
    use_kernel('_rows')
    monkeypatch.setattr(gbn, '_BLOCK', 30)  # two ghosts of 4 x 3 values, and one left over
    assert_near(gradients(layer, inputs, layer, directions), expected)


class CountCalls(TorchDispatchMode):
    """Count the operations that reach a device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(('kernel', 'rest'), [('_folded', (3,)), ('_folded', (3, 4, 4)), ('_rows', (3,))])
def test_number_of_operations_does_not_grow_with_the_ghosts(kernel, rest, use_kernel):
    use_kernel(kernel)
    counts = []
    for num_ghosts in (2, 32):
        layer = make_layer(rest)
        inputs = torch.randn(4 * num_ghosts, *rest, dtype=torch.float64, requires_grad=True)
        with CountCalls() as calls:
            layer(inputs).sum().backward()
        counts.append(calls.count)
    assert counts[0] == counts[1] > 0


def test_kernel_choice():
    def chosen(layer, *shape, dtype=torch.float32):
        return gbn._choose_kernel(layer, torch.empty(*shape, dtype=dtype)).__name__

    assert chosen(GhostBatchNorm1d(128, 32), 640, 128) == '_rows'
    assert chosen(GhostBatchNorm1d(512, 128), 4096, 512) == '_rows'
    assert chosen(GhostBatchNorm1d(512, 512), 4096, 512) == '_looped'
    assert chosen(GhostBatchNorm1d(128, 32, affine=False), 640, 128) == '_looped'
    assert chosen(GhostBatchNorm2d(16, 32), 640, 16, 8, 8) == '_looped'
    assert chosen(GhostBatchNorm2d(16, 32), 640, 16, 8, 8, dtype=torch.bfloat16) == '_folded'
    on_device = torch.empty(640, 128, device='meta')
    assert gbn._choose_kernel(GhostBatchNorm1d(128, 32), on_device).__name__ == '_folded'


@pytest.mark.parametrize('momentum', [0.1, None])
@pytest.mark.parametrize('rest', [(3,), (3, 4, 4)])
def test_compiled_layer_has_one_graph_and_the_same_numbers(rest, momentum):
    torch._dynamo.reset()
    torch.manual_seed(0)
    layer = make_layer(rest, momentum=momentum)
    twin = copy.deepcopy(layer)
    counter = CompileCounterWithBackend('eager')
    compiled = torch.compile(layer, backend=counter, fullgraph=True)
    for batch_size, num_graphs in ((12, 1), (12, 1), (12, 1), (6, 2), (12, 2)):
        inputs, directions = torch.randn(2, batch_size, *rest, dtype=torch.float64)
        actual = gradients(compiled, inputs, layer, directions)
        assert_near(actual, gradients(twin, inputs, twin, directions))
        assert_near(layer.buffers(), twin.buffers())
        assert counter.frame_count == num_graphs


@pytest.mark.parametrize('kernel', KERNELS)
def test_two_seeded_runs_are_equal_bit_for_bit(kernel, use_kernel):
    use_kernel(kernel)

    def run():
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(5, 6), GhostBatchNorm1d(6, 4), nn.ReLU(), nn.Linear(6, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(14, 5)).square().mean().backward()
            optimizer.step()
        return model.state_dict()

    first, second = run(), run()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_empty_batch_moves_nothing():
    layer = make_layer((3,))
    inputs = torch.empty(0, 3, dtype=torch.float64, requires_grad=True)
    layer(inputs).sum().backward()
    assert inputs.grad.shape == (0, 3)
    assert layer.num_batches_tracked == 0
    assert layer.running_var.eq(1).all()


@pytest.mark.parametrize(('rest', 'size', 'batch_size'), [((3,), 4, 1), ((3,), 1, 8), ((3, 1, 1), 1, 2)])
def test_a_ghost_of_a_single_value_is_refused(rest, size, batch_size):
    layer = make_layer(rest, ghost_batch_size=size)
    with pytest.raises(ValueError, match=f'ghost_batch_size {size} .* single value'):
        layer(torch.randn(batch_size, *rest, dtype=torch.float64))
    assert layer.num_batches_tracked == 0


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match='4 channels, this layer has 1'):
        GhostBatchNorm1d(1, 4)(torch.randn(8, 4))
    with pytest.raises(ValueError, match='4D'):
        GhostBatchNorm2d(3, 4)(torch.randn(8, 3))


@pytest.mark.parametrize('size', [0, -128, 2.0, True, '128', None])
def test_a_bad_size_is_refused(size):
    model = make_network()
    for make in (lambda: GhostBatchNorm2d(3, size), lambda: convert_ghost_batch_norm(model, size)):
        with pytest.raises(ValueError, match='is not a positive integer') as error:
            make()
        assert repr(size) in str(error.value)
        assert '\n' not in str(error.value)
    assert type(model[1]) is nn.BatchNorm2d


# Conversion, and what becomes of a converted model


def test_conversion_keeps_every_object_and_setting():
    third = nn.BatchNorm3d(2, eps=1e-2, momentum=None)
    model = nn.Sequential(make_network(), nn.InstanceNorm2d(3, affine=True), third)
    model[0][1].weight.requires_grad_(False)
    model[0][5].eval()
    calls = []
    model[0][1].register_forward_hook(lambda *_: calls.append(1))
    kept = [*model.modules(), *model.parameters(), *model.buffers()]
    assert convert_ghost_batch_norm(model, 4) is model
    now = [*model.modules(), *model.parameters(), *model.buffers()]
    assert all(one is other for one, other in zip(kept, now, strict=True))
    first, second, instance, last = model[0][1], model[0][5], model[1], model[2]
    assert [type(m) for m in (first, second, last)] == [GhostBatchNorm2d, GhostBatchNorm1d, GhostBatchNorm3d]
    assert type(instance) is nn.InstanceNorm2d
    assert not hasattr(instance, 'ghost_batch_size')
    assert (last.eps, last.momentum, last.ghost_batch_size) == (1e-2, None, 4)
    assert not first.weight.requires_grad
    assert first.training
    assert not second.training
    assert 'ghost_batch_size=4' in repr(first)
    first(torch.randn(8, 4, 3, 3, dtype=torch.float64))
    assert calls == [1]


def test_an_optimizer_made_before_conversion_trains_the_model():
    model = make_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    convert_ghost_batch_norm(model, 4)
    before = copy.deepcopy(list(model.parameters()))
    model(torch.randn(8, 2, 5, 5, dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before[2:4], list(model.parameters())[2:4], strict=True))


def test_conversion_twice_sets_the_size_and_handles_roots_and_shared_modules():
    root = nn.BatchNorm1d(3)
    assert convert_ghost_batch_norm(root, 4) is root
    assert isinstance(convert_ghost_batch_norm(root, 8), GhostBatchNorm1d)
    assert root.ghost_batch_size == 8
    shared = nn.BatchNorm1d(3)
    model = convert_ghost_batch_norm(nn.Sequential(shared, nn.ReLU(), shared), 2)
    assert model[0] is model[2] is shared
    assert isinstance(shared, GhostBatchNorm1d)
    model(torch.randn(6, 3))
    assert shared.num_batches_tracked == 6


class Activated(nn.BatchNorm2d):
    """A batch norm with a forward of its own."""

    def forward(self, input):
        return super().forward(input).relu()


@pytest.mark.parametrize('odd', [nn.SyncBatchNorm(4), nn.LazyBatchNorm2d(), Activated(4)])
def test_other_batch_norms_are_refused_by_name_and_nothing_changes(odd):
    model = nn.Sequential(nn.BatchNorm2d(4), nn.Sequential(odd))
    with pytest.raises(ValueError, match=rf'^1\.0 is a {type(odd).__name__}, '):
        convert_ghost_batch_norm(model, 4)
    assert type(model[0]) is nn.BatchNorm2d
    with pytest.raises(ValueError, match=r'^the model itself is a '):
        convert_ghost_batch_norm(odd, 4)


def test_state_dicts_move_both_ways():
    plain, ghost = make_network(), convert_ghost_batch_norm(make_network(), 4)
    inputs = torch.randn(8, 2, 5, 5, dtype=torch.float64)
    ghost(inputs)
    assert list(plain.state_dict()) == list(ghost.state_dict())
    plain.load_state_dict(ghost.state_dict())
    assert torch.equal(plain.eval()(inputs), ghost.eval()(inputs))
    nn.init.normal_(plain[1].weight)
    ghost.load_state_dict(plain.state_dict())
    assert torch.equal(plain(inputs), ghost(inputs))


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_train_as_the_original(duplicate):
    model = convert_ghost_batch_norm(make_network(), 4)
    twin = duplicate(model)
    inputs = torch.randn(8, 2, 5, 5, dtype=torch.float64)
    assert torch.equal(model(inputs), twin(inputs))
    assert_near(model.buffers(), twin.buffers(), tolerance=0)
    assert twin[1].ghost_batch_size == 4


def test_averaged_model_and_update_bn():
    torch.manual_seed(0)
    model = nn.Sequential(GhostBatchNorm1d(3, 4, dtype=torch.float64))
    averaged = AveragedModel(model)
    averaged.update_parameters(model)
    data = 2 + torch.randn(32, 3, dtype=torch.float64)
    update_bn(data.split(16), averaged)
    layer = averaged.module[0]
    assert_near([layer.running_mean], [data.mean(0)])
    assert_near([layer.running_var], [torch.stack([part.var(0) for part in data.split(4)]).mean(0)])
    assert layer.momentum == 0.1
    assert layer.num_batches_tracked == 8
