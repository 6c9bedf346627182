"""L-BFGS-B with all coordinates from -1 to 1: scipy's solver without what scipy does in Python for each bound.

With 17 million coordinates that takes a minute or more, and 4 GiB, before the solver asks for its first loss. So its
steps (Byrd, Lu, Nocedal, Zhu 1995) are asked for here as scipy.optimize does it, with the same digits. They are no
public part of scipy: where they do not solve a small problem as its public function does, that one is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

EVALUATE, NEW_ITERATION = 3, 1  # what a step of the solver asks for
STOP, TOO_MANY_ITERATIONS = 5, 504  # and what it is told
HAS_BOTH_BOUNDS, MOST_POINTS_ON_A_LINE = 2, 20

Function = Callable[[np.ndarray], tuple[float, np.ndarray]]


def minimize_in_cube(function: Function, start: np.ndarray, **settings) -> str:
    """Search the least value of a function of u (n,), float64, each coordinate from -1 to 1; return how it ended.

    Args:
        function: returns (value, gradient (n,)), and is first called with the start.
        start: (n,).
        settings: m, pairs of vectors by which the solver knows the curvature; maxiter; it ends at a slope of at most
            pgtol, or a relative gain of at most factr times the spacing of numbers.
    """
    solve = _solve if _is_known() else _solve_by_scipy
    return solve(function, start, **settings)


def _solve_by_scipy(function: Function, start: np.ndarray, **settings) -> str:
    # A list that repeats one pair: Bounds, and minimize, would make two Python floats for every coordinate.
    *_, report = fmin_l_bfgs_b(function, start, bounds=[(-1.0, 1.0)] * start.size, **settings)
    return str(report['task'])


def _solve(function: Function, start: np.ndarray, *, m: int, maxiter: int, pgtol: float, factr: float) -> str:
    from scipy.optimize import _lbfgsb_py as scipys

    n, u = start.size, np.clip(start, -1.0, 1.0)
    lower, upper, kinds = np.full(n, -1.0), np.full(n, 1.0), np.full(n, HAS_BOTH_BOUNDS, dtype=np.int32)
    value, slope = np.array(0.0), np.zeros(n)
    work, numbers = np.zeros(2 * m * n + 5 * n + 11 * m * m + 8 * m), np.zeros(3 * n, dtype=np.int32)
    task, line_task, flags = (np.zeros(size, dtype=np.int32) for size in (2, 2, 4))
    counts, reals = np.zeros(44, dtype=np.int32), np.zeros(29)
    num_iterations = 0
    while True:
        scipys._lbfgsb.setulb(
            m, u, lower, upper, kinds, value, slope, factr, pgtol, work, numbers, task, flags, counts, reals,
            MOST_POINTS_ON_A_LINE, line_task,
        )  # fmt: skip
        if task[0] == EVALUATE:
            found, slope = function(u.copy())  # u itself is changed by the next step
            value = np.array(found)
        elif task[0] == NEW_ITERATION:
            num_iterations += 1
            if num_iterations >= maxiter:
                task[:] = STOP, TOO_MANY_ITERATIONS
        else:
            return f'{scipys.status_messages[task[0]]}: {scipys.task_messages[task[1]]}'


@functools.cache
def _is_known() -> bool:
    """Say whether the solver's steps are those that are known here."""

    def seen_by(solve: Callable) -> list:
        points: list = []

        def bent(u: np.ndarray) -> tuple[float, np.ndarray]:
            points.append(u.tolist())
            return float(np.sum(u**4 + u)), 4 * u**3 + 1

        return [solve(bent, np.array([0.5, -1.0]), m=2, maxiter=3, pgtol=1e-9, factr=10.0), points]

    try:
        return seen_by(_solve) == seen_by(_solve_by_scipy)
    except Exception:  # whatever another form of it may raise
        return False
