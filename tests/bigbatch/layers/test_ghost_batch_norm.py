"""Ghost batch norm, on every kernel, against a float64 reference and torch's batch norm; conversion to it."""

# ruff: noqa: F811 - fixtures are imported by name
import copy
import functools
import itertools
import pickle

import pytest
import torch
from torch import nn

from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm1d, GhostBatchNorm2d, GhostBatchNorm3d
from tests.data_helpers import assert_refused
from tests.ghosts import REST, Reference, assert_near, gradients, make_layer, make_network, rests, use_kernel  # noqa: F401

SETTINGS = [{'momentum': momentum, 'eps': 1e-3} for momentum in (0.1, 0.0, 1.0, None)]
BARE = {'affine': False, 'track_running_stats': False}  # which the kernel for rows of features leaves to others


def test_output_gradients_and_buffers_match_the_reference(rests):
    for rest, settings in itertools.product(rests, SETTINGS if rests != REST else [*SETTINGS, BARE]):
        layer = make_layer(rest, **settings)
        reference = Reference(layer)
        for batch_size in (12, 13, 14, 3, 5, 8):  # no remainder, 1, 2; one ghost; a remainder of 1 on one ghost
            inputs, directions = 2 + 3 * torch.randn(2, batch_size, *rest, dtype=torch.float64)
            actual = gradients(layer, inputs, layer, directions)
            expected = gradients(reference, inputs, layer, directions)
            if settings is not BARE:
                actual += [layer.running_mean, layer.running_var, layer.num_batches_tracked]
                expected += [reference.running_mean, reference.running_var, torch.tensor(reference.seen)]
            assert_near(actual, expected, where=(rest, settings, batch_size))


def test_second_derivatives_pass_gradcheck(rests):
    for rest, settings in itertools.product(rests, [{}] if rests != REST else [{}, BARE]):
        layer = make_layer(rest, ghost_batch_size=3, **settings)
        inputs = torch.randn(7, *rest, dtype=torch.float64, requires_grad=True)
        names, leaves = (
            dict(layer.named_parameters()),
            [p.detach().clone().requires_grad_() for p in layer.parameters()],
        )

        def function(inputs, *tensors):
            tensors = dict(zip(names, tensors, strict=True))  # noqa: B023
            return torch.func.functional_call(layer, tensors, (inputs,))  # noqa: B023

        assert torch.autograd.gradcheck(function, (inputs, *leaves), fast_mode=True), (rest, settings)
        assert torch.autograd.gradgradcheck(function, (inputs, *leaves), fast_mode=True), (rest, settings)


def test_a_frozen_tensor_gets_no_gradient_and_the_others_theirs(rests):
    def of_each(frozen=None):
        layer, inputs = make_layer((3,)), torch.randn(12, 3, dtype=torch.float64, requires_grad=True)
        tensors = {'inputs': inputs, 'weight': layer.weight, 'bias': layer.bias}
        if frozen:
            tensors[frozen].requires_grad_(False)
        layer(inputs).square().sum().backward()
        return {name: tensor.grad for name, tensor in tensors.items()}

    expected = of_each()
    for frozen in expected:
        found = of_each(frozen)
        assert found.pop(frozen) is None, frozen
        assert_near(found.values(), [expected[name] for name in found], where=frozen)


@pytest.mark.parametrize('batch_size', [16, 18])
def test_one_pass_equals_the_published_loop_over_chunks(batch_size):
    plain, ghost = make_network(), convert_ghost_batch_norm(make_network(), 4)
    inputs, targets = torch.randn(batch_size, 2, 5, 5, dtype=torch.float64), torch.randint(0, 3, (batch_size,))
    summed = nn.CrossEntropyLoss(reduction='sum')
    loss = summed(ghost(inputs), targets)
    parts = [summed(plain(*chunk), answers) for *chunk, answers in zip(inputs.split(4), targets.split(4), strict=True)]
    loss.backward()
    sum(parts).backward()
    assert loss.item() == pytest.approx(sum(parts).item(), rel=1e-12)
    assert_near([p.grad for p in ghost.parameters()], [p.grad for p in plain.parameters()])
    assert_near(ghost.buffers(), plain.buffers())


@pytest.mark.parametrize(('kernel', 'rest'), [('_looped', (3, 4)), ('_folded', (3, 4, 4)), ('_rows', (3,))])
def test_a_large_offset_costs_no_more_than_in_batch_norm(kernel, rest, use_kernel):
    use_kernel(kernel)
    layer = make_layer(rest, ghost_batch_size=64, dtype=torch.float32)
    plain = nn.BatchNorm3d(3)
    plain.load_state_dict(layer.state_dict())
    inputs = 1e4 + torch.randn(256, *rest)
    directions = torch.randn_like(inputs)

    def chunks(x):
        return torch.cat([plain(part.reshape(64, 3, -1, 1, 1)) for part in x.split(64)]).view_as(x)

    reference = Reference(layer)
    exact = gradients(reference, inputs.double(), nn.Identity(), directions.double())
    ours = gradients(layer, inputs, layer, directions)
    theirs = gradients(chunks, inputs, plain, directions)
    for one, other, truth in zip(ours, theirs, exact, strict=False):
        assert (one - truth).abs().max() <= 2 * (other - truth).abs().max() + 1e-6
    assert_near([layer.running_var], [reference.running_var], tolerance=1e-4)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_inputs_keep_float32_statistics(dtype):
    contiguous, last = torch.contiguous_format, torch.channels_last
    for rest, memory_format in (((3,), contiguous), ((3, 4, 4), contiguous), ((3, 4, 4), last)):
        layer = make_layer(rest, dtype=torch.float32)
        reference = Reference(layer)
        inputs = (5 + torch.randn(14, *rest)).to(dtype, memory_format=memory_format).requires_grad_()
        outputs = layer(inputs)
        outputs.float().square().sum().backward()
        assert outputs.dtype == inputs.grad.dtype == dtype
        assert_near([outputs], [reference(inputs.detach().double())], tolerance=2e-2)
        assert layer.running_mean.dtype == layer.running_var.dtype == layer.weight.grad.dtype == torch.float32
        # far below the resolution of the inputs (2**-8 at best): the sums were not rounded to it
        assert_near([layer.running_mean, layer.running_var], [reference.running_mean, reference.running_var], 1e-6)


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_half_precision_gradients_once_and_twice(memory_format):
    layer = make_layer((3, 4, 4), dtype=torch.float32)
    twin = copy.deepcopy(layer).double()
    inputs, directions, seconds = torch.randn(3, 14, 3, 4, 4).bfloat16()
    inputs += 5  # a mean that half precision would round

    def both(layer, dtype):
        mine, along, back = (each.to(dtype, memory_format=memory_format) for each in (inputs, directions, seconds))
        mine.requires_grad_()
        along.requires_grad_()
        first = torch.autograd.grad(layer(mine), (mine, layer.weight, layer.bias), along, create_graph=True)
        once = torch.autograd.grad(layer(mine), (mine, layer.weight, layer.bias), along)
        return *once, *first, *torch.autograd.grad(first[0], (mine, along, layer.weight), back)

    for one, other in zip(both(layer, torch.bfloat16), both(twin, torch.float64), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=6e-3 * other.abs().max().item())


def test_autocast_changes_no_statistics():
    layer = make_layer((3,), dtype=torch.float32)
    twin, inputs = copy.deepcopy(layer), torch.randn(14, 3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = layer(inputs)
    assert torch.equal(outputs, twin(inputs))
    assert_near(layer.buffers(), twin.buffers(), tolerance=0)


def test_eval_is_batch_norm_and_moves_nothing():
    for rest in REST:
        model = nn.Sequential(make_layer(rest, dtype=torch.float32))
        model(torch.randn(12, *rest))
        plain = nn.BatchNorm3d(3).eval()
        plain.load_state_dict(model[0].state_dict())
        model[0].eval()  # frozen inside a model that trains
        for batch_size in (1, 5, 9):
            inputs = torch.randn(batch_size, *rest)
            assert torch.equal(model(inputs), plain(inputs.view(batch_size, 3, -1, 1, 1)).view_as(inputs)), rest
        assert_near(model[0].state_dict().values(), plain.state_dict().values(), tolerance=0, where=rest)
        model.train()
        model(torch.randn(12, *rest))
        assert model[0].num_batches_tracked == 6


def test_empty_batch_moves_nothing():
    layer = make_layer((3,))
    inputs = torch.empty(0, 3, dtype=torch.float64, requires_grad=True)
    layer(inputs).sum().backward()
    assert inputs.grad.shape == (0, 3)
    assert layer.num_batches_tracked == 0
    assert layer.running_var.eq(1).all()


def test_what_does_not_fit_is_refused_and_moves_nothing():
    for rest, size, batch_size in (((3,), 4, 1), ((3,), 1, 8), ((3, 1, 1), 1, 2)):
        layer, message = make_layer(rest, ghost_batch_size=size), f'ghost_batch_size {size} .* single value'
        assert_refused(message, functools.partial(layer, torch.randn(batch_size, *rest, dtype=torch.float64)))
        assert layer.num_batches_tracked == 0
    assert_refused('4 channels, this layer has 1', lambda: GhostBatchNorm1d(1, 4)(torch.randn(8, 4)))
    assert_refused('4D', lambda: GhostBatchNorm2d(3, 4)(torch.randn(8, 3)))
    model = make_network()
    for size in (0, -128, 2.0, True, '128', None):
        for make, argument in ((GhostBatchNorm2d, 3), (convert_ghost_batch_norm, model)):
            assert_refused(f'{size!r} is not a positive integer', functools.partial(make, argument, size))
        assert type(model[1]) is nn.BatchNorm2d, size


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
    assert (first.weight.requires_grad, first.training, second.training) == (False, True, False)
    assert 'ghost_batch_size=4' in repr(first)
    first(torch.randn(8, 4, 3, 3, dtype=torch.float64))
    assert calls == [1]


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


def test_other_batch_norms_are_refused_by_name_and_nothing_changes():
    activated = type('Activated', (nn.BatchNorm2d,), {'forward': lambda self, input: input - input.mean()})
    for odd in (nn.SyncBatchNorm(4), nn.LazyBatchNorm2d(), activated(4)):
        model = nn.Sequential(nn.BatchNorm2d(4), nn.Sequential(odd))
        message = rf'^1\.0 is a {type(odd).__name__}, '
        assert_refused(message, functools.partial(convert_ghost_batch_norm, model, 4))
        assert type(model[0]) is nn.BatchNorm2d
        assert_refused('^the model itself is a ', functools.partial(convert_ghost_batch_norm, odd, 4))


def test_copies_and_state_dicts_train_as_the_original():
    plain, model = make_network(), convert_ghost_batch_norm(make_network(), 4)
    nn.init.normal_(plain[1].weight)
    assert list(plain.state_dict()) == list(model.state_dict())
    model.load_state_dict(plain.state_dict())
    inputs = torch.randn(8, 2, 5, 5, dtype=torch.float64)
    assert torch.equal(plain.eval()(inputs), model.eval()(inputs))
    for duplicate in (copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))):
        twin = duplicate(model.train())
        assert torch.equal(model(inputs), twin(inputs))
        assert_near(model.buffers(), twin.buffers(), tolerance=0)
        assert twin[1].ghost_batch_size == 4
    plain.load_state_dict(model.state_dict())
    assert torch.equal(plain(inputs), model.eval()(inputs))
