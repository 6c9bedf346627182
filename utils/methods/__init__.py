"""The methods that repair a large batch: a file each, with its settings, its flags, its checks and its words.

Each function takes the settings of its method and what it reads of the run besides; today one object is both.
Nothing here imports torch before a network is to be changed, as this answers to a parser.
"""

from __future__ import annotations

from dataclasses import dataclass

from utils.methods import (
    copies,
    dropout,
    early_stop,
    gradient_noise,
    noise_scale,
    relu_noise,
    smoothout,
    weight_average,
)
from utils.parser import Parser


# Fields stand in the reverse order of the bases.
@dataclass(frozen=True, kw_only=True)
class MethodConfig(
    noise_scale.NoiseScale, weight_average.WeightAveraging, early_stop.EarlyStop, copies.Copies,
    gradient_noise.GradientNoise, dropout.Dropout, relu_noise.ReluNoise, smoothout.SmoothOut,
):  # fmt: skip
    """What changes the gradient, the batch or the average of a run; every method is off by default."""


def add_method_args(parser: Parser) -> None:
    """Add the flags of every method to the parser of a training script."""
    smoothout.add_args(parser.add_argument_group(smoothout.TITLE))
    noise = parser.add_argument_group('other noise')
    for method in (gradient_noise, relu_noise, dropout):
        method.add_args(noise)
    copies.add_args(parser.add_argument_group(copies.TITLE))
    ends = parser.add_argument_group('averaging and stopping')
    for method in (weight_average, early_stop):
        method.add_args(ends)


def check_methods(config) -> None:
    """Refuse methods that have no meaning together, and flags that only refine a method that is off.

    Args:
        config: the settings of every method, and a utils.methods.base.RunSettings.

    Raises:
        UserError: in one line, what is wrong and what would be right.
    """
    for method in (noise_scale, smoothout, relu_noise, gradient_noise, copies):
        method.check(config, config)


def describe_methods(config) -> list[tuple[str, str]]:
    """Return (label, text) for each method that is on; the label has at most 13 letters.

    Args:
        config: as for check_methods.
    """
    noises = (method.describe(config, config) for method in (gradient_noise, relu_noise, dropout))
    rows = [
        ('SmoothOut', smoothout.describe(config, config)),
        ('noise', ', '.join(text for text in noises if text)),
        ('copies', copies.describe(config, config)),
        ('average', weight_average.describe(config, config)),
        ('stop', early_stop.describe(config, config)),
    ]
    return [(label, text) for label, text in rows if text]
