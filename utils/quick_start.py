"""Optimizers of torch without its compiler, which each of them would import at its first use, compiled or not.

That import takes half of the time from a command to its first update. Where another version of torch wraps its
optimizers in another way, nothing of this has an effect.
"""

from __future__ import annotations

import inspect

import torch

# What torch.optim.Optimizer hides from the compiler, by a wrapper that imports it in order to say so.
_HIDDEN = ('add_param_group', 'load_state_dict', 'state_dict', 'zero_grad')


def spare_compiler() -> None:
    """Have optimizers that are built from now on do without the compiler; they themselves cannot be compiled."""
    for name in _HIDDEN:
        function = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        if not hasattr(function, '__dynamo_disable'):  # where the wrapper looks for its result
            setattr(function, '__dynamo_disable', function)


@torch.no_grad()
def make_update(optimizer: torch.optim.Optimizer) -> None:
    """Do what optimizer.step() does, for one that has neither hooks nor a closure."""
    inspect.unwrap(type(optimizer).step)(optimizer)
