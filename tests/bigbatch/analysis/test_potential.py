"""The random potential: exponents that are planted, and directions that differ."""

import numpy as np
import pytest

from bigbatch.analysis.potential import random_direction, summarise_potential


def test_planted_exponents_are_recovered():
    rng, distances = np.random.default_rng(0), np.geomspace(0.1, 10, 7)
    for alpha in (1.0, 2.0, 3.0):
        walk = rng.standard_normal((50, 1)) * distances ** (alpha / 2)
        found = summarise_potential(distances, walk)
        assert (found.alpha, found.r2) == (pytest.approx(alpha), pytest.approx(1.0))
        assert found.stds == pytest.approx(walk.std(axis=0, ddof=1))


def test_directions_are_unit_vectors_that_differ():
    directions = np.array([random_direction(500, seed, index) for seed in (0, 1) for index in (0, 1)])
    products = directions @ directions.T
    assert np.diag(products) == pytest.approx(np.ones(4))
    assert np.abs(products - np.eye(4)).max() < 0.3
    assert (random_direction(500, 0, 1) == directions[1]).all()


def test_too_little_is_refused():
    with pytest.raises(ValueError, match='1 random direction'):
        summarise_potential([1.0, 2.0], np.ones((1, 2)))
    with pytest.raises(ValueError, match='varies at fewer than 2'):
        summarise_potential([1.0, 2.0], np.ones((3, 2)))
