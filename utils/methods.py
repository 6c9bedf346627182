"""Compose the gradient estimator of a run from its methods, and fit the network to them."""

from __future__ import annotations

import copy
import functools

import torch
from torch import Tensor, nn

from bigbatch.messages import counted
from bigbatch.training.averaging import WeightAverage
from bigbatch.training.gradients import create_estimator
from bigbatch.training.gradients.base import Estimator
from bigbatch.training.gradients.gradient_noise import loss_of_each
from bigbatch.training.gradients.relu_noise import calls_relu
from bigbatch.training.gradients.smoothout import strength_factor
from bigbatch.training.perturbation import quiet_names
from utils.config import RunConfig
from utils.method_config import gradient_noise_sigma


def build_estimator(config: RunConfig, model: nn.Module, *, steps_per_epoch: int, num_epochs: int) -> Estimator:
    """Build the estimator of a run: one that computes the gradient, inside those that set its conditions."""
    estimator = _build_base(config, steps_per_epoch)
    if config.relu_noise:
        estimator = create_estimator('relu_noise', inner=estimator, width=config.relu_noise)
    if config.sharpness_smoothing:
        num_steps = steps_per_epoch * (num_epochs - config.start_epoch)
        estimator = _build_smoothing(config, model, estimator, num_steps)
    if config.adapt_grad_norm:  # the outermost: it measures whole batches, and scales whatever gradient came about
        estimator = create_estimator('adapt_grad_norm', inner=estimator, every=config.adapt_grad_norm)
    return estimator


def build_average(config: RunConfig, model: nn.Module, num_epochs: int) -> WeightAverage | None:
    """Build the average of the weights of a run that has one."""
    if config.swa_start is None:
        return None
    if config.swa_start > num_epochs:
        length = counted(num_epochs, 'epoch')
        raise ValueError(f'--swa-start {config.swa_start}: the run has {length}, the first of them is 1')
    return WeightAverage(model)


def set_dropout(model: nn.Module, p: float) -> None:
    """Give every dropout layer this probability.

    Raises:
        ValueError: the network has none.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.modules.dropout._DropoutNd)]
    if not layers:
        raise ValueError(f'--dropout {p:g}: the network has no dropout layer, so leave it out')
    for layer in layers:
        layer.p = p


def check_network(
    config: RunConfig, model: nn.Module, criterion: nn.Module, examples: tuple[Tensor, Tensor]
) -> None:
    """Refuse methods that a network gives nothing to work on.

    Args:
        examples: (inputs, targets), a few.
    """
    inputs, targets = examples
    if config.relu_noise and not calls_relu(model, inputs):
        raise ValueError(f'--relu_noise {config.relu_noise:g}: {config.model} has no ReLU, so leave it out')
    if config.gradient_noise is not None:
        with torch.no_grad():
            losses = loss_of_each(criterion)(copy.deepcopy(model).eval()(inputs), targets)
        if losses.shape != targets.shape:
            raise ValueError(
                f'--gradient-noise {config.gradient_noise}: the criterion of {config.model} gives no loss for each '
                "example, which is to be weighted: return one each, or heed an attribute reduction='none'"
            )


def _build_base(config: RunConfig, steps_per_epoch: int) -> Estimator:
    """Build the estimator that computes the gradient itself."""
    if config.noise_scale:
        ghost_size = config.ghost_batch_size or config.micro_batch_size
        return create_estimator('noise_scale', ghost_size=ghost_size, num_steps=steps_per_epoch)
    if config.gradient_noise is not None:
        return create_estimator('gradient_noise', sigma=gradient_noise_sigma(config), seed=config.seed)
    return create_estimator('plain')


def _build_smoothing(config: RunConfig, model: nn.Module, inner: Estimator, num_steps: int) -> Estimator:
    factor = functools.partial(
        strength_factor, config.smoothing_type, num_steps=num_steps, anneal_index=config.anneal_index,
        tanh_scale=config.tanh_scale,
    )
    return create_estimator(
        'smoothout', inner=inner, strength=lambda step: config.sharpness_smoothing * factor(step), seed=config.seed,
        ghost_size=config.ghost_batch_size if config.noise_per == 'ghost' else None, denoise=config.denoise,
        adapt_type=config.adapt_type, noise_type=config.noise_type,
        exclude=quiet_names(model, exclude_bn=config.exclude_bn),
    )
