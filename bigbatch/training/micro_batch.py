"""Find the fewest passes that a batch has to be taken in to fit into memory, by making some of them.

What a pass needs is measured beside the gradients and the state of the optimizer, which are there before it, and so is
a pass that scores. On a GPU real passes of the size in question are made. On a CPU, which kills a process rather than
refuse it memory, small ones are measured, at sizes that double until the need grows in proportion, and scaled up. That
is an upper bound: of every tensor a part is constant and the rest grows with the examples.

Network, optimizer and random generators are afterwards what they were, to the last bit.
"""

from __future__ import annotations

import contextlib
import functools
import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bigbatch.messages import counted
from bigbatch.training.gradients.base import Estimator
from bigbatch.training.gradients.passes import OnePass
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.scoring import forward_loss
from bigbatch.weights import restored

SHARE_FOR_PASSES = 0.8  # of what is free: the rest is for fragments, libraries and other programs
SMALL, LARGE = 8, 512  # examples that measurements on a CPU begin and end with, in whole ghosts
IN_PROPORTION = 1.8  # times the need for twice the examples


@dataclass(frozen=True)
class Fit:
    """A size of passes, and the memory of a run that makes them, in bytes beside what was there before."""

    size: int
    num_bytes: int
    limit: int  # that num_bytes is held against

    def describe(self) -> str:
        """Say it in words."""
        need, limit = bytes_text(self.num_bytes), bytes_text(self.limit)
        return f'passes of {counted(self.size, "example")} need {need} of the {limit} available'


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a run does that takes memory."""

    model: nn.Module  # on its device
    criterion: nn.Module  # gives sums over examples
    estimator: Estimator  # those that also measure gradients do so in passes that are no larger
    optimizer: RegimeOptimizer  # a new one of the same parameters, to be thrown away
    examples: tuple[Tensor, Tensor]  # (inputs, targets), a few on the device, which passes of any size are made of
    eval_size: int  # examples of a pass that scores

    @property
    def device(self) -> torch.device:
        """Where the run computes."""
        return self.examples[0].device

    def prepare(self) -> None:
        """Have gradients and the state of the optimizer, as every update but the first one has."""
        for parameter in self.optimizer.parameters:
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step(0)

    def train(self, size: int) -> None:
        """Make a pass that trains, of so many examples, while those of the next one are gathered already."""
        inputs, targets, indices = self._gather(size)
        ahead = self._gather(size) if self.device.type == 'cuda' else None
        self.model.train()
        estimator = self.estimator.training_part()  # the rest sums over ranks, which may be elsewhere
        estimator(self.model, self.criterion, OnePass((inputs, targets, indices), size), step=0)
        del ahead
        self.optimizer.step(0)

    @torch.no_grad()
    def score(self, size: int) -> None:
        """Make a pass that scores so many examples."""
        inputs, targets, _ = self._gather(size)
        self.model.eval()
        forward_loss(self.model, self.criterion, inputs, targets)

    def _gather(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        inputs, targets = self.examples
        indices = torch.arange(size, device=self.device)
        return inputs[indices % len(inputs)], targets[indices % len(inputs)], indices

    @contextlib.contextmanager
    def leaving_no_trace(self) -> Iterator[None]:
        """Give network and random generators the state again that they had before."""
        was_training, device = self.model.training, self.device
        try:
            with restored(self.model), torch.random.fork_rng([device] if device.type == 'cuda' else []):
                yield
        finally:
            self.optimizer.zero_grad()
            self.model.train(was_training)


def find_fit(workload: Workload, num: int, unit: int, limit: int) -> Fit:
    """Find the fewest passes that fit, of equal numbers of units but for the last one.

    Where not even passes of one unit fit, the fit is that of those, with more bytes than the limit.

    Args:
        num: examples that are taken in these passes: of a batch, or of the part of it that a rank has.
        unit: examples that a pass cannot cut, such as a ghost; it divides num.
        limit: bytes that the run may take besides what is there.
    """
    needs: Callable[[int], int]
    if workload.device.type == 'cuda':
        needs = functools.cache(_needs_on_gpu(workload, limit))
    else:
        first = SMALL if unit == num else -(-SMALL // unit) * unit
        sizes = [min(num, first << power) for power in range(8) if power < 2 or first << power <= LARGE]
        needs = _needs_on_cpu(workload, limit, sizes)
    size = fewest_passes(num, unit, lambda size: needs(size) <= limit)
    return Fit(size, needs(size), limit)


def fewest_passes(num: int, unit: int, fits: Callable[[int], bool]) -> int:
    """Return the size of the fewest passes, of equal numbers of units, that fit; one unit where none does."""
    num_units = num // unit

    def size(num_passes: int) -> int:
        return -(-num_units // num_passes) * unit

    too_few, enough = 0, 1
    while size(enough) > unit and not fits(size(enough)):
        too_few, enough = enough, min(2 * enough, num_units)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if fits(size(middle)) else (middle, enough)
    return size(enough)


def bytes_text(num_bytes: int) -> str:
    """Return bytes in words."""
    return f'{num_bytes / 2**30:,.1f} GiB' if num_bytes >= 2**30 else f'{num_bytes / 2**20:,.1f} MiB'


def _needs_on_gpu(workload: Workload, limit: int) -> Callable[[int], int]:
    """Make real passes; what does not fit at all counts as a byte above the limit."""
    device = workload.device
    before = torch.cuda.memory_allocated(device)

    def needs(size: int) -> int:
        torch.cuda.empty_cache()  # of another size
        torch.cuda.reset_peak_memory_stats(device)
        try:
            with workload.leaving_no_trace():
                workload.prepare()
                workload.train(size)
                workload.score(workload.eval_size)
        except torch.OutOfMemoryError:
            return limit + 1
        return torch.cuda.max_memory_allocated(device) - before

    return needs


def _needs_on_cpu(workload: Workload, limit: int, sizes: list[int]) -> Callable[[int], int]:
    """Measure small passes of some of these sizes; the weights count once more, as a run keeps those of step 0."""
    with workload.leaving_no_trace():
        kept = sum(tensor.nbytes for tensor in workload.model.state_dict().values()) + peak_bytes(workload.prepare)
        training = _measure(workload.train, sizes, limit)
        scoring = _measure(workload.score, [min(workload.eval_size, size) for size in sizes], limit)
    scoring_bytes = scale_up(scoring, workload.eval_size)
    return lambda size: kept + max(scoring_bytes, scale_up(training, size))


def _measure(make_pass: Callable[[int], object], sizes: list[int], limit: int) -> dict[int, int]:
    """Return the needs of passes by size, up to one where it has grown in proportion or is too much as it is."""
    needs, last = {}, limit
    for size in sizes:
        needs[size] = peak_bytes(functools.partial(make_pass, size))
        if needs[size] >= min(limit, IN_PROPORTION * last):
            break
        last = needs[size]
    return needs


def scale_up(needs: dict[int, int], size: int) -> int:
    """Return a bound on the need of a pass of one size, from those of passes of other sizes."""
    return min(math.ceil(num_bytes * max(1.0, size / measured)) for measured, num_bytes in needs.items())


def peak_bytes(function: Callable[[], object]) -> int:
    """Call a function and return the most memory that tensors of its making took up at a time, on any device."""
    with _Allocations() as allocations:
        function()
    return allocations.peak


class _Allocations(TorchDispatchMode):
    """Count the bytes of the storages that operations within the block return, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for tensor in tree_leaves((args, kwargs)):
            self._see(tensor, is_new=False)
        found = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            self._see(tensor, is_new=True)
        return found

    def _see(self, tensor: object, *, is_new: bool) -> None:
        if not isinstance(tensor, Tensor):
            return
        storage = tensor.untyped_storage()
        if storage._cdata in self._known:
            return
        size = storage.nbytes() if is_new else 0
        self._known.add(storage._cdata)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, storage._cdata, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size
