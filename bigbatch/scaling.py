"""What the settings of an optimizer become at another batch size: the rules of the literature, as functions of numbers.

All take `batch`, the batch size to go to, and `base`, the one that the settings were tuned at, in examples an update;
k = batch / base, above or below 1. Rates and decays are per update. Where sources contradict each other, each rule is
a function of its own: none replaces a search for the rate (Shallue et al. 2019, arXiv 1811.03600). ValueError names any
rate, eps or size that is not finite and above 0, and any beta or decay of an average outside 0 <= decay < 1.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

__all__ = [
    'AdamSettings', 'sgd_linear', 'sgd_sqrt', 'adam_sde', 'adam_half_life', 'surge', 'weight_decay_tau', 'ema',
    'warmup_steps',
]  # fmt: skip


@dataclass(frozen=True)
class AdamSettings:
    """What Adam is told: the rate, the decays of both moments, and eps, which is added to the root of the second."""

    lr: float
    betas: tuple[float, float]
    eps: float


def sgd_linear(lr: float, batch: float, base: float) -> float:
    """Return k lr: one update in place of k at the base batch.

    Source: Goyal et al. 2017 (arXiv 1706.02677), section 2.1, with a warm-up. It keeps the noise of SGD, which goes
    like lr / (batch (1 - momentum)): Smith et al. 2018 (arXiv 1711.00489). Conflict: sgd_sqrt. It ends at the critical
    batch, above which the best rate no longer grows. ValueError: lr, batch or base not above 0.
    """
    return _positive('lr', lr) * _ratio(batch, base)


def sgd_sqrt(lr: float, batch: float, base: float) -> float:
    """Return sqrt(k) lr: the covariance of an update, lr**2 Sigma / batch, is kept.

    Source: Hoffer et al. 2017 (arXiv 1705.08741), section 4. Conflict: sgd_linear; Malladi et al. 2022 (arXiv
    2205.10287) call the root incorrect for SGD, and right for Adam. ValueError: lr, batch or base not above 0.
    """
    return _positive('lr', lr) * math.sqrt(_ratio(batch, base))


def adam_sde(
    lr: float, batch: float, base: float, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> AdamSettings:
    """Return sqrt(k) lr, 1 - k (1 - beta) for both betas and eps / sqrt(k): the limit of Adam as an SDE is kept.

    Source: Malladi et al. 2022 (arXiv 2205.10287), section 5, where noise outweighs the gradient. Conflicts: surge for
    the rate, adam_half_life for the betas, to which this comes close while k (1 - beta2) is small.

    Raises:
        ValueError: k (1 - beta) of 1 or more, for which there is no such Adam; lr, eps, batch or base not above 0.
    """
    ratio = _ratio(batch, base)
    for name, beta in zip(('beta1', 'beta2'), betas, strict=True):
        if ratio * (1 - _decay(name, beta)) >= 1:
            raise ValueError(
                f'{name} {beta:g} at {ratio:g} times the batch: 1 - k (1 - {name}) is {1 - ratio * (1 - beta):.3g} and '
                f'must be above 0; stay below {1 / (1 - beta):g} times, or take adam_half_life'
            )
    scaled = (1 - ratio * (1 - betas[0]), 1 - ratio * (1 - betas[1]))
    return AdamSettings(_positive('lr', lr) * math.sqrt(ratio), scaled, _positive('eps', eps) / math.sqrt(ratio))


def adam_half_life(
    lr: float, batch: float, base: float, *,
    betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, least_beta2: float = 0.0,
) -> AdamSettings:  # fmt: skip
    """Return beta2**k beside lr, beta1 and eps as they are: beta2 forgets half in as many examples as before.

    The half-life is batch log(2) / log(1 / beta2) examples. Source: Marek et al. 2025 (arXiv 2507.07101), who keep
    beta1. It is no rule for the rate: search it, or scale it by sgd_sqrt or surge. Conflict: adam_sde. `least_beta2` is
    the floor that some trainers set, such as 0.95: where it acts, the half-life grows, and a UserWarning says so.
    ValueError: lr, eps, batch or base not above 0, a beta outside 0 <= beta < 1.
    """
    beta1, beta2 = _decay('beta1', betas[0]), _decay('beta2', betas[1]) ** _ratio(batch, base)
    if beta2 < _decay('least_beta2', least_beta2):
        warnings.warn(f'beta2 {beta2:.3g} is raised to {least_beta2:g}: its half-life in examples grows', stacklevel=2)
    return AdamSettings(_positive('lr', lr), (beta1, max(beta2, least_beta2)), _positive('eps', eps))


def surge(lr: float, batch: float, base: float, noise_batch: float) -> float:
    """Return f(batch) / f(base) lr, f(B) = 2 / (sqrt(Bn / B) + sqrt(B / Bn)): rates of Adam rise up to Bn, then fall.

    Source: Li et al. 2024 (arXiv 2405.14578), for Adam as the sign of Gaussian gradients, at batches far below pi/2
    sigma_i**2 / g_i**2; later the rate tends to a constant. Conflict: the root of adam_sde, its limit far below Bn.
    ValueError: a number not above 0.

    Args:
        noise_batch: Bn in examples, the batch of the largest rate: pi/2 times sum_i H_ii over the sum over i != j of
            g_i g_j H_ij / (sigma_i sigma_j). It is not tr(Sigma) / |G|**2; fit it to rates that were found.
    """
    noise_batch = _positive('noise_batch', noise_batch)
    at_batch, at_base = (math.sqrt(noise_batch / size) for size in (_positive('batch', batch), _positive('base', base)))
    return _positive('lr', lr) * (at_base + 1 / at_base) / (at_batch + 1 / at_batch)


def weight_decay_tau(weight_decay: float, batch: float, base: float, *, base_lr: float, lr: float) -> float:
    """Return k base_lr / lr weight_decay: weights are forgotten in as many examples as before.

    tau = batch / (lr weight_decay D), in passes over D examples, is kept, for a decay that is multiplied by the rate
    and is no part of the gradient (AdamW): k times at one rate, sqrt(k) at that of the root, once at the linear one.
    Source: Wang & Aitchison 2024 (arXiv 2405.13698), Bergsma et al. 2025 (arXiv 2505.13738). Conflict: recipes that
    keep the decay. ValueError: a decay below 0, or another number not above 0.

    Args:
        base_lr: rate at the base batch.
        lr: rate at the new one.
    """
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f'weight_decay {weight_decay}: a finite number from 0 is needed')
    return weight_decay * _ratio(batch, base) * _positive('base_lr', base_lr) / _positive('lr', lr)


def ema(decay: float, batch: float, base: float) -> float:
    """Return decay**k: an average of weights forgets by one update as much as by k before.

    Source: Busbridge et al. 2023 (arXiv 2307.13813); the rate has its own rule. Conflict: none known; exact where the
    weights stand still in between. ValueError: a decay outside 0 <= decay < 1, batch or base not above 0.
    """
    return _decay('decay', decay) ** _ratio(batch, base)


def warmup_steps(steps: int, batch: float, base: float) -> int:
    """Return ceil(steps / k) updates: a warm-up over as many examples as before, and not fewer.

    Source: Goyal et al. 2017 (arXiv 1706.02677), section 2.2: the first 5 epochs at any batch. Conflict: Adam's
    2 / (1 - beta2) updates (Ma & Yarats 2019, arXiv 1910.04209). ValueError: steps below 0, batch or base not above 0.
    """
    if not 0 <= steps < math.inf:
        raise ValueError(f'{steps} steps of warm-up: a finite number from 0 is needed')
    return math.ceil(steps * _positive('base', base) / _positive('batch', batch))


def _ratio(batch: float, base: float) -> float:
    return _positive('batch', batch) / _positive('base', base)


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f'{name} {value}: a finite number above 0 is needed')
    return value


def _decay(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f'{name} {value}: a number from 0 and below 1 is needed')
    return value
