"""The settings of the methods that repair a large batch, and which of them go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError
from bigbatch.regime import lr_factor

if TYPE_CHECKING:
    from utils.config import RunConfig

# What refines SmoothOut, with its defaults.
SMOOTHING_DEFAULTS = {
    'adapt_type': 'none', 'noise_type': 'uniform', 'smoothing_type': 'constant', 'anneal_index': 0.55,
    'tanh_scale': 10.0, 'exclude_bn': True, 'denoise': True, 'noise_per': 'ghost',
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """What changes the gradient, the batch or the average of a run; every method is off by default."""

    sharpness_smoothing: float  # strength a of SmoothOut's noise on the weights; 0: none
    adapt_type: str  # what the noise scales with: none, weight or filter
    noise_type: str  # uniform or normal
    smoothing_type: str  # strength over the run: constant, anneal or tanh
    anneal_index: float
    tanh_scale: float
    exclude_bn: bool
    denoise: bool
    noise_per: str  # fresh noise for each ghost or for each step
    relu_noise: float | None  # half-width of the factor on each activation
    dropout: float | None  # probability in place of the network's own
    gradient_noise: float | str | None  # deviation of the factor on each example's loss, or auto
    duplicates: int  # transformed copies of each example in a batch
    copies: str  # those of an image spread over the ghosts, or together in one
    cutout: int | None  # side of the square that is blanked, pixels
    adapt_grad_norm: int | None  # updates between two measurements of the copies' gradients
    base_lr_per_example: float | None  # the rate is this times the batch size
    warmup_start: float | None  # fraction of the rate that warm-up begins at; None: the unscaled rate
    linear_decay: bool  # the rate falls to 0 over the run, on top of the regime
    stop_accuracy: float | None  # percent, of the training set while training, that ends the run
    swa_start: int | None  # first epoch, from 1, after which weights are averaged


def check_methods(config: RunConfig) -> None:
    """Refuse methods that have no meaning together, and flags that only refine a method that is off.

    Raises:
        UserError: in one line, what is wrong and what would be right.
    """
    _check_smoothing(config)
    _check_gradient_noise(config)
    _check_copies(config)
    _check_rate(config)


def shaped_by_length(config: RunConfig) -> str:
    """Return the flag of a method that depends on how long the run is, so that it cannot be extended; '' for none."""
    if config.linear_decay:
        return '--linear-decay'
    return '--smoothing-type tanh' if config.smoothing_type == 'tanh' else ''


def gradient_noise_sigma(config: RunConfig) -> float | None:
    """Return the deviation of the factor on each example's loss; None: no noise.

    auto: sigma**2 = r / s**2 - 1 for r = batch / base and the factor s on the rate, so that the weight increments have
    the covariance of the base batch (Hoffer et al. 2017, arXiv 1705.08741); 0 where s**2 makes up for r alone.
    """
    if config.gradient_noise != 'auto':
        return config.gradient_noise
    ratio = config.batch_size / config.base_batch_size
    return max(0.0, ratio / _rate_factor(config) ** 2 - 1) ** 0.5


def _rate_factor(config: RunConfig) -> float:
    """With --base-lr-per-example the rate grows with the batch, as it does with --lr_fix_policy linear."""
    scaling = config.lr_scaling if config.base_lr_per_example is None else 'linear'
    return lr_factor(config.batch_size, config.base_batch_size, scaling)


def _check_smoothing(config: RunConfig) -> None:
    values = {name: getattr(config, name) for name in SMOOTHING_DEFAULTS}
    changed = {name: value for name, value in values.items() if value != SMOOTHING_DEFAULTS[name]}
    if changed and not config.sharpness_smoothing:
        raise UserError(
            f'{_as_flag(*next(iter(changed.items())))} refines SmoothOut, which is off: give its strength too, such as '
            '--ss 0.01'
        )
    for name, needed in (('anneal_index', 'anneal'), ('tanh_scale', 'tanh')):
        if name in changed and config.smoothing_type != needed:
            raise UserError(
                f'{_as_flag(name, changed[name])} shapes --smoothing-type {needed}, but that is '
                f'{config.smoothing_type}: leave out one or change the other'
            )
    for name in ('sharpness_smoothing', 'relu_noise', 'gradient_noise'):
        if config.noise_scale and (value := getattr(config, name)):
            raise UserError(
                f'{_as_flag(name, value)} changes the gradient whose own noise --noise-scale measures: leave out one'
            )


def _as_flag(name: str, value: object) -> str:
    flag = name if name == 'relu_noise' else name.replace('_', '-')
    value = f'{value:g}' if isinstance(value, float) else value
    return f'--no-{flag}' if value is False else f'--{flag} {value}'


def _check_gradient_noise(config: RunConfig) -> None:
    if config.gradient_noise != 'auto' or gradient_noise_sigma(config) > 1e-6:
        return
    batch, base, factor = config.batch_size, config.base_batch_size, _rate_factor(config)
    if batch <= base:
        raise UserError(
            f'--gradient-noise auto makes up for a batch above --base-batch-size {base}, but it is {batch}: make it '
            'larger or leave the noise out'
        )
    instead = '' if config.base_lr_per_example is None else ' and --lr in place of --base-lr-per-example'
    raise UserError(
        f'--gradient-noise auto is 0: a batch of {batch} for one of {base} at {factor:g} times the rate has noise '
        f'enough: give --no-lr_bb_fix{instead}, which leaves the rate as it is'
    )


def _check_copies(config: RunConfig) -> None:
    num, batch, ghost = config.duplicates, config.batch_size, config.ghost_batch_size
    refining = {'copies': config.copies != 'spread', 'adapt_grad_norm': config.adapt_grad_norm}
    given = [_as_flag(name, getattr(config, name)) for name, is_on in refining.items() if is_on]
    if num == 1 and given:
        raise UserError(f'{given[0]} is about the copies of an image, of which there is one: add --duplicates, as 4')
    if num > 1 and config.noise_scale:
        raise UserError(
            f'--noise-scale needs independent examples, which the copies of --duplicates {num} are not: leave out one'
        )
    if config.copies == 'together' and ghost is None:
        raise UserError('--copies together puts copies into one ghost, of which there are none: see main_gbn.py')
    if config.copies == 'together' and ghost % num:
        sizes = [num * divisor for divisor in range(1, batch + 1) if batch % divisor == 0]
        sizes = [*[size for size in sizes if size < ghost][-1:], *[size for size in sizes if size > ghost][:1]]
        raise UserError(
            f'--mini-batch-size {ghost} does not hold whole images of --duplicates {num} copies that --copies together '
            f'asks for: {" or ".join(map(str, sizes))} does'
        )
    if num > 1 and config.copies == 'spread' and ghost is not None and ghost > batch:
        raise UserError(
            f'--mini-batch-size {ghost}: a ghost would hold two copies of an image of a batch of {batch}, which '
            f'--copies spread keeps apart: give at most {batch}, or --copies together'
        )


def _check_rate(config: RunConfig) -> None:
    if config.warmup_start is not None and not config.warmup_epochs:
        raise UserError(f'--warmup-start {config.warmup_start:g} is where a warm-up begins: give --warmup-epochs too')

