"""How the loss varies with the distance from a point of weight space: the random potential behind the diffusion law.

Hoffer et al. 2017 (arXiv 1705.08741), section 3 and appendix: where E (L(w1) - L(w2))**2 ~ norm(w1 - w2)**alpha, a
random walk over the loss travels like (log t)**(2 / alpha). They find alpha about 2: the standard deviation of the loss
grows in proportion to the distance. Measured here: losses at given distances along random directions from a network's
weights, those of `initial.pth.tar` as in the paper, or any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bigbatch.analysis.diffusion import r_squared
from bigbatch.seeding import derive_seed

RELATIVE_DISTANCES = (0.01, 0.018, 0.032, 0.056, 0.1, 0.18, 0.32, 0.56, 1.0)  # to the norm of the weights


@dataclass(frozen=True)
class Potential:
    """What the losses along random directions come to."""

    distances: np.ndarray  # from the start, (k,)
    stds: np.ndarray  # sample standard deviation of the loss over the directions, (k,)
    means: np.ndarray  # of the loss differences from the start, (k,)
    alpha: float  # of std ~ distance**(alpha / 2), least squares in logarithms
    r2: float  # of that fit, in logarithms


def random_direction(dim: int, seed: int, index: int) -> np.ndarray:
    """Return a point of the unit sphere, uniform over it, float64 (dim,); another one for each seed and index."""
    direction = np.random.default_rng(derive_seed(seed, 'potential', index)).standard_normal(dim)
    return direction / np.linalg.norm(direction)


def summarise_potential(distances: ArrayLike, differences: np.ndarray) -> Potential:
    """Summarise loss differences (directions, k) at distances (k,) above 0, and fit the exponent.

    A ValueError asks for two directions, and two distances at which the loss varies.
    """
    radii = np.asarray(distances, dtype=float)
    if len(differences) < 2:
        raise ValueError(f'{len(differences)} random direction: a deviation needs at least 2')
    stds = differences.std(axis=0, ddof=1)
    varies = np.isfinite(stds) & (stds > 0)
    if varies.sum() < 2:
        raise ValueError('the loss varies at fewer than 2 of the distances: larger ones are needed')
    logs, values = np.log(radii[varies]), np.log(stds[varies])
    slope, level = np.polyfit(logs, values, 1)
    r2 = r_squared(values, level + slope * logs)
    return Potential(radii, stds, differences.mean(axis=0), alpha=float(2 * slope), r2=r2)
