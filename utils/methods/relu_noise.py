"""Noise on what ReLUs put out, of SmoothOut's published code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.methods.base import RunSettings, refuse_with_noise_scale
from utils.parser import real

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bigbatch.training.gradients.base import Estimator


@dataclass(frozen=True, kw_only=True)
class ReluNoise:
    """Factors on activations; off by default."""

    relu_noise: float | None  # half-width of the factor on each activation


def add_args(group) -> None:
    """Add the flag."""
    group.add_argument(
        '--relu_noise', type=real(0, 1), metavar='R',
        help='multiply each output of a ReLU by a uniform number between 1 - R and 1 + R while training',
    )


def check(own: ReluNoise, run: RunSettings) -> None:
    """Refuse it beside measurements of the gradient's own noise.

    Raises:
        UserError: in one line.
    """
    refuse_with_noise_scale('relu_noise', own.relu_noise, run)


def describe(own: ReluNoise, run: RunSettings) -> str:
    """Say what is done, in words; empty where it is off."""
    width = own.relu_noise
    return f'outputs of ReLUs times U({1 - width:g}, {1 + width:g})' if width else ''


def wrap(own: ReluNoise, inner: Estimator) -> Estimator:
    """Return an estimator with the noise around another one; that one itself where the noise is off."""
    if not own.relu_noise:
        return inner
    from bigbatch.training.gradients import create_estimator

    return create_estimator('relu_noise', inner=inner, width=own.relu_noise)


def check_network(own: ReluNoise, run: RunSettings, model: nn.Module, inputs: Tensor) -> None:
    """Refuse a network without a ReLU.

    Args:
        inputs: a few examples.

    Raises:
        ValueError: it has none.
    """
    if not own.relu_noise:
        return
    from bigbatch.training.gradients.relu_noise import calls_relu

    if not calls_relu(model, inputs):
        raise ValueError(f'--relu_noise {own.relu_noise:g}: {run.model} has no ReLU, so leave it out')
