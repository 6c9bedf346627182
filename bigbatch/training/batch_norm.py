"""Statistics of batch norm other than the running ones: of the batch at hand, or computed anew from data.

Keskar et al. 2016 (arXiv 1609.04836) measured networks whose batch norm used the statistics of the batch, with dropout
off. The weights of two runs mixed have no running statistics of their own, so those are computed anew, as torch's
update_bn does. Where we differ from it: dropout stays off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bigbatch.distributed import has_ranks, sum_over_ranks


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Return the batch norms of a network, ghost batch norms included."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def running_buffers(norm: _BatchNorm) -> tuple[Tensor, Tensor, Tensor]:
    """Return the running mean, the running variance and their count, of a batch norm that has them."""
    mean, var, count = norm.running_mean, norm.running_var, norm.num_batches_tracked
    assert mean is not None and var is not None and count is not None, norm
    return mean, var, count


def has_batch_norm(model: nn.Module) -> bool:
    """Tell whether a network has batch norm."""
    return bool(batch_norms(model))


def check_batches(model: nn.Module, loader) -> None:
    """Refuse, with a ValueError, batches that have no statistics of their own: of one example."""
    sizes = {min(loader.batch_size, loader.num_examples), loader.num_examples % loader.batch_size}
    if 1 in sizes and has_batch_norm(model):
        raise ValueError(
            f'--batch-size {loader.batch_size}: of {loader.num_examples} examples one is left in a batch of its own, '
            f'which has no variance: try {loader.batch_size + 1}'
        )


@contextlib.contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Normalise with the statistics of the batch at hand inside the block, all else in eval mode.

    Running statistics are neither used nor changed. On leaving, every module is in the mode it was in.
    """
    with eval_mode(model, batch_norms(model), track_running_stats=False):
        yield


@torch.no_grad()
def recompute_statistics(model: nn.Module, loader) -> None:
    """Replace the running statistics by their mean over the batches of a loader; weights stay, dropout is off.

    One pass is made over epoch 0; ranks take the mean over what all of them have seen.
    """
    norms = [norm for norm in batch_norms(model) if norm.track_running_stats]
    if not norms:
        return
    with eval_mode(model, norms, momentum=None):  # the cumulative mean
        for norm in norms:
            norm.reset_running_stats()
        for batch in loader.epoch(0):
            for inputs, _, _ in batch:
                model(inputs)
        _average_over_ranks(norms)


def _average_over_ranks(norms: list[_BatchNorm]) -> None:
    if not has_ranks():
        return
    for mean, var, count in map(running_buffers, norms):
        sums = sum_over_ranks(torch.cat([mean, var, torch.ones_like(mean[:1])]).double() * count)
        for buffer, value in zip((mean, var), (sums[:-1] / sums[-1]).chunk(2), strict=True):
            buffer.copy_(value)
        count.copy_(sums[-1])


@contextlib.contextmanager
def eval_mode(model: nn.Module, but: Sequence[_BatchNorm] = (), **settings: object) -> Iterator[None]:
    """Put a network in eval mode but for some batch norms, which get settings besides; restore all on leaving."""
    before: list[tuple[nn.Module, str, object]] = [(each, 'training', each.training) for each in model.modules()]
    before += [(norm, name, getattr(norm, name)) for norm in but for name in settings]
    try:
        model.eval()
        for norm in but:
            for name, value in {'training': True, **settings}.items():
                setattr(norm, name, value)
        yield
    finally:
        for module, attribute, was in before:
            setattr(module, attribute, was)
