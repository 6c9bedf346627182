"""Residual networks for small images (He et al. 2015, arXiv 1512.03385, section 4.2), with bigBatch's regime.

As in bigBatch, a shortcut that changes size is a 1x1 convolution with batch norm (option B of the paper, which itself
uses padded identities on CIFAR-10). A depth that is not 6n + 2 is refused; bigBatch rounded it down without a word.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 32, 64)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        hidden = F.relu(self.bn1(self.conv1(inputs)), inplace=True)
        return F.relu(self.bn2(self.conv2(hidden)) + self.shortcut(inputs), inplace=True)


class SmallImageResNet(nn.Module):
    """Stem of 16 channels, three stages of n blocks with 16, 32, 64 channels, mean over the image, linear.

    Args:
        num_blocks: n, blocks in a stage; the depth is 6n + 2.
        in_channels: of the images.
    """

    def __init__(self, num_blocks: int, num_classes: int, in_channels: int):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, WIDTHS[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(inplace=True),
        )
        blocks, channels = [], WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for block in range(num_blocks):
                blocks.append(BasicBlock(channels, width, stride=2 if stage > 0 and block == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, num_classes)
        self.regime = {
            0: {'optimizer': 'SGD', 'lr': 1e-1, 'momentum': 0.9, 'weight_decay': 1e-4},
            81: {'lr': 1e-2},
            122: {'lr': 1e-3},
            164: {'lr': 1e-4},
        }
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, C, H, W)."""
        return self.fc(self.blocks(self.stem(inputs)).mean(dim=(2, 3)))


def resnet(depth: int = 44, num_classes: int = 10, input_shape: tuple[int, int, int] = (3, 32, 32)) -> nn.Module:
    """Create a residual network for small images.

    Args:
        depth: 6n + 2: 8, 14, 20, 32, 44, 56, 110, ...
        input_shape: (C, H, W) of one image.

    Raises:
        ValueError: another depth.
    """
    if not isinstance(depth, int) or depth < 8 or (depth - 2) % 6:
        near = max(8, 6 * round((depth - 2) / 6) + 2) if isinstance(depth, int) else 44
        raise ValueError(f'resnet: depth {depth!r} is not 6n + 2 with n from 1: the nearest is {near}')
    return SmallImageResNet((depth - 2) // 6, num_classes, input_shape[0])
