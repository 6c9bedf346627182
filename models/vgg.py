"""VGG for small images: C2 and C4 of Keskar et al. 2016 (arXiv 1609.04836), here with SGD.

Hoffer et al. 2017 (arXiv 1705.08741) name a VGG on CIFAR-10 without a recipe, and their code has none. This is the
layout of Keskar's published code, with an initialisation and a REGIME OF OUR OWN: that of the residual network with a
weight decay of 5e-4, which is usual for VGG with batch norm. His own optimizer is in models/keskar.py.
"""

from __future__ import annotations

import math

from torch import nn

from models.common import check_images, sgd_regime
from models.shallow import hidden_layer

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FIRST_DROPOUT, DROPOUT = 0.3, 0.4


class VGG(nn.Module):
    """Five stages of (conv 3x3, batch norm, ReLU) and a 2x2 max-pool, then 512 hidden units.

    Dropout stands between the convolutions of a stage, but not before a pooling: 0.3 in the first stage, 0.4 in the
    others; 0.5 before and after the hidden layer. An odd side is halved upwards, so any image fits. The layers before a
    batch norm have no bias, which the normalisation would take out again.
    """

    def __init__(self, num_classes: int, input_shape: tuple[int, int, int]):
        super().__init__()
        channels, height, width = input_shape
        layers: list[nn.Module] = []
        for stage, widths in enumerate(STAGES):
            for place, out_channels in enumerate(widths):
                if place > 0:
                    layers.append(nn.Dropout(FIRST_DROPOUT if stage == 0 else DROPOUT))
                convolution = nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False)
                layers += [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
                channels = out_channels
            layers.append(nn.MaxPool2d(kernel_size=2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        num_features = channels * math.ceil(height / 2 ** len(STAGES)) * math.ceil(width / 2 ** len(STAGES))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), *hidden_layer(num_features, 512, dropout=0.5), nn.Linear(512, num_classes)
        )

    def forward(self, inputs):
        """Return logits (N, classes) of images (N, C, H, W)."""
        return self.classifier(self.features(inputs))


def vgg(num_classes: int = 10, input_shape: tuple[int, int, int] = (3, 32, 32)) -> nn.Module:
    """Create a VGG with batch norm for small images; see VGG."""
    model = VGG(num_classes, check_images(input_shape))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
    model.regime = sgd_regime({0: 1e-1, 81: 1e-2, 122: 1e-3, 164: 1e-4}, weight_decay=5e-4)
    return model
