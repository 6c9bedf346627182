"""C1 and C3, the shallow convolutional networks of Hoffer et al. 2017 (arXiv 1705.08741), as published in bigBatch.

Two blocks of convolution, pooling, batch norm, ReLU, then two hidden layers with dropout. Their published regime names
no momentum, so SGD runs without it; the regime here has the 0.9 that SmoothOut's authors added to it. Layers before a
batch norm have no bias.
"""

from __future__ import annotations

import math

from torch import nn

from models.common import check_images, sgd_regime


class ShallowNet(nn.Module):
    """[conv 5x5x64, max-pool 3/2, batch norm, ReLU] x 2 -> (384, batch norm, ReLU, dropout) -> (192, ...) -> classes.

    Images of 32 x 32 pixels become 7 x 7 before the hidden layers.
    """

    def __init__(self, num_classes: int, input_shape: tuple[int, int, int] = (3, 32, 32), dropout: float = 0.5):
        super().__init__()
        channels, height, width = check_images(input_shape, smallest=7)
        self.features = nn.Sequential(*_conv_block(channels), *_conv_block(64))
        num_features = 64 * math.prod(((side - 1) // 2 - 1) // 2 for side in (height, width))  # after both poolings
        self.classifier = nn.Sequential(
            nn.Flatten(), *hidden_layer(num_features, 384, dropout), *hidden_layer(384, 192, dropout),
            nn.Linear(192, num_classes),
        )  # fmt: skip
        self.regime = sgd_regime({0: 1e-3, 60: 1e-2, 120: 1e-3, 180: 1e-4}, weight_decay=5e-4)

    def forward(self, inputs):
        """Return logits (N, classes) of images (N, C, H, W)."""
        return self.classifier(self.features(inputs))


def _conv_block(channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, 64, kernel_size=5, padding=2, bias=False)
    return [convolution, nn.MaxPool2d(kernel_size=3, stride=2), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]


def hidden_layer(fan_in: int, fan_out: int, dropout: float) -> list[nn.Module]:
    """Return linear without bias, batch norm, ReLU, dropout with that probability."""
    linear = nn.Linear(fan_in, fan_out, bias=False)
    return [linear, nn.BatchNorm1d(fan_out), nn.ReLU(inplace=True), nn.Dropout(dropout)]


def cifar10_shallow(
    num_classes: int = 10, input_shape: tuple[int, int, int] = (3, 32, 32), dropout: float = 0.5
) -> nn.Module:
    """Create C1; see ShallowNet."""
    return ShallowNet(num_classes, input_shape, dropout)


def cifar100_shallow(
    num_classes: int = 100, input_shape: tuple[int, int, int] = (3, 32, 32), dropout: float = 0.5
) -> nn.Module:
    """Create C3, which is C1 with 100 classes; see ShallowNet."""
    return ShallowNet(num_classes, input_shape, dropout)
