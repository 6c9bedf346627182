"""The loss of a network over a whole data set as a function of its weights, with gradient and Hessian products.

x is the vector of its trainable parameters, float64. The network computes in its own precision, float32 mostly, without
autocast or TF32; its outputs become float64 before the loss, and loss, gradient and products are summed in float64 over
the batches and divided by the number of examples. So the weights are x rounded to float32, and two losses closer than
`NetworkObjective.resolution` cannot be told apart; the published code (SmoothOut) printed such differences as 0.
"""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.data import RandomSampler

from bigbatch.messages import suggest
from bigbatch.seeding import derive_seed, isolated_rng
from bigbatch.training.batch_norm import batch_statistics, check_batches, eval_mode
from bigbatch.training.scoring import forward_loss
from bigbatch.weights import array_to_parameters, device_of, parameters_to_array, restored, trainable

BATCH_NORM_MODES = ('fixed', 'batch')
NUM_JITTERS = 4
EXAMPLES_PER_SUM = 1000


def network_objective(
    model: nn.Module,
    loss: Callable,
    loader: Iterable,
    parameters: str | Iterable[str] | Callable[[str], bool] | None = None,
    *,
    batch_norm: str = 'fixed',
) -> NetworkObjective:
    """Return the mean loss of any network over any loader as a function of its weights.

    The network is in eval mode while it is evaluated. After each call its weights, buffers and modes, the settings of
    torch and the global random state are what they were.

    Args:
        model: any module.
        loss: called with (outputs, targets); its value counts once for each example of the batch, unless its
            `reduction` is 'sum'. So a mean over the batch gives the mean over all examples.
        loader: a DataLoader or another iterable that gives the same examples each time it is gone through. A batch is
            (inputs, targets), where inputs may be a tensor, a tuple or a dict of the arguments of the network; or a
            dict of its arguments, which the loss then gets in place of targets.
        parameters: names, one or several, or a test of a name, of those that x consists of; None: all that are trained.
        batch_norm: fixed: by the running statistics; batch: by those of each batch, so that its size counts.

    Returns:
        A function of x (n,), float64, that returns (loss, gradient (n,)); `.solution` is the x of the network as it
        is now, `.loss(x)` the loss alone, `.hessian_product(x, vector)` the exact product.

    Raises:
        ValueError: nothing to train, a name that is no parameter, or a loader that cannot be gone through twice; when
            it is called, a batch of another form, or a loader that gives other examples each time.
    """
    if batch_norm not in BATCH_NORM_MODES:
        raise ValueError(f'batch_norm {batch_norm!r}: expected one of {", ".join(BATCH_NORM_MODES)}')
    check_loader(loader)
    losses = functools.partial(losses_of, model, in_float64(loss), loader)
    return NetworkObjective(losses, _choose(model, parameters), functools.partial(measuring, model, batch_norm))


def check_loader(loader: Iterable) -> None:
    """Refuse, with a ValueError, what gives its examples only once, or other ones each time."""
    if isinstance(loader, Iterator):
        raise ValueError(f'a {type(loader).__name__} gives its batches only once: give a DataLoader or a list of them')
    if getattr(loader, 'drop_last', False) and isinstance(getattr(loader, 'sampler', None), RandomSampler):
        raise ValueError(
            'a loader that shuffles and drops its last batch gives other examples each time: drop_last=False'
        )


def losses_of(model: nn.Module, loss: Callable, loader: Iterable) -> Iterator[tuple[Tensor, int]]:
    """Yield for each batch its loss, summed over the examples, float64, and their number.

    See network_objective; `loss` comes from in_float64.
    """
    device = device_of(model)
    for batch in loader:
        batch = dict(batch) if isinstance(batch, Mapping) else batch
        batch = tree_map_only(Tensor, lambda tensor: tensor.to(device), batch)
        if isinstance(batch, dict):
            inputs = targets = batch
        elif isinstance(batch, Sequence) and len(batch) == 2:
            inputs, targets = batch
        else:
            raise ValueError(f'a batch is a {type(batch).__name__}: expected (inputs, targets) or a dict')
        tensors = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
        if not tensors:
            raise ValueError(f'inputs of a batch are a {type(inputs).__name__} without tensors: make tensors of them')
        num_examples = len(tensors[0])
        outputs = tree_map_only(Tensor, lambda t: t.double() if t.is_floating_point() else t, _call(model, inputs))
        value = loss(outputs, targets)
        yield value if getattr(loss, 'reduction', '') == 'sum' else value.mean() * num_examples, num_examples


def _call(model: nn.Module, inputs):
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, (tuple, list)) else model(inputs)


def in_float64(loss: Callable) -> Callable:
    """Return a loss that takes outputs in float64; of a module a copy."""
    return copy.deepcopy(loss).double() if isinstance(loss, nn.Module) else loss


def _choose(model: nn.Module, parameters: str | Iterable[str] | Callable[[str], bool] | None) -> list[nn.Parameter]:
    """Return the parameters that are asked for, in the order of the network."""
    known = dict(trainable(model))
    if not known:
        raise ValueError(f'{type(model).__name__} has no trainable parameters: there is nothing to measure')
    if parameters is None:
        return list(known.values())
    parameters = [parameters] if isinstance(parameters, str) else parameters
    names = {name for name in known if parameters(name)} if callable(parameters) else set(parameters)
    for name in sorted(names - known.keys()):
        raise ValueError(f'{name!r} is no trainable parameter of {type(model).__name__}: {suggest(name, known)}')
    if not names:
        raise ValueError(f'no parameter is chosen: {suggest("", known)}')
    return [parameter for name, parameter in known.items() if name in names]


@contextlib.contextmanager
def measuring(model: nn.Module, batch_norm: str = 'fixed') -> Iterator[None]:
    """Put a network into eval mode and full precision; weights, buffers, modes and random state are restored."""
    mode = batch_statistics(model) if batch_norm == 'batch' else eval_mode(model)
    with mode, restored(model), full_precision(), isolated_rng():
        yield


@contextlib.contextmanager
def open_objective(
    model: nn.Module, criterion: nn.Module, loader, *, batch_norm: str = 'fixed',
    advance: Callable[[int], None] | None = None,
) -> Iterator[NetworkObjective]:  # fmt: skip
    """Give the objective of a network and loader of the bench; all is restored once, on leaving, not after each call.

    Args:
        model: in eval mode.
        criterion: sums over examples.
        loader: every epoch(0) must be the same.
        advance: told the number of examples of each batch that is done.
    """
    assert batch_norm in BATCH_NORM_MODES and not model.training
    parameters = _choose(model, None)
    if batch_norm == 'batch':
        check_batches(model, loader)
    losses = functools.partial(_losses_of_network, model, in_float64(criterion), loader, advance)
    with measuring(model, batch_norm):
        yield NetworkObjective(losses, parameters)


def _losses_of_network(
    model: nn.Module, criterion: Callable, loader, advance: Callable[[int], None] | None
) -> Iterator[tuple[Tensor, int]]:
    for batch in loader.epoch(0):
        for inputs, targets, _ in batch:
            loss, _ = forward_loss(lambda inputs: model(inputs).double(), criterion, inputs, targets)
            yield loss, len(targets)
            if advance is not None:
                advance(len(targets))


class NetworkObjective:
    """Mean loss over examples at weights x, and its derivatives; see network_objective.

    Args:
        losses: yields, at the weights that the network has, the summed loss of each batch and its number of examples.
        parameters: of the network, that x consists of.
        around: what each evaluation is done within.
    """

    def __init__(
        self,
        losses: Callable[[], Iterator[tuple[Tensor, int]]],
        parameters: Sequence[nn.Parameter],
        around: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    ):
        self.solution = parameters_to_array(parameters)
        self.num_products = 0  # of the Hessian, so far
        self._losses, self._parameters, self._around = losses, parameters, around
        self._num_examples = 0  # of a pass, known after the first

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return loss and gradient (n,) at x (n,)."""
        loss_sum: float | Tensor = 0.0

        def gradients(loss: Tensor) -> tuple[Tensor, ...]:
            nonlocal loss_sum
            loss_sum += loss.detach()
            return self._grad(loss)

        gradient = self._mean(x, gradients)
        return float(loss_sum) / self._num_examples, gradient

    @property
    def rounding(self) -> float:
        """Spacing of the network's numbers near 1: weights are x rounded to that."""
        return torch.finfo(self._parameters[0].dtype).eps

    def loss(self, x: np.ndarray) -> float:
        """Return the loss at x (n,), without its gradient."""
        with self._around(), torch.no_grad():
            array_to_parameters(x, self._parameters)
            return self.loss_here()

    def loss_here(self) -> float:
        """Return the loss at the weights that the network has."""
        return sum(float(loss) for loss, _ in self._pass()) / self._num_examples

    def hessian_product(self, x: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Return the product (n,) of the exact Hessian at x (n,) and a vector (n,)."""
        parts = torch.from_numpy(np.ascontiguousarray(vector)).split([p.numel() for p in self._parameters])
        parts = [part.view(p.shape).to(p) for part, p in zip(parts, self._parameters, strict=True)]
        self.num_products += 1

        def products(loss: Tensor) -> tuple[Tensor, ...]:
            # autograd.grad, not backward(create_graph=True), which would keep the graph alive in .grad
            grads = self._grad(loss, create_graph=True)
            slope = sum((grad * part).sum() for grad, part in zip(grads, parts, strict=True))
            if not slope.requires_grad:  # the loss is linear in every weight
                return tuple(torch.zeros_like(grad) for grad in grads)
            return self._grad(slope)

        return self._mean(x, products)

    @functools.cached_property
    def resolution(self) -> float:
        """How much rounding changes the loss at the solution: the most that a last digit more or less in every weight,
        at random, changed it in a few draws.
        """
        x, rng = self.solution, np.random.default_rng(derive_seed(0, 'rounding'))
        last_digits = np.where(x == 0, 0.0, np.ldexp(self.rounding, np.frexp(x)[1] - 1))
        loss = self.loss(x)
        others = [self.loss(x + rng.choice((-1, 1), x.size) * last_digits) for _ in range(NUM_JITTERS)]
        return max(abs(other - loss) for other in others)

    def _grad(self, value: Tensor, **settings) -> tuple[Tensor, ...]:
        return torch.autograd.grad(value, self._parameters, allow_unused=True, materialize_grads=True, **settings)

    def _mean(self, x: np.ndarray, derive: Callable[[Tensor], tuple[Tensor, ...]]) -> np.ndarray:
        """Average over the examples what `derive` makes of the loss sum of each batch, a tensor for each parameter."""
        total = torch.zeros(x.size, dtype=torch.float64, device=self._parameters[0].device)
        pieces = total.split([parameter.numel() for parameter in self._parameters])
        sums: Sequence[Tensor] | None = None
        num_examples = 0
        with self._around(), torch.enable_grad():
            array_to_parameters(x, self._parameters)
            for loss, num in self._pass():
                parts = derive(loss)
                sums = parts if sums is None else [before + part for before, part in zip(sums, parts, strict=True)]
                num_examples += num
                if num_examples >= EXAMPLES_PER_SUM:  # only then, as a sum in float64 takes a while
                    _add(pieces, sums)
                    sums, num_examples = None, 0
        if sums is not None:
            _add(pieces, sums)
        return total.div_(self._num_examples).cpu().numpy()

    def _pass(self) -> Iterator[tuple[Tensor, int]]:
        """Go through the batches once, and see to it that each pass has as many examples."""
        num_examples = 0
        for loss, num in self._losses():
            yield loss, num
            num_examples += num
        if not num_examples:
            raise ValueError('the loader gives no examples')
        if num_examples != (self._num_examples or num_examples):
            raise ValueError(
                f'the loader gives {num_examples:,} examples, before {self._num_examples:,}: expected as many each time'
            )
        self._num_examples = num_examples


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
