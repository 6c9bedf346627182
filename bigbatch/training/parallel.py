"""A network that several ranks train together: one sum of their gradients, and running statistics of one process.

Ghosts of a batch move the running statistics one after the other, `running <- (1 - m) running + m * ghost`. That is
linear, so each rank keeps a part of its own: the first one begins with the statistics as they are, the others with 0.
An update with p ghosts on each of R ranks makes the part of rank k
`(1 - m)**(R p) * part + (1 - m)**((R - 1 - k) p) * own`, where `own` is what its p ghosts make of 0. The sum of the
parts is at any time what one process would have.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bigbatch.distributed import ALONE, Ranks, sum_over_ranks, take_from_first
from bigbatch.seeding import rng_bytes
from bigbatch.training.batch_norm import batch_norms, running_buffers
from bigbatch.training.scoring import forward_loss
from bigbatch.weights import device_of, probing


class Parallel:
    """A network as this rank trains it; with one rank it is the network, and nothing else happens.

    Estimators pass batches through `.model`, whose gradients are means over the ranks.
    """

    def __init__(self, model: nn.Module, ranks: Ranks = ALONE, *, has_idle_parameters: bool = False):
        self.ranks = ranks
        self.statistics = RankStatistics(model, ranks)
        self.model = model
        self._sums_itself = ranks.size > 1 and has_idle_parameters
        if ranks.size > 1 and not has_idle_parameters:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', FutureWarning)  # of another name for broadcast_buffers to come
                self.model = DistributedDataParallel(model, broadcast_buffers=False)
        if self._sums_itself:
            take_from_first([*model.parameters(), *model.buffers()])  # as that does

    def reduce_gradients(self) -> None:
        """Make the gradients means over the ranks where some passes leave out parameters.

        DistributedDataParallel would wait for those; where it is used, this does nothing. A parameter that no rank's
        passes reach has no gradient, as in one process.
        """
        if not self._sums_itself:
            return
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        reached = torch.tensor([float(parameter.grad is not None) for parameter in parameters])
        counts = sum_over_ranks(reached.to(parameters[0].device)).tolist()
        used = [parameter for parameter, count in zip(parameters, counts, strict=True) if count]
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in used]
        means = self.mean(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for parameter, mean in zip(used, means.split([each.numel() for each in used]), strict=True):
            parameter.grad = mean.view_as(parameter).to(parameter.dtype)  # of several, cat has the widest

    def mean(self, tensor: Tensor) -> Tensor:
        """Return the mean of a tensor over the ranks, which hold equal numbers of examples; it may change in place."""
        return sum_over_ranks(tensor.div_(self.ranks.size)) if self.ranks.size > 1 else tensor

    def any(self, flag: bool) -> bool:
        """Tell whether a flag is set on one of the ranks."""
        if self.ranks.size == 1:
            return flag
        device = device_of(self.model)
        return bool(sum_over_ranks(torch.tensor(float(flag), device=device)) > 0)


class RankStatistics:
    """Keep this rank's part of the running statistics of batch norm; see above.

    With momentum None, the mean of all ghosts, a part is a sum, and the counts of the parts add up. SyncBatchNorm has
    the same statistics on all ranks, so it is left alone.
    """

    def __init__(self, model: nn.Module, ranks: Ranks):
        norms = [norm for norm in batch_norms(model) if norm.track_running_stats and norm.running_mean is not None]
        norms = [norm for norm in norms if not isinstance(norm, nn.SyncBatchNorm)] if ranks.size > 1 else []
        buffers = [running_buffers(norm) for norm in norms]
        self._ranks = ranks
        self._running = [running for mean, var, _ in buffers for running in (mean, var)]
        self._tracked = [count for _, _, count in buffers]
        if not norms:
            return
        device, sizes = self._running[0].device, [2 * norm.num_features for norm in norms]
        self._layer = torch.arange(len(sizes), device=device).repeat_interleave(torch.tensor(sizes, device=device))
        momenta = [float('nan') if norm.momentum is None else norm.momentum for norm in norms]
        self._momenta = torch.tensor(momenta, dtype=torch.float64, device=device)
        self.restart()

    def restart(self) -> None:
        """Begin with the running statistics as they are, which all ranks have alike."""
        if self._tracked:
            self._counts, self._part = self._read_counts(), self._read_running()
            self._part *= torch.where(self._momenta.isnan(), self._counts, 1.0)[self._layer]
            if not self._ranks.is_first:
                self._counts, self._part = self._counts * 0, self._part * 0

    @contextlib.contextmanager
    def of_update(self) -> Iterator[None]:
        """Take what the passes of an update within the block make of the running statistics, which are 0 before it."""
        if not self._tracked:
            yield
            return
        torch._foreach_zero_([*self._running, *self._tracked])
        yield
        num, rank, size = self._read_counts(), self._ranks.rank, self._ranks.size
        decay = (1 - self._momenta) ** num
        keep = torch.where(self._momenta.isnan(), 1.0, decay**size)
        weight = torch.where(self._momenta.isnan(), num, decay ** (size - 1 - rank))
        self._part = keep[self._layer] * self._part + weight[self._layer] * self._read_running()
        self._counts = self._counts + num

    @torch.no_grad()
    def gather(self) -> None:
        """Give the network the running statistics of one process, by one sum over the ranks; the parts stay."""
        if not self._tracked:
            return
        counts, running = sum_over_ranks(torch.cat([self._counts, self._part])).tensor_split([len(self._tracked)])
        running = running / torch.where(self._momenta.isnan(), counts.clamp_min(1.0), 1.0)[self._layer]
        for buffer, values in zip(self._running, running.split([len(each) for each in self._running]), strict=True):
            buffer.copy_(values)
        for tracked, count in zip(self._tracked, counts, strict=True):
            tracked.copy_(count)

    def state_dict(self) -> dict:
        """Return this rank's part."""
        return {'part': self._part.cpu(), 'counts': self._counts.cpu()} if self._tracked else {}

    def load_state_dict(self, state: dict) -> None:
        """Take over what state_dict returned on this rank, of as many."""
        if self._tracked:
            self._part, self._counts = (state[name].to(self._layer.device) for name in ('part', 'counts'))

    def _read_counts(self) -> Tensor:
        return torch.stack(self._tracked).double()

    def _read_running(self) -> Tensor:
        return torch.cat(self._running).double()


def synchronize_batch_norm(model: nn.Module) -> nn.Module:
    """Have ordinary batch norm normalise over the batches of all GPUs; torch has this for GPUs alone.

    A ValueError refuses others, such as one over ghosts, which would be lost without a word.
    """
    for name, module in model.named_modules():
        known = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and type(module) not in known:
            raise ValueError(f'{name} is a {type(module).__name__}, which cannot be synchronised over GPUs')
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)


def has_idle_parameters(model: nn.Module, criterion: nn.Module, examples: tuple[Tensor, Tensor]) -> bool:
    """Tell, by a few examples, whether passes may leave out parameters, always or at random, as skipped blocks.

    A block that is rarely skipped would go unseen in any number of passes. But that takes random numbers, so a network
    that draws some counts, unless it is for layers of dropout.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for training in (False, True):
        with probing(model, training=training):
            for layer in model.modules():
                if isinstance(layer, nn.modules.dropout._DropoutNd):
                    layer.eval()
            state = rng_bytes()
            loss, _ = forward_loss(model, criterion, *examples)
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            if rng_bytes() != state or any(gradient is None for gradient in gradients):
                return True
    return False
