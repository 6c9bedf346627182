"""Wide residual networks (Zagoruyko, Komodakis 2016, arXiv 1605.07146) as published in bigBatch, with its regime.

As there, and unlike the paper, these are the post-activation blocks of models/resnet.py, and the stem is as wide as
the first stage, which therefore needs no projection; WRN-16-4 so has 2.78 million parameters with 10 classes. bigBatch
fixed the width to 4, and its command line could not select the network: it looked for lower-case names. Its layout for
ImageNet was not widened at all: that is resnet here.
"""

from __future__ import annotations

from torch import nn

from models.common import check_images, check_whole, sgd_regime
from models.resnet import SmallImageResNet


def wide_resnet(
    depth: int = 16,
    width: int = 4,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (3, 32, 32),
    *,
    dropout: float = 0.0,
) -> nn.Module:
    """Create a wide residual network; also known as wresnet16_4 and, as published, wide_WResNet.

    Args:
        depth: 6n + 4: 10, 16, 22, 28, 40, ...
        width: factor on the 16, 32 and 64 channels of the residual network for small images.
        dropout: probability, between the two convolutions of a block.
    """
    channels, _, _ = check_images(input_shape)
    check_whole('width', width)
    check_whole('depth', depth)
    if depth < 10 or (depth - 4) % 6:
        near = max(10, 6 * round((depth - 4) / 6) + 4)
        raise ValueError(f'depth {depth} is not 6n + 4 with n from 1: the nearest is {near}')
    model = SmallImageResNet((depth - 4) // 6, num_classes, channels, width=width, dropout=dropout)
    model.regime = sgd_regime({0: 1e-1, 60: 2e-2, 120: 4e-3, 140: 1e-4})
    return model


wide_WResNet = wresnet16_4 = wide_resnet  # noqa: N816 - published so
