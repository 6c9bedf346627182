"""The simple noise scale of a gradient (McCandlish et al. 2018, arXiv 1812.06162, appendix A).

The gradients of single examples have mean G and covariance Sigma; a mean over b examples has an expected squared norm
of |G|**2 + tr(Sigma) / b. Squared norms for two sizes b thus give both unknowns without bias, and their ratio
tr(Sigma) / |G|**2, the simple noise scale: the batch size at which the noise is as large as the gradient. It is no
critical batch size: it goes like 1 / rate, and does not see momentum or Adam, which move that one. The ratio of two
noisy numbers is biased, so the moments are averaged, never the ratio. Examples are taken as drawn at random from
endless ones: in an epoch over N examples |G|**2 comes out lower by tr(Sigma) / N, and is lost near a noise scale of N.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def gradient_moments(small_norm2, big_norm2, *, small: int, big: int) -> tuple:
    """Return (|G|**2, tr Sigma) without bias, from mean squared norms of gradients over `small` and `big` examples.

    Either may come out negative where the other drowns it.
    """
    norm2 = (big * big_norm2 - small * small_norm2) / (big - small)
    variance = (small_norm2 - big_norm2) / (1 / small - 1 / big)
    return norm2, variance


def noise_scale(gradient_norm2: float, gradient_variance: float) -> float:
    """Return tr(Sigma) / |G|**2 in examples, nan where |G|**2 is not above 0: lost in the noise."""
    return gradient_variance / gradient_norm2 if gradient_norm2 > 0 else math.nan


class NoiseScale:
    """Estimate the noise scale from squared norms of gradients for two batch sizes, update by update.

    Args:
        small, big: examples of both, small < big.
        horizon: updates that the moments are averaged over: all count alike up to so many, from then on the weight of
            an old one falls by a factor 1 - 1 / horizon an update. inf: all count alike for ever.

    Raises:
        ValueError: sizes that are not 1 <= small < big, or a horizon below 1.
    """

    def __init__(self, small: int, big: int, *, horizon: float = 100):
        if not 1 <= small < big:
            raise ValueError(f'small {small}, big {big}: expected 1 <= small < big, the examples of both gradients')
        if not horizon >= 1:
            raise ValueError(f'horizon {horizon}: expected a number of updates from 1')
        self.small, self.big, self.horizon = small, big, horizon
        self.num_updates = 0
        self._weight = self._weight2 = 0.0  # sums of the weights and of their squares
        self._mean = (0.0, 0.0)  # of |G|**2 and tr Sigma
        self._spread = (0.0, 0.0, 0.0)  # weighted sums of squares about the means: both, and their product

    def update(self, small_norm2: float, big_norm2: float) -> None:
        """Take in an update.

        Args:
            small_norm2: squared norm of a gradient that is a mean over `small` examples, or the mean of several such.
            big_norm2: that of the mean over `big` examples, at the same weights.

        Raises:
            ValueError: one of them is not finite.
        """
        small_norm2, big_norm2 = float(small_norm2), float(big_norm2)
        if not math.isfinite(small_norm2) or not math.isfinite(big_norm2):
            raise ValueError(f'squared norms {small_norm2} and {big_norm2}: finite numbers are needed')
        moments = gradient_moments(small_norm2, big_norm2, small=self.small, big=self.big)
        self.num_updates += 1
        keep = 1.0 if self.num_updates <= self.horizon else 1 - 1 / self.horizon
        old, self._weight, self._weight2 = self._weight * keep, self._weight * keep + 1, self._weight2 * keep**2 + 1
        away = [moment - mean for moment, mean in zip(moments, self._mean, strict=True)]
        products = (away[0] ** 2, away[1] ** 2, away[0] * away[1])
        self._spread = tuple(
            keep * spread + old / self._weight * product for spread, product in zip(self._spread, products, strict=True)
        )
        self._mean = tuple(mean + each / self._weight for mean, each in zip(self._mean, away, strict=True))

    @property
    def gradient_norm2(self) -> float:
        """|G|**2, averaged; nan before the first update."""
        return self._mean[0] if self.num_updates else math.nan

    @property
    def gradient_variance(self) -> float:
        """tr Sigma, averaged; nan before the first update."""
        return self._mean[1] if self.num_updates else math.nan

    @property
    def value(self) -> float:
        """The noise scale in examples; nan where |G|**2 is lost in the noise."""
        return noise_scale(self.gradient_norm2, self.gradient_variance)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the noise scale lies with 95 % confidence; (nan, nan) where that cannot be told.

        By Fieller's theorem for the ratio of two means, over updates taken as independent. It cannot be told from fewer
        than three of them, or where |G|**2 may be 0.
        """
        from scipy.special import stdtrit

        lost = math.nan, math.nan
        if self.num_updates < 3:
            return lost
        effective = self._weight**2 / self._weight2
        if effective <= 1:
            return lost
        quantile = float(stdtrit(effective - 1, (1 + CONFIDENCE) / 2))
        scale = quantile**2 / (self._weight * (effective - 1))  # of the variances of the means
        norm_var, trace_var, both_var = (scale * spread for spread in self._spread)
        norm, trace = self._mean
        lead = norm**2 - norm_var
        if norm <= 0 or lead <= 0:
            return lost
        middle = (norm * trace - both_var) / lead
        root = math.sqrt(max(0.0, middle**2 - (trace**2 - trace_var) / lead))
        return middle - root, middle + root
