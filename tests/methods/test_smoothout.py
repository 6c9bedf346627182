"""SmoothOut: noise of the size that it says, gradients at noisy weights, clean weights for the update."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.seeding import make_generator
from bigbatch.training.gradients.gradient_noise import GradientNoise
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.gradients.smoothout import SmoothOut, strength_factor
from bigbatch.training.perturbation import add_noise, perturbed, quiet_names
from data_sets.loader import Batch, MicroBatch
from tests.conftest import TINY
from tests.each import check_each
from tests.updates import build, losses_of

GHOST, COPIES = 4, 500
SCALES = ('none', 'weight', 'filter')
SUM = nn.CrossEntropyLoss(reduction='sum')


class Quartic(nn.Module):
    """f = sum w**4 for every example, whose gradient under noise d of variance v has the mean 4 w**3 + 12 w v.

    The weights are two filters of three, COPIES times, so that a draw of the noise is that many for each of the six.
    """

    def __init__(self):
        super().__init__()
        weight = torch.tensor([[0.5, -1.0, 1.5], [0.0, 1.0, -2.0]], dtype=torch.float64)
        self.weight = nn.Parameter(weight.repeat(COPIES, 1))

    def forward(self, inputs):
        return self.weight.pow(4).sum().expand(len(inputs), 2)


class First(nn.Module):
    def forward(self, logits, _):
        return logits[:, 0]


def tiny_network() -> nn.Module:
    torch.manual_seed(0)
    network = models.create_model('mnist_f1', width=8, depth=2, num_classes=4, input_shape=(1, 4, 4)).double()
    return convert_ghost_batch_norm(network, GHOST)


def make_batch(inputs, targets=None, *, micro: int | None = None, indices=None) -> Batch:
    targets = torch.zeros(len(inputs), dtype=torch.int64) if targets is None else targets
    indices = torch.arange(len(inputs)) if indices is None else indices

    def gather(start, stop):
        return MicroBatch(inputs[start:stop], targets[start:stop], indices[start:stop])

    return Batch(indices, micro or len(inputs), gather)


def batch_of(num: int, micro: int | None = None, shape: tuple[int, ...] = (1, 4, 4)) -> Batch:
    generator = make_generator(3)
    inputs = torch.randn(num, *shape, generator=generator, dtype=torch.float64)
    return make_batch(inputs, torch.randint(4, (num,), generator=generator), micro=micro)


def smoothout(strength=0.1, *, inner=None, ghost_size=GHOST, seed=5, **settings):
    given = strength if callable(strength) else lambda step: strength
    inner = inner or PlainGradient()
    return SmoothOut(inner=inner, strength=given, ghost_size=ghost_size, seed=seed, **settings)


def gradient(estimator, model, batch, *, step=0) -> torch.Tensor:
    model.train().zero_grad()
    estimator(model, SUM, batch, step=step)
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize('noise_type', ['uniform', 'normal'])
@pytest.mark.parametrize('adapt_type', SCALES)
def test_the_mean_gradient_is_that_of_the_smoothed_loss(adapt_type, noise_type):
    model, strength, num_ghosts = Quartic(), 0.5, 10
    estimator = smoothout(strength, ghost_size=1, adapt_type=adapt_type, noise_type=noise_type)
    estimator(model, First(), batch_of(num_ghosts, shape=(1,)), step=0)
    num, w = num_ghosts * COPIES, model.weight.detach()[:2]
    unit = {'none': torch.ones_like(w), 'weight': w**2, 'filter': w.square().sum(1, keepdim=True).expand_as(w) / 3}
    of_type = 1 if noise_type == 'normal' or adapt_type == 'filter' else 1 / 3
    variance = strength**2 * of_type * unit[adapt_type]
    excess = model.weight.grad.view(COPIES, 2, 3).mean(0) - 4 * w**3
    # the gradient's deviation is that of 12 w**2 d + 12 w d**2 + 4 d**3; for d normal, of variance v, at most
    deviation = (144 * w**4 * variance + (288 + 96 * 3) * w**2 * variance**2 + 240 * variance**3).sqrt()
    assert ((excess - 12 * w * variance).abs() <= 5 * deviation / math.sqrt(num)).all()
    assert ((12 * w * variance).abs() > 10 * deviation / math.sqrt(num)).sum() >= 4  # so that this can fail


def test_noise_of_a_filter_has_the_norm_of_the_filter_times_the_strength():
    def check(shape, noise_type):
        weight = torch.randn(shape, generator=make_generator(1), dtype=torch.float64)
        if shape:
            weight[0] = 0
        noisy = weight.clone()
        add_noise([noisy], 0.3, make_generator(2), adapt_type='filter', noise_type=noise_type)
        filters = weight.reshape(shape[0] if shape else 1, -1)
        norms = (noisy - weight).reshape_as(filters).norm(dim=1)
        torch.testing.assert_close(norms, 0.3 * filters.norm(dim=1), rtol=1e-14, atol=1e-16)

    check_each(itertools.product([(6, 3, 2, 2), (5, 7), (4,), ()], ['uniform', 'normal']), check)


def test_the_strength_goes_by_the_updates_that_the_run_makes(monkeypatch):
    asked = []
    monkeypatch.setattr(
        'bigbatch.training.gradients.smoothout.strength_factor', lambda *given, **_: asked.append(given) or 0.0
    )
    schedule = ('--smoothing-type', 'tanh', '--epochs', '5', '--start-epoch', '2')
    experiment = build(*TINY, '-mb', '4', '--ss', '0.1', *schedule)
    losses_of(experiment, 1)
    assert set(asked) == {('tanh', 0, 3 * experiment.steps_per_epoch)}


def test_strength_schedules():
    steps = (0, 1, 50, 99, 100)
    assert [strength_factor('constant', step, 100) for step in steps] == [1] * 5
    annealed = [1, 2**-0.275, 51**-0.275, 100**-0.275, 101**-0.275]
    assert [strength_factor('anneal', step, 100) for step in steps] == pytest.approx(annealed)
    assert strength_factor('anneal', 3, 100, anneal_index=2) == 0.25
    # (1 + tanh(x)) / 2 = 1 / (1 + exp(-2 x))
    logistic = [1 / (1 + math.exp(-20 * (step / 100 - 0.5))) for step in steps]
    assert [strength_factor('tanh', step, 100) for step in steps] == pytest.approx(logistic)
    assert strength_factor('tanh', 75, 100, tanh_scale=4) == pytest.approx(1 / (1 + math.exp(-2)))


@pytest.mark.parametrize('adapt_type', SCALES)
def test_each_ghost_meets_its_own_noise_and_leaves_clean_weights(adapt_type):
    model, batch, step = tiny_network(), batch_of(12), 7
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = gradient(smoothout(adapt_type=adapt_type), model, batch, step=step)
    trained = dict(model.named_parameters())
    for name, value in model.state_dict().items():  # running statistics move
        assert torch.equal(value, before[name]) == (name in trained), name
    (inputs, targets, _), model = next(iter(batch)), tiny_network().train()
    for ghost, (some, of_some) in enumerate(zip(inputs.split(GHOST), targets.split(GHOST), strict=True)):
        with perturbed(model, 0.1, make_generator(5, 'smoothout', step, ghost), adapt_type=adapt_type):
            (F.cross_entropy(model(some), of_some) / 3).backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    assert all(torch.equal(now, before[name]) for name, now in model.named_parameters())


def test_micro_batches_change_nothing():
    def check(num, inner, ghost_size):
        estimator = smoothout(inner=inner, ghost_size=ghost_size)
        found = [gradient(estimator, tiny_network(), batch_of(num, micro)) for micro in (None, 4, 8, 12)]
        for other in found[1:]:
            torch.testing.assert_close(other, found[0], rtol=1e-12, atol=1e-14)
        assert (found[0] - gradient(inner, tiny_network(), batch_of(num))).abs().max() > 1e-3

    nums = (24, 27, 25)  # the last ghost has 4, 3 or, with the odd example, 5
    check_each(itertools.product(nums, (PlainGradient(), GradientNoise(sigma=2.0, seed=5)), (GHOST, None)), check)


def test_a_batch_of_one_ghost_meets_the_noise_of_the_step():
    found = [gradient(smoothout(ghost_size=size), tiny_network(), batch_of(GHOST)) for size in (GHOST, None)]
    assert torch.equal(*found)


def test_noise_that_is_left_in_adds_up():
    model, expected = tiny_network(), tiny_network()
    gradient(smoothout(denoise=False), model, batch_of(12), step=2)
    for ghost in range(3):
        add_noise(expected.parameters(), 0.1, make_generator(5, 'smoothout', 2, ghost))
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), expected.parameters(), strict=True))


def test_some_parameters_are_spared():
    model = tiny_network()
    before = {name: value.clone() for name, value in model.named_parameters()}
    of_norms = {name for name, value in before.items() if torch.equal(value, torch.ones_like(value))}
    of_norms |= {name.replace('weight', 'bias') for name in of_norms}
    assert len(of_norms) == 4  # two layers
    assert quiet_names(model, exclude_bn=False) == frozenset()
    assert quiet_names(model, exclude_bn=True) == of_norms
    first = next(iter(before))
    model.quiet_parameters = [first]
    assert quiet_names(model, exclude_bn=False) == {first}
    with perturbed(model, 0.1, make_generator(1), exclude=quiet_names(model, exclude_bn=True)):
        moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == before.keys() - of_norms - {first}
    model.quiet_parameters = ['weight']
    with pytest.raises(ValueError, match="quiet_parameters names 'weight'"):
        quiet_names(model, exclude_bn=True)
