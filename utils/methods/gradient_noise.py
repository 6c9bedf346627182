"""Noise on the gradient by factors on the losses (Hoffer et al. 2017, arXiv 1705.08741)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from bigbatch.regime import lr_factor
from utils.methods.base import Method, RunSettings
from utils.parser import auto_or, real
from utils.settings import Means, setting

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bigbatch.training.gradients.base import Estimator

AUTO = 'auto'


@dataclass(frozen=True, kw_only=True)
class GradientNoise(Method):
    """Noise on the gradient."""

    LABEL, CHANGES_GRADIENT = 'noise', True

    gradient_noise: float | str | None = setting(
        '--gradient-noise', type=auto_or(real(0, above=True)), metavar='auto|SIGMA', means=Means.LARGE,
        help='multiply the loss of each example by a normal number of mean 1 and this deviation; auto: the one that '
        'makes up for a batch B at the rate of B0',
    )  # fmt: skip

    def sigma(self, run: RunSettings) -> float:
        """Return the deviation of the factor on each example's loss.

        auto: sigma**2 = r / s**2 - 1 for r = batch / base and the factor s on the rate, so that the weight increments
        have the covariance of the base batch (Hoffer et al. 2017, arXiv 1705.08741); 0 where s**2 makes up for r alone.
        """
        if isinstance(self.gradient_noise, (int, float)):
            return self.gradient_noise
        ratio = run.batch_size / run.base_batch_size
        return max(0.0, ratio / _rate_factor(run) ** 2 - 1) ** 0.5

    def check(self, run: RunSettings) -> None:
        """Refuse noise that makes up for nothing."""
        if self.gradient_noise != AUTO or self.sigma(run) > 1e-6:
            return
        batch, base, factor = run.batch_size, run.base_batch_size, _rate_factor(run)
        if batch <= base:
            raise UserError(
                f'--gradient-noise auto makes up for a batch above --base-batch-size {base}, but it is {batch}: make '
                'it larger or leave the noise out'
            )
        instead = '' if run.base_lr_per_example is None else ' and --lr in place of --base-lr-per-example'
        raise UserError(
            f'--gradient-noise auto is 0: a batch of {batch} for one of {base} at {factor:g} times the rate has noise '
            f'enough: give --no-lr_bb_fix{instead}, which leaves the rate as it is'
        )

    def describe(self, run: RunSettings) -> str:
        """Name the distribution of the factors."""
        origin = ' (auto)' if self.gradient_noise == AUTO else ''
        return f'losses times N(1, {self.sigma(run):.4g}**2){origin}'

    def compute(self, run: RunSettings, *, steps_per_epoch: int) -> Estimator:
        """Return the estimator that computes the gradient with the noise in it."""
        from bigbatch.training.gradients.gradient_noise import GradientNoise as NoisyGradient

        return NoisyGradient(self.sigma(run), run.seed)

    def check_network(
        self, run: RunSettings, model: nn.Module, criterion: nn.Module, examples: tuple[Tensor, Tensor]
    ) -> None:
        """Refuse a criterion that gives no loss for each example."""
        import torch

        from bigbatch.training.gradients.gradient_noise import loss_of_each
        from bigbatch.weights import probing

        inputs, targets = examples
        with torch.no_grad(), probing(model):
            losses = loss_of_each(criterion)(model(inputs), targets)
        if losses.shape != targets.shape:
            raise ValueError(
                f'--gradient-noise {self.gradient_noise}: the criterion of {run.model} gives no loss for each '
                "example, which is to be weighted: return one each, or heed an attribute reduction='none'"
            )


def _rate_factor(run: RunSettings) -> float:
    """With --base-lr-per-example the rate grows with the batch, as it does with --lr_fix_policy linear."""
    scaling = run.lr_scaling if run.base_lr_per_example is None else 'linear'
    return lr_factor(run.batch_size, run.base_batch_size, scaling)
