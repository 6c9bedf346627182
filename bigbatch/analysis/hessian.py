"""Top eigenvalues and trace of the Hessian of a loss.

Eigenvalues by Lanczos iterations, scipy's eigsh (ARPACK); the trace by Hutchinson's estimate with random signs
(Hutchinson 1990): the mean of v^T H v. Products are over all the data: of single batches, as some do, they are noisy.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from bigbatch.seeding import derive_seed

TOLERANCE = 1e-3  # of an eigenvalue, relative


class Twice(Protocol):
    """A function with second derivatives, such as bigbatch.network_objective returns."""

    solution: np.ndarray  # float64 (n,)

    def hessian_product(self, x: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Return the product (n,) of the Hessian at x (n,) and a vector (n,)."""


class Trace(NamedTuple):
    """An estimate of a trace and its standard error, nan for a single sample."""

    value: float
    error: float


def top_eigenvalues(objective: Twice, k: int = 1, *, x: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Return the k largest eigenvalues of the Hessian, in falling order, to a relative error of about TOLERANCE.

    Args:
        k: from 1 to n - 1.
        x: (n,), where; None: at objective.solution.
        seed: of the vector that the iterations start from.

    Raises:
        ValueError: another k, or the iterations do not converge.
    """
    x = objective.solution if x is None else x
    if not 1 <= k < x.size:
        raise ValueError(f'k {k}: expected 1 to {x.size - 1:,}, less than the number of parameters')
    start = np.random.default_rng(derive_seed(seed, 'lanczos')).standard_normal(x.size)
    operator = LinearOperator(
        (x.size, x.size), matvec=lambda vector: objective.hessian_product(x, vector.reshape(-1)), dtype=np.float64
    )
    try:
        values = eigsh(operator, k=k, which='LA', v0=start, tol=TOLERANCE, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        raise ValueError(f'{len(error.eigenvalues)} of {k} eigenvalues converged: ask for fewer') from error
    return np.sort(values)[::-1]


def hessian_trace(objective: Twice, num_samples: int = 10, *, x: np.ndarray | None = None, seed: int = 0) -> Trace:
    """Estimate the trace of the Hessian.

    Args:
        num_samples: random vectors, a product each; from 1.
        x: (n,), where; None: at objective.solution.
        seed: of the vectors.

    Raises:
        ValueError: no sample.
    """
    if num_samples < 1:
        raise ValueError(f'num_samples {num_samples}: expected 1 or more')
    x = objective.solution if x is None else x
    rng = np.random.default_rng(derive_seed(seed, 'trace'))
    samples = np.empty(num_samples)
    for index in range(num_samples):
        signs = rng.choice((-1.0, 1.0), x.size)
        samples[index] = signs @ objective.hessian_product(x, signs)
    error = samples.std(ddof=1) / np.sqrt(num_samples) if num_samples > 1 else np.nan
    return Trace(float(samples.mean()), float(error))
