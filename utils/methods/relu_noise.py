"""Noise on what ReLUs put out, of SmoothOut's published code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from utils.methods.base import Method, RunSettings
from utils.parser import real
from utils.settings import setting, written

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bigbatch.training.gradients.base import Estimator


@dataclass(frozen=True, kw_only=True)
class ReluNoise(Method):
    """Noise of ReLUs."""

    LABEL, CHANGES_GRADIENT = 'noise', True

    relu_noise: float | None = setting(
        '--relu_noise', type=real(0, 1), metavar='R',
        help='multiply each output of a ReLU by a uniform number between 1 - R and 1 + R while training',
    )  # fmt: skip

    @property
    def is_on(self) -> bool:
        """Whether there is any noise."""
        return bool(self.relu_noise)

    @property
    def tells_copies_apart(self) -> bool:
        """Whether copies of an image come to something else: they do."""
        return True

    def check(self, run: RunSettings) -> None:
        """Refuse ReLUs that are no calls of their own any more."""
        if self.relu_noise and run.compile != 'off':
            raise UserError(
                f'--compile {run.compile} computes ReLUs together with what is around them, so that '
                f'{written(self, "relu_noise")} finds none: leave out one'
            )

    def describe(self, run: RunSettings) -> str:
        """Name the distribution of the factors."""
        assert self.relu_noise is not None, 'it is on'
        return f'outputs of ReLUs times U({1 - self.relu_noise:g}, {1 + self.relu_noise:g})'

    def wrap(self, run: RunSettings, inner: Estimator, model: nn.Module, *, num_steps: int) -> Estimator:
        """Return an estimator with the noise around another one."""
        from bigbatch.training.gradients.relu_noise import ReluNoise as NoisyGradient

        assert self.relu_noise is not None, 'it is on'
        return NoisyGradient(inner, self.relu_noise)

    def check_network(
        self, run: RunSettings, model: nn.Module, criterion: nn.Module, examples: tuple[Tensor, Tensor]
    ) -> None:
        """Refuse a network without a ReLU."""
        from bigbatch.training.gradients.relu_noise import calls_relu

        if not calls_relu(model, examples[0]):
            raise ValueError(f'{written(self, "relu_noise")}: {run.model} has no ReLU, so leave it out')
