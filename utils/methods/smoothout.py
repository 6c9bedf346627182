"""SmoothOut (Wen et al. 2018, arXiv 1805.07898): noise on the weights while the gradient is computed."""

from __future__ import annotations

import functools
from argparse import BooleanOptionalAction
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from utils.methods.base import RunSettings, as_flag, refuse_with_noise_scale
from utils.parser import real

if TYPE_CHECKING:
    from torch import nn

    from bigbatch.training.gradients.base import Estimator

TITLE = 'SmoothOut: noise on the weights while the gradient is computed'
# What refines SmoothOut, with its defaults.
DEFAULTS = {
    'adapt_type': 'none', 'noise_type': 'uniform', 'smoothing_type': 'constant', 'anneal_index': 0.55,
    'tanh_scale': 10.0, 'exclude_bn': True, 'denoise': True, 'noise_per': 'ghost',
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SmoothOut:
    """Noise on the weights; off by default."""

    sharpness_smoothing: float  # strength a of the noise; 0: none
    adapt_type: str  # what the noise scales with: none, weight or filter
    noise_type: str  # uniform or normal
    smoothing_type: str  # strength over the run: constant, anneal or tanh
    anneal_index: float
    tanh_scale: float
    exclude_bn: bool
    denoise: bool
    noise_per: str  # fresh noise for each ghost or for each step


def add_args(group) -> None:
    """Add the flags, which keep their published spellings."""
    group.add_argument(
        '--sharpness-smoothing', '--ss', type=real(0, 1e6), default=0.0, metavar='A',
        help='strength of the noise; 0 is off',
    )
    group.add_argument(
        '--adapt-type', choices=('none', 'weight', 'filter'),
        help='scale the noise by nothing, by each weight, or by the norm of each filter (AdaSmoothOut)',
    )
    group.add_argument(
        '--noise-type', choices=('uniform', 'normal'),
        help='uniform between -1 and 1, or normal, before it is scaled',
    )
    group.add_argument(
        '--smoothing-type', choices=('constant', 'anneal', 'tanh'),
        help='strength over the run: the same, falling with the updates, or rising in the middle',
    )
    group.add_argument(
        '--anneal-index', '--ai', type=real(0), metavar='X',
        help='anneal multiplies the strength by (1 + t)**(-X / 2) after t updates',
    )
    group.add_argument(
        '--tanh-scale', '--ts', type=real(0), metavar='S',
        help='tanh multiplies the strength by (1 + tanh(S * (t / T - 0.5))) / 2 after t of T updates',
    )
    group.add_argument(
        '--exclude-bn', action=BooleanOptionalAction, help='no noise on the parameters of batch norm'
    )
    group.add_argument(
        '--denoise', action=BooleanOptionalAction,
        help='take the noise out before the update; else it stays in the weights and adds up',
    )
    group.add_argument(
        '--noise-per', choices=('ghost', 'step'),
        help='fresh noise for each ghost, as published, or one draw for the whole batch, in one pass',
    )
    group.set_defaults(**DEFAULTS)


def check(own: SmoothOut, run: RunSettings) -> None:
    """Refuse refinements of noise that is off, or of another kind.

    Raises:
        UserError: in one line, what is wrong and what would be right.
    """
    values = {name: getattr(own, name) for name in DEFAULTS}
    changed = {name: value for name, value in values.items() if value != DEFAULTS[name]}
    if changed and not own.sharpness_smoothing:
        raise UserError(
            f'{as_flag(*next(iter(changed.items())))} refines SmoothOut, which is off: give its strength too, such as '
            '--ss 0.01'
        )
    for name, needed in (('anneal_index', 'anneal'), ('tanh_scale', 'tanh')):
        if name in changed and own.smoothing_type != needed:
            raise UserError(
                f'{as_flag(name, changed[name])} shapes --smoothing-type {needed}, but that is '
                f'{own.smoothing_type}: leave out one or change the other'
            )
    refuse_with_noise_scale('sharpness_smoothing', own.sharpness_smoothing, run)


def describe(own: SmoothOut, run: RunSettings) -> str:
    """Say what is done, in words; empty where it is off."""
    strength, ghost = own.sharpness_smoothing, run.ghost_batch_size
    if not strength:
        return ''
    scale = {'none': '', 'weight': ' times each weight', 'filter': ' times the norm of each filter'}[own.adapt_type]
    per = 'ghost' if own.noise_per == 'ghost' and ghost else 'step'
    quiet = 'none' if own.exclude_bn else 'some'
    shapes = {
        'constant': '', 'anneal': f', times (1 + t)**(-{own.anneal_index:g} / 2) after t updates',
        'tanh': f', times (1 + tanh({own.tanh_scale:g} * (t / T - 0.5))) / 2 after t of T updates',
    }
    left_in = '' if own.denoise else '; it stays in and adds up'
    return (
        f'{own.noise_type} noise of {strength:g}{scale}, fresh per {per}, {quiet} on batch norm'
        f'{shapes[own.smoothing_type]}{left_in}'
    )


def wrap(own: SmoothOut, run: RunSettings, inner: Estimator, model: nn.Module, num_steps: int) -> Estimator:
    """Return an estimator with noise around another one; that one itself where the noise is off.

    Args:
        num_steps: updates of the run.
    """
    if not own.sharpness_smoothing:
        return inner
    from bigbatch.training.gradients import create_estimator
    from bigbatch.training.gradients.smoothout import strength_factor
    from bigbatch.training.perturbation import quiet_names

    factor = functools.partial(
        strength_factor, own.smoothing_type, num_steps=num_steps, anneal_index=own.anneal_index,
        tanh_scale=own.tanh_scale,
    )
    return create_estimator(
        'smoothout', inner=inner, strength=lambda step: own.sharpness_smoothing * factor(step), seed=run.seed,
        ghost_size=run.ghost_batch_size if own.noise_per == 'ghost' else None, denoise=own.denoise,
        adapt_type=own.adapt_type, noise_type=own.noise_type, exclude=quiet_names(model, exclude_bn=own.exclude_bn),
    )
