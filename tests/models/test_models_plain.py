"""Networks without shortcuts for small images: F1, F2, C1 to C4 of either source, VGG and the AlexNets, by hand."""

import math

import numpy as np
import torch
from PIL import Image
from torch import nn

from models import create_model
from tests.data_helpers import assert_refused
from tests.networks import batch_norm, num_parameters, outline, refusal


def convolution(fan_in: int, fan_out: int, kernel: int) -> int:
    return fan_in * fan_out * kernel**2 + batch_norm(fan_out)


def hidden(fan_in: int, fan_out: int) -> int:
    return fan_in * fan_out + batch_norm(fan_out)


def kinds(model: nn.Module) -> str:
    letters = {
        nn.Conv2d: 'C', nn.Linear: 'L', nn.BatchNorm1d: 'B', nn.BatchNorm2d: 'B', nn.ReLU: 'R', nn.MaxPool2d: 'P',
        nn.Dropout: 'D', nn.Flatten: '/', nn.Identity: '-', nn.AdaptiveAvgPool2d: 'A',
    }  # fmt: skip
    return ''.join(letters[type(module)] for module in model.modules() if type(module) in letters)


def dropouts(model: nn.Module) -> list[float]:
    return [module.p for module in model.modules() if isinstance(module, nn.Dropout)]


def test_f1_and_f2_by_hand():
    for name, num_hidden, num_inputs, num_classes in (
        ('mnist_f1', 5, 784, 10), ('keskar_f1', 5, 784, 10), ('keskar_f2', 7, 360, 1973),
    ):  # fmt: skip
        model = outline(name)
        hidden_layers = hidden(num_inputs, 512) + (num_hidden - 1) * hidden(512, 512)
        assert num_parameters(model) == hidden_layers + 512 * num_classes + num_classes, name
        assert kinds(model) == '/' + 'LBR' * num_hidden + 'L', name
    model = create_model('mnist_f1', width=16, depth=2, num_classes=3, input_shape=(1, 8, 8))
    assert num_parameters(model) == hidden(64, 16) + hidden(16, 16) + (16 * 3 + 3)


def test_c1_and_c3_by_hand():
    for name, num_classes, side, block in (
        ('cifar10_shallow', 10, 7, 'CPBR'), ('cifar100_shallow', 100, 7, 'CPBR'),
        ('keskar_c1', 10, 8, 'CBRP'), ('keskar_c3', 100, 8, 'CBRP'),
    ):  # fmt: skip
        linears = hidden(64 * side**2, 384) + hidden(384, 192) + 192 * num_classes + num_classes
        model = outline(name)
        assert num_parameters(model) == convolution(3, 64, 5) + convolution(64, 64, 5) + linears, name
        assert kinds(model) == block * 2 + '/' + 'LBRD' * 2 + 'L', name
        assert dropouts(model) == [0.5, 0.5], name


def test_keskars_pooling_halves_upwards_as_same_padding_does():
    pool = create_model('keskar_c1')[3]
    for size, pooled in ((32, 16), (16, 8), (9, 5), (7, 4)):
        inputs = torch.randn(1, 2, size, size)
        padded = nn.functional.pad(inputs, (1, 1, 1, 1), value=-math.inf)
        places = [slice(2 * i, 2 * i + 3) for i in range(pooled)]
        by_hand = [[padded[..., rows, columns].amax((-1, -2)) for columns in places] for rows in places]
        assert torch.equal(pool(inputs), torch.stack([torch.stack(row, -1) for row in by_hand], -2)), size


def test_vgg_by_hand():
    widths = [64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    convolutions = sum(convolution(*pair, 3) for pair in zip([3, *widths], widths, strict=False))
    for name, num_classes in (('vgg', 10), ('keskar_c2', 10), ('keskar_c4', 100)):
        model = outline(name)
        assert num_parameters(model) == convolutions + hidden(512, 512) + 512 * num_classes + num_classes, name
        assert kinds(model) == 'CBRDCBRP' * 2 + 'CBRDCBRDCBRP' * 3 + '/DLBRDL', name
        assert dropouts(model) == [0.3, *[0.4] * 7, 0.5, 0.5], name


def test_keskars_weights_are_those_of_glorot():
    """Uniform within sqrt(6 / (fan in + fan out)), which his text calls uniform and Keras did."""
    for name in ('keskar_f1', 'keskar_c1', 'keskar_c2'):
        layers = [module for module in create_model(name).modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
        for layer in layers:
            bound = math.sqrt(6 / (layer.weight[0, 0].numel() * sum(layer.weight.shape[:2])))
            assert 0.99 * bound < layer.weight.abs().max() <= bound, name
            assert layer.bias is None or not layer.bias.any(), name


def test_alexnet_by_hand():
    convolutions = convolution(3, 64, 11) + convolution(64, 192, 5) + convolution(192, 384, 3)
    convolutions += convolution(384, 256, 3) + convolution(256, 256, 3)
    hidden_layers = hidden(256 * 6 * 6, 4096) + hidden(4096, 4096)
    for name, dropout in {'alexnet': 0.5, 'alexnetv2': 0.2, 'alexnetv3': 0.0, 'alexnetvlr': 0.0}.items():
        model = outline(name)
        assert num_parameters(model) == convolutions + hidden_layers + 4096 * 1000 + 1000, name
        small = outline(name, num_classes=10, dropout=0.3)
        assert num_parameters(small) == convolutions + hidden_layers + 4096 * 10 + 10, name
        assert kinds(model) == 'CPBR' + 'CPRB' + 'CRB' * 2 + 'CPRB' + 'A' + 'LBRD' * 2 + 'L', name
        assert (set(dropouts(model)), set(dropouts(small))) == ({dropout}, {0.3}), name
        maps = model.features(torch.empty(2, 3, 224, 224, device='meta'))
        assert maps.shape == (2, 256, 6, 6)
    maps = torch.randn(2, 3, 6, 6)
    assert torch.equal(model.pool(maps), maps)  # so the last pool does nothing at 224 pixels


def test_norm_says_where_alexnet_has_batch_norm():
    for norm, layers in (
        ('batch', 'CPBRCPRBCRBCRBCPRBALBRDLBRDL'), ('conv', 'CPBRCPRBCRBCRBCPRBAL-RDL-RDL'),
        ('none', 'CP-RCPR-CR-CR-CPR-AL-RDL-RDL'),
    ):  # fmt: skip
        model = outline('alexnet', norm=norm)
        assert kinds(model) == layers
        biases = [layer.bias is not None for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
        assert biases == [norm == 'none'] * 5 + [norm != 'batch'] * 2 + [True], norm


def test_alexnet_makes_224_pixels_of_any_image():
    rgb = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    for mode, by_hand in (('L', [(1 - 0.449) / 0.226]), ('RGB', rgb)):
        for size in ((32, 32), (300, 400)):
            for transform in outline('alexnet', input_shape=(len(mode), *size)).input_transform.values():
                white = transform(Image.new(mode, size[::-1], 'white'))
                torch.testing.assert_close(white, torch.tensor(by_hand).view(-1, 1, 1).expand(-1, 224, 224))


def test_alexnet_scales_to_256_crops_and_mirrors_in_training_only():
    """On a ramp from left to right the crop shows its place in its middle, the mirror in its direction."""
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (256, 1)))
    transforms = outline('alexnet', input_shape=(1, 32, 32)).input_transform
    torch.manual_seed(0)
    seen = [(transforms['train'](ramp)[0, 0] * 0.226 + 0.449) * 255 for _ in range(40)]
    assert {bool(row[0] < row[-1]) for row in seen} == {True, False}
    lefts = {round(row.min().item()) for row in seen}
    assert 0 <= min(lefts) < max(lefts) <= 256 - 224
    assert len(lefts) > 10
    assert {round((transforms['eval'](ramp)[0, 0, 0].item() * 0.226 + 0.449) * 255) for _ in range(5)} == {16}


def test_alexnet_small_by_hand():
    convolutions = convolution(3, 16, 5) + convolution(16, 48, 3) + convolution(48, 96, 3)
    convolutions += convolution(96, 64, 3) + convolution(64, 64, 3)
    model = outline('alexnet_small')
    assert num_parameters(model) == convolutions + hidden(64 * 3 * 3, 256) + hidden(256, 256) + 2570
    assert kinds(model) == 'CBRP' * 2 + 'CBR' * 2 + 'CBRP' + '/' + 'LBRD' * 2 + 'L'
    assert all(layer.stride == (1, 1) for layer in model if isinstance(layer, nn.Conv2d))


def test_images_that_vanish_are_refused():
    assert '32 x 6 vanish in the poolings: at least 7 x 7' in refusal('cifar10_shallow', input_shape=(3, 32, 6))
    assert '14 x 32 vanish in the poolings: at least 15 x 15' in refusal('alexnet_small', input_shape=(3, 14, 32))
    message = 'images of 32 x 62 vanish .* 224 x 224 .* alexnet_small'
    assert_refused(message, lambda: outline('alexnet')(torch.empty(1, 3, 32, 62, device='meta')))
