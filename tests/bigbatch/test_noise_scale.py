"""bigbatch.NoiseScale, against gradients whose mean and covariance are known."""

import math

import numpy as np
import pytest

import bigbatch
from tests.data_helpers import assert_refused

SMALL, BIG = 4, 64


def squared_norms(rng, mean, sigma, num_updates):
    """Draw squared norms of mean gradients over SMALL and over BIG examples: the first is part of the second."""
    parts = mean + rng.standard_normal((num_updates, BIG // SMALL, mean.size)) * sigma / math.sqrt(SMALL)
    return np.square(parts).sum(axis=2).mean(axis=1), np.square(parts.mean(axis=1)).sum(axis=1)


def test_its_interval_covers_the_truth_as_often_as_it_says():
    rng, mean, sigma = np.random.default_rng(0), np.full(20, 0.3), 1.5
    true = 20 * sigma**2 / (20 * 0.3**2)
    covered, values = 0, []
    for _ in range(400):
        scale = bigbatch.NoiseScale(SMALL, BIG, horizon=math.inf)
        for pair in zip(*squared_norms(rng, mean, sigma, 40), strict=True):
            scale.update(*pair)
        low, high = scale.interval
        covered += low <= true <= high
        values.append(scale.value)
    assert np.median(values) == pytest.approx(true, rel=0.03)
    assert 0.92 <= covered / 400 <= 0.98, covered / 400


def test_old_updates_fade_by_the_horizon():
    """Against the weights written out: all alike while there are few, then by 1 - 1 / horizon an update."""
    small, big = np.random.default_rng(1).uniform([[2], [1]], [[3], [2]], (2, 30))
    scale, weights = bigbatch.NoiseScale(SMALL, BIG, horizon=10), np.zeros(0)
    for index, pair in enumerate(zip(small, big, strict=True)):
        weights = np.append(weights * (1.0 if index < 10 else 0.9), 1.0)
        scale.update(*pair)
    norm2 = np.average((BIG * big - SMALL * small) / (BIG - SMALL), weights=weights)
    variance = np.average((small - big) / (1 / SMALL - 1 / BIG), weights=weights)
    assert (scale.gradient_norm2, scale.gradient_variance) == pytest.approx((norm2, variance), rel=1e-12)
    assert scale.value == pytest.approx(variance / norm2, rel=1e-12)


def test_a_gradient_that_is_lost_in_noise_gives_nan():
    scale = bigbatch.NoiseScale(SMALL, BIG)
    assert math.isnan(scale.value) and all(map(math.isnan, scale.interval))
    last = bigbatch.NoiseScale(SMALL, BIG, horizon=1)  # the last update alone: no deviation
    for _ in range(4):
        last.update(2.0, 1.0)
    assert all(map(math.isnan, last.interval))
    for pair in zip(*squared_norms(np.random.default_rng(2), np.zeros(20), 1.0, 30), strict=True):
        scale.update(*pair)
    assert all(map(math.isnan, scale.interval))
    assert math.isnan(scale.value) == (scale.gradient_norm2 <= 0)


def test_wrong_arguments_are_refused_in_one_line():
    assert_refused('small 8, big 8: expected 1 <= small < big', lambda: bigbatch.NoiseScale(8, 8))
    assert_refused('horizon 0', lambda: bigbatch.NoiseScale(1, 8, horizon=0))
    assert_refused('finite numbers are needed', lambda: bigbatch.NoiseScale(1, 8).update(math.nan, 1.0))
