"""How fast the steps of a workload could be by the limits of a machine: its matrix products, its memory traffic."""

from __future__ import annotations

import copy

import torch

from benchmarks.machine import Limits, count_flop, least_bytes
from utils.engine.plan import Experiment


def bound_of(experiment: Experiment, limits: Limits) -> tuple[float, str]:
    """Print how many images per second both limits allow and return the lower number with its name."""
    precision, inputs = precision_of(experiment), experiment.data.train.peek(8).inputs
    size = 2 if precision in ('bf16', 'fp16') else 4
    per_image = least_bytes(experiment.model, inputs, size) / len(inputs)
    bounds = {
        f'{precision} products': limits.products[precision] / flop_per_image(experiment),
        'memory': limits.bandwidth / per_image,
    }
    texts = [f'{name} {rate:,.0f}' for name, rate in bounds.items()]
    print(f'bounds    images/s: {", ".join(texts)} ({per_image / 1e6:.2f} MB an image)')
    name = min(bounds, key=bounds.get)
    return bounds[name], name


def flop_per_image(experiment: Experiment) -> float:
    """Count forward and backward pass of a few images, in a copy of the network that nothing has compiled."""
    model = copy.deepcopy(experiment.model).train()
    inputs, targets, _ = experiment.data.train.peek(2 * (experiment.config.ghost_batch_size or 64))
    with torch.compiler.set_stance('force_eager'):
        return count_flop(lambda: experiment.criterion(model(inputs), targets).sum().backward()) / len(inputs)


def precision_of(experiment: Experiment) -> str:
    """Return the precision of most products, a key of Limits.products; convolutions of a GPU use TF32 as torch does."""
    if experiment.config.amp != 'off':
        return experiment.config.amp
    has_convolutions = any(isinstance(module, torch.nn.Conv2d) for module in experiment.model.modules())
    uses_tf32 = experiment.device.type == 'cuda' and has_convolutions and torch.backends.cudnn.allow_tf32
    return 'tf32' if uses_tf32 else 'float32'
