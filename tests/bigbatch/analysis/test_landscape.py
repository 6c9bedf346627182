"""Lines through weight space: the grid, where points lie, what batch norm uses there, and that all is put back."""

import argparse
import copy
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bigbatch.analysis.landscape import Around, Between, coefficients, interpolate, random_direction, statistics
from bigbatch.seeding import make_generator
from bigbatch.training.scoring import score, summed_criterion
from bigbatch.weights import restored
from tests.networks import Batches, unchanged
from utils.measures.landscape_flags import alpha_grid


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3))
    for _ in range(seed + 3):
        model(2 * torch.randn(16, 6) + seed)
    return model.eval()


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(5)
    return torch.randn(40, 6, generator=generator), torch.randint(3, (40,), generator=generator)


def test_the_grid_is_numpys_with_exact_ends():
    counts = {
        '-1.0:0.1:2.01': 31, '-1:0.1:1.01': 21, '-0.3:0.02:0.31': 31, '-1:0.125:2.01': 25, '0:0.5:1': 2,
        '1:-0.25:-0.1': 5, '0.5:1:0.6': 1,
    }  # fmt: skip
    for text, count in counts.items():
        grid, by_numpy = alpha_grid(text), np.arange(*(float(part) for part in np.array(text.split(':'))[[0, 2, 1]]))
        assert len(grid) == count, text
        np.testing.assert_allclose(grid, by_numpy, atol=1e-12)
        assert all(alpha == round(alpha, 9) for alpha in grid), text
        assert [end in grid for end in (0.0, 1.0)] == [np.isclose(by_numpy, end).any() for end in (0.0, 1.0)], text
    assert alpha_grid('-1:0.33333333:1.1')[3] == 0.0  # a point that nearly is an end is that end
    assert alpha_grid('0:0.33333333333:1.1')[3] == 1.0
    assert alpha_grid('0:0.3333:1.1')[3] == 0.9999


def test_what_is_no_grid_is_refused_in_one_line():
    for text in (
        '', ':', '0:1', '0:0.1:1:2', 'a:b:c', '0::1', '0:nan:1', '0:0.1:inf', '0:0:1', '1:0.1:0', '0:-0.1:1', '0:0.1:0',
        '0:1e-9:1', '-1e300:1:1', '0:0.1:1e99999999',
    ):  # fmt: skip
        with pytest.raises(argparse.ArgumentTypeError, match=f'^[^\n]*{re.escape(repr(text))}[^\n]*$'):
            alpha_grid(text)


FORMULAS = {
    'linear': lambda t: (1 - t, t),
    'sin': lambda t: (1 - (1 + math.sin(math.pi * t - math.pi / 2)) / 2, (1 + math.sin(math.pi * (t - 0.5))) / 2),
    'arc': lambda t: (math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)),
}


def test_the_ends_are_exact_and_the_rest_is_the_formula_in_float64():
    one, two = network(1).state_dict(), network(2).state_dict()
    for mode, formula in FORMULAS.items():
        assert (coefficients(0.0, mode), coefficients(1.0, mode)) == ((1.0, 0.0), (0.0, 1.0))
        for alpha in (-1.0, -0.4, 0.3, 0.7, 2.0):
            a, b = coefficients(alpha, mode)
            assert (a, b) == pytest.approx(formula(alpha), abs=1e-12), (mode, alpha)
            for name, value in interpolate(one, two, alpha, mode).items():
                first, second = (each[name].double() for each in (one, two))
                counter = (one if a >= b else two)[name]
                expected = (a * first + b * second).float() if value.is_floating_point() else counter
                assert value.dtype == one[name].dtype
                assert value.equal(expected), (mode, alpha, name)


def test_the_ends_are_the_networks_even_where_the_other_is_not_finite():
    one, two = network(1).state_dict(), network(2).state_dict()
    two['0.weight'] = two['0.weight'].clone().fill_(torch.inf)
    assert all(interpolate(one, two, 0.0)[name].equal(one[name]) for name in one)
    assert all(interpolate(one, two, 1.0)[name].equal(two[name]) for name in one)


def test_extrapolated_variances_are_clamped_and_counted_and_fixed_ones_stay():
    model, end = network(1), network(2)
    ends = [each.state_dict()['1.running_var'].clone() for each in (model, end)]
    line = Between(model, end.state_dict(), mode='linear', bn='interpolate')
    for alpha in (-3.0, 0.0, 0.5, 1.0, 4.0):
        exact = (1 - alpha) * ends[0].double() + alpha * ends[1].double()
        assert line.place(alpha) == int((exact < 0).sum())
        torch.testing.assert_close(model[1].running_var, exact.clamp(min=0).float())
    assert any(line.place(alpha) for alpha in (-3.0, 4.0))
    assert model.state_dict()['1.num_batches_tracked'].dtype == torch.int64
    model = network(1)
    first, line = model[0].weight.detach().clone(), Between(model, end.state_dict(), mode='linear', bn='fixed')
    with unchanged(model, *dict(model.named_parameters())):
        assert line.place(4.0) == 0
    torch.testing.assert_close(model[0].weight, 4 * end[0].weight - 3 * first)


@pytest.mark.parametrize('bn', ['interpolate', 'fixed', 'batch', 'recompute'])
def test_scores_use_the_statistics_that_are_asked_for(bn, examples):
    inputs, targets = examples
    model, num, loader = network(1), [], Batches(inputs, targets, 20)
    exact = copy.deepcopy(model).double().requires_grad_(False)
    hidden = [exact[0](part.double()) for part in inputs.split(20)]
    mean, var = exact[1].running_mean, exact[1].running_var
    if bn == 'recompute':  # the mean over batches, unbiased variances, as torch's running ones
        mean = torch.stack([part.mean(0) for part in hidden]).mean(0)
        var = torch.stack([part.var(0) for part in hidden]).mean(0)
    weight, bias = exact[1].weight, exact[1].bias
    of_batch = [F.batch_norm(part, None, None, weight, bias, training=True) for part in hidden]
    of_all = [F.batch_norm(part, mean, var, weight, bias) for part in hidden]
    logits = exact[4](torch.cat(of_batch if bn == 'batch' else of_all).relu())
    changing = ('1.running_mean', '1.running_var', '1.num_batches_tracked') if bn == 'recompute' else ()
    with unchanged(model, *changing), statistics(model, bn, loader):
        scores = score(model, summed_criterion(None), loader, num.append)
    assert scores.loss == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-5)
    assert scores.error1 == pytest.approx(100 * (logits.argmax(1) != targets).double().mean().item())
    assert num == [20, 20]


def test_each_filter_of_a_direction_is_as_long_as_the_networks():
    generator = make_generator(1, 'direction', 0)
    for shape in ((8, 3, 5, 5), (4, 7), (6,), ()):
        weight = torch.randn(shape)
        direction = random_direction(weight, generator)
        assert direction.shape == weight.shape
        num = shape[0] if shape else 1
        torch.testing.assert_close(direction.reshape(num, -1).norm(dim=1), weight.reshape(num, -1).norm(dim=1))
        if weight.ndim < 2:
            torch.testing.assert_close(direction.abs(), weight.abs())
    zero = torch.zeros(3, 4)
    assert random_direction(zero, generator).equal(zero)


def test_directions_are_uniform_before_they_are_scaled():
    weight = torch.ones(2, 40_000)
    direction = random_direction(weight, make_generator(3, 'direction', 0)).double()
    size = direction.abs().max()  # of U(-size, size), whose norm is size sqrt(n / 3)
    assert size.item() == pytest.approx(math.sqrt(3), rel=0.02)
    assert direction.mean().item() == pytest.approx(0, abs=0.02)
    assert (direction.abs() < size / 2).double().mean().item() == pytest.approx(0.5, abs=0.01)


def test_around_goes_along_one_straight_line_that_the_seed_names_and_leaves_buffers():
    first, steps = network(1)[4].weight.detach(), {}
    for seed, index, alpha in ((1, 0, 0.5), (1, 0, 0.0), (1, 0, -1.0), (1, 1, 0.5), (2, 0, 0.5)):
        model = network(1)
        with unchanged(model, *dict(model.named_parameters())):
            line = Around(model, seed=seed, index=index)
            line.place(3.0)
            line.place(alpha)
        steps[seed, index, alpha] = model[4].weight.detach() - first
    assert not steps[1, 0, 0.0].any()
    torch.testing.assert_close(steps[1, 0, 0.5], -0.5 * steps[1, 0, -1.0])
    assert not steps[1, 0, 0.5].equal(steps[1, 1, 0.5]) and not steps[1, 0, 0.5].equal(steps[2, 0, 0.5])


@pytest.mark.parametrize('bn', ['interpolate', 'recompute', 'batch'])
def test_weights_and_buffers_are_back_when_a_measurement_fails(bn, examples):
    model, loader = network(1), Batches(*examples, 20)

    def stop(num):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), unchanged(model), restored(model):
        Between(model, network(2).state_dict(), mode='linear', bn=bn).place(1.3)
        with statistics(model, bn, loader):
            score(model, summed_criterion(None), loader, stop)
