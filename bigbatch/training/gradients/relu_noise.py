"""The gradient with noise on the outputs of every ReLU (code of Wen et al. 2018, arXiv 1805.07898; not in the paper).

Each activation is multiplied by its own uniform number between 1 - r and 1 + r in the training passes. The published
code builds this into resnet, in layers whose buffers make its checkpoints unreadable; here the calls of ReLU functions
are caught, so any network takes it, and checkpoints are as ever. Like dropout it draws from the global generators, so
it depends on micro-batches; a resumed run goes on as if it had not stopped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bigbatch.training.gradients.base import Estimator, Wrapper
from bigbatch.training.scoring import ScoreSums
from bigbatch.weights import probing

RELUS = frozenset((F.relu, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_))


class ReluNoise(Wrapper):
    """Compute the gradient of another estimator with noise of width r, from 0 to 1, on the outputs of ReLUs."""

    def __init__(self, inner: Estimator, width: float):
        super().__init__(inner)
        self._width = width

    def __call__(self, model: nn.Module, criterion: nn.Module, batch, *, step: int) -> ScoreSums:
        with NoisyRelus(self._width):
            return self.inner(model, criterion, batch, step=step)


class NoisyRelus(TorchFunctionMode):
    """Within this block what a call of a ReLU returns is noisy; `num_calls` counts them."""

    def __init__(self, width: float):
        super().__init__()
        self.num_calls = 0
        self._width = width

    def __torch_function__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))  # this mode is off in here, so a ReLU within a ReLU counts once
        if func not in RELUS:
            return found
        self.num_calls += 1
        return found * torch.empty_like(found).uniform_(1 - self._width, 1 + self._width)


@torch.no_grad()
def calls_relu(model: nn.Module, inputs: Tensor) -> bool:
    """Tell whether a network passes its inputs through a ReLU, as a module or as a function; it is left untouched."""
    with probing(model), NoisyRelus(0.0) as relus:
        model(inputs)
    return relus.num_calls > 0
