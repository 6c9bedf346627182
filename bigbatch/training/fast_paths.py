"""Faster ways through a network: channels last in memory, half precision, compilation.

The network itself takes them: its class is swapped for one derived from it, and all pass batches through it as ever.

Half precision is torch.autocast: products and convolutions compute in it; weights, gradients, the statistics of batch
norm and the logits stay float32. With float16 the gradient is scaled where it enters the network, at the logits, not
as the loss: what an estimator makes of losses stays as it is. Where we differ from torch's recipe: weights that were
cast are not kept for a second use, as noise may change them between two passes.

Training passes of one size are compiled. Scoring, measurements and shorter last batches, for which torch would compile
anew for minutes, run as they are.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bigbatch.weights import device_of

HALF = {'bf16': torch.bfloat16, 'fp16': torch.float16}


def convolutions(model: nn.Module) -> list[nn.Module]:
    """Return the layers whose weights have a place for channels to come last in: (out, in, height, width)."""
    return [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))]


def use_channels_last(model: nn.Module) -> None:
    """Keep the weights of convolutions channels last in memory; the first one converts inputs, the others follow."""
    for layer in convolutions(model):
        layer.to(memory_format=torch.channels_last)


def use_half_precision(model: nn.Module, amp: str) -> None:
    """Compute products and convolutions in bf16, or fp16, which needs its gradients scaled: see loss_scaler."""
    paths, device = _paths_of(model), device_of(model).type
    paths.dtype = HALF[amp]
    paths.scaler = torch.amp.GradScaler(device) if amp == 'fp16' else None


def compile_passes(model: nn.Module, mode: str, num_examples: int) -> None:
    """Have the training passes of so many examples compiled at the first of them; mode: see torch.compile."""
    paths = _paths_of(model)
    paths.compiled_size, paths.has_graphs = num_examples, mode == 'reduce-overhead'
    model.compile(mode=mode, dynamic=False)


def loss_scaler(model: nn.Module) -> torch.amp.GradScaler | None:
    """Return what scales the gradients of a network in float16, which is to undo it; None for any other."""
    paths = getattr(model, 'fast_paths', None)
    return paths.scaler if paths else None


def check_compiler(device: torch.device) -> None:
    """Compile a function of one line; a ValueError says why that does not work here."""
    try:
        torch.compile(lambda numbers: numbers.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:  # whatever a compiler may raise
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        needed = 'a C++ compiler, such as g++' if device.type == 'cpu' else 'triton and a C compiler, such as gcc'
        raise ValueError(f'torch.compile needs {needed}, and fails here ({reason}): install it') from error


@dataclass
class _Paths:
    dtype: torch.dtype | None = None
    scaler: torch.amp.GradScaler | None = None
    compiled_size: int = 0  # examples of the passes that are compiled; 0: none
    has_graphs: bool = False


class _FastPaths(nn.Module):
    """What is added to the class of a network; comes before it in the bases."""

    fast_paths: _Paths

    def __call__(self, inputs: Tensor) -> Tensor:
        paths = self.fast_paths
        if self.training and torch.is_grad_enabled() and len(inputs) == paths.compiled_size:
            if paths.has_graphs:
                _leave_graph_memory(self)
            logits = super().__call__(inputs)
        else:
            with torch.compiler.set_stance('force_eager') if paths.compiled_size else contextlib.nullcontext():
                logits = super().__call__(inputs)
        if paths.scaler is not None and logits.requires_grad:
            logits.register_hook(paths.scaler.scale)
        return logits

    def forward(self, inputs: Tensor) -> Tensor:
        dtype = self.fast_paths.dtype
        if dtype is None:
            return super().forward(inputs)
        with torch.autocast(inputs.device.type, dtype=dtype, cache_enabled=False):
            logits = super().forward(inputs)
        return logits.float()


def _paths_of(model: nn.Module) -> _Paths:
    """Return what a network carries, after making its class one that heeds it."""
    if not isinstance(model, _FastPaths):
        own = type(model)
        model.__class__ = type(own.__name__, (_FastPaths, own), {'__module__': own.__module__})
        assert isinstance(model, _FastPaths)
        model.fast_paths = _Paths()
    return model.fast_paths


def _leave_graph_memory(model: nn.Module) -> None:
    """Begin a replay: what the last one returned is overwritten, so gradients that add up over passes move out."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad = parameter.grad.clone()
    torch.compiler.cudagraph_mark_step_begin()
