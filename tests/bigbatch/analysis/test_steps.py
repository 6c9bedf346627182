"""The steps to a target: a noisy quadratic whose moments are exact, planted curves, minima by brute force."""

import math

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize

from bigbatch.analysis.steps import StepsFit, fit_steps, predict_steps
from tests.data_helpers import assert_all_refused

BATCHES = 2.0 ** np.arange(0, 12)


def planted(batches, s_min: float = 30, e_min: float = 3000, noise: float = 0.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    return (s_min + e_min / np.asarray(batches)) * np.exp(noise * rng.standard_normal(len(batches)))


def intervals(fit: StepsFit) -> list[tuple[float, float]]:
    return [fit.s_min_interval, fit.e_min_interval, fit.critical_batch_interval]


def descend(condition: int, white: bool, batch: float) -> tuple[float, list[float]]:
    """Return (steps, noise scales) of SGD on a quadratic, from loss 1 to 0.03 of it, at the best rate of each step.

    H has eigenvalues from 1 / condition to 1, the noise of an example the covariance H or the identity. The second
    moment v of each coordinate goes to (1 - lr h)**2 v + lr**2 sigma / batch: no sampling. A crossing is interpolated.
    """
    h = np.geomspace(1 / condition, 1, 20)
    sigma, v = (0.3 * np.ones(20), np.ones(20)) if white else (h, np.ones(20))
    losses, scales = [h @ v], []
    while losses[-1] > 0.03 * losses[0]:
        norm2 = h**2 @ v
        lr = norm2 / (h**3 @ v + h @ sigma / batch)
        scales.append(sigma.sum() / norm2)
        v = (1 - lr * h) ** 2 * v + lr**2 * sigma / batch
        losses.append(h @ v)
    over = math.log(0.03 * losses[0] / losses[-1]) / math.log(losses[-2] / losses[-1])
    return len(scales) - over, scales


def test_the_curve_holds_on_a_quadratic_and_one_run_near_the_critical_batch_predicts_it():
    for condition, white in ((30, False), (30, True), (100, False), (1000, False)):
        steps = np.array([descend(condition, white, batch)[0] for batch in BATCHES])
        fit = fit_steps(BATCHES, steps, num_bootstrap=0)
        assert np.abs(np.log(steps / fit.steps(BATCHES))).max() < math.log(1.16), (condition, white)
        near = 2 ** round(math.log2(fit.critical_batch))
        for batch in (near // 2, near, 2 * near):
            steps, scales = descend(condition, white, batch)
            s_min, e_min = predict_steps(scales, batch)
            assert e_min / s_min == pytest.approx(fit.critical_batch, rel=0.3), (condition, white, batch)
            assert s_min + e_min / batch == pytest.approx(len(scales)) == pytest.approx(steps, abs=1)
        assert np.mean(scales) > 1.15 * e_min / s_min  # not the mean of the noise scales


def test_a_planted_curve_is_found_and_its_identities_hold():
    for s_min, e_min, batches in (
        (30, 3000, (8, 64, 512)),
        (7, 1e6, (16, 32)),
        (5000, 40, (1, 2, 4)),
        (0.5, 9, BATCHES),
    ):
        fit = fit_steps(batches, planted(batches, s_min, e_min))
        assert (fit.s_min, fit.e_min, fit.critical_batch) == pytest.approx((s_min, e_min, e_min / s_min), rel=1e-6)
        assert fit.residual == pytest.approx(1)
        for batch in (1, 77, 5e5):
            assert fit.examples(batch) == pytest.approx(batch * fit.steps(batch))
            assert (fit.steps(batch) / fit.s_min - 1) * (fit.examples(batch) / fit.e_min - 1) == pytest.approx(1)
        critical = fit.critical_batch
        assert (fit.steps(critical), fit.examples(critical)) == pytest.approx((2 * s_min, 2 * e_min), rel=1e-5)
        assert fit.steps(fit.linear_to()) == pytest.approx(1.2 * e_min / fit.linear_to(), rel=1e-5)
        assert fit.linear_to(1) == pytest.approx(critical)


def test_the_fit_is_the_least_square_that_another_search_finds():
    batches = np.repeat([4, 16, 64, 256], 3)
    steps = planted(batches, noise=0.2)
    start = np.log([steps.min(), (batches * steps).min()])
    found = least_squares(lambda x: np.logaddexp(x[0], x[1] - np.log(batches)) - np.log(steps), start, xtol=1e-12)
    fit = fit_steps(batches, steps)
    assert (fit.s_min, fit.e_min) == pytest.approx(np.exp(found.x), rel=1e-5)
    assert fit.residual == pytest.approx(math.exp(math.sqrt(np.mean(found.fun**2))))

    def loss(x, prior):
        points = (np.logaddexp(x[0], x[1] - np.log(batches)) - np.log(steps)) / math.log(1.1)
        return points @ points + np.sum((x - np.log(prior[:2])) ** 2) / math.log(prior[2]) ** 2

    for prior in ((10, 9000, 2.5), (100, 1000, 1.05), (18, 9e5, 2.5), (0.01, 10, 2)):  # the last two contradict it
        best = minimize(loss, start, (prior,), method='Nelder-Mead', options={'xatol': 1e-8, 'fatol': 1e-10})
        fit = fit_steps(batches, steps, prior=prior, num_bootstrap=0)
        assert (fit.s_min, fit.e_min) == pytest.approx(np.exp(best.x), rel=1e-4)


def test_the_intervals_hold_what_was_planted_as_often_as_they_say():
    for batches, num_seeds in (((16, 512), 3), ((4, 16, 64, 256, 1024), 1)):
        points = np.repeat(batches, num_seeds)
        held = [
            [low <= truth <= high for (low, high), truth in zip(intervals(fit), (30, 3000, 100), strict=True)]
            for seed in range(200)
            for fit in [fit_steps(points, planted(points, noise=0.08, seed=seed), num_bootstrap=200, seed=seed)]
        ]
        assert ((np.mean(held, axis=0) > 0.9) & (np.mean(held, axis=0) < 0.99)).all(), np.mean(held, axis=0)


def test_an_asymptote_that_no_point_comes_near_is_open():
    small, large = np.repeat([1, 2, 4], 3), np.repeat([2e4, 4e4, 8e4], 3)
    linear, flat = fit_steps(small, planted(small, noise=0.1)), fit_steps(large, planted(large, noise=0.1))
    assert (linear.s_min_interval[0], linear.critical_batch_interval[1]) == (0, math.inf)
    assert linear.e_min_interval[0] > 2000 and linear.e_min_interval[1] < 4500
    assert (flat.e_min_interval[0], flat.critical_batch_interval[0]) == (0, 0)
    assert flat.s_min_interval[0] > 24 and flat.s_min_interval[1] < 37
    steep = fit_steps([1, 2, 4], [1000, 500, 249])
    assert (steep.s_min, steep.critical_batch, steep.best_batch(1, 1)) == (0, math.inf, math.inf)
    assert steep.within(1, 1)[1] == math.inf
    rising = fit_steps([1, 2, 4], [100, 100, 101])
    assert (rising.e_min, rising.critical_batch, rising.best_batch(1, 1), rising.within(1, 1)[0]) == (0, 0, 0, 0)


def test_a_prior_speaks_where_the_points_are_silent():
    small = np.repeat([1, 2, 4], 3)
    fit = fit_steps(small, planted(small, noise=0.1), prior=(40, 9000, 1.5))
    assert fit.s_min == pytest.approx(40, rel=0.05)  # in nothing but the prior
    assert fit.e_min == pytest.approx(3000, rel=0.1)  # in the points
    low, high = fit.s_min_interval  # the prior's own, 1.96 deviations either way
    assert (math.log(fit.s_min / low), math.log(high / fit.s_min)) == pytest.approx([1.96 * math.log(1.5)] * 2, rel=0.2)
    two = fit_steps([16, 512], planted([16, 512]), prior=(60, 3000, 2.5))
    assert two.critical_batch == pytest.approx(100, rel=0.03)


def test_the_best_batch_takes_the_least_time():
    fit, batches = fit_steps([8, 512], planted([8, 512])), np.geomspace(0.1, 1e5, 400_001)
    for alpha, beta in ((0.01, 1e-4), (2.0, 0.5), (1e-3, 1e-2)):
        times = fit.steps(batches) * (alpha + beta * batches)
        assert fit.best_batch(alpha, beta) == pytest.approx(batches[times.argmin()], rel=1e-3)
        assert fit.best_time(alpha, beta) == pytest.approx(times.min())
        for slack in (0.05, 0.5):
            near = batches[times <= (1 + slack) * times.min()]
            assert fit.within(alpha, beta, slack) == pytest.approx((near[0], near[-1]), rel=1e-3)
        assert fit.within(alpha, beta) == fit.within(alpha, beta, 0.05)
        assert fit.within(alpha, beta, 0) == pytest.approx([fit.best_batch(alpha, beta)] * 2, rel=1e-5)


def test_lost_noise_scales_are_left_out_while_they_are_few():
    scales = np.geomspace(1, 100, 19)
    whole = predict_steps(scales, 10)
    assert whole == pytest.approx((sum(1 / (1 + scales / 10)), sum(scales / (1 + scales / 10))))
    assert predict_steps([*scales, math.nan], 10) == whole
    assert predict_steps([*scales, math.nan], 10, num_steps=190) == pytest.approx(np.multiply(whole, 10))
    assert predict_steps([0.0] * 5, 10) == (5, 0)  # no noise: no gain from a larger batch
    assert_all_refused([
        ('lost at 3 of 22 steps', lambda: predict_steps([*scales, *[math.nan] * 3], 10)),
        ('lost at 3 of 22 steps', lambda: predict_steps([*scales, -1.0, math.inf, math.nan], 10)),
        ('lost at 1 of 10 steps', lambda: predict_steps([*scales[:9], math.nan], 10)),
    ])  # fmt: skip


def test_too_little_and_what_is_no_number_is_refused():
    two = fit_steps([16, 512], [200, 40])
    assert np.isnan(intervals(two)).all()
    again = [fit_steps(BATCHES, planted(BATCHES, noise=0.1), seed=seed) for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    assert_all_refused([
        ('steps at 1 different batches: at least 2', lambda: fit_steps([16, 16], [200, 210])),
        ('nan steps at batch 64: ', lambda: fit_steps([16, 64], [200, math.nan])),
        ('5 steps at batch 0: ', lambda: fit_steps([16, 0], [200, 5])),
        ('2 batches and 1 steps', lambda: fit_steps([16, 64], [200])),
            ('slack -0.5', lambda: two.within(1, 1, -0.5)),
        ('factor above 1', lambda: fit_steps([16, 64], [200, 90], prior=(10, 100, 1))),
        ('s_min and e_min above 0', lambda: fit_steps([16, 64], [200, 90], prior=(0, 100, 2))),
        ('batch 0: ', lambda: predict_steps([1.0], 0)),
        ('0 of 0 steps', lambda: predict_steps([], 8)),
        (r'time of a step 0 \+ 1 B', lambda: two.best_batch(0, 1)),
        (r'time of a step 1 \+ nan B', lambda: two.best_time(1, math.nan)),
        (r'time of a step 1 \+ -1 B', lambda: two.within(1, -1)),
    ])  # fmt: skip
