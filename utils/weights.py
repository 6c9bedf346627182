"""How far the weights have travelled from where they started (Hoffer et al. 2017, arXiv 1705.08741, section 3).

The published code measures the first tensor only; this is the norm over all parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

POINTS_PER_DECADE = 20


@torch.no_grad()
def weight_distance_tensor(model: nn.Module, initial: Mapping[str, Tensor]) -> Tensor:
    """Return the L2 distance over all parameters as a float64 scalar on the model's device (no wait for a GPU).

    Args:
        model: its parameters are compared, its buffers are not.
        initial: name -> tensor, for example a state dict; names that are no parameters are left out.
    """
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
