"""SmoothOut (Wen et al. 2018, arXiv 1805.07898): noise on the weights while the gradient is computed.

Its flags keep their published spellings.
"""

from __future__ import annotations

from argparse import BooleanOptionalAction
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from utils.methods.base import Method, RunSettings
from utils.parser import real
from utils.settings import Means, changed, setting, written

if TYPE_CHECKING:
    from torch import nn

    from bigbatch.training.gradients.base import Estimator


@dataclass(frozen=True, kw_only=True)
class SmoothOut(Method):
    """SmoothOut: noise on the weights while the gradient is computed."""

    LABEL, CHANGES_GRADIENT = 'SmoothOut', True

    sharpness_smoothing: float = setting(
        '--sharpness-smoothing', '--ss', type=real(0, 1e6), default=0.0, metavar='A', means=Means.IDLE,
        help='strength of the noise; 0 is off',
    )  # fmt: skip
    adapt_type: str = setting(
        '--adapt-type', choices=('none', 'weight', 'filter'), default='none',
        help='scale the noise by nothing, by each weight, or by the norm of each filter (AdaSmoothOut)',
    )  # fmt: skip
    noise_type: str = setting(
        '--noise-type', choices=('uniform', 'normal'), default='uniform',
        help='uniform between -1 and 1, or normal, before it is scaled',
    )  # fmt: skip
    smoothing_type: str = setting(
        '--smoothing-type', choices=('constant', 'anneal', 'tanh'), default='constant', means=Means.IDLE,
        help='strength over the run: the same, falling with the updates, or rising in the middle',
    )  # fmt: skip
    anneal_index: float = setting(
        '--anneal-index', '--ai', type=real(0), default=0.55, metavar='X', means=Means.IDLE,
        help='anneal multiplies the strength by (1 + t)**(-X / 2) after t updates',
    )  # fmt: skip
    tanh_scale: float = setting(
        '--tanh-scale', '--ts', type=real(0), default=10.0, metavar='S', means=Means.IDLE,
        help='tanh multiplies the strength by (1 + tanh(S * (t / T - 0.5))) / 2 after t of T updates',
    )  # fmt: skip
    exclude_bn: bool = setting(
        '--exclude-bn', action=BooleanOptionalAction, default=True, help='no noise on the parameters of batch norm'
    )
    denoise: bool = setting(
        '--denoise', action=BooleanOptionalAction, default=True,
        help='take the noise out before the update; else it stays in the weights and adds up',
    )  # fmt: skip
    noise_per: str = setting(
        '--noise-per', choices=('ghost', 'step'), default='ghost',
        help='fresh noise for each ghost, as published, or one draw for the whole batch, in one pass',
    )  # fmt: skip

    def check(self, run: RunSettings) -> None:
        """Refuse refinements of noise that is off, or of another kind."""
        refined = [name for name in changed(self) if name != 'sharpness_smoothing']
        if refined and not self.is_on:
            raise UserError(
                f'{written(self, refined[0])} refines SmoothOut, which is off: give its strength too, such as --ss 0.01'
            )
        for name, needed in (('anneal_index', 'anneal'), ('tanh_scale', 'tanh')):
            if name in refined and self.smoothing_type != needed:
                raise UserError(
                    f'{written(self, name)} shapes --smoothing-type {needed}, but that is '
                    f'{self.smoothing_type}: leave out one or change the other'
                )

    def shaped_by_length(self) -> str:
        """Return the flag of the one shape that goes by the length of the run."""
        return written(self, 'smoothing_type') if self.smoothing_type == 'tanh' else ''

    def describe(self, run: RunSettings) -> str:
        """Say which noise there is, on what, and how its strength changes."""
        scale = {'none': '', 'weight': ' times each weight', 'filter': ' times the norm of each filter'}
        per = 'ghost' if self.noise_per == 'ghost' and run.ghost_batch_size else 'step'
        quiet = 'none' if self.exclude_bn else 'some'
        shapes = {
            'constant': '',
            'anneal': f', times (1 + t)**(-{self.anneal_index:g} / 2) after t updates',
            'tanh': f', times (1 + tanh({self.tanh_scale:g} * (t / T - 0.5))) / 2 after t of T updates',
        }
        left_in = '' if self.denoise else '; it stays in and adds up'
        return (
            f'{self.noise_type} noise of {self.sharpness_smoothing:g}{scale[self.adapt_type]}, fresh per {per}, '
            f'{quiet} on batch norm{shapes[self.smoothing_type]}{left_in}'
        )

    def pass_size(self, run: RunSettings) -> int | None:
        """Return that of a ghost where each has noise of its own."""
        return run.ghost_batch_size if self.noise_per == 'ghost' else None

    def wrap(self, run: RunSettings, inner: Estimator, model: nn.Module, *, num_steps: int) -> Estimator:
        """Return an estimator with noise around another one."""
        from bigbatch.training.gradients.smoothout import SmoothOut as SmoothedGradient
        from bigbatch.training.gradients.smoothout import strength_factor
        from bigbatch.training.perturbation import quiet_names

        def strength(step: int) -> float:
            index, scale = self.anneal_index, self.tanh_scale
            factor = strength_factor(self.smoothing_type, step, num_steps, anneal_index=index, tanh_scale=scale)
            return self.sharpness_smoothing * factor

        return SmoothedGradient(
            inner,
            strength,
            seed=run.seed,
            ghost_size=self.pass_size(run),
            denoise=self.denoise,
            adapt_type=self.adapt_type,
            noise_type=self.noise_type,
            exclude=quiet_names(model, exclude_bn=self.exclude_bn),
        )
