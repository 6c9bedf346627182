"""The box around a solution that metric 2.1 of Keskar et al. 2016 (arXiv 1609.04836) looks into, full or in a subspace.

Both are seen through coordinates u, each from -1 to 1: z = half_width * u, and a point is x + A z. In a random subspace
A is one float32 matrix; its products are summed in float64, a block of rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bigbatch.seeding import derive_seed

SUBSPACES = ('gaussian', 'unit')
BLOCK = 2**11  # rows of A that are float64 at a time: few, so that they stay in the cache


def build_box(
    x: np.ndarray, epsilon: float, subspace_dim: int | None = None, *, seed: int = 0, subspace: str = 'gaussian'
) -> FullBox | SubspaceBox:
    """Build the box |z_i| <= epsilon (|(A^+ x)_i| + 1) around x.

    Args:
        x: float64 (n,).
        subspace_dim: columns of A; None or 0: full space, where A is the identity.
        seed: of A.
        subspace: gaussian: the entries of A are from N(0, 1); unit: its columns are then scaled to length 1.

    Raises:
        ValueError: an argument that cannot hold.
    """
    if x.ndim != 1 or not x.size:
        raise ValueError(f'a solution of shape {x.shape}: expected one or more numbers in one dimension')
    if not np.isfinite(x).all():
        raise ValueError(f'{np.sum(~np.isfinite(x)):,} of {x.size:,} weights are not finite: no box around them')
    if not 0 <= epsilon < np.inf:
        raise ValueError(f'epsilon {epsilon}: expected a finite number from 0')
    if subspace not in SUBSPACES:
        raise ValueError(f'subspace {subspace!r}: expected one of {", ".join(SUBSPACES)}')
    if not subspace_dim:
        return FullBox(x, epsilon)
    if not 0 < subspace_dim <= x.size:
        raise ValueError(f'subspace_dim {subspace_dim}: expected 0 to {x.size:,}, the number of parameters')
    return SubspaceBox(x, epsilon, draw_matrix(x.size, subspace_dim, seed=seed, subspace=subspace))


def draw_matrix(num_rows: int, num_columns: int, *, seed: int, subspace: str) -> np.ndarray:
    """Draw the float32 matrix A of a random subspace; see build_box."""
    rng = np.random.default_rng(derive_seed(seed, 'subspace'))
    matrix = np.empty((num_rows, num_columns), dtype=np.float32)
    for start in range(0, num_rows, BLOCK):  # no signal is heard while all of it is drawn
        rng.standard_normal(dtype=np.float32, out=matrix[start : start + BLOCK])
    if subspace == 'unit':
        squares = sum(np.square(block).sum(axis=0) for _, block in _blocks(matrix))
        matrix /= np.sqrt(squares).astype(np.float32)
    return matrix


class FullBox:
    """The box in full space."""

    def __init__(self, x: np.ndarray, epsilon: float):
        self.dim = x.size
        self._x = x
        self._half_width = epsilon * (np.abs(x) + 1)

    def point(self, u: np.ndarray) -> np.ndarray:
        """Return x + half_width * u, with nothing outside the box by rounding."""
        point = self._half_width * u
        point += self._x
        outside = np.abs(point - self._x) > self._half_width
        point[outside] = np.nextafter(point[outside], self._x[outside])
        return point

    def slope(self, gradient: np.ndarray) -> np.ndarray:
        """Return half_width * gradient."""
        return self._half_width * gradient

    def coordinates(self, u: np.ndarray) -> None:
        """Return None: a point says it all."""


class SubspaceBox:
    """The box in the span of the columns of A."""

    def __init__(self, x: np.ndarray, epsilon: float, matrix: np.ndarray):
        self.dim = matrix.shape[1]
        self._x, self._matrix = x, matrix
        gram = sum(block.T @ block for _, block in _blocks(matrix))
        projected = np.linalg.solve(gram, self._transposed_product(x))  # A^+ x = (A^T A)^-1 A^T x
        self._half_width = epsilon * (np.abs(projected) + 1)

    def point(self, u: np.ndarray) -> np.ndarray:
        """Return x + A (half_width * u)."""
        point, z = self._x.copy(), self.coordinates(u)
        for rows, block in _blocks(self._matrix):
            point[rows] += block @ z
        return point

    def slope(self, gradient: np.ndarray) -> np.ndarray:
        """Return half_width * A^T gradient."""
        return self._half_width * self._transposed_product(gradient)

    def coordinates(self, u: np.ndarray) -> np.ndarray:
        """Return half_width * u."""
        return self._half_width * u

    def _transposed_product(self, vector: np.ndarray) -> np.ndarray:
        return sum(vector[rows] @ block for rows, block in _blocks(self._matrix))


def _blocks(matrix: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(matrix), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, matrix[rows].astype(np.float64)
