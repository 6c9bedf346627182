"""Batch statistics and recomputed ones, against normalising by hand in float64."""

import functools

import pytest
import torch
from torch import nn

from bigbatch.training.batch_norm import batch_statistics, check_batches, has_batch_norm, recompute_statistics
from tests.data_helpers import assert_refused
from tests.networks import Batches, unchanged

STATISTICS = [f'{layer}.{name}' for layer in (1, 4) for name in ('running_mean', 'running_var', 'num_batches_tracked')]


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


@pytest.mark.parametrize('training', [True, False])
def test_the_batch_at_hand_normalises_and_nothing_is_left_behind(training):
    model, inputs = make_model().train(training), torch.randn(5, 2, 2, 2, dtype=torch.float64)
    model[1].eval()  # a mode of its own, which must come back
    with pytest.raises(RuntimeError, match='stop'), unchanged(model), batch_statistics(model):
        expected = normalized(normalized(model[0](inputs), model[1]).flatten(1), model[4])
        torch.testing.assert_close(model(inputs), expected)
        raise RuntimeError('stop')
    with pytest.raises(RuntimeError, match='to have 2 channels, but got 7'), unchanged(model, *STATISTICS):
        recompute_statistics(model, Batches(torch.zeros(2, 7, 2, 2, dtype=torch.float64), None, 2))


def test_recomputed_statistics_are_the_mean_over_the_batches():
    model, loader = make_model().train(), Batches(torch.randn(11, 2, 2, 2, dtype=torch.float64), None, 4)
    with unchanged(model, *STATISTICS):
        recompute_statistics(model, loader)
    seen = [model[0](inputs) for inputs, _ in loader.parts]
    means = torch.stack([one.mean((0, 2, 3)) for one in seen]).mean(0)
    variances = torch.stack([one.var((0, 2, 3)) for one in seen]).mean(0)  # unbiased
    torch.testing.assert_close(model[1].running_mean, means)
    torch.testing.assert_close(model[1].running_var, variances)
    # the second one sees what the first makes of each batch, without dropout
    inner = [normalized(one, model[1]).flatten(1) for one in seen]
    torch.testing.assert_close(model[4].running_mean, torch.stack([one.mean(0) for one in inner]).mean(0))
    assert model[4].num_batches_tracked == 3


def test_a_network_without_batch_norm_is_left_alone():
    model, inputs = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), torch.ones(4, 2)
    assert not has_batch_norm(model)
    with unchanged(model):
        recompute_statistics(model, Batches(inputs, None, 1))
        with batch_statistics(model):
            assert torch.equal(model(inputs), model[0](inputs))  # no dropout


def test_a_batch_of_one_example_is_refused():
    for num_examples, batch_size, fits in (
        (101, 100, False), (102, 100, True), (100, 100, True), (5, 100, True), (1, 100, False), (7, 1, False),
    ):  # fmt: skip
        loader = Batches(torch.zeros(num_examples, 2), None, batch_size)
        check_batches(nn.Linear(2, 2), loader)
        if fits:
            check_batches(make_model(), loader)
        else:
            message = f'--batch-size {batch_size}: .*no variance'
            assert_refused(message, functools.partial(check_batches, make_model(), loader))
