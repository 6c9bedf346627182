"""Batch statistics and recomputed ones, against normalising by hand in float64."""

import functools
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bigbatch.training.batch_norm import batch_statistics, check_batches, has_batch_norm, recompute_statistics
from tests.data_helpers import assert_refused


class Loader:
    """Batches of given sizes, as a Network's loaders have them."""

    def __init__(self, *batches):
        self._batches = batches

    def epoch(self, epoch):
        return [[(inputs, None, None)] for inputs in self._batches]


def make_model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Flatten(), nn.BatchNorm1d(12))
    model.double()
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    return model


def normalized(inputs, layer):
    dims, shape = (0, *range(2, inputs.ndim)), (-1, *[1] * (inputs.ndim - 2))
    mean, var = inputs.mean(dims, keepdim=True), inputs.var(dims, correction=0, keepdim=True)
    return (inputs - mean) / (var + layer.eps).sqrt() * layer.weight.view(shape) + layer.bias.view(shape)


def state_of(model):
    modes = [(module.training, getattr(module, 'momentum', 0), getattr(module, 'track_running_stats', 0))
             for module in model.modules()]  # fmt: skip
    return modes, {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize('training', [True, False])
def test_the_batch_at_hand_normalises_and_nothing_is_left_behind(training):
    model = make_model().train(training)
    model[1].eval()  # a mode of its own, which must come back
    state, inputs = state_of(model), torch.randn(5, 2, 2, 2, dtype=torch.float64)
    with pytest.raises(RuntimeError, match='stop'), batch_statistics(model):
        outputs = model(inputs)
        expected = normalized(normalized(model[0](inputs), model[1]).flatten(1), model[4])
        torch.testing.assert_close(outputs, expected)
        raise RuntimeError('stop')
    modes, values = state_of(model)
    assert modes == state[0]
    assert all(torch.equal(value, state[1][name]) for name, value in values.items())
    with pytest.raises(RuntimeError, match='to have 2 channels, but got 7'):
        recompute_statistics(model, Loader(torch.zeros(2, 7, 2, 2, dtype=torch.float64)))
    assert state_of(model)[0] == state[0]


def test_recomputed_statistics_are_the_mean_over_the_batches():
    model = make_model().train()
    state = state_of(model)
    batches = [torch.randn(num, 2, 2, 2, dtype=torch.float64) for num in (4, 4, 3)]
    recompute_statistics(model, Loader(*batches))
    seen = [model[0](batch) for batch in batches]
    means = torch.stack([one.mean((0, 2, 3)) for one in seen]).mean(0)
    variances = torch.stack([one.var((0, 2, 3)) for one in seen]).mean(0)  # unbiased
    torch.testing.assert_close(model[1].running_mean, means)
    torch.testing.assert_close(model[1].running_var, variances)
    # the second one sees what the first makes of each batch, without dropout
    inner = [normalized(one, model[1]).flatten(1) for one in seen]
    torch.testing.assert_close(model[4].running_mean, torch.stack([one.mean(0) for one in inner]).mean(0))
    assert model[4].num_batches_tracked == 3
    assert state_of(model)[0] == state[0]
    assert all(torch.equal(value, state[1][name]) for name, value in model.named_parameters())


def test_a_network_without_batch_norm_is_left_alone():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    assert not has_batch_norm(model)
    recompute_statistics(model, Loader(torch.zeros(1, 2)))
    inputs = torch.ones(4, 2)
    with batch_statistics(model):
        assert torch.equal(model(inputs), model[0](inputs))  # no dropout
    assert model.training and model[1].training


def test_a_batch_of_one_example_is_refused():
    for num_examples, batch_size, fits in (
        (101, 100, False), (102, 100, True), (100, 100, True), (5, 100, True), (1, 100, False), (7, 1, False),
    ):  # fmt: skip
        loader = SimpleNamespace(num_examples=num_examples, batch_size=batch_size)
        check_batches(nn.Linear(2, 2), loader)
        if fits:
            check_batches(make_model(), loader)
        else:
            message = f'--batch-size {batch_size}: .*no variance'
            assert_refused(message, functools.partial(check_batches, make_model(), loader))
