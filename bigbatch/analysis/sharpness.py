"""Sharpness of a minimum: how far the loss rises in a small box around it (Keskar et al. 2016, arXiv 1609.04836).

Metric 2.1: 100 (max f(x + A z) - f(x)) / (1 + f(x)) over the box |z_i| <= epsilon (|(A^+ x)_i| + 1), where A is the
identity or a random n x p matrix. The maximum is searched with 10 iterations of L-BFGS-B, as there; what is found is a
lower bound of it.

Where we differ: the solver sees z divided by the half-widths of the box and a loss scaled to a slope of its own, so
that its path does not depend on units; and it begins at the best of three points, see _find_start. SmoothOut's code
hands the solver the loss turned round and the gradient not; here both are turned round in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bigbatch.analysis.box import FullBox, SubspaceBox, build_box
from bigbatch.analysis.solver import minimize_in_cube
from bigbatch.seeding import derive_seed

STARTS = ('solution', 'random')
SLOPE = 10.0  # mean slope at the start as the solver sees it, of coordinates from -1 to 1: its first step is a long one
NUM_PAIRS = 5  # of vectors by which the solver knows the curvature: more take memory and find no more in 10 iterations
TOLERANCE = 1e-9  # the solver stops at so much of that slope, or at so small a gain

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False, kw_only=True)
class SharpnessResult:
    """What a search found."""

    sharpness: float  # metric 2.1
    loss: float  # at x
    max_loss: float  # the largest seen, at point; x itself where nothing larger was found
    point: np.ndarray  # float64 (n,)
    coordinates: np.ndarray | None  # z of point in the subspace, float64 (p,); None in full space
    num_evaluations: int  # of loss and gradient, the one at x included
    num_nonfinite: int  # evaluations without a finite loss and gradient: they count as no improvement
    start: str  # solution or random
    status: str  # how the search ended, in the solver's words


def epsilon_sharpness(
    objective: Objective, x: np.ndarray, epsilon: float = 1e-3, subspace_dim: int | None = None,
    max_iterations: int = 10, seed: int = 0, *, subspace: str = 'gaussian', start: str = 'solution',
) -> SharpnessResult:  # fmt: skip
    """Search the largest loss in the box around x.

    Args:
        objective: returns (loss, gradient (n,)) at a float64 array (n,); what it raises is passed on.
        x: (n,), the solution.
        epsilon: half-width of the box, relative to |x_i| + 1.
        subspace_dim: dimension p of a random subspace; None or 0: full space.
        max_iterations: of L-BFGS-B, 1 or more.
        seed: of the subspace and of a random start.
        subspace: see bigbatch.analysis.box.build_box.
        start: solution: x itself, or a random point of the box where x is stationary; random: such a point.

    Raises:
        ValueError: an argument that cannot hold, or a loss at x that is not finite.
    """
    if start not in STARTS:
        raise ValueError(f'start {start!r}: expected one of {", ".join(STARTS)}')
    if max_iterations < 1:
        raise ValueError(f'{max_iterations} iterations: expected 1 or more')
    x = np.asarray(x, dtype=np.float64)
    box = build_box(x, epsilon, subspace_dim, seed=seed, subspace=subspace)
    search = _Search(objective, box)
    begin, loss, start = _find_start(search, box.dim, start=start if epsilon else 'none', seed=seed)
    status = _run_solver(search, begin, max_iterations=max_iterations) if epsilon else 'the box is a point'
    return SharpnessResult(
        sharpness=100 * (search.best_loss - loss) / (1 + loss) if loss != -1 else np.nan,
        loss=loss,
        max_loss=search.best_loss,
        point=box.point(search.best),
        coordinates=box.coordinates(search.best),
        num_evaluations=search.num_evaluations,
        num_nonfinite=search.num_nonfinite,
        start=start,
        status=status,
    )


class _Seen(NamedTuple):
    """A point of the box in coordinates u (p,) from -1 to 1, the loss there and its slope along u (p,)."""

    u: np.ndarray
    loss: float  # -inf, and a slope of 0, where loss or gradient are not finite
    slope: np.ndarray


class _Search:
    """The objective over the box; it counts and keeps the best point."""

    best: np.ndarray  # from the first finite loss on

    def __init__(self, objective: Objective, box: FullBox | SubspaceBox):
        self._objective, self._box = objective, box
        self.best_loss = -np.inf
        self.num_evaluations = self.num_nonfinite = 0

    def __call__(self, u: np.ndarray) -> _Seen:
        """Evaluate at u (p,)."""
        loss, gradient = self._objective(self._box.point(u))
        self.num_evaluations += 1
        if not (np.isfinite(loss) and np.isfinite(gradient).all()):
            self.num_nonfinite += 1
            return _Seen(u, -np.inf, np.zeros_like(u))
        if loss > self.best_loss:
            self.best_loss, self.best = float(loss), u.copy()
        return _Seen(u, float(loss), self._box.slope(gradient))


def _find_start(search: _Search, dim: int, *, start: str, seed: int) -> tuple[list[_Seen], float, str]:
    """Return the point to start from, alone in a list, the loss at the solution and the start that was used.

    With start `none` it is the solution. Else it is the best of three: the start; the corner that its slope points to;
    the maximum of the function without cross terms that has the slopes of both. The last is the very maximum of a
    linear or a diagonal quadratic function, be it convex, concave or mixed.
    """
    seen = solution = search(np.zeros(dim))
    if solution.loss == -np.inf:
        raise ValueError('the loss or its gradient at the solution is not finite, so there is no sharpness')
    if start == 'none':
        return [solution], solution.loss, 'solution'
    rng = np.random.default_rng(derive_seed(seed, 'start'))
    if start == 'random' or not np.any(solution.slope):
        seen, start = search(rng.uniform(-1, 1, dim)), 'random'
    corner = search(np.where(seen.slope == 0, rng.choice((-1.0, 1.0), dim), np.sign(seen.slope)))
    points = [seen, corner]
    bend = (corner.slope - seen.slope) / (corner.u - seen.u)
    if corner.loss > -np.inf and np.any(bend < 0):
        top = seen.u - np.divide(seen.slope, bend, out=np.zeros(dim), where=bend < 0)
        points.append(search(np.where(bend < 0, np.clip(top, -1, 1), corner.u)))
    return [max(points, key=lambda point: point.loss)], solution.loss, start


def _run_solver(search: _Search, begin: list[_Seen], *, max_iterations: int) -> str:
    """Run L-BFGS-B from the point in the list, which is taken out as each vector counts; return its message."""
    first_loss, scale = begin[0].loss, SLOPE / (np.abs(begin[0].slope).mean() or 1.0)

    def negated(u: np.ndarray) -> tuple[float, np.ndarray]:
        seen = begin.pop() if begin else search(u)  # the solver asks for its start once more
        if seen.loss == -np.inf:
            return SLOPE * u.size, seen.slope  # as bad as the first step promised to be good
        return scale * (first_loss - seen.loss), -scale * seen.slope

    return minimize_in_cube(
        negated,
        begin[0].u,
        m=NUM_PAIRS,
        maxiter=max_iterations,
        pgtol=TOLERANCE * SLOPE,
        factr=TOLERANCE / np.finfo(float).eps,
    )
