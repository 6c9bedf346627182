"""The loss of a network over a whole data set as a function of its weights, with gradient and Hessian products.

x is the vector of all trainable parameters, float64. The network computes in its own precision, float32 mostly, without
autocast or TF32; its logits become float64 before the loss, and loss, gradient and products are summed in float64 over
the batches and divided by the number of examples. So the weights are x rounded to float32, and two losses closer than
`NetworkObjective.resolution` cannot be told apart; the published code (SmoothOut) printed such differences as 0.
"""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from bigbatch.seeding import derive_seed
from bigbatch.training.batch_norm import batch_statistics, check_batches
from bigbatch.training.scoring import forward_loss
from bigbatch.weights import array_to_parameters, parameters_to_array, restored, trainable

BATCH_NORM_MODES = ('fixed', 'batch')
NUM_JITTERS = 4
EXAMPLES_PER_SUM = 1000


@contextlib.contextmanager
def open_objective(
    model: nn.Module, criterion: nn.Module, loader, *, batch_norm: str = 'fixed',
    advance: Callable[[int], None] | None = None,
) -> Iterator[NetworkObjective]:  # fmt: skip
    """Give the objective of a network; weights, buffers and settings of torch are what they were on leaving.

    Args:
        model: in eval mode.
        criterion: sums over examples.
        loader: with epoch(0) and num_examples; every epoch(0) must be the same.
        batch_norm: fixed: by the running statistics; batch: by those of each batch, so that its size counts.
        advance: told the number of examples of each batch that is done.

    Raises:
        ValueError: nothing to train in the network, or batches without statistics of their own.
    """
    assert batch_norm in BATCH_NORM_MODES and not model.training
    if not trainable(model):
        raise ValueError(f'{type(model).__name__} has no trainable parameters: there is nothing to measure')
    statistics = contextlib.nullcontext()
    if batch_norm == 'batch':
        check_batches(model, loader)
        statistics = batch_statistics(model)
    with restored(model), full_precision(), statistics:
        yield NetworkObjective(model, criterion, loader, advance=advance)


class NetworkObjective:
    """Mean loss over the examples of a loader at weights x, and its derivatives; see open_objective."""

    def __init__(self, model: nn.Module, criterion: nn.Module, loader, *, advance: Callable[[int], None] | None = None):
        self.solution = parameters_to_array(model)
        self._model, self._loader = model, loader
        self._criterion = copy.deepcopy(criterion).double()
        self._parameters = [parameter for _, parameter in trainable(model)]
        self._advance = advance or (lambda num_examples: None)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return loss and gradient (n,) at x (n,)."""
        loss_sum = 0.0

        def gradients(loss: Tensor) -> tuple[Tensor, ...]:
            nonlocal loss_sum
            loss_sum += loss.detach()
            return self._grad(loss)

        gradient = self._sum(x, gradients)
        return float(loss_sum) / self._loader.num_examples, gradient

    @property
    def rounding(self) -> float:
        """Spacing of the network's numbers near 1: weights are x rounded to that."""
        return torch.finfo(self._parameters[0].dtype).eps

    @torch.no_grad()
    def loss(self, x: np.ndarray) -> float:
        """Return the loss at x (n,), without its gradient."""
        array_to_parameters(x, self._model)
        return float(sum(loss for loss, _ in self._losses())) / self._loader.num_examples

    def hessian_product(self, x: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Return the product (n,) of the exact Hessian at x (n,) and a vector (n,)."""
        parts = torch.from_numpy(np.ascontiguousarray(vector)).split([p.numel() for p in self._parameters])
        parts = [part.view(p.shape).to(p) for part, p in zip(parts, self._parameters, strict=True)]

        def products(loss: Tensor) -> tuple[Tensor, ...]:
            # autograd.grad, not backward(create_graph=True), which would keep the graph alive in .grad
            grads = self._grad(loss, create_graph=True)
            slope = sum((grad * part).sum() for grad, part in zip(grads, parts, strict=True))
            if not slope.requires_grad:  # the loss is linear in every weight
                return tuple(torch.zeros_like(grad) for grad in grads)
            return self._grad(slope)

        return self._sum(x, products)

    @functools.cached_property
    def resolution(self) -> float:
        """How much rounding changes the loss at the solution: the most that a last digit more or less in every weight,
        at random, changed it in a few draws.
        """
        x, rng = self.solution, np.random.default_rng(derive_seed(0, 'rounding'))
        last_digits = np.spacing(np.abs(x.astype(str(self._parameters[0].dtype).removeprefix('torch.'))))
        loss = self.loss(x)
        others = [self.loss(x + rng.choice((-1, 1), x.size) * last_digits) for _ in range(NUM_JITTERS)]
        return max(abs(other - loss) for other in others)

    def _grad(self, value: Tensor, **settings) -> tuple[Tensor, ...]:
        return torch.autograd.grad(value, self._parameters, allow_unused=True, materialize_grads=True, **settings)

    def _sum(self, x: np.ndarray, derive: Callable[[Tensor], tuple[Tensor, ...]]) -> np.ndarray:
        """Average over the examples what `derive` makes of the loss sum of each batch, a tensor for each parameter.

        Small batches are added up as they are, as those of a larger one would be, and every thousand examples in
        float64, which takes a while.
        """
        array_to_parameters(x, self._model)
        total = torch.zeros(x.size, dtype=torch.float64, device=self._parameters[0].device)
        pieces = total.split([parameter.numel() for parameter in self._parameters])
        sums, num_examples = None, 0
        for loss, num in self._losses():
            parts = derive(loss)
            sums = parts if sums is None else [before + part for before, part in zip(sums, parts, strict=True)]
            num_examples += num
            if num_examples >= EXAMPLES_PER_SUM:
                _add(pieces, sums)
                sums, num_examples = None, 0
        if sums is not None:
            _add(pieces, sums)
        return total.div_(self._loader.num_examples).cpu().numpy()

    def _losses(self) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of each batch, summed over its examples, float64, and their number."""
        for batch in self._loader.epoch(0):
            for inputs, targets, _ in batch:
                loss, _ = forward_loss(lambda inputs: self._model(inputs).double(), self._criterion, inputs, targets)
                yield loss, len(targets)
                self._advance(len(targets))


def _add(pieces: Sequence[Tensor], parts: Sequence[Tensor]) -> None:
    for piece, part in zip(pieces, parts, strict=True):
        piece.add_(part.reshape(-1).double())  # faster than to add float32 to float64


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute in the precision of the tensors inside the block: no autocast, no TF32; settings are restored."""
    saved = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        torch.set_float32_matmul_precision('highest')
        torch.backends.cudnn.allow_tf32 = False
        with torch.autocast('cpu', enabled=False), torch.autocast('cuda', enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(saved[0])
        torch.backends.cudnn.allow_tf32 = saved[1]
