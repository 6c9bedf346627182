"""Eigenvalues and traces against dense matrices."""

import numpy as np

from bigbatch.analysis.hessian import hessian_trace, top_eigenvalues
from tests.data_helpers import assert_refused


def symmetric(rng, eigenvalues):
    n = len(eigenvalues)
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return basis @ np.diag(eigenvalues) @ basis.T


class Quadratic:
    def __init__(self, matrix):
        self._matrix, self.solution = matrix, np.zeros(len(matrix))

    def hessian_product(self, x, vector):
        return self._matrix @ vector


def test_top_eigenvalues_of_a_matrix():
    eigenvalues = np.concatenate([[9.0, 7.0, 6.5], np.linspace(-30, 2, 57)])  # -30 is larger in size only
    objective = Quadratic(symmetric(np.random.default_rng(0), eigenvalues))
    for k in (1, 3):
        assert np.allclose(top_eigenvalues(objective, k), eigenvalues[:k], rtol=1e-3)


def test_the_trace_of_a_matrix_is_within_three_standard_errors():
    matrix = symmetric(np.random.default_rng(0), np.linspace(-3, 10, 50))
    misses = []
    for seed in range(20):
        trace, error = hessian_trace(Quadratic(matrix), 100, seed=seed)
        misses.append((trace - np.trace(matrix)) / error)
    assert np.abs(misses).max() < 3
    assert 0.5 < np.std(misses) < 1.7  # so the error says how far off the estimate is
    diagonal = Quadratic(np.diag(np.arange(50.0)))
    assert hessian_trace(diagonal, 2).value == np.arange(50).sum()  # exact for diagonal ones
    assert np.isnan(hessian_trace(diagonal, 1).error)


def test_too_many_eigenvalues_and_too_few_samples_are_refused():
    for k in (0, 5, 6):
        assert_refused(f'k {k}: expected 1 to 4', lambda: top_eigenvalues(Quadratic(np.eye(5)), k))  # noqa: B023
    assert_refused('num_samples 0', lambda: hessian_trace(Quadratic(np.eye(5)), 0))
