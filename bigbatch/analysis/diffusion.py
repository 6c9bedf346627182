"""Two laws of how the distance from the initial weights grows with the updates: like their logarithm, or like a power.

Hoffer et al. 2017 (arXiv 1705.08741), section 3: in the first phase, at a high rate, norm(w_t - w_0) grows like log t,
as a random walk on a random potential does; ordinary diffusion would be a power law, t**0.5. Where we differ: the paper
draws the points on a logarithmic axis; this fits both laws and gives the R2 of either, in the plane of distances, so
that they compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class DiffusionFit:
    """Both laws, a + b log t and c t**p, fitted to the same points."""

    intercept: float  # a
    slope: float  # b, per factor e of updates
    log_r2: float  # of a + b log t
    factor: float  # c
    exponent: float  # p
    power_r2: float  # of c t**p, in the plane of distances as well; below 0 where a constant would be nearer
    last_step: int  # of the points
    num_points: int  # that were fitted


def fit_diffusion(steps: ArrayLike, distances: ArrayLike) -> DiffusionFit:
    """Fit a + b log t and c t**p to distances.

    Args:
        steps: updates made, above 0.
        distances: from the initial weights, after them; those of 0 have no logarithm and count for neither law.

    Raises:
        ValueError: fewer than two different steps.
    """
    table = np.array([steps, distances], dtype=float)
    times, values = table[:, np.isfinite(table[1]) & (table > 0).all(axis=0)]
    num_different = len(np.unique(times))
    if num_different < 2:
        raise ValueError(f'a fit over {num_different} different updates: at least 2 are needed')
    logs = np.log(times)
    slope, intercept = np.polyfit(logs, values, 1)
    exponent, log_factor = np.polyfit(logs, np.log(values), 1)
    return DiffusionFit(
        intercept=float(intercept),
        slope=float(slope),
        log_r2=r_squared(values, intercept + slope * logs),
        factor=float(np.exp(log_factor)),
        exponent=float(exponent),
        power_r2=r_squared(values, np.exp(log_factor + exponent * logs)),
        last_step=int(times.max()),
        num_points=len(times),
    )


def r_squared(values: np.ndarray, fitted: np.ndarray) -> float:
    """Return 1 - sum (values - fitted)**2 / sum (values - mean)**2; nan where all values are the same."""
    total = np.sum((values - values.mean()) ** 2)
    return float(1 - np.sum((values - fitted) ** 2) / total) if total > 0 else math.nan
