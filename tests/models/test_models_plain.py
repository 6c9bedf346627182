"""Networks without shortcuts for small images: F1, F2, C1 to C4 of either source, VGG and the AlexNets, by hand."""

import math

import pytest
import torch
from PIL import Image
from torch import nn

from models import create_model
from tests.networks import batch_norm, build, num_parameters, outline, refusal


def convolution(fan_in: int, fan_out: int, kernel: int) -> int:
    """Count the parameters of a convolution without bias and its batch norm."""
    return fan_in * fan_out * kernel**2 + batch_norm(fan_out)


def hidden(fan_in: int, fan_out: int) -> int:
    """Count the parameters of a linear layer without bias and its batch norm."""
    return fan_in * fan_out + batch_norm(fan_out)


def kinds(model: nn.Module) -> str:
    """Spell out the layers in order."""
    letters = {
        nn.Conv2d: 'C', nn.Linear: 'L', nn.BatchNorm1d: 'B', nn.BatchNorm2d: 'B', nn.ReLU: 'R', nn.MaxPool2d: 'P',
        nn.Dropout: 'D', nn.Flatten: '/', nn.Identity: '-', nn.AdaptiveAvgPool2d: 'A',
    }  # fmt: skip
    return ''.join(letters[type(module)] for module in model.modules() if type(module) in letters)


def dropouts(model: nn.Module) -> list[float]:
    return [module.p for module in model.modules() if isinstance(module, nn.Dropout)]


# Fully connected


@pytest.mark.parametrize('name', ['mnist_f1', 'keskar_f1'])
def test_f1_is_784_5x512_10(name):
    model = outline(name)
    assert num_parameters(model) == hidden(784, 512) + 4 * hidden(512, 512) + 5130
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(784, 512), *[(512, 512)] * 4, (512, 10)]


def test_f2_is_360_7x512_1973():
    assert num_parameters(outline('keskar_f2')) == hidden(360, 512) + 6 * hidden(512, 512) + 512 * 1973 + 1973
    assert kinds(outline('keskar_f2')) == '/' + 'LBR' * 7 + 'L'


def test_f1_of_another_size():
    model = create_model('mnist_f1', width=16, depth=2, num_classes=3, input_shape=(1, 8, 8))
    assert num_parameters(model) == hidden(64, 16) + hidden(16, 16) + (16 * 3 + 3)


@pytest.mark.parametrize('option', ['width', 'depth'])
@pytest.mark.parametrize('value', [0, -3, 12.0, '12', None])
def test_f1_refuses_a_bad_size(option, value):
    assert f'{option} {value!r} is not' in refusal('mnist_f1', **{option: value})


# C1 and C3: bigBatch's pool before the batch norm and arrive at 7 x 7, Keskar's pool last and arrive at 8 x 8


@pytest.mark.parametrize(('name', 'num_classes', 'side', 'block'), [
    ('cifar10_shallow', 10, 7, 'CPBR'), ('cifar100_shallow', 100, 7, 'CPBR'),
    ('keskar_c1', 10, 8, 'CBRP'), ('keskar_c3', 100, 8, 'CBRP'),
])  # fmt: skip
def test_c1_and_c3_by_hand(name, num_classes, side, block):
    convolutions = convolution(3, 64, 5) + convolution(64, 64, 5)
    linears = hidden(64 * side**2, 384) + hidden(384, 192) + 192 * num_classes + num_classes
    model = outline(name)
    assert num_parameters(model) == convolutions + linears
    assert kinds(model) == block * 2 + '/' + 'LBRD' * 2 + 'L'
    assert dropouts(model) == [0.5, 0.5]


@pytest.mark.parametrize(('size', 'pooled'), [(32, 16), (16, 8), (9, 5), (7, 4)])
def test_keskars_pooling_halves_upwards_as_same_padding_does(size, pooled):
    pool = create_model('keskar_c1')[3]
    inputs = torch.randn(1, 2, size, size)
    padded = nn.functional.pad(inputs, (1, 1, 1, 1), value=-math.inf)
    windows = [[padded[..., 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].amax((-1, -2)) for j in range(pooled)]
               for i in range(pooled)]  # fmt: skip
    by_hand = torch.stack([torch.stack(row, -1) for row in windows], -2)
    assert torch.equal(pool(inputs), by_hand)


def test_shallow_networks_refuse_images_that_vanish():
    message = refusal('cifar10_shallow', input_shape=(3, 32, 6))
    assert '32 x 6' in message
    assert '7' in message


# C2, C4 and the VGG of the same layout


@pytest.mark.parametrize(('name', 'num_classes'), [('vgg', 10), ('keskar_c2', 10), ('keskar_c4', 100)])
def test_vgg_by_hand(name, num_classes):
    widths = [64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    convolutions = sum(convolution(*pair, 3) for pair in zip([3, *widths], widths, strict=False))
    model = outline(name)
    assert num_parameters(model) == convolutions + hidden(512, 512) + 512 * num_classes + num_classes
    assert kinds(model) == 'CBRDCBRP' * 2 + 'CBRDCBRDCBRP' * 3 + '/DLBRDL'
    assert dropouts(model) == [0.3, *[0.4] * 7, 0.5, 0.5]


@pytest.mark.parametrize(('shape', 'features'), [((3, 32, 32), 512), ((1, 28, 33), 1024), ((3, 96, 64), 3072)])
def test_vgg_fits_images_of_any_size(shape, features):
    model = outline('vgg', input_shape=shape)
    assert model.features(torch.empty(2, *shape, device='meta')).flatten(1).shape == (2, features)
    assert model.classifier[2].in_features == features


# Initialisation


@pytest.mark.parametrize('name', ['keskar_f1', 'keskar_c1', 'keskar_c2'])
def test_keskars_weights_are_those_of_glorot(name):
    """Uniform within sqrt(6 / (fan in + fan out)), which his text calls uniform and Keras did."""
    for module in create_model(name).modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            area = module.weight[0, 0].numel() if module.weight.ndim == 4 else 1
            bound = math.sqrt(6 / (area * (module.weight.shape[0] + module.weight.shape[1])))
            assert 0.99 * bound < module.weight.abs().max() <= bound
            assert module.bias is None or not module.bias.any()


# AlexNet


@pytest.mark.parametrize('name', ['alexnet', 'alexnetv2', 'alexnetv3', 'alexnetvlr'])
def test_alexnet_by_hand(name):
    convolutions = convolution(3, 64, 11) + convolution(64, 192, 5) + convolution(192, 384, 3)
    convolutions += convolution(384, 256, 3) + convolution(256, 256, 3)
    linears = hidden(256 * 6 * 6, 4096) + hidden(4096, 4096)
    model = outline(name)
    assert num_parameters(model) == convolutions + linears + 4096 * 1000 + 1000
    assert num_parameters(outline(name, num_classes=10)) == convolutions + linears + 4096 * 10 + 10
    assert kinds(model) == 'CPBR' + 'CPRB' + 'CRB' * 2 + 'CPRB' + 'A' + 'LBRD' * 2 + 'L'
    assert set(dropouts(model)) == {{'alexnet': 0.5, 'alexnetv2': 0.2}.get(name, 0.0)}
    assert set(dropouts(outline(name, dropout=0.3))) == {0.3}
    assert model.features(torch.empty(2, 3, 224, 224, device='meta')).shape == (2, 256, 6, 6)


def test_the_last_pool_of_alexnet_does_nothing_at_224_pixels():
    maps = torch.randn(2, 3, 6, 6)
    assert torch.equal(outline('alexnet').pool(maps), maps)


@pytest.mark.parametrize(('norm', 'layers'), [
    ('batch', 'CPBRCPRBCRBCRBCPRBALBRDLBRDL'), ('conv', 'CPBRCPRBCRBCRBCPRBAL-RDL-RDL'),
    ('none', 'CP-RCPR-CR-CR-CPR-AL-RDL-RDL'),
])  # fmt: skip
def test_norm_says_where_alexnet_has_batch_norm(norm, layers):
    model = outline('alexnet', norm=norm)
    assert kinds(model) == layers
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    linears = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert [layer.bias is not None for layer in convolutions] == [norm == 'none'] * 5
    assert [layer.bias is not None for layer in linears] == [norm != 'batch', norm != 'batch', True]


@pytest.mark.parametrize('mode', ['L', 'RGB'])
@pytest.mark.parametrize('size', [(32, 32), (300, 400)])
@pytest.mark.parametrize('split', ['train', 'eval'])
def test_alexnet_makes_224_pixels_of_any_image(mode, size, split):
    channels = len(mode)
    transform = outline('alexnet', input_shape=(channels, *size)).input_transform[split]
    white = transform(Image.new(mode, size[::-1], 'white'))
    assert white.shape == (channels, 224, 224)
    by_hand = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    by_hand = by_hand if channels == 3 else [(1 - 0.449) / 0.226]
    torch.testing.assert_close(white, torch.tensor(by_hand).view(-1, 1, 1).expand_as(white))


def test_alexnet_scales_to_256_crops_and_mirrors_in_training_only():
    """On a ramp from left to right the crop shows its place in its middle, the mirror in its direction."""
    ramp = Image.new('L', (256, 256))
    ramp.putdata([column for _ in range(256) for column in range(256)])
    transforms = outline('alexnet', input_shape=(1, 32, 32)).input_transform
    torch.manual_seed(0)
    seen = [(transforms['train'](ramp)[0, 0] * 0.226 + 0.449) * 255 for _ in range(40)]
    assert {bool(row[0] < row[-1]) for row in seen} == {True, False}
    lefts = {round(row.min().item()) for row in seen}
    assert min(lefts) >= 0
    assert max(lefts) <= 256 - 224
    assert len(lefts) > 10
    assert {round((transforms['eval'](ramp)[0, 0, 0].item() * 0.226 + 0.449) * 255) for _ in range(5)} == {16}


def test_alexnet_refuses_images_that_vanish_in_one_line():
    with pytest.raises(ValueError, match=r'images of 32 x 62 vanish .* 224 x 224 .* alexnet_small') as caught:
        build('alexnet', 10, (3, 32, 32))(torch.randn(1, 3, 32, 62))
    assert '\n' not in str(caught.value)


def test_alexnet_small_by_hand():
    convolutions = convolution(3, 16, 5) + convolution(16, 48, 3) + convolution(48, 96, 3)
    convolutions += convolution(96, 64, 3) + convolution(64, 64, 3)
    model = outline('alexnet_small')
    assert num_parameters(model) == convolutions + hidden(64 * 3 * 3, 256) + hidden(256, 256) + 2570
    assert kinds(model) == 'CBRP' * 2 + 'CBR' * 2 + 'CBRP' + '/' + 'LBRD' * 2 + 'L'
    assert all(layer.stride == (1, 1) for layer in model if isinstance(layer, nn.Conv2d))


def test_alexnet_small_refuses_images_that_vanish():
    assert '14 x 32 vanish in the poolings: at least 15 x 15' in refusal('alexnet_small', input_shape=(3, 14, 32))
