"""Residual networks (He et al. 2015, arXiv 1512.03385) for small images and for ImageNet, with bigBatch's regimes.

Small images (section 4.2 of the paper): as in bigBatch, a shortcut that changes size is a 1x1 convolution with batch
norm (option B of the paper, which itself uses padded identities on CIFAR-10). A depth that is not 6n + 2 is refused;
bigBatch rounded it down without a word.

ImageNet: torchvision's networks, and so its state-dict keys. Like bigBatch's they differ from the paper in that a
bottleneck halves the image in its 3x3 convolution. bigBatch chose the layout by the data set alone and returned None
where it knew neither; here the size of the images decides for the others.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.common import apply_norm, check_images, sgd_regime

WIDTHS = (16, 32, 64)
IMAGENET_DEPTHS = (18, 34, 50, 101, 152)
LARGEST_SMALL_IMAGE = 64  # pixels


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, dropout between them, and a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int, dropout: float = 0.0):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        hidden = self.dropout(F.relu(self.bn1(self.conv1(inputs)), inplace=True))
        return F.relu(self.bn2(self.conv2(hidden)) + self.shortcut(inputs), inplace=True)


class SmallImageResNet(nn.Module):
    """Stem, three stages of num_blocks blocks with 16, 32, 64 channels times `width`, mean over the image, linear."""

    def __init__(self, num_blocks: int, num_classes: int, in_channels: int, *, width: int = 1, dropout: float = 0.0):
        super().__init__()
        widths = [width * channels for channels in WIDTHS]
        channels = widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        blocks = []
        for stage, stage_channels in enumerate(widths):
            for block in range(num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(BasicBlock(channels, stage_channels, stride, dropout))
                channels = stage_channels
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, C, H, W)."""
        return self.fc(self.blocks(self.stem(inputs)).mean(dim=(2, 3)))


def resnet(
    depth: int | None = None,
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] = (3, 32, 32),
    *,
    dataset: str | None = None,
    norm: str = 'batch',
) -> nn.Module:
    """Create a residual network.

    Args:
        depth: for small images 6n + 2: 8, 14, 20, 32, 44, 56, 110, ...; for ImageNet 18, 34, 50, 101 or 152; None: 44
            and 50.
        num_classes: None: 10, 100 or 1000, as the data set has them.
        input_shape: (C, H, W) of one image.
        dataset: 'imagenet', 'cifar10' and 'cifar100' choose the layout; for any other, or None, an image with a side
            above 64 pixels is for ImageNet's.
        norm: 'batch', or 'none', as in Masters & Luschi 2018 (arXiv 1804.07612): convolutions with a bias and He's
            initialisation. The last convolution of each block is then divided by the number of blocks, so that the
            sum over them does not grow with the depth. That is ours: without it depth 32 diverged at once, unclipped,
            even at a batch of 8 and a rate of 0.002. It still wants a smaller rate than this regime's: --lr 0.03.

    Raises:
        ValueError: another depth or norm, or inputs that are no images.
    """
    channels, height, width = check_images(input_shape)
    is_small = dataset in ('cifar10', 'cifar100') or max(height, width) <= LARGEST_SMALL_IMAGE
    if is_small and dataset != 'imagenet':
        num_classes = num_classes or (100 if dataset == 'cifar100' else 10)
        model = _small_image_resnet(44 if depth is None else depth, num_classes, channels)
    else:
        model = _imagenet_resnet(50 if depth is None else depth, num_classes or 1000, channels)
    apply_norm(model, norm)
    if norm == 'none':
        blocks = [module for module in model.modules() if hasattr(module, 'conv2')]
        for block in blocks:
            getattr(block, 'conv3', block.conv2).weight.data.div_(len(blocks))
    return model


def _small_image_resnet(depth: int, num_classes: int, in_channels: int) -> nn.Module:
    if not isinstance(depth, int) or depth < 8 or (depth - 2) % 6:
        near = max(8, 6 * round((depth - 2) / 6) + 2) if isinstance(depth, int) else 44
        raise ValueError(
            f'depth {depth!r} is not 6n + 2 with n from 1, as it must be for images up to '
            f'{LARGEST_SMALL_IMAGE} pixels: the nearest is {near}'
        )
    model = SmallImageResNet((depth - 2) // 6, num_classes, in_channels)
    model.regime = sgd_regime({0: 1e-1, 81: 1e-2, 122: 1e-3, 164: 1e-4})
    return model


def _imagenet_resnet(depth: int, num_classes: int, in_channels: int) -> nn.Module:
    from torchvision import models  # takes a second, which small images need not wait for

    if depth not in IMAGENET_DEPTHS:
        raise ValueError(
            f'depth {depth!r} is none of {", ".join(map(str, IMAGENET_DEPTHS))}, which there are for ImageNet '
            f'and other images above {LARGEST_SMALL_IMAGE} pixels'
        )
    model = models.get_model(f'resnet{depth}', num_classes=num_classes)
    if in_channels != 3:
        model.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode='fan_out', nonlinearity='relu')
    model.regime = sgd_regime({0: 1e-1, 30: 1e-2, 60: 1e-3, 90: 1e-4})
    return model
