"""F1, the fully connected network of Keskar et al. 2016 (arXiv 1609.04836) and Hoffer et al. 2017 (arXiv 1705.08741).

784 -> 5 x (512, batch norm, ReLU) -> 10, with the regime of the published bigBatch code. The linear layers before a
batch norm have no bias, which the normalisation would take out again.
"""

from __future__ import annotations

import itertools
import math

from torch import nn

from models.common import apply_norm, check_whole, sgd_regime


def mnist_f1(
    width: int = 512, depth: int = 5, num_classes: int = 10, input_shape: tuple[int, ...] = (1, 28, 28),
    norm: str = 'batch',
) -> nn.Module:  # fmt: skip
    """Create F1.

    Args:
        width: units of a hidden layer, of which there are `depth`.
        input_shape: shape of one example; it is flattened.
        norm: 'batch', or 'none', where the linear layers have a bias and weights as He et al. draw them.
    """
    for option, value in (('width', width), ('depth', depth)):
        check_whole(option, value)
    sizes = [math.prod(input_shape)] + [width] * depth
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out, bias=False), nn.BatchNorm1d(fan_out), nn.ReLU(inplace=True)]
    model = nn.Sequential(*layers, nn.Linear(width, num_classes))
    apply_norm(model, norm)
    model.regime = sgd_regime({0: 1e-1, 10: 1e-2, 20: 1e-3, 30: 1e-4})
    return model
