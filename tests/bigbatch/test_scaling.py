"""The rules of scaling: what each keeps is simulated or found by brute force, never computed from the rule again."""

import math
import subprocess
import sys

import numpy as np
import pytest

from bigbatch import scaling
from bigbatch.scaling import adam_half_life, adam_sde, ema, sgd_linear, sgd_sqrt, surge, warmup_steps, weight_decay_tau
from tests.conftest import PROJECT
from tests.data_helpers import assert_all_refused


def settings(found) -> tuple:
    return (found.lr, *found.betas, found.eps) if isinstance(found, scaling.AdamSettings) else (found,)


# Each rule as a map of settings at one batch to those at another, and settings to begin with.
RULES = {
    'sgd_linear': (sgd_linear, (0.1,)),
    'sgd_sqrt': (sgd_sqrt, (0.1,)),
    'adam_sde': (lambda lr, b1, b2, eps, *to: adam_sde(lr, *to, betas=(b1, b2), eps=eps), (3e-3, 0.9, 0.99, 1e-8)),
    'adam_half_life': (
        lambda lr, b1, b2, eps, *to: adam_half_life(lr, *to, betas=(b1, b2), eps=eps), (3e-3, 0.9, 0.99, 1e-8)
    ),
    'surge': (lambda lr, *to: surge(lr, *to, 300), (0.1,)),
    'weight_decay_tau': (lambda wd, *to: weight_decay_tau(wd, *to, base_lr=0.1, lr=0.1), (0.05,)),
    'ema': (ema, (0.999,)),
}  # fmt: skip


def test_a_rule_changes_nothing_at_the_base_and_may_go_by_way_of_another_batch():
    for name, (rule, begin) in RULES.items():
        assert settings(rule(*begin, 48, 48)) == pytest.approx(begin, rel=1e-12), name
        for middle, end in ((16, 200), (100, 24)):
            twice = settings(rule(*settings(rule(*begin, middle, 48)), end, middle))
            assert twice == pytest.approx(settings(rule(*begin, end, 48)), rel=1e-10), name


def test_the_rules_by_hand():
    assert (sgd_linear(0.1, 1024, 256), sgd_sqrt(0.1, 1024, 256)) == pytest.approx((0.4, 0.2))
    assert (sgd_linear(0.1, 64, 256), sgd_sqrt(0.1, 64, 256)) == pytest.approx((0.025, 0.05))
    assert settings(adam_sde(1e-3, 1024, 256)) == pytest.approx((2e-3, 0.6, 0.996, 5e-9))
    assert settings(adam_sde(1e-3, 64, 256, eps=1e-6)) == pytest.approx((5e-4, 0.975, 0.99975, 2e-6))
    assert settings(adam_half_life(1e-3, 768, 256, betas=(0.8, 0.9))) == pytest.approx((1e-3, 0.8, 0.729, 1e-8))
    steps = [warmup_steps(500, batch, 256) for batch in (1024, 768, 256, 64)]
    assert (steps, [type(each) for each in steps]) == ([125, 167, 500, 2000], [int] * 4)
    assert warmup_steps(0, 64, 256) == 0


def test_half_of_a_squared_gradient_is_forgotten_after_as_many_examples_and_so_are_weights():
    def examples_to_half(decay, batch):
        num_updates = math.log(0.5) / math.log(decay)
        kept = np.prod(np.full(int(num_updates), decay))  # of an impulse
        assert kept >= 0.5 > kept * decay
        return num_updates * batch

    for batch in (1, 8, 512, 4096):
        beta2 = adam_half_life(1e-3, batch, 256, betas=(0.9, 0.999)).betas[1]
        assert examples_to_half(beta2, batch) == pytest.approx(examples_to_half(0.999, 256))
        assert examples_to_half(ema(0.99, batch, 32), batch) == pytest.approx(examples_to_half(0.99, 32))


def test_an_average_of_weights_is_the_one_that_small_batches_would_have_made():
    weights, ratio = np.random.default_rng(0).standard_normal(50), 8
    small = large = 0.0
    for weight in weights:
        for _ in range(ratio):
            small = 0.97 * small + 0.03 * weight
        decay = ema(0.97, 32 * ratio, 32)
        large = decay * large + (1 - decay) * weight
        assert large == pytest.approx(small)


def test_decay_shrinks_weights_by_as_much_over_as_many_examples_whatever_the_rate_does():
    lr, decay, base, num_examples = 1e-3, 0.1, 64, 2**22
    for rule, factor in ((lambda lr, *to: lr, 16), (sgd_sqrt, 4), (sgd_linear, 1)):
        new_lr = rule(lr, 1024, base)
        new_decay = weight_decay_tau(decay, 1024, base, base_lr=lr, lr=new_lr)
        assert new_decay == pytest.approx(factor * decay)
        left = [
            (1 - rate * wd) ** (num_examples / size)
            for rate, wd, size in ((lr, decay, base), (new_lr, new_decay, 1024))
        ]
        assert left[1] == pytest.approx(left[0], rel=0.01)
    assert weight_decay_tau(0, 1024, base, base_lr=lr, lr=lr) == 0


def test_surge_is_the_best_rate_of_a_sign_step_on_a_quadratic():
    """The expected sign is erf(g / sigma sqrt(B / 2)), taken as linear in g, as the source does; H is not diagonal."""
    rng = np.random.default_rng(0)
    gradient, sigma = rng.uniform(0.5, 1, 30), rng.uniform(20, 40, 30)
    hessian = 0.3 * np.eye(30) + 0.02
    ratio, off = gradient / sigma, hessian - np.diag(np.diag(hessian))
    noise_batch = math.pi / 2 * np.trace(hessian) / (ratio @ off @ ratio)

    def best_rate(batch, sign):
        means = sign(ratio * math.sqrt(batch))
        return means @ gradient / (np.trace(hessian) + means @ off @ means)

    batches = np.geomspace(noise_batch / 1000, noise_batch * 1000, 61)
    rates = np.array([best_rate(batch, lambda x: math.sqrt(2 / math.pi) * x) for batch in batches])
    base = batches[17]
    assert [surge(rates[17], batch, base, noise_batch) for batch in batches] == pytest.approx(rates)
    assert batches[np.argmax(rates)] == pytest.approx(noise_batch)
    exact = [best_rate(batch, np.vectorize(lambda x: math.erf(x / math.sqrt(2)))) for batch in (1, 4)]
    assert surge(exact[0], 4, 1, noise_batch) == pytest.approx(exact[1], rel=0.01)
    assert surge(0.1, 4e-6, 1e-6, 1) == pytest.approx(0.2, rel=1e-4)  # the root, far below it


def test_a_floor_of_beta2_warns_where_it_acts():
    assert adam_half_life(1e-3, 512, 256, least_beta2=0.95).betas == pytest.approx((0.9, 0.998001))
    with pytest.warns(UserWarning, match=r'beta2 0\.599 is raised to 0\.95'):
        assert adam_half_life(1e-3, 512 * 256, 256, least_beta2=0.95).betas == (0.9, 0.95)


def test_what_is_no_number_of_its_kind_is_refused_in_one_line():
    assert_all_refused({
        'batch 0:': lambda: sgd_linear(0.1, 0, 32), 'base -1:': lambda: sgd_sqrt(0.1, 32, -1),
        'lr nan:': lambda: sgd_linear(math.nan, 64, 32), 'lr 0:': lambda: surge(0, 64, 32, 100),
        'noise_batch inf:': lambda: surge(0.1, 64, 32, math.inf), 'batch inf:': lambda: ema(0.9, math.inf, 32),
        'eps -1:': lambda: adam_half_life(0.1, 64, 32, eps=-1), 'eps 0:': lambda: adam_sde(0.1, 64, 32, eps=0),
        'beta1 1:': lambda: adam_sde(0.1, 64, 32, betas=(1, 0.9)),
        'beta2 -0.1:': lambda: adam_half_life(1, 2, 1, betas=(0, -0.1)),
        'least_beta2 2:': lambda: adam_half_life(0.1, 64, 32, least_beta2=2), 'decay 1:': lambda: ema(1, 64, 32),
        'weight_decay -1:': lambda: weight_decay_tau(-1, 64, 32, base_lr=1, lr=1),
        'base_lr 0:': lambda: weight_decay_tau(1, 64, 32, base_lr=0, lr=1),
        '-5 steps': lambda: warmup_steps(-5, 64, 32),
        'beta1 0.5 at 2 times': lambda: adam_sde(0.1, 64, 32, betas=(0.5, 0.9)),  # 1 - k (1 - beta) is 0
        r'beta2 0.9 at 16 times the batch: 1 - k \(1 - beta2\) is -0.6 and must be above 0; stay below 10 times':
            lambda: adam_sde(0.1, 512, 32, betas=(0.99, 0.9)),
    }.items())  # fmt: skip


def test_the_rules_need_no_array():
    code = 'import sys, bigbatch.scaling; sys.exit(bool({"torch", "numpy"} & set(sys.modules)))'
    subprocess.run([sys.executable, '-c', code], cwd=PROJECT, check=True)
