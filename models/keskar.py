"""F1, F2 and C1 to C4 of Keskar et al. 2016 (arXiv 1609.04836), as built in their published Keras code, with Adam.

Adam has Keras' defaults, which are torch's: rate 1e-3, betas 0.9 and 0.999, eps 1e-8, no weight decay. Weights are
drawn as Keras does, uniformly (Glorot, Bengio 2010), biases are 0. They scaled pixels to 0..1 and did not augment.

C1 and C3 pool after the ReLU with padding, so that 32 x 32 pixels become 8 x 8; bigBatch's cifar10_shallow and
cifar100_shallow (models/shallow.py) pool before the batch norm without padding and arrive at 7 x 7.

Where we differ: batch norm keeps running statistics for eval mode, with torch's momentum 0.1 and eps 1e-5. Keras ran it
in its mode 2, on statistics of the batch in testing too, so that its momentum of 0.99 had no effect, and its eps (1e-3)
is a matter of the version; running statistics make the loss a function of the weights alone, whatever the batch. Layers
before a batch norm have no bias, which the normalisation would take out again. F1 and F2, not in the code, follow the
paper's text.
"""

from __future__ import annotations

import math

from torch import nn

from models.common import check_images
from models.mnist_f1 import mnist_f1
from models.shallow import hidden_layer
from models.vgg import VGG


def keskar_f1(num_classes: int = 10, input_shape: tuple[int, ...] = (1, 28, 28)) -> nn.Module:
    """Create F1 for MNIST: 5 hidden layers of 512 units."""
    return _as_trained(mnist_f1(512, 5, num_classes, input_shape))


def keskar_f2(num_classes: int = 1973, input_shape: tuple[int, ...] = (360,)) -> nn.Module:
    """Create F2 for TIMIT, whose 360 features have 1973 classes: 7 hidden layers of 512 units."""
    return _as_trained(mnist_f1(512, 7, num_classes, input_shape))


def keskar_c1(num_classes: int = 10, input_shape: tuple[int, int, int] = (3, 32, 32)) -> nn.Module:
    """Create C1 for CIFAR-10: two 5x5 convolutions of 64 channels and two hidden layers of 384 and 192 units."""
    channels, height, width = check_images(input_shape)
    num_features = 64 * math.ceil(height / 4) * math.ceil(width / 4)
    return _as_trained(nn.Sequential(
        *_conv_block(channels), *_conv_block(64), nn.Flatten(),
        *hidden_layer(num_features, 384, dropout=0.5), *hidden_layer(384, 192, dropout=0.5),
        nn.Linear(192, num_classes),
    ))  # fmt: skip


def keskar_c2(num_classes: int = 10, input_shape: tuple[int, int, int] = (3, 32, 32)) -> nn.Module:
    """Create C2 for CIFAR-10; see models.vgg.VGG."""
    return _as_trained(VGG(num_classes, check_images(input_shape)))


def keskar_c3(num_classes: int = 100, input_shape: tuple[int, int, int] = (3, 32, 32)) -> nn.Module:
    """Create C3 for CIFAR-100, which is C1 with 100 classes."""
    return keskar_c1(num_classes, input_shape)


def keskar_c4(num_classes: int = 100, input_shape: tuple[int, int, int] = (3, 32, 32)) -> nn.Module:
    """Create C4 for CIFAR-100, which is C2 with 100 classes."""
    return keskar_c2(num_classes, input_shape)


def _conv_block(channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, 64, kernel_size=5, padding=2, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    ]  # fmt: skip


def _as_trained(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    model.regime = {0: {'optimizer': 'Adam', 'lr': 1e-3}}
    return model
