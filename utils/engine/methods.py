"""Compose the gradient estimator of a run from its methods, and check the network against them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from bigbatch.training.averaging import WeightAverage
from bigbatch.training.gradients import create_estimator
from bigbatch.training.gradients.base import Estimator
from utils.config.run import RunConfig
from utils.methods import copies, gradient_noise, noise_scale, relu_noise, smoothout, weight_average


class Methods(NamedTuple):
    """What computes the gradient of a run, and what averages its weights, if anything does."""

    estimator: Estimator
    average: WeightAverage | None


def build_methods(config: RunConfig, model: nn.Module, *, steps_per_epoch: int, num_epochs: int) -> Methods:
    """Build what the methods of a run are made of.

    Raises:
        ValueError: a method that cannot be in a run of this length.
    """
    estimator = build_estimator(config, model, steps_per_epoch=steps_per_epoch, num_epochs=num_epochs)
    return Methods(estimator, weight_average.build(config, model, num_epochs))


def build_estimator(config: RunConfig, model: nn.Module, *, steps_per_epoch: int, num_epochs: int) -> Estimator:
    """Build the estimator of a run: one that computes the gradient, inside those that set its conditions."""
    num_steps = steps_per_epoch * (num_epochs - config.start_epoch)
    estimator = (
        noise_scale.build(config, config, steps_per_epoch)
        or gradient_noise.build(config, config)
        or create_estimator('plain')
    )
    estimator = relu_noise.wrap(config, estimator)
    estimator = smoothout.wrap(config, config, estimator, model, num_steps)
    return copies.wrap(config, estimator)  # the outermost: it measures whole batches, whatever computes their gradients


def check_network(
    config: RunConfig, model: nn.Module, criterion: nn.Module, examples: tuple[Tensor, Tensor]
) -> None:
    """Refuse methods that a network gives nothing to work on.

    Args:
        examples: (inputs, targets), a few.

    Raises:
        ValueError: in one line, what is wrong and what would be right.
    """
    relu_noise.check_network(config, config, model, examples[0])
    gradient_noise.check_network(config, config, model, criterion, examples)
