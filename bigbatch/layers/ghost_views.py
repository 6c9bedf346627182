"""Ghost batch normalisation on a GPU, on views of its inputs: no copies, and as many kernels for any number of ghosts.

Native batch norm takes three passes over memory forward (read, read, write) and five back; folding ghosts into channels
adds four each way. Here,
  channels first   each image's channel counts as a channel of one example, for the native kernels that torch has for
                   batch norm over several GPUs; statistics of images are merged into those of their ghost, which
                   are small. Three passes forward and five back.
  channels last,   sums over the rows of a ghost by plain operations. Three passes forward and ten back, where the
  and (N, C)       products of gradients and inputs are written out.
"""

from __future__ import annotations

import torch
from torch import Tensor


class ViewedFunction(torch.autograd.Function):
    """Normalise ghosts of equal size; returns (outputs, mean, biased variance), the latter (ghosts, C)."""

    @staticmethod
    def forward(ctx, inputs, weight, bias, num_ghosts, eps):
        kind = Rows if has_rows(inputs) else Images
        view = kind(inputs, num_ghosts)
        mean, var = view.moments(inputs, eps)
        invstd = torch.rsqrt(var + eps)
        ctx.view, ctx.num_ghosts, ctx.eps = view, num_ghosts, eps
        ctx.save_for_backward(inputs, weight, mean, invstd)
        ctx.mark_non_differentiable(mean, var)
        return view.normalize(inputs, weight, bias, mean, invstd), mean, var

    @staticmethod
    def backward(ctx, grad_outputs, *_):
        if torch.is_grad_enabled():
            return *differentiable_gradients(ctx, grad_outputs), None, None
        inputs, weight, mean, invstd = ctx.saved_tensors
        grads = ctx.view.like(inputs, grad_outputs)
        sums, products, grad_inputs = ctx.view.gradients(grads, inputs, weight, mean, invstd)
        if weight is None:
            return grad_inputs, None, None, None, None
        return grad_inputs, products.mul(invstd).sum(0), sums.sum(0), None, None


class Images:
    """Channels first: inputs as (1, N C, pixels), of which the statistics of `size` images at a time are merged."""

    def __init__(self, inputs: Tensor, num_ghosts: int):
        self._shape = inputs.shape
        self._num_ghosts, self._size = num_ghosts, len(inputs) // num_ghosts

    def like(self, inputs: Tensor, grads: Tensor) -> Tensor:
        """Return a gradient laid out as the inputs."""
        return grads.contiguous()

    def moments(self, inputs: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """Return mean and biased variance of each ghost, (ghosts, C), in float32 at least."""
        if inputs.dtype in (torch.float32, torch.float64):
            var, mean = torch.var_mean(inputs.flatten(2), 2, correction=0)
        else:
            mean, invstd = torch.batch_norm_stats(self._view(inputs), eps)
            var = (invstd.pow(-2) - eps).clamp_min(0)
        mean, var = (each.view(self._num_ghosts, self._size, -1) for each in (mean, var))
        between, whole = torch.var_mean(mean, 1, correction=0)
        return whole, var.mean(1) + between

    def normalize(self, inputs, weight, bias, mean, invstd) -> Tensor:
        """Return (inputs - mean) * invstd * weight + bias."""
        if weight is not None:
            weight, bias = self._of_images(weight), self._of_images(bias)
        mean, invstd = self._of_images(mean), self._of_images(invstd)
        # its eps is not used any more: invstd has it
        return torch.batch_norm_elemt(self._view(inputs), weight, bias, mean, invstd, 0.0).view(self._shape)

    def gradients(self, grads, inputs, weight, mean, invstd) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sums of grads and of grads * (inputs - mean) of each ghost, and the gradient of the inputs."""
        grads, inputs = self._view(grads), self._view(inputs)
        weight = None if weight is None else self._of_images(weight)
        mean, invstd = self._of_images(mean), self._of_images(invstd)
        found = torch.batch_norm_backward_reduce(grads, inputs, mean, invstd, weight, True, False, False)
        sums, products = (each.view(self._num_ghosts, self._size, -1).sum(1) for each in found[:2])
        count = torch.full((1,), self._size * inputs.shape[2], dtype=torch.int32, device=inputs.device)
        of_images = self._of_images(sums), self._of_images(products)
        grad_inputs = torch.batch_norm_backward_elemt(grads, inputs, mean, invstd, weight, *of_images, count)
        return sums, products, grad_inputs.view(self._shape)

    def _view(self, tensor: Tensor) -> Tensor:
        return tensor.view(1, -1, self._shape[2:].numel())

    def _of_images(self, values: Tensor) -> Tensor:
        """Repeat values of ghosts (ghosts, C), or of channels (C,), for every channel of every image."""
        return values.view(-1, 1, self._shape[1]).expand(self._num_ghosts, self._size, -1).reshape(-1)


class Rows:
    """Channels last, or (N, C): inputs as (ghosts, rows of a ghost, C)."""

    def __init__(self, inputs: Tensor, num_ghosts: int):
        self._num_ghosts, self._channels = num_ghosts, inputs.shape[1]

    def like(self, inputs: Tensor, grads: Tensor) -> Tensor:
        """Return a gradient laid out as the inputs."""
        return grads if has_rows(grads) else torch.empty_like(inputs).copy_(grads)

    def moments(self, inputs: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """Return mean and biased variance of each ghost, (ghosts, C)."""
        var, mean = torch.var_mean(self._view(inputs), 1, correction=0)
        return mean, var

    def normalize(self, inputs, weight, bias, mean, invstd) -> Tensor:
        """Return (inputs - mean) * invstd * weight + bias."""
        scale = invstd if weight is None else invstd * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        outputs = torch.empty_like(inputs)
        torch.addcmul(shift.unsqueeze(1), self._view(inputs), scale.unsqueeze(1), out=self._view(outputs))
        return outputs

    def gradients(self, grads, inputs, weight, mean, invstd) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sums of grads and of grads * (inputs - mean) of each ghost, and the gradient of the inputs."""
        grad_inputs = torch.empty_like(inputs)
        grads, inputs, out = self._view(grads), self._view(inputs), self._view(grad_inputs)
        sums = grads.sum(1)
        products = torch.mul(grads, inputs, out=out).sum(1) - mean * sums
        # dx = scale (dy - mean(dy) - (x - mean) invstd**2 mean(dy (x - mean))), linear in x and in dy
        scale = invstd if weight is None else invstd * weight
        slope = products * invstd.square() * scale / -inputs.shape[1]
        shift = sums * scale / -inputs.shape[1] - mean * slope
        torch.addcmul(shift.unsqueeze(1), inputs, slope.unsqueeze(1), out=out)
        out.addcmul_(grads, scale.unsqueeze(1))
        return sums, products, grad_inputs

    def _view(self, tensor: Tensor) -> Tensor:
        return tensor.movedim(1, -1).reshape(self._num_ghosts, -1, self._channels)


def has_rows(inputs: Tensor) -> bool:
    """Tell whether the channels of a tensor come last in memory, without gaps."""
    if inputs.dim() == 2:
        return inputs.is_contiguous()
    return not inputs.is_contiguous() and inputs.movedim(1, -1).is_contiguous()


def ghosts_of(tensor: Tensor, num_ghosts: int) -> Tensor:
    """View (n g, ...) as (n, g, ...), whatever the memory format."""
    return tensor.unflatten(0, (num_ghosts, -1))


def differentiable_gradients(ctx, grad_outputs: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the gradients of inputs, weight and bias by differentiable operations, for a second backward."""
    inputs, weight, _, _ = ctx.saved_tensors
    if weight is not None:  # half precision is too coarse for sums; autograd rounds the results to it
        inputs, grad_outputs = inputs.to(weight.dtype), grad_outputs.to(weight.dtype)
    ghosts, grads = ghosts_of(inputs, ctx.num_ghosts), ghosts_of(grad_outputs, ctx.num_ghosts)
    dims = (1, *range(3, ghosts.dim()))  # all but ghost and channel
    var, mean = torch.var_mean(ghosts, dims, correction=0, keepdim=True)
    invstd = torch.rsqrt(var + ctx.eps)
    normalized = (ghosts - mean) * invstd
    products = grads * normalized
    inner = grads - grads.mean(dims, keepdim=True) - normalized * products.mean(dims, keepdim=True)
    others = (0, *dims)
    if weight is None:
        return (inner * invstd).flatten(0, 1), None, None
    scale = invstd * weight.view(-1, *(1,) * (ghosts.dim() - 3))
    return (inner * scale).flatten(0, 1), products.sum(others), grads.sum(others)
