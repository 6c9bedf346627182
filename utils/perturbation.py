"""Noise on the weights of a network (Wen et al. 2018, SmoothOut, arXiv 1805.07898).

The published evaluation adds the noise and subtracts it again, which leaves rounding errors behind; here the weights
are restored from a copy. The noise is a function of its generator alone, not of what was drawn before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from utils.weights import restored


@contextlib.contextmanager
def perturbed(model: nn.Module, strength: float, generator: torch.Generator) -> Iterator[None]:
    """Add noise to all parameters, those of batch norm included, within the block; buffers stay as they are.

    Args:
        strength: a, above 0: each number gets its own value, uniform between -a and a.
        generator: on the device of the parameters.
    """
    with restored(model):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.empty_like(parameter).uniform_(-strength, strength, generator=generator))
        yield
