"""What several families of networks share: checks of their options, and networks without batch norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn


def check_whole(option: str, value: object) -> None:
    """Refuse, with a ValueError, an option that is no whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f'{option} {value!r} is not a whole number from 1')


def check_images(input_shape: Sequence[int], smallest: int = 1) -> tuple[int, int, int]:
    """Return (C, H, W) of one image; a ValueError refuses other shapes and images with less than `smallest` pixels."""
    if len(input_shape) != 3:
        raise ValueError(f'inputs of shape {tuple(input_shape)} are no images (C, H, W), which this network takes')
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise ValueError(
            f'images of {height} x {width} vanish in the poolings: at least {smallest} x {smallest} is needed'
        )
    return channels, height, width


def sgd_regime(rates: Mapping[int, float], *, momentum: float = 0.9, weight_decay: float = 1e-4) -> dict[int, dict]:
    """Return the regime of SGD with these rates, each from its epoch on."""
    start = {'optimizer': 'SGD', 'lr': rates[0], 'momentum': momentum, 'weight_decay': weight_decay}
    return {epoch: {'lr': lr} for epoch, lr in rates.items()} | {0: start}


def apply_norm(model: nn.Module, norm: str, choices: Sequence[str] = ('batch', 'none')) -> None:
    """Take batch norm out of a network, in place.

    A layer that loses its batch norm gets a bias, which starts at 0, and weights as He et al. 2015 (arXiv 1502.01852)
    draw them for a ReLU; without either it would hardly train.

    Args:
        model: its convolutions and linear layers have no bias where batch norm follows.
        norm: 'batch': leave all; 'conv': leave those of convolutions; 'none': leave none; a ValueError names another.
        choices: the values of `norm` that the network knows.
    """
    if norm not in choices:
        raise ValueError(f'norm {norm!r} is unknown: choose one of {", ".join(choices)}')
    removed, layers = {
        'batch': ((), ()),
        'conv': (nn.BatchNorm1d, nn.Linear),
        'none': ((nn.BatchNorm1d, nn.BatchNorm2d), (nn.Linear, nn.Conv2d)),
    }[norm]
    for module in list(model.modules()):
        for key, child in module.named_children():
            if isinstance(child, removed):
                setattr(module, key, nn.Identity())
        if isinstance(module, layers) and module.bias is None:
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            module.bias = nn.Parameter(module.weight.new_zeros(module.weight.shape[0]))
