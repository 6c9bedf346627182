"""AlexNet for ImageNet in the one-weird-trick form (Krizhevsky 2014, arXiv 1404.5997) with batch norm, and for CIFAR.

alexnet is bigBatch's, its odd order of pooling, ReLU and batch norm included, with bigBatch's regime; alexnetv2,
alexnetv3 and alexnetvlr are SmoothOut's (Wen et al. 2018, arXiv 1805.07898), which differ in dropout and regime. All
four bring the published transforms: images of any size are scaled to 256 pixels and cropped to 224. Where we differ:
num_classes acts (it was looked up in the wrong place and always 1000), and the last map is pooled to 6 x 6, the size
that it has anyway at 224 pixels.

alexnet_small is the reduced AlexNet of Masters & Luschi 2018 (arXiv 1804.07612) for CIFAR.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.common import apply_norm, check_images, sgd_regime
from models.shallow import hidden_layer

# Of ImageNet's pixels in 0..1; an image of other than three channels takes their mean.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALE_SIZE, CROP_SIZE, SMALLEST = 256, 224, 63  # pixels
IMAGE = (3, CROP_SIZE, CROP_SIZE)
NORMS = ('batch', 'conv', 'none')


class AlexNet(nn.Module):
    """Five convolutions of 64, 192, 384, 256, 256 channels, two hidden layers of 4096 units, dropout after each."""

    def __init__(self, num_classes: int, in_channels: int, dropout: float):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, kernel_size=11, stride=4, padding=2, bias=False),
            nn.MaxPool2d(kernel_size=3, stride=2), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            nn.Conv2d(64, 192, kernel_size=5, padding=2, bias=False),
            nn.MaxPool2d(kernel_size=3, stride=2), nn.ReLU(inplace=True), nn.BatchNorm2d(192),
            nn.Conv2d(192, 384, kernel_size=3, padding=1, bias=False), nn.ReLU(inplace=True), nn.BatchNorm2d(384),
            nn.Conv2d(384, 256, kernel_size=3, padding=1, bias=False), nn.ReLU(inplace=True), nn.BatchNorm2d(256),
            nn.Conv2d(256, 256, kernel_size=3, padding=1, bias=False),
            nn.MaxPool2d(kernel_size=3, stride=2), nn.ReLU(inplace=True), nn.BatchNorm2d(256),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Linear(256 * 6 * 6, 4096, bias=False), nn.BatchNorm1d(4096), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(4096, 4096, bias=False), nn.BatchNorm1d(4096), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, C, H, W)."""
        if min(inputs.shape[-2:]) < SMALLEST:
            raise ValueError(
                f'images of {inputs.shape[-2]} x {inputs.shape[-1]} vanish in its poolings: give them through '
                f'its input_transform, which makes {CROP_SIZE} x {CROP_SIZE} of any, or use alexnet_small'
            )
        return self.classifier(self.pool(self.features(inputs)).flatten(1))


def alexnet(
    num_classes: int = 1000, input_shape: tuple[int, int, int] = IMAGE, *, dropout: float = 0.5, norm: str = 'batch'
) -> nn.Module:
    """Create AlexNet with bigBatch's regime.

    Args:
        input_shape: (C, H, W) of one image as the data set has it.
        norm: 'batch'; 'conv': after convolutions only; 'none'. Layers without it are initialised as He et al. do.
    """
    channels, _, _ = check_images(input_shape)
    model = AlexNet(num_classes, channels, dropout)
    apply_norm(model, norm, NORMS)
    model.input_transform = _input_transform(channels)
    model.regime = {
        0: {'optimizer': 'SGD', 'lr': 1e-2, 'momentum': 0.9, 'weight_decay': 5e-4},
        10: {'lr': 5e-3},
        15: {'lr': 1e-3, 'weight_decay': 0},
        20: {'lr': 5e-4},
        25: {'lr': 1e-4},
    }
    return model


def alexnetv2(
    num_classes: int = 1000, input_shape: tuple[int, int, int] = IMAGE, *, dropout: float = 0.2, norm: str = 'batch'
) -> nn.Module:
    """Create SmoothOut's AlexNet v2: dropout 0.2, weight decay 1e-4; see alexnet."""
    return _smoothout(alexnet(num_classes, input_shape, dropout=dropout, norm=norm), 1e-2, 1e-4)


def alexnetv3(
    num_classes: int = 1000, input_shape: tuple[int, int, int] = IMAGE, *, dropout: float = 0.0, norm: str = 'batch'
) -> nn.Module:
    """Create SmoothOut's AlexNet v3: neither dropout nor weight decay; see alexnet."""
    return _smoothout(alexnet(num_classes, input_shape, dropout=dropout, norm=norm), 1e-2, 0)


def alexnetvlr(
    num_classes: int = 1000, input_shape: tuple[int, int, int] = IMAGE, *, dropout: float = 0.0, norm: str = 'batch'
) -> nn.Module:
    """Create SmoothOut's AlexNet vlr: v3 with rates times 11.3137 = sqrt(128), in place of --lr_bb_fix; see alexnet."""
    return _smoothout(alexnet(num_classes, input_shape, dropout=dropout, norm=norm), 11.3137e-2, 0)


def alexnet_small(
    num_classes: int = 10, input_shape: tuple[int, int, int] = (3, 32, 32), *, dropout: float = 0.0, norm: str = 'batch'
) -> nn.Module:
    """Create Masters & Luschi's reduced AlexNet: kernels 5, 3, 3, 3, 3 at stride 1, pools 3/2, hidden layers of 256.

    The paper gives kernels, channels, pools and units; that the convolutions are padded to keep the size, and that it
    pools after the first, second and last one and has two hidden layers, as AlexNet does, is our reading. SGD without
    momentum, weight decay and drops at 50 % and 75 % of 82 epochs are theirs (164 epochs for CIFAR-100:
    --regime_bb_multi 2). They search the rate; ours is 2**-8 an example, at a batch of 32.

    Args:
        input_shape: (C, H, W) of one image; 32 x 32 pixels become 3 x 3.
        norm: 'batch'; 'conv': after convolutions only; 'none'. The paper has all three.
    """
    channels, height, width = check_images(input_shape, smallest=15)
    sizes = ((channels, 16, 5), (16, 48, 3), (48, 96, 3), (96, 64, 3), (64, 64, 3))
    features: list[nn.Module] = []
    for place, (fan_in, fan_out, kernel) in enumerate(sizes):
        convolution = nn.Conv2d(fan_in, fan_out, kernel, padding=kernel // 2, bias=False)
        features += [convolution, nn.BatchNorm2d(fan_out), nn.ReLU(inplace=True)]
        if place in (0, 1, 4):
            features.append(nn.MaxPool2d(kernel_size=3, stride=2))
            height, width = (height - 1) // 2, (width - 1) // 2
    model = nn.Sequential(
        *features, nn.Flatten(),
        *hidden_layer(64 * height * width, 256, dropout), *hidden_layer(256, 256, dropout),
        nn.Linear(256, num_classes),
    )  # fmt: skip
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
    apply_norm(model, norm, NORMS)
    model.regime = sgd_regime({0: 2**-8 * 32, 41: 2**-8 * 3.2, 61: 2**-8 * 0.32}, momentum=0, weight_decay=5e-4)
    return model


def _smoothout(model: nn.Module, lr: float, weight_decay: float) -> nn.Module:
    model.regime = sgd_regime({0: lr, 20: lr / 10, 40: lr / 100}, weight_decay=weight_decay)
    return model


def _input_transform(channels: int) -> dict:
    import torch
    from torchvision.transforms import v2

    if channels == 3:
        mean, std = MEAN, STD
    else:
        mean, std = ([sum(values) / 3] * channels for values in (MEAN, STD))
    to_tensor = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)]
    return {
        'train': v2.Compose([
            v2.Resize(SCALE_SIZE), v2.RandomCrop(CROP_SIZE), v2.RandomHorizontalFlip(), *to_tensor,
        ]),
        'eval': v2.Compose([v2.Resize(SCALE_SIZE), v2.CenterCrop(CROP_SIZE), *to_tensor]),
    }  # fmt: skip
