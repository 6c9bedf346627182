"""The loss of a network on lines through weight space: between two minima, and along random directions.

Sources: Goodfellow et al. 2015 (arXiv 1412.6544) for the line; Keskar et al. 2016 (arXiv 1609.04836), figures 3
(linear) and 7 (arc); the published code of SmoothOut (Wen et al. 2018, arXiv 1805.07898) for `sin` and for the random
direction of which each filter has the norm of the network's filter, after Li et al. 2018 (arXiv 1712.09913).

Where we differ: an extrapolated variance is never negative, and how many would have been is counted; the running
statistics of batch norm may be measured anew at each point; random directions are a function of a seed; the network
has its own weights and buffers back afterwards, whatever happens.
"""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from bigbatch.analysis.objective import NetworkObjective, check_loader, in_float64, losses_of, measuring
from bigbatch.seeding import make_generator
from bigbatch.training.batch_norm import batch_statistics, recompute_statistics
from bigbatch.weights import trainable

State = Mapping[str, Tensor]


def loss_line(
    model: nn.Module,
    a: State,
    b: State,
    alphas: Sequence[float],
    loss: Callable,
    loader: Iterable,
    *,
    mode: str = 'linear',
    batch_norm: str = 'interpolate',
) -> np.ndarray:
    """Return the mean loss of any network at points of the line from weights a (alpha 0) to weights b (alpha 1).

    The network is in eval mode meanwhile; its weights, buffers and modes are what they were afterwards.

    Args:
        a, b: state dicts of the model.
        alphas: (n,), where; outside of 0 to 1 the line goes on.
        loss, loader: see bigbatch.network_objective.
        mode: see coefficients.
        batch_norm: interpolate, fixed: by the running statistics, see Between; batch: by those of each batch.

    Returns:
        Losses (n,), float64.

    Raises:
        ValueError: a mode that is not known, or weights that are none of the model; see bigbatch.network_objective.

    Warns:
        UserWarning: beyond the ends variances of batch norm came out negative, and were taken as 0.
    """
    if batch_norm not in ('interpolate', 'fixed', 'batch'):
        raise ValueError(f'batch_norm {batch_norm!r}: expected interpolate, fixed or batch')
    coefficients(0.5, mode)
    check_loader(loader)
    a, b = ({name: value.clone() for name, value in end.items()} for end in (a, b))  # either may be the model's own
    means, num_clamped = [], 0
    with measuring(model, 'batch' if batch_norm == 'batch' else 'fixed'), torch.no_grad():
        for end in (b, a):
            _load(model, end)
        line = Between(model, b, mode=mode, bn=batch_norm)
        objective = NetworkObjective(functools.partial(losses_of, model, in_float64(loss), loader), [])
        for alpha in alphas:
            num_clamped += line.place(float(alpha))
            means.append(objective.loss_here())
    if num_clamped:
        warnings.warn(
            f'{num_clamped} variances of batch norm beyond the ends would be negative: 0 instead', stacklevel=2
        )
    return np.array(means)


def _load(model: nn.Module, state: State) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'weights that are none of {type(model).__name__}: {" ".join(str(error).split())}') from error


def coefficients(alpha: float, mode: str) -> tuple[float, float]:
    """Return the weights of both ends at a point: (1, 0) at alpha 0 and (0, 1) at alpha 1, exactly.

    Args:
        mode: linear: (1 - alpha, alpha). sin: the same with t = (1 + sin(pi alpha - pi / 2)) / 2 for alpha, which stays
            between the ends. arc: (cos(alpha pi / 2), sin(alpha pi / 2)), a quarter of an ellipse around the origin.
    """
    if mode not in ('linear', 'sin', 'arc'):
        raise ValueError(f'mode {mode!r}: expected linear, sin or arc')
    if alpha in (0.0, 1.0):
        return 1.0 - alpha, float(alpha)
    if mode == 'arc':
        return math.cos(alpha * math.pi / 2), math.sin(alpha * math.pi / 2)
    t = alpha if mode == 'linear' else (1 + math.sin(math.pi * alpha - math.pi / 2)) / 2
    return 1.0 - t, t


def interpolate(start: State, end: State, alpha: float, mode: str = 'linear') -> dict[str, Tensor]:
    """Return the state at a point, summed in float64; whole numbers, such as counters, are those of the nearer end."""
    at_start, at_end = coefficients(alpha, mode)
    if at_end == 0.0 or at_start == 0.0:
        return dict(start if at_end == 0.0 else end)
    state = {}
    for name, value in start.items():
        if value.is_floating_point():
            state[name] = (at_start * value.double() + at_end * end[name].double()).to(value.dtype)
        else:
            state[name] = value if at_start >= at_end else end[name]
    return state


def statistics_names(model: nn.Module, *kinds: str) -> list[str]:
    """List the buffers of batch norm in a state dict, of kinds such as running_mean."""
    return [
        f'{prefix}.{kind}' if prefix else kind for prefix, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) for kind in kinds if getattr(module, kind) is not None
    ]  # fmt: skip


class Between:
    """The line from the present state of a model, alpha 0, to the state dict `end`, alpha 1; mode: see coefficients.

    With bn `interpolate` all buffers go along, variances no lower than 0; else those of batch norm stay as they are.
    """

    def __init__(self, model: nn.Module, end: State, *, mode: str, bn: str):
        self._model, self._mode = model, mode
        self._start = {name: value.clone() for name, value in model.state_dict().items()}
        self._end = {name: end[name].to(value.device) for name, value in self._start.items()}
        self._interpolates = bn == 'interpolate'
        self._statistics = statistics_names(model, 'running_mean', 'running_var', 'num_batches_tracked')
        self._variances = statistics_names(model, 'running_var')

    def place(self, alpha: float) -> int:
        """Put the weights at a point into the model and return how many variances would have been negative there."""
        state = interpolate(self._start, self._end, alpha, self._mode)
        num_clamped = 0
        if not self._interpolates:
            state |= {name: self._start[name] for name in self._statistics}
        for name in self._variances:
            num_clamped += int((state[name] < 0).sum())
            state[name] = state[name].clamp(min=0)
        self._model.load_state_dict(state)
        return num_clamped


class Around:
    """The line through the present weights of a model, alpha 0, along a random direction; buffers stay as they are."""

    def __init__(self, model: nn.Module, *, seed: int, index: int):
        self._weights = [(parameter, parameter.detach().clone()) for _, parameter in trainable(model)]
        generator = make_generator(seed, 'direction', index)
        self._direction = [random_direction(weight, generator) for _, weight in self._weights]

    @torch.no_grad()
    def place(self, alpha: float) -> int:
        """Put the weights at a point into the model; returns 0, for no variance is touched."""
        for (parameter, weight), direction in zip(self._weights, self._direction, strict=True):
            parameter.copy_(weight + alpha * direction)
        return 0


def random_direction(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a direction, uniform as published, of which each filter has the norm of the weight's filter.

    A filter is a slice of dimension 0: what one output sees. So a bias or a weight of batch norm moves by plus or minus
    its own size, as published, which Li et al. leave as they are.
    """
    draw = torch.rand(weight.shape, generator=generator, dtype=torch.float64) * 2 - 1
    drawn, filters = draw.reshape(len(draw), -1) if draw.ndim else draw.reshape(1, 1), weight.detach().double().cpu()
    norms = filters.reshape(drawn.shape).norm(dim=1, keepdim=True)
    lengths = drawn.norm(dim=1, keepdim=True)
    return (drawn * (norms / lengths)).reshape(weight.shape).to(weight.device, weight.dtype)


@contextlib.contextmanager
def statistics(model: nn.Module, bn: str, train_loader) -> Iterator[None]:
    """Have batch norm use the running statistics, or with bn `recompute` those measured anew over train_loader for the
    weights that the model has now, with `batch` those of each batch that is scored.
    """
    if bn == 'recompute':
        recompute_statistics(model, train_loader)
    with batch_statistics(model) if bn == 'batch' else contextlib.nullcontext():
        yield
