"""Top eigenvalues and trace of a Hessian that is known by its products with vectors.

Eigenvalues by Lanczos iterations, scipy's eigsh (ARPACK); the trace by Hutchinson's estimate with random signs
(Hutchinson 1990): the mean of v^T H v. Products are over all the data: of single batches, as some do, they are noisy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from bigbatch.seeding import derive_seed

TOLERANCE = 1e-3  # of an eigenvalue, relative

Product = Callable[[np.ndarray], np.ndarray]


def check_num_eigenvalues(num: int, dim: int) -> None:
    """Refuse more eigenvalues than Lanczos iterations can find.

    Raises:
        ValueError: num is not from 1 to dim - 1.
    """
    if not 1 <= num < dim:
        raise ValueError(f'--num-eigenvalues {num}: expected 1 to {dim - 1:,}, less than the number of parameters')


def top_eigenvalues(product: Product, dim: int, num: int = 1, *, seed: int = 0) -> np.ndarray:
    """Return the largest eigenvalues, in falling order, to a relative error of about TOLERANCE.

    Args:
        product: of a symmetric matrix and a float64 vector (dim,).
        num: how many, below dim.
        seed: of the vector that the iterations start from.

    Raises:
        ValueError: see check_num_eigenvalues, or the iterations do not converge.
    """
    check_num_eigenvalues(num, dim)
    start = np.random.default_rng(derive_seed(seed, 'lanczos')).standard_normal(dim)
    operator = LinearOperator((dim, dim), matvec=lambda vector: product(vector.reshape(-1)), dtype=np.float64)
    try:
        values = eigsh(operator, k=num, which='LA', v0=start, tol=TOLERANCE, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        raise ValueError(f'{len(error.eigenvalues)} of {num} eigenvalues converged: ask for fewer') from error
    return np.sort(values)[::-1]


def estimate_trace(product: Product, dim: int, num_samples: int, *, seed: int = 0) -> tuple[float, float]:
    """Return an estimate of the trace and its standard error, nan for a single sample.

    Args:
        product: of a symmetric matrix and a float64 vector (dim,).
        num_samples: random vectors, a product each.
        seed: of the vectors.
    """
    rng = np.random.default_rng(derive_seed(seed, 'trace'))
    samples = np.empty(num_samples)
    for index in range(num_samples):
        signs = rng.choice((-1.0, 1.0), dim)
        samples[index] = signs @ product(signs)
    error = samples.std(ddof=1) / np.sqrt(num_samples) if num_samples > 1 else np.nan
    return float(samples.mean()), float(error)
