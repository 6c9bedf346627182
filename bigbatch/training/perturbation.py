"""Noise on the weights of a network (Wen et al. 2018, SmoothOut and AdaSmoothOut, arXiv 1805.07898).

The published code adds the noise and subtracts it again, which leaves rounding errors behind; here the weights are
restored from a copy. Its noise that scales with each weight is uniform whatever --noise-type says, and that of a filter
is a little too short; here both types serve all scales, and the norm of a filter's noise is exact. The noise is a
function of its generator alone, not of what was drawn before.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterable, Iterator

import torch
from torch import Tensor, nn

from bigbatch.messages import suggest
from bigbatch.seeding import make_generator
from bigbatch.training.batch_norm import batch_norms
from bigbatch.weights import device_of, keeping


@contextlib.contextmanager
def smoothout(
    model: nn.Module,
    radius: float,
    *,
    seed: int,
    step: int,
    adapt_type: str = 'none',
    noise_type: str = 'uniform',
    exclude_bn: bool = False,
) -> Iterator[None]:
    """Have noisy weights inside the block and the clean ones, exactly, after it: SmoothOut in a loop of your own.

    Forward and backward pass go inside, the step of the optimizer after the block. The noise is a function of seed and
    step; it is what main_gbn.py draws for a batch that shares one draw.

    Args:
        radius: strength of the noise, from 0; see add_noise.
        seed, step: which draw; another step has another one.
        adapt_type: what the noise scales with: none, weight or filter.
        noise_type: uniform or normal.
        exclude_bn: whether batch norm gets none.

    Raises:
        ValueError: a radius below 0 or not finite, a type that is not known, or a network without parameters.
    """
    if not 0 <= radius < math.inf:
        raise ValueError(f'radius {radius}: expected a finite number from 0')
    if adapt_type not in ('none', 'weight', 'filter'):
        raise ValueError(f'adapt_type {adapt_type!r}: expected none, weight or filter')
    if noise_type not in ('uniform', 'normal'):
        raise ValueError(f'noise_type {noise_type!r}: expected uniform or normal')
    generator = noise_generator(model, seed, step)
    exclude = quiet_names(model, exclude_bn=exclude_bn)
    with perturbed(model, radius, generator, adapt_type=adapt_type, noise_type=noise_type, exclude=exclude):
        yield


def noise_generator(model: nn.Module, seed: int, step: int, index: int = 0) -> torch.Generator:
    """Return the generator of the noise of a draw within an update, on the device of the network."""
    return make_generator(seed, 'smoothout', step, index, device=device_of(model))


@contextlib.contextmanager
def perturbed(
    model: nn.Module,
    strength: float,
    generator: torch.Generator,
    *,
    adapt_type: str = 'none',
    noise_type: str = 'uniform',
    exclude: Collection[str] = (),
) -> Iterator[None]:
    """Have noise on the parameters within the block, but those of the names in exclude; see add_noise.

    They are restored from a copy; buffers stay as they come out of the block.
    """
    parameters = noisy_parameters(model, exclude)
    with keeping(parameters):
        add_noise(parameters, strength, generator, adapt_type=adapt_type, noise_type=noise_type)
        yield


@torch.no_grad()
def add_noise(
    tensors: Iterable[Tensor],
    strength: float,
    generator: torch.Generator,
    *,
    adapt_type: str = 'none',
    noise_type: str = 'uniform',
) -> None:
    """Add noise in place, for u uniform between -1 and 1 or normal, and w_f the slices along the first dimension.

    none: strength * u; weight: strength * |w| * u; filter: strength * |w_f| * u / |u_f|, of norm strength * |w_f|.
    The generator is on the device of the tensors.
    """
    for tensor in tensors:
        noise = torch.empty_like(tensor, memory_format=torch.contiguous_format)  # drawn alike for every layout
        if noise_type == 'normal':
            noise.normal_(generator=generator)
        else:
            noise.uniform_(-1, 1, generator=generator)
        if adapt_type == 'weight':
            tensor.addcmul_(noise, tensor.abs(), value=strength)
        elif adapt_type == 'filter':
            noise.div_(_filter_norms(noise).clamp_min(torch.finfo(noise.dtype).tiny))  # a draw of zeros stays that
            tensor.addcmul_(noise, _filter_norms(tensor), value=strength)
        else:
            tensor.add_(noise, alpha=strength)


def noisy_parameters(model: nn.Module, exclude: Collection[str]) -> list[nn.Parameter]:
    """Return the parameters of a network but those of these names."""
    return [parameter for name, parameter in model.named_parameters() if name not in exclude]


def quiet_names(model: nn.Module, *, exclude_bn: bool) -> frozenset[str]:
    """Return the names of the parameters that get no noise: of model.quiet_parameters, and of batch norm if wanted.

    Raises:
        ValueError: quiet_parameters names what is no parameter of the network.
    """
    names = dict(model.named_parameters())
    quiet = frozenset(getattr(model, 'quiet_parameters', ()))
    for name in sorted(quiet - names.keys()):
        raise ValueError(f'quiet_parameters names {name!r}, which the network does not have: {suggest(name, names)}')
    norms = {id(parameter) for norm in batch_norms(model) for parameter in norm.parameters()} if exclude_bn else set()
    return quiet | {name for name, parameter in names.items() if id(parameter) in norms}


def _filter_norms(tensor: Tensor) -> Tensor:
    """Return the norm of each slice along the first dimension, (n, 1, ..., 1); of a single number, its size."""
    if tensor.ndim < 2:
        return tensor.abs()
    return torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.ndim)), keepdim=True)
