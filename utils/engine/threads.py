"""How many threads compute the passes of a run on a CPU.

It follows from the work of a pass alone, so that a run takes as many wherever there are enough cores. In small passes
threads wait for each other more than they compute; beside other programs one may wait for another that does not run.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import torch
from torch import Tensor, nn

from bigbatch.memory import THREADS_VARIABLE
from bigbatch.weights import probing
from utils.config.run import RunConfig
from utils.engine.methods import pass_size

PRODUCTS_OF_A_THREAD = 100_000_000  # of numbers, in a forward pass; see benchmarks/busy.py


def fit_threads(config: RunConfig, model: nn.Module, inputs: Tensor, stored: dict | None, num_ranks: int) -> None:
    """Have torch compute with as many threads as a training pass is worth.

    A resumed run, whose config.json is `stored`, takes what it had, since sums depend on it in their last digits; and
    OMP_NUM_THREADS of the user counts more than this rule.

    Args:
        inputs: some examples, on the device of the model.
    """
    if stored and stored.get('ranks', 1) == num_ranks:
        torch.set_num_threads(stored['num_threads'])
    elif inputs.device.type == 'cpu' and not config.evaluate and not _is_given():
        work = pass_size(config, config.num_images // num_ranks) * products_of(model, inputs) // len(inputs)
        torch.set_num_threads(min(_most_threads(), max(1, work // PRODUCTS_OF_A_THREAD)))


def products_of(model: nn.Module, inputs: Tensor) -> int:
    """Return how many products of two numbers a forward pass of inputs takes, in its linear layers and convolutions.

    Where a network hides those from torch (scripted, or weights that are no layer's), each number of a matrix counts
    once an example: at least that many there are.
    """
    least = len(inputs) * sum(parameter.numel() for parameter in model.parameters() if parameter.ndim > 1)
    layers: list[int] = []

    def count(layer: Any, _, output: object) -> None:
        if isinstance(output, Tensor):
            layers.append(output.numel() * layer.weight[0].numel())

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    hooks = [layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, kinds)]
    with torch.no_grad(), probing(model):
        model(inputs)
    for hook in hooks:
        hook.remove()
    return max(least, sum(layers))


def _is_given() -> bool:
    """Tell whether the user has said how many: what a suite says is the most, its share of the cores."""
    return 'OMP_NUM_THREADS' in os.environ and THREADS_VARIABLE not in os.environ


@functools.cache
def _most_threads() -> int:
    return torch.get_num_threads()  # before the first run of this process has changed it
