"""How many updates a target takes at each batch size, and which batch takes the least time.

McCandlish et al. 2018 (arXiv 1812.06162), section 2: S(B) = S_min + E_min / B updates and thus E(B) = E_min + S_min B
examples; (S / S_min - 1) (E / E_min - 1) = 1; at the critical batch E_min / S_min both are twice the least. It holds
for rates tuned at each batch, and tells nothing of lower targets. Where we differ: log S is fitted, since runs miss the
curve by a factor, and the intervals count what the curve misses as well as what the seeds differ by.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ['StepsFit', 'fit_steps', 'predict_steps']

TAIL = 0.025  # on either side of an interval
POINT_FACTOR = 1.1  # by which a point is held to miss the curve, where it is weighed against a prior
LIMIT, SPACING = 12, 0.1  # grid of the logit of S_min's share in S at the mean batch; beyond it the share is 0 or 1


@dataclass(frozen=True)
class StepsFit:
    """S(B) = s_min + e_min / B updates to a target; intervals of 95 %, (nan, nan) where nothing tells of the noise.

    critical_batch is e_min / s_min in examples, where both are twice the least; Zhang et al. 2024 mean `linear_to()`.
    """

    s_min: float  # updates at an endless batch; 0 where the points show no end of linear scaling
    e_min: float  # examples at the smallest batch; 0 where they show no gain from a larger one
    critical_batch: float  # inf and 0 in these two cases
    s_min_interval: tuple[float, float]
    e_min_interval: tuple[float, float]
    critical_batch_interval: tuple[float, float]
    residual: float  # factor by which a point typically misses the curve: exp of the root mean square of its log

    def steps(self, batch: float) -> float:
        """Return updates to the target."""
        return self.s_min + self.e_min / batch

    def examples(self, batch: float) -> float:
        """Return examples to the target."""
        return self.e_min + self.s_min * batch

    def linear_to(self, slowdown: float = 0.2) -> float:
        """Return the batch where steps exceed linear scaling by this part: slowdown * critical_batch."""
        return slowdown * self.critical_batch

    def best_batch(self, alpha: float, beta: float) -> float:
        """Return sqrt(critical_batch alpha / beta), the batch of the least time; so do the ends of its interval follow.

        An update takes alpha + beta B seconds; a ValueError refuses either that is not above 0.
        """
        _check_times(alpha, beta)
        return math.sqrt(self.critical_batch * alpha / beta)

    def best_time(self, alpha: float, beta: float) -> float:
        """Return seconds to the target at the best batch: (sqrt(s_min alpha) + sqrt(e_min beta))**2."""
        _check_times(alpha, beta)
        return (math.sqrt(self.s_min * alpha) + math.sqrt(self.e_min * beta)) ** 2

    def within(self, alpha: float, beta: float, slack: float = 0.05) -> tuple[float, float]:
        """Return the smallest and the largest batch that take at most 1 + slack times the best time, slack from 0."""
        if not 0 <= slack < math.inf:
            raise ValueError(f'slack {slack}: a finite number from 0 is needed')
        steps, examples = self.s_min * alpha, self.e_min * beta
        # S(B) (alpha + beta B) = (1 + slack) T, as s_min beta B**2 - middle B + e_min alpha = 0
        middle = (1 + slack) * self.best_time(alpha, beta) - steps - examples
        top = middle + math.sqrt(max(middle**2 - 4 * steps * examples, 0.0))
        if not top:  # the best batch is the least there is
            return 0.0, 0.0
        return 2 * self.e_min * alpha / top, top / (2 * self.s_min * beta) if self.s_min else math.inf


def fit_steps(
    batches: Iterable[float], steps: Iterable[float], *,
    prior: tuple[float, float, float] | None = None, num_bootstrap: int = 2000, seed: int = 0,
) -> StepsFit:  # fmt: skip
    """Fit S_min + E_min / B to the updates that a target took, by least squares of log S.

    Intervals are those of a bootstrap: points are drawn anew around the curve with the residuals of all points, widened
    by what N - 2 residuals cannot tell (Student's t). Drawing seeds within each batch instead holds 95 % in 55 to 80 %
    of cases, with 2 or 3 seeds. Two points alone have none: nan. Where no point comes near an asymptote, its interval
    is open: down to 0, and for the critical batch up to inf. They are too narrow where all seeds of a batch miss the
    curve alike: compare `residual` with how far seeds differ.

    Args:
        batches: examples an update; a batch that several seeds ran at stands there several times.
        steps: updates to the target, at the best rate of each batch; fractions where a crossing is interpolated.
        prior: (s_min, e_min, factor): a prediction and the factor by which either is typically wrong, above 1. Each
            counts as (log 1.1 / log factor)**2 points, and is drawn anew as well.
        num_bootstrap: fits that the intervals are made of.
        seed: of what is drawn.

    Raises:
        ValueError: fewer than two different batches; a batch or steps not finite and above 0, as of a run that did not
            reach the target; a prior that is no prediction.
    """
    sizes, logs = _checked(batches, steps)
    num_points = len(sizes)
    parts, weights = np.column_stack([np.ones(num_points), 1 / sizes]), np.ones(num_points)
    if prior is not None:
        logs, weight = _prior_logs(logs, prior), (math.log(POINT_FACTOR) / math.log(prior[2])) ** 2
        parts, weights = np.vstack([parts, np.eye(2)]), np.append(weights, [weight, weight])
    fit = _solve(logs[None], parts, weights)[0]
    curve = np.log(parts[:num_points] @ fit[:2])
    residuals = logs[:num_points] - curve
    intervals = [(math.nan, math.nan)] * 3
    if num_points > 2 and num_bootstrap > 0:
        rng = np.random.default_rng(seed)
        drawn = np.tile(logs, (num_bootstrap, 1))
        drawn[:, :num_points] = curve + _widening(num_points) * rng.choice(residuals, (num_bootstrap, num_points))
        if prior is not None:
            drawn[:, num_points:] += rng.normal(0, math.log(prior[2]), (num_bootstrap, 2))
        ends = np.quantile(_solve(drawn, parts, weights), [TAIL, 1 - TAIL], axis=0, method='inverted_cdf')  # keeps inf
        intervals = [tuple(pair) for pair in ends.T.tolist()]
    values = [*fit.tolist(), *intervals, math.exp(math.sqrt(np.mean(residuals**2)))]
    return StepsFit(*values)


def predict_steps(noise_scales: Iterable[float], batch: float, *, num_steps: int | None = None) -> tuple[float, float]:
    """Predict (S_min, E_min) of a target from one run that reached it, at rates near the best throughout.

    S_min = sum w_t and E_min = sum b_t w_t, w_t = 1 / (1 + b_t / batch), after McCandlish et al. 2018 (arXiv
    1812.06162), appendix D; at that run's own batch they give its own steps. E_min / S_min comes out 2 to 2.5 times too
    small with momentum or Adam, which a noise scale does not see, and on a quadratic 1.5 to 2 times at a constant rate.

    Args:
        noise_scales: b_t of the updates in examples, from smoothed moments; nan, lost in noise, is left out.
        batch: examples an update of that run.
        num_steps: updates that the known b_t stand for, where fewer were measured; None: one each.

    Raises:
        ValueError: no update, 10 % of them or more lost, or a batch not above 0.
    """
    scales = np.asarray(list(noise_scales), dtype=float)
    known = scales[np.isfinite(scales) & (scales >= 0)]
    num_lost = len(scales) - len(known)
    if 10 * num_lost >= len(scales):
        raise ValueError(
            f'noise scale lost at {num_lost} of {len(scales)} steps: under 10 % is needed, smooth it longer'
        )
    if not 0 < batch < math.inf:
        raise ValueError(f'batch {batch}: a finite number above 0 is needed')
    weights = 1 / (1 + known / batch)
    each = 1 if num_steps is None else num_steps / len(known)
    return float(weights.sum() * each), float((known * weights).sum() * each)


def _solve(logs: np.ndarray, parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (S_min, E_min, E_min / S_min) of each row of logs (fits, rows), log(parts @ (S_min, E_min)) the nearest.

    With S_min = level * share and E_min = level * (1 - share) * scale, the best level is a mean. The share is taken
    from a grid of its logit, with the ends 0 and 1 where there is no prior, and refined by parabolas: steps of
    Gauss-Newton swing where points and prior contradict each other.
    """
    from scipy.special import expit

    measured = (parts > 0).all(axis=1)
    scale = 1 / np.exp(np.log(parts[measured, 1]).mean())
    steps, examples = parts[:, 0], parts[:, 1] * scale

    def curve(shares: np.ndarray) -> np.ndarray:
        return np.log(shares[:, None] * steps + (1 - shares[:, None]) * examples)

    def apart(rows: np.ndarray) -> np.ndarray:  # from their mean: what no level can fit
        return rows - (rows @ weights / weights.sum())[:, None]

    def loss(positions: np.ndarray) -> np.ndarray:
        return apart(logs - curve(expit(positions))) ** 2 @ weights

    ends = [math.inf] if measured.all() else []
    grid = np.array([*np.negative(ends), *np.arange(-LIMIT, LIMIT + SPACING / 2, SPACING), *ends])
    shapes = apart(curve(expit(grid)))
    positions = grid[np.argmin(shapes**2 @ weights - 2 * (apart(logs) * weights) @ shapes.T, axis=1)]
    for width in (SPACING, SPACING / 10, SPACING / 100):
        below, here, above = (loss(positions + shift) for shift in (-width, 0, width))
        bend = below - 2 * here + above
        moves = np.divide((below - above) * width / 2, bend, out=np.zeros_like(bend), where=bend > 0)
        positions = positions + np.clip(moves, -width, width)
    shares = expit(positions)
    levels = np.exp((logs - curve(shares)) @ weights / weights.sum())
    with np.errstate(divide='ignore'):
        return np.column_stack([levels * shares, levels * (1 - shares) * scale, (1 - shares) / shares * scale])


def _widening(num_points: int) -> float:
    """Return the factor on residuals that makes the bootstrap as wide as Student's t."""
    from scipy.special import ndtri, stdtrit

    return float(math.sqrt(num_points / (num_points - 2)) * stdtrit(num_points - 2, TAIL) / ndtri(TAIL))


def _prior_logs(logs: np.ndarray, prior: tuple[float, float, float]) -> np.ndarray:
    s_min, e_min, factor = prior
    if not (0 < s_min < math.inf and 0 < e_min < math.inf and 1 < factor < math.inf):
        raise ValueError(f'prior {prior}: s_min and e_min above 0 and a factor above 1 are needed, all finite')
    return np.append(logs, np.log([s_min, e_min]))


def _checked(batches: Iterable[float], steps: Iterable[float]) -> tuple[np.ndarray, np.ndarray]:
    batches, steps = list(batches), list(steps)
    if len(batches) != len(steps):
        raise ValueError(f'{len(batches)} batches and {len(steps)} steps: a number of steps for each batch is needed')
    points = list(zip(batches, steps, strict=True))
    for batch, count in points:
        if not (0 < batch < math.inf and 0 < count < math.inf):
            raise ValueError(f'{count} steps at batch {batch}: finite numbers above 0 are needed; leave such a run out')
    num_batches = len({batch for batch, _ in points})
    if num_batches < 2:
        raise ValueError(f'steps at {num_batches} different batches: at least 2 are needed')
    table = np.array(points, dtype=float)
    return table[:, 0], np.log(table[:, 1])


def _check_times(alpha: float, beta: float) -> None:
    if not (0 < alpha < math.inf and 0 < beta < math.inf):
        raise ValueError(f'time of a step {alpha} + {beta} B: both above 0 are needed, measured at more batches')
