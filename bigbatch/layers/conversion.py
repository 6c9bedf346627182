"""Turn the batch norms of a network into ghost batch norms, those of other projects included."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from bigbatch.layers.ghost_batch_norm import (
    GhostBatchNorm1d,
    GhostBatchNorm2d,
    GhostBatchNorm3d,
    GhostNorm,
    checked_size,
    normalize_ghosts,
)
from bigbatch.seeding import isolated_rng
from bigbatch.weights import probing

GHOSTS: dict[type[nn.Module], type[GhostNorm]] = {
    nn.BatchNorm1d: GhostBatchNorm1d, nn.BatchNorm2d: GhostBatchNorm2d, nn.BatchNorm3d: GhostBatchNorm3d,
}  # fmt: skip
PIXELS: dict[type[nn.Module], tuple[int, ...]] = {nn.BatchNorm1d: (), nn.BatchNorm2d: (2, 2), nn.BatchNorm3d: (2, 2, 2)}
REMEDY = 'have its forward call super().forward(inputs), or take BatchNorm1d, 2d or 3d there'


def convert_ghost_batch_norm(model: nn.Module, ghost_batch_size: int) -> nn.Module:
    """Turn every batch norm of a model into a ghost batch norm, in place.

    Modules stay the same objects (only their class changes), and so do parameters, buffers, hooks and
    settings: an optimizer made before goes on working. A ghost batch norm already there gets the new size.
    Instance norm is left alone. A class derived from BatchNorm1d, 2d or 3d keeps what it does besides, such as an
    activation: it is converted where its forward calls super().forward or torch.nn.functional.batch_norm.

    Args:
        model: any module, a batch norm itself included; it is returned.

    Raises:
        ValueError: a size that is no positive integer, or a batch norm that cannot be converted (synchronised, lazy,
            scripted, traced, or with a forward of its own making); the model is then unchanged.
    """
    size = checked_size(ghost_batch_size)
    found = [(module, _ghost_class(name or 'the model itself', module)) for name, module in model.named_modules()]
    for module, ghost_class in found:
        if ghost_class is not None:
            module.__class__ = ghost_class
            module.ghost_batch_size = size
    return model


def _ghost_class(name: str, module: nn.Module) -> type | None:
    """Return the class that a module converts to, None where it is no batch norm."""
    if isinstance(module, GhostNorm):
        return type(module)
    if _is_compiled_batch_norm(module):
        raise ValueError(
            f'{name} is scripted, traced or exported, with batch norm inside that cannot become a ghost batch norm: '
            'convert the network that it was made of'
        )
    if not isinstance(module, _BatchNorm):
        return None
    if type(module) in GHOSTS:
        return GHOSTS[type(module)]
    for plain in GHOSTS:
        if isinstance(module, plain):
            return _adapted_class(name, module, plain)
    what = f'{name} is a {type(module).__name__}, which cannot become a ghost batch norm'
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        raise ValueError(f'{what} before it has its size: pass a batch through the network first')
    raise ValueError(f'{what}: take BatchNorm1d, 2d or 3d there')


def _is_compiled_batch_norm(module: nn.Module) -> bool:
    """Tell whether batch norm is part of a program that a module was made into, where no layer can be changed."""
    if isinstance(module, torch.jit.ScriptModule):
        return 'aten::batch_norm' in str(getattr(module, 'inlined_graph', ''))
    nodes = module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ()
    return any(node.op == 'call_function' and 'batch_norm' in str(node.target) for node in nodes)


def _adapted_class(name: str, module: _BatchNorm, plain: type[nn.Module]) -> type[nn.Module]:
    """Return a class that does what a derived class of batch norm does, over ghosts."""
    kind: Any = type(module)
    ghost: Any = GHOSTS[plain]
    if kind.forward is plain.forward:
        return _derive(kind, ghost)
    for found in (_derive(kind, ghost), _derive(kind, ghost, redirects=True)):
        if _takes_ghosts(module, found, plain):
            return found
    raise ValueError(f'{name} is a {kind.__name__}, whose forward takes its statistics in a way of its own: {REMEDY}')


@functools.cache
def _derive(kind: Any, ghost: Any, *, redirects: bool = False) -> type[nn.Module]:
    # super().forward of the derived class is then that of the ghosts, which stands before batch norm in the bases
    bases = (_Redirecting, kind, ghost) if redirects else (kind, ghost)
    again = (kind, ghost, redirects)
    return type(f'Ghost{kind.__name__}', bases, {
        '__module__': kind.__module__, '__reduce__': lambda self: (_make_blank, again, self.__dict__),
    })  # fmt: skip


def _make_blank(kind: Any, ghost: Any, redirects: bool) -> nn.Module:
    """Return a layer of a derived class, to be filled from a copy or a pickle, which do not find that by its name."""
    derived = _derive(kind, ghost, redirects=redirects)
    return derived.__new__(derived)


class _Redirecting(nn.Module):
    """A layer whose forward calls torch.nn.functional.batch_norm, in place of which ghosts are normalised."""

    def forward(self, *inputs, **settings):
        if not self.training:
            return super().forward(*inputs, **settings)
        with _Redirection(self) as redirection:
            outputs = super().forward(*inputs, **settings)
        if not redirection.has_ghosts:
            raise ValueError(f'a {type(self).__name__} took its statistics in a way of its own: {REMEDY}')
        return outputs


class _Redirection(TorchFunctionMode):
    def __init__(self, layer: Any):
        super().__init__()
        self._layer, self.has_ghosts = layer, False
        counter = layer.num_batches_tracked
        self._count = None if counter is None else counter.clone()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        call = self._batch_norm if func is F.batch_norm else func
        return call(*args, **(kwargs or {}))

    def _batch_norm(self, input, running_mean, running_var, weight=None, bias=None, *args, **settings):
        layer = self._layer
        if weight is not layer.weight or not (running_mean is None or running_mean is layer.running_mean):
            return F.batch_norm(input, running_mean, running_var, weight, bias, *args, **settings)
        if self._count is not None:
            layer.num_batches_tracked.copy_(self._count)  # the layer has counted the batch as one
        self.has_ghosts = True
        return normalize_ghosts(layer, input)


def _takes_ghosts(module: Any, kind: type[nn.Module], plain: type[nn.Module]) -> bool:
    """Tell whether a layer of a class would normalise two ghosts by themselves."""
    tensor = next((each for each in (module.weight, module.running_mean) if each is not None), torch.empty(0))
    shape = (4, module.num_features, *PIXELS[plain])
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(tensor)
    try:
        expected, num_expected = _try_out(module, type(module), inputs.split(2))
        of_whole, _ = _try_out(module, type(module), [inputs])
    except Exception:  # it takes other inputs than these, or more: its code has to tell
        code = getattr(inspect.unwrap(type(module).forward), '__code__', None)
        names = {*code.co_names} if code else set()
        return 'batch_norm' in names if issubclass(kind, _Redirecting) else {'super', 'forward'} <= names
    try:
        found, num_found = _try_out(module, kind, [inputs])
    except Exception:  # whatever a layer of somebody else's may raise: it is refused
        return False
    if module.num_batches_tracked is not None:  # outputs are not the same where there is dropout
        return num_found == num_expected == module.num_batches_tracked + 2
    is_of_batches = not torch.allclose(of_whole, expected, rtol=1e-3, atol=1e-5)
    return is_of_batches and torch.allclose(found, expected, rtol=1e-3, atol=1e-5)


def _try_out(module: Any, kind: type[nn.Module], batches: Sequence[Tensor]) -> tuple[Tensor, int]:
    """Return what a layer would make of batches if it were of a class, and its count of them; it stays what it is."""
    own = type(module)
    with torch.no_grad(), probing(module, training=True), isolated_rng() as seed:
        seed(0)
        try:
            module.__class__, module.ghost_batch_size = kind, 2
            outputs = torch.cat([module(batch) for batch in batches])
        finally:
            module.__class__ = own
        return outputs, int(0 if module.num_batches_tracked is None else module.num_batches_tracked)
