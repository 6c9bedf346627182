"""The weights of a network as one vector, and how far they have travelled (Hoffer et al. 2017, arXiv 1705.08741).

The published code measures the distance of the first tensor only; this is the norm over all parameters.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from bigbatch.seeding import isolated_rng

POINTS_PER_DECADE = 20


@torch.no_grad()
def weight_distance_tensor(model: nn.Module, initial: Mapping[str, Tensor]) -> Tensor:
    """Return the L2 distance of all parameters from a state dict: float64, on the model's device, no wait for a GPU."""
    parts = [
        torch.linalg.vector_norm(parameter - initial[name].to(parameter.device), dtype=torch.float64)
        for name, parameter in model.named_parameters()
    ]
    return torch.linalg.vector_norm(torch.stack(parts)) if parts else torch.zeros((), dtype=torch.float64)


def weight_distance(model: nn.Module, initial: Mapping[str, Tensor]) -> float:
    """Return the L2 norm of (parameters - initial) over all parameters; see weight_distance_tensor."""
    return weight_distance_tensor(model, initial).item()


def is_log_spaced(step: int) -> bool:
    """Tell whether a step (1, 2, ...) is the first of its twentieth of a decade: about 20 points per factor of ten."""
    if step < 1:
        return False
    bucket = math.floor(POINTS_PER_DECADE * math.log10(step))
    return step == 1 or bucket > math.floor(POINTS_PER_DECADE * math.log10(step - 1))


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the parameters of a network; a ValueError refuses one without any."""
    for parameter in model.parameters():
        return parameter.device
    raise ValueError(f'{type(model).__name__} has no parameters')


def trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Return names and parameters of all that is trained, in the order of the vectors that are made of them."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def parameters_to_array(parameters: Sequence[nn.Parameter]) -> np.ndarray:
    """Return parameters as one vector, float64 (n,), a copy."""
    parts = [parameter.detach().reshape(-1).to('cpu', torch.float64) for parameter in parameters]
    return torch.cat(parts).numpy() if parts else np.empty(0)


@torch.no_grad()
def array_to_parameters(x: np.ndarray, parameters: Sequence[nn.Parameter]) -> None:
    """Set parameters in place from x (n,), rounded; a ValueError names another length and leaves them unchanged."""
    num = sum(parameter.numel() for parameter in parameters)
    if x.shape != (num,):
        raise ValueError(f'an array of shape {x.shape} for {num} numbers in the parameters: expected ({num},)')
    values = torch.from_numpy(np.ascontiguousarray(x)).split([parameter.numel() for parameter in parameters])
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value.view(parameter.shape))


def restored(model: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Give parameters and buffers the values again, on leaving, that they have on entering; also where it raises."""
    return keeping([*model.parameters(), *model.buffers()])


@contextlib.contextmanager
def probing(model: nn.Module, *, training: bool = False) -> Iterator[None]:
    """Pass examples through a network inside, in eval mode or that of training, and leave no trace.

    Modes, buffers, attributes and the random state of the CPU are what they were then. A copy in its place would not
    do: not every network can be copied, such as one with torch.nn.utils.weight_norm.
    """
    modes = [(module, module.training) for module in model.modules()]
    own = [module for module, _ in modes if not isinstance(module, torch.jit.ScriptModule)]
    attributes = [(each.__dict__, dict(each.__dict__)) for each in own]
    attributes += [(each._buffers, dict(each._buffers)) for each in own]  # a forward may put others in their place
    with isolated_rng(), keeping(model.buffers()):
        try:
            model.train(training)
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for found, kept in attributes:
                found.clear()
                found.update(kept)


@contextlib.contextmanager
def keeping(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Give tensors the values again, on leaving, that they have on entering; also where it raises."""
    saved = [(tensor, tensor.detach().clone()) for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in saved:
                tensor.copy_(value)
