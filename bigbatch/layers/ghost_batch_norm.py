"""Ghost batch normalisation: batch norm over small groups of a large batch.

Source: Hoffer, Hubara, Soudry 2017, arXiv 1705.08741.

A batch of B examples is split in order into ghosts of `ghost_batch_size`. Each is normalised with its own
mean and biased variance; weight and bias are shared. A remainder is a ghost of its own, or joins the last one
where it would have a single value per channel; a smaller batch is one ghost. In eval mode this is batch norm.

Running statistics: one moving-average update per ghost, in order, `running <- (1 - m) running + m * ghost`
with the unbiased variance, as the authors' code does by running the network on one chunk after another. The
paper's Algorithm 1 differs: its weights do not sum to one and it averages standard deviations.
`num_batches_tracked` counts ghosts. A checkpointed block runs forward twice and, as with any batch norm,
moves its buffers twice.

Four implementations of this one rule; `_choose_kernel` picks, and says what was measured:
  _looped   native batch norm on one ghost after another, which stay in cache (CPU)
  _rows     all ghosts of an (N, C) batch at once, in few passes over memory (CPU)
  _folded   ghosts become channels of one native batch norm: a fixed number of kernels (torch.compile, and the rest)
  _viewed   native kernels and sums over views of the inputs, without copies: a fixed number of kernels (GPU)
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from bigbatch.layers.ghost_views import ViewedFunction, differentiable_gradients, ghosts_of, has_rows

_SMALL_GHOST = 2**17  # values in a ghost, below which _rows takes an (N, C) batch rather than _looped
_BLOCK = 2**19  # values of scratch space in _sum_of_products: fits the second-level cache


class GhostNorm(_BatchNorm):
    """What the three public layers add to torch's batch norm; comes before it in their bases."""

    def __init__(
        self,
        num_features: int,
        ghost_batch_size: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        **factory_kwargs,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, **factory_kwargs)
        self.ghost_batch_size = checked_size(ghost_batch_size)

    def forward(self, input: Tensor) -> Tensor:
        if isinstance(input, torch.fx.Proxy) and type(self).forward is GhostNorm.forward:
            # a leaf of what torch.fx traces, as torch's own layers are
            return input.tracer.create_proxy('call_module', input.tracer.path_of_module(self), (input,), {})
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        return normalize_ghosts(self, input)

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, ghost_batch_size={self.ghost_batch_size}'


class GhostBatchNorm1d(GhostNorm, nn.BatchNorm1d):
    """Normalise (N, C) or (N, C, L) inputs over ghosts of the batch; state dict as nn.BatchNorm1d."""


class GhostBatchNorm2d(GhostNorm, nn.BatchNorm2d):
    """Normalise (N, C, H, W) inputs over ghosts of the batch; state dict as nn.BatchNorm2d."""


class GhostBatchNorm3d(GhostNorm, nn.BatchNorm3d):
    """Normalise (N, C, D, H, W) inputs over ghosts of the batch; state dict as nn.BatchNorm3d."""


def checked_size(ghost_batch_size: int) -> int:
    """Return a ghost size; a ValueError refuses what is none."""
    if isinstance(ghost_batch_size, bool) or not isinstance(ghost_batch_size, int) or ghost_batch_size < 1:
        raise ValueError(f'ghost_batch_size {ghost_batch_size!r} is not a positive integer; the published value is 128')
    return ghost_batch_size


def normalize_ghosts(layer, inputs: Tensor) -> Tensor:
    """Normalise a batch by the statistics of its ghosts, and take these into the running ones of a layer."""
    if inputs.shape[1] != layer.num_features:
        raise ValueError(f'inputs have {inputs.shape[1]} channels, this layer has {layer.num_features}')
    num_whole, tail = _split_batch(inputs, layer.ghost_batch_size)
    if num_whole == tail == 0:  # an empty batch has no ghosts: it moves no buffers, but stays in the graph
        return F.batch_norm(inputs, None, None, layer.weight, layer.bias, training=True, eps=layer.eps)
    if num_whole == 0:
        return _folded(layer, inputs, 1)
    kernel = _choose_kernel(layer, inputs)
    if tail == 0:
        return kernel(layer, inputs, num_whole)
    # unlike slices, a split keeps the memory format of the gradient
    whole, rest = inputs.split([inputs.shape[0] - tail, tail])
    return torch.cat([kernel(layer, whole, num_whole), _folded(layer, rest, 1)])


def _split_batch(inputs: Tensor, ghost_batch_size: int) -> tuple[int, int]:
    """Return the number of whole ghosts and the size of the one after them, 0 where there is none."""
    pixels = inputs.shape[2:].numel()
    num_whole, tail = inputs.shape[0] // ghost_batch_size, inputs.shape[0] % ghost_batch_size
    if num_whole and tail * pixels == 1:
        num_whole, tail = num_whole - 1, tail + ghost_batch_size
    if (num_whole and ghost_batch_size * pixels == 1) or tail * pixels == 1:
        raise ValueError(
            f'ghost_batch_size {ghost_batch_size} and a batch of {inputs.shape[0]} leave a ghost with a '
            'single value per channel, which has no variance; 2 is the least for both'
        )
    return num_whole, tail


def _choose_kernel(layer, inputs: Tensor):
    """Pick the fastest kernel for whole ghosts.

    Measured forward and backward, relative to plain batch norm: in float32 on one core; in bfloat16 on two cores of
    another machine, which has units for it, images with channels last.

        inputs               ghosts of   _rows   _looped   _folded   bfloat16: _looped   _folded
        (640, 128)           32          2.1     3.9       2.6
        (4096, 512)          32          1.7     2.2       3.4                 6.7       3.6
        (4096, 512)          128         1.5     1.0       2.0                 2.3       2.4
        (640, 64, 8, 8)      32                  0.9       1.3                 1.8       2.3
        (512, 64, 16, 16)    128                 1.0       1.8                 1.4       2.1
        (2048, 16, 32, 32)   256                                               1.4       2.3

    On two cores _rows draws level at (4096, 512) in ghosts of 128, and on a busy machine it is far ahead:
    _looped has its threads meet several times per ghost. Not measured on a GPU: _viewed makes 8 passes over memory, as
    batch norm does (13 with channels last), where _folded makes 16. Compiled, the copies of _folded vanish.
    """
    is_transformed = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    if is_transformed or torch.jit.is_tracing() or is_in_torch_dispatch_mode():
        return _folded  # of torch's own functions alone, which torch.func, forward mode, tracers and modes know
    if not inputs.is_cpu or torch.compiler.is_compiling():
        is_eager = inputs.is_cuda and not torch.compiler.is_compiling()
        return _viewed if is_eager and _has_views(inputs) else _folded
    dtype = inputs.dtype if layer.weight is None else layer.weight.dtype
    if dtype not in (torch.float32, torch.float64):
        return _folded
    if inputs.dtype != dtype:
        is_half = dtype == torch.float32 and inputs.dtype in (torch.bfloat16, torch.float16)
        return _looped if is_half and inputs.dim() > 2 else _folded
    small = layer.ghost_batch_size * inputs.shape[1] < _SMALL_GHOST
    return _rows if inputs.dim() == 2 and layer.weight is not None and small else _looped


def _affine(layer) -> tuple[Tensor | None, Tensor | None]:
    """Return weight and bias, ones or zeros for one that alone is missing: kernels have both or none."""
    weight, bias = layer.weight, layer.bias
    if weight is None and bias is not None:
        weight = torch.ones_like(bias)
    if bias is None and weight is not None:
        bias = torch.zeros_like(weight)
    return weight, bias


def _tracked(layer) -> bool:
    return layer.track_running_stats and layer.running_mean is not None


def _update_running(layer, mean: Tensor, unbiased_var: Tensor) -> None:
    """Take the statistics of n ghosts, each (n, C), into the running ones; call it without gradients.

    n moving-average updates in closed form: running <- (1-m)^n running + sum_i m (1-m)^(n-1-i) ghost_i.
    With momentum None it is the mean of all ghosts so far, counted on the device, without waiting for it.
    """
    num_ghosts = mean.shape[0]
    dtype = mean.dtype if mean.dtype == torch.float64 else torch.float32
    if layer.momentum is None:
        num_seen = layer.num_batches_tracked.to(dtype)
        keep = num_seen / (num_seen + num_ghosts)
        weights = (1 / (num_seen + num_ghosts)).expand(num_ghosts)
    else:
        keep = (1 - layer.momentum) ** num_ghosts
        exponents = torch.arange(num_ghosts - 1, -1, -1, dtype=torch.float64, device=mean.device)
        weights = torch.pow(1 - layer.momentum, exponents).mul_(layer.momentum).to(dtype)
    for running, ghosts in ((layer.running_mean, mean), (layer.running_var, unbiased_var)):
        wide = running.to(dtype)
        wide.mul_(keep).addmv_(ghosts.to(dtype).t(), weights)  # in place: autocast leaves it alone
        if wide is not running:
            running.copy_(wide)
    layer.num_batches_tracked.add_(num_ghosts)


def _looped(layer, inputs: Tensor, num_ghosts: int) -> Tensor:
    if not (inputs.is_contiguous() or _is_channels_last(inputs)):
        inputs = inputs.contiguous()  # for other strides torch 2.15 leaves the statistics in out= unwritten
    running = None
    if _tracked(layer):
        factors = [layer.momentum] * num_ghosts
        if layer.momentum is None:
            num_seen = int(layer.num_batches_tracked)
            factors = [1 / (num_seen + i + 1) for i in range(num_ghosts)]
        running = (layer.running_mean, layer.running_var, factors)
        layer.num_batches_tracked.add_(num_ghosts)
    return _LoopedFunction.apply(inputs, *_affine(layer), running, num_ghosts, layer.eps)


class _LoopedFunction(torch.autograd.Function):
    """Write each ghost's result straight into the whole one: no list of parts, no concatenation."""

    @staticmethod
    def forward(ctx, inputs, weight, bias, running, num_ghosts, eps):
        running_mean, running_var, factors = running or (None, None, [0.0] * num_ghosts)
        outputs = torch.empty_like(inputs)
        dtype = inputs.dtype if weight is None else weight.dtype  # statistics of half precision are float32
        mean, invstd = inputs.new_empty(2, num_ghosts, inputs.shape[1], dtype=dtype).unbind()
        outs = zip(ghosts_of(outputs, num_ghosts), mean, invstd, strict=True)
        for part, factor, out in zip(ghosts_of(inputs, num_ghosts), factors, outs, strict=True):
            torch.native_batch_norm(part, weight, bias, running_mean, running_var, True, factor, eps, out=out)
        ctx.num_ghosts, ctx.eps = num_ghosts, eps
        ctx.save_for_backward(inputs, weight, mean, invstd)
        return outputs

    @staticmethod
    def backward(ctx, grad_outputs):
        if torch.is_grad_enabled():
            return *differentiable_gradients(ctx, grad_outputs), None, None, None
        inputs, weight, mean, invstd = ctx.saved_tensors
        grad_inputs = torch.empty_like(inputs)
        mask = ctx.needs_input_grad[:3]
        shared = []
        tensors = (ghosts_of(t, ctx.num_ghosts) for t in (grad_outputs, inputs, grad_inputs))
        for grad, part, out, part_mean, part_invstd in zip(*tensors, mean, invstd, strict=True):
            grad_part, *grad_affine = torch.ops.aten.native_batch_norm_backward.default(
                grad, part, weight, None, None, part_mean, part_invstd, True, ctx.eps, mask
            )
            shared.append(grad_affine)
            if mask[0]:
                out.copy_(grad_part)
        grad_weight, grad_bias = (
            None if parts[0] is None else torch.stack(parts).sum(0) for parts in zip(*shared, strict=True)
        )
        return grad_inputs if mask[0] else None, grad_weight, grad_bias, None, None, None


def _rows(layer, inputs: Tensor, num_ghosts: int) -> Tensor:
    return _RowsFunction.apply(inputs, *_affine(layer), layer, num_ghosts)


class _RowsFunction(torch.autograd.Function):
    """Work on the view (n, g, C), with the result as the only new array: fresh pages cost a pass each."""

    @staticmethod
    def forward(ctx, inputs, weight, bias, layer, num_ghosts):
        ghosts, outputs = ghosts_of(inputs, num_ghosts), torch.empty_like(inputs)
        size = ghosts.shape[1]
        mean = ghosts.mean(1, keepdim=True)
        centred = torch.sub(ghosts, mean, out=ghosts_of(outputs, num_ghosts))
        var = _sum_of_products(centred, centred).div_(size)
        invstd = torch.rsqrt(var + layer.eps)
        torch.addcmul(bias, centred, invstd * weight, out=centred)
        if _tracked(layer):
            _update_running(layer, mean.squeeze(1), var.squeeze(1).mul_(size / (size - 1)))
        ctx.num_ghosts, ctx.eps = num_ghosts, layer.eps
        ctx.save_for_backward(inputs, weight, mean, invstd)
        return outputs

    @staticmethod
    def backward(ctx, grad_outputs):
        if torch.is_grad_enabled():
            return *differentiable_gradients(ctx, grad_outputs), None, None
        inputs, weight, mean, invstd = ctx.saved_tensors
        grads, grad_inputs = ghosts_of(grad_outputs, ctx.num_ghosts), torch.empty_like(inputs)
        centred = torch.sub(ghosts_of(inputs, ctx.num_ghosts), mean, out=ghosts_of(grad_inputs, ctx.num_ghosts))
        grad_bias = grads.sum(1, keepdim=True)
        grad_weight = _sum_of_products(grads, centred).mul_(invstd)
        # dx = scale (dy - mean(dy) - xhat mean(dy xhat)), xhat = centred invstd, built where centred lies
        scale = invstd * weight
        share = scale / -grads.shape[1]
        torch.addcmul(grad_bias * share, centred, grad_weight * invstd * share, out=centred)
        centred.addcmul_(grads, scale)
        return grad_inputs, grad_weight.sum((0, 1)), grad_bias.sum((0, 1)), None, None


def _sum_of_products(left: Tensor, right: Tensor) -> Tensor:
    """Sum left * right, both (n, g, C), over g; the products are formed in a block that stays in cache."""
    num_ghosts, size, channels = left.shape
    step = max(1, _BLOCK // (size * channels))
    if step >= num_ghosts:
        return torch.mul(left, right).sum(1, keepdim=True)
    sums, block = left.new_empty(num_ghosts, 1, channels), left.new_empty(step, size, channels)
    for part, other, out in zip(left.split(step), right.split(step), sums.split(step), strict=True):
        torch.sum(torch.mul(part, other, out=block[: len(part)]), 1, keepdim=True, out=out)
    return sums


def _folded(layer, inputs: Tensor, num_ghosts: int) -> Tensor:
    weight, bias = (None if p is None else p.repeat(num_ghosts) for p in _affine(layer))
    mean = var = None
    if _tracked(layer):
        # With momentum 1 the kernel leaves each ghost's own mean and unbiased variance here.
        mean, var = layer.running_mean.new_zeros(2, num_ghosts * inputs.shape[1]).unbind()
    fold, unfold = (_fold_last, _unfold_last) if _is_channels_last(inputs) else (_fold, _unfold)
    folded = fold(inputs, num_ghosts)
    outputs = F.batch_norm(folded, mean, var, weight, bias, training=True, momentum=1.0, eps=layer.eps)
    if mean is not None and var is not None:
        _update_running(layer, mean.view(num_ghosts, -1), var.view(num_ghosts, -1))
    return unfold(outputs, num_ghosts)


def _is_channels_last(inputs: Tensor) -> bool:
    memory_format = {4: torch.channels_last, 5: torch.channels_last_3d}.get(inputs.dim())
    if torch._C._are_functorch_transforms_active():
        return False  # vmap does not tell
    return (
        memory_format is not None and not inputs.is_contiguous() and inputs.is_contiguous(memory_format=memory_format)
    )


def _fold(inputs: Tensor, num_ghosts: int) -> Tensor:
    """(n g, C, ...) -> (g, n C, ...)"""
    return ghosts_of(inputs, num_ghosts).transpose(0, 1).flatten(1, 2)


def _unfold(outputs: Tensor, num_ghosts: int) -> Tensor:
    """(g, n C, ...) -> (n g, C, ...)"""
    return outputs.unflatten(1, (num_ghosts, -1)).transpose(0, 1).flatten(0, 1)


def _fold_last(inputs: Tensor, num_ghosts: int) -> Tensor:
    """As _fold, channels last in memory before and after."""
    return ghosts_of(inputs.movedim(1, -1), num_ghosts).movedim(0, -2).flatten(-2).movedim(-1, 1)


def _unfold_last(outputs: Tensor, num_ghosts: int) -> Tensor:
    """As _unfold, channels last in memory before and after."""
    return outputs.movedim(1, -1).unflatten(-1, (num_ghosts, -1)).movedim(-2, 0).flatten(0, 1).movedim(-1, 1)


def _viewed(layer, inputs: Tensor, num_ghosts: int) -> Tensor:
    if not (inputs.is_contiguous() or has_rows(inputs)):
        inputs = inputs.contiguous()
    outputs, mean, var = ViewedFunction.apply(inputs, *_affine(layer), num_ghosts, layer.eps)
    if _tracked(layer):
        size = inputs.numel() // (num_ghosts * inputs.shape[1])
        with torch.no_grad():
            _update_running(layer, mean, var * (size / (size - 1)))
    return outputs


def _has_views(inputs: Tensor) -> bool:
    """Tell whether _viewed takes these inputs: in half precision images with channels first alone."""
    is_images = inputs.dim() > 2 and inputs.is_contiguous() and inputs.shape[2:].numel() > 1
    return is_images or inputs.dtype in (torch.float32, torch.float64)
