"""Lines through weight space: the grid, where points lie, what batch norm uses there, and that all is put back."""

import argparse
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from bigbatch.analysis.landscape import Around, Between, coefficients, interpolate, random_direction, statistics
from bigbatch.seeding import make_generator
from bigbatch.training.scoring import score, summed_criterion
from bigbatch.weights import restored
from utils.measures.landscape_flags import alpha_grid


class Loader:
    """Batches of a fixed set, as Network.train has them."""

    def __init__(self, inputs, targets, size):
        self.batch_size, self.num_examples = size, len(inputs)
        self._batches = [
            [(inputs[at : at + size], targets[at : at + size], None)] for at in range(0, len(inputs), size)
        ]

    def epoch(self, epoch):
        return iter(self._batches)


def network(seed: int) -> nn.Module:
    """Return a small network in eval mode whose running statistics are not those it began with."""
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


@pytest.mark.parametrize('mode', ['linear', 'sin', 'arc'])
def test_the_ends_are_exact_and_the_rest_is_the_formula(mode):
    formulas = {
        'linear': lambda t: (1 - t, t),
        'sin': lambda t: (1 - (1 + math.sin(math.pi * t - math.pi / 2)) / 2, (1 + math.sin(math.pi * (t - 0.5))) / 2),
        'arc': lambda t: (math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)),
    }
    assert (coefficients(0.0, mode), coefficients(1.0, mode)) == ((1.0, 0.0), (0.0, 1.0))
    for alpha in (-1.0, -0.3, 0.5, 0.7, 2.0):
        assert coefficients(alpha, mode) == pytest.approx(formulas[mode](alpha), abs=1e-12), alpha


def test_a_state_on_the_line_is_the_sum_in_float64():
    one, two = network(1).state_dict(), network(2).state_dict()
    for alpha, mode in ((-0.4, 'linear'), (1.7, 'arc'), (0.3, 'sin')):
        a, b = coefficients(alpha, mode)
        state = interpolate(one, two, alpha, mode)
        for name, value in state.items():
            assert value.dtype == one[name].dtype
            if value.is_floating_point():
                first, second = (each[name].numpy().astype(np.float64) for each in (one, two))
                expected = (a * first + b * second).astype(np.float32)
                np.testing.assert_array_equal(value.numpy(), expected)
            else:
                assert value.item() == (one if a >= b else two)[name].item()


def test_the_ends_are_the_networks_even_where_the_other_is_not_finite():
    one, two = network(1).state_dict(), network(2).state_dict()
    two['0.weight'] = two['0.weight'].clone().fill_(torch.inf)
    assert all(interpolate(one, two, 0.0)[name].equal(one[name]) for name in one)
    assert all(interpolate(one, two, 1.0)[name].equal(two[name]) for name in one)


def test_extrapolated_variances_are_clamped_and_counted():
    model, end = network(1), network(2)
    ends = [each.state_dict()['1.running_var'].clone() for each in (model, end)]
    line = Between(model, end.state_dict(), mode='linear', bn='interpolate')
    for alpha in (-3.0, 0.0, 0.5, 1.0, 4.0):
        exact = (1 - alpha) * ends[0].double() + alpha * ends[1].double()
        assert line.place(alpha) == int((exact < 0).sum())
        torch.testing.assert_close(model[1].running_var, exact.clamp(min=0).float())
    assert any(line.place(alpha) for alpha in (-3.0, 4.0))
    assert model.state_dict()['1.num_batches_tracked'].dtype == torch.int64


def test_fixed_statistics_are_those_at_alpha_0():
    model, end = network(1), network(2)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    line = Between(model, end.state_dict(), mode='linear', bn='fixed')
    assert line.place(4.0) == 0
    for name in ('1.running_mean', '1.running_var', '1.num_batches_tracked'):
        assert model.state_dict()[name].equal(first[name])
    torch.testing.assert_close(model[0].weight, 4 * end[0].weight - 3 * first['0.weight'])


def plain_score(model, inputs, targets, normalise):
    """Score in NumPy, float64, batch norm normalising as told."""
    state = {name: value.double().numpy() for name, value in model.state_dict().items()}
    hidden = inputs.double().numpy() @ state['0.weight'].T + state['0.bias']
    hidden = normalise(hidden, state) * state['1.weight'] + state['1.bias']
    logits = np.maximum(hidden, 0) @ state['4.weight'].T + state['4.bias']
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels = targets.numpy()
    return -log_probs[np.arange(len(labels)), labels].mean(), 100 * (logits.argmax(axis=1) != labels).mean()


@pytest.mark.parametrize('bn', ['interpolate', 'fixed', 'batch', 'recompute'])
def test_scores_are_those_of_numpy_and_running_statistics_stay(bn, examples):
    inputs, targets = examples
    model, num = network(1), []
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loader, eps = Loader(inputs, targets, 20), model[1].eps
    hidden = inputs.double().numpy() @ before['0.weight'].double().numpy().T + before['0.bias'].double().numpy()
    halves = hidden[:20], hidden[20:]

    def normalise(values, state):
        if bn == 'batch':
            return np.concatenate(
                [(part - part.mean(axis=0)) / np.sqrt(part.var(axis=0) + eps) for part in np.split(values, 2)]
            )
        mean, var = before['1.running_mean'].numpy(), before['1.running_var'].numpy()
        if bn == 'recompute':  # the mean over batches, unbiased variances, as torch's running ones
            mean = np.mean([half.mean(axis=0) for half in halves], axis=0)
            var = np.mean([half.var(axis=0, ddof=1) for half in halves], axis=0)
        return (values - mean) / np.sqrt(var + eps)

    with statistics(model, bn, loader):
        scores = score(model, summed_criterion(None), loader, num.append)
    assert (scores.loss, scores.error1) == pytest.approx(plain_score(model, inputs, targets, normalise), rel=1e-5)
    assert num == [20, 20]
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed <= ({'1.running_mean', '1.running_var', '1.num_batches_tracked'} if bn == 'recompute' else set())
    assert not any(module.training for module in model.modules())


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


def test_a_seed_names_its_directions():
    def placed(seed, index):
        model = network(1)
        Around(model, seed=seed, index=index).place(0.5)
        return model[0].weight.detach().clone()

    assert placed(1, 0).equal(placed(1, 0))
    assert not placed(1, 0).equal(placed(1, 1))
    assert not placed(1, 0).equal(placed(2, 0))


def test_around_goes_along_one_straight_line_and_leaves_buffers():
    model = network(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    line, steps = Around(model, seed=1, index=0), {}
    for alpha in (0.5, 0.0, -1.0):
        line.place(alpha)
        steps[alpha] = model[4].weight.detach() - before['4.weight']
    assert not steps[0.0].any()
    torch.testing.assert_close(steps[0.5], -0.5 * steps[-1.0])
    assert all(value.equal(before[name]) for name, value in model.named_buffers())


@pytest.mark.parametrize('bn', ['interpolate', 'recompute', 'batch'])
def test_weights_and_buffers_are_back_when_a_measurement_fails(bn, examples):
    model, end = network(1), network(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loader = Loader(*examples, 20)

    def stop(num):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), restored(model):
        line = Between(model, end.state_dict(), mode='linear', bn=bn)
        line.place(1.3)
        with statistics(model, bn, loader):
            score(model, summed_criterion(None), loader, stop)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert model[1].track_running_stats
