"""Residual networks, wide ones too: layers and parameters counted by hand, against torchvision, and real training."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import data
from models import create_model
from tests.networks import batch_norm, build, num_parameters, outline, refusal


def main_path(model: nn.Module) -> int:
    """Count the weighted layers, shortcuts apart."""
    weighted = [key for key, layer in model.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sum('shortcut' not in key and 'downsample' not in key for key in weighted)


# For small images


@pytest.mark.parametrize('depth', [8, 14, 20, 32, 44, 56, 110])
def test_resnet_counts_its_weighted_layers(depth):
    model = outline('resnet', depth=depth)
    assert main_path(model) == depth
    projections = [
        (layer.in_channels, layer.out_channels, layer.kernel_size)
        for key, layer in model.named_modules()
        if 'shortcut' in key and isinstance(layer, nn.Conv2d)
    ]
    assert projections == [(16, 32, (1, 1)), (32, 64, (1, 1))]


def count_by_hand(num_blocks: int, width: int, num_classes: int) -> int:
    """Add up stem, stages and classifier; a stage of another width starts with a projection."""
    stages, before = 0, 16 * width
    for channels in (16 * width, 32 * width, 64 * width):
        first = 9 * before * channels + 9 * channels * channels + 2 * batch_norm(channels)
        projection = before * channels + batch_norm(channels) if before != channels else 0
        others = (num_blocks - 1) * (2 * 9 * channels * channels + 2 * batch_norm(channels))
        stages, before = stages + first + projection + others, channels
    return 9 * 3 * 16 * width + batch_norm(16 * width) + stages + 64 * width * num_classes + num_classes


def test_resnet_44_has_the_parameters_of_the_formula():
    assert num_parameters(outline('resnet')) == count_by_hand(7, 1, 10) == 661338
    assert num_parameters(outline('resnet', dataset='cifar100')) == count_by_hand(7, 1, 100)


@pytest.mark.parametrize('name', ['wide_resnet', 'wide_WResNet', 'wresnet16_4'])
def test_wide_resnet_is_16_4(name):
    model = outline(name, num_classes=100)
    assert num_parameters(model) == count_by_hand(2, 4, 100)
    assert [block.conv2.out_channels for block in model.blocks] == [64, 64, 128, 128, 256, 256]
    assert main_path(model) == 2 + 6 * (16 - 4) // 6
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.0] * 6


@pytest.mark.parametrize(('depth', 'width'), [(10, 1), (28, 10), (40, 2)])
def test_wide_resnet_of_another_size(depth, width):
    model = outline('wide_resnet', depth=depth, width=width, dropout=0.3)
    assert num_parameters(model) == count_by_hand((depth - 4) // 6, width, 10)
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0.3}


def test_resnet_44_maps_are_32_16_8_and_its_blocks_16_32_64_wide():
    model, shapes = create_model('resnet').eval(), []
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
    model(torch.randn(2, 3, 32, 32))
    assert shapes == [(16, 32, 32)] * 7 + [(32, 16, 16)] * 7 + [(64, 8, 8)] * 7


def test_the_keys_of_its_weights_stay():
    """Checkpoints written before load only as long as they do."""
    norm = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    blocks = []
    for block in range(3):
        own = ['conv1.weight', *[f'bn1.{key}' for key in norm], 'conv2.weight', *[f'bn2.{key}' for key in norm]]
        shortcut = ['shortcut.0.weight', *[f'shortcut.1.{key}' for key in norm]] if block else []
        blocks += [f'blocks.{block}.{key}' for key in own + shortcut]
    stem = ['stem.0.weight', *[f'stem.1.{key}' for key in norm]]
    assert list(outline('resnet', depth=8).state_dict()) == [*stem, *blocks, 'fc.weight', 'fc.bias']


def test_a_block_of_zero_weights_hands_on_its_input():
    block = create_model('resnet', depth=8).blocks[0].eval()
    nn.init.zeros_(block.bn2.weight)
    inputs = torch.rand(2, 16, 8, 8)  # not negative, so the last ReLU leaves it alone
    assert torch.equal(block(inputs), inputs)


@pytest.mark.parametrize(('block', 'stride'), [(0, 1), (1, 2)])
def test_a_block_is_that_of_torchvision(block, stride):
    own = create_model('resnet', depth=8).blocks[block]
    channels = own.conv1.in_channels, own.conv1.out_channels
    downsample = nn.Sequential(nn.Conv2d(*channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels[1]))
    other = torchvision.models.resnet.BasicBlock(*channels, stride, downsample if stride == 2 else None)
    other.load_state_dict({key.replace('shortcut', 'downsample'): value for key, value in own.state_dict().items()})
    inputs = torch.randn(4, channels[0], 9, 8)
    for mode in (True, False):  # the running statistics of the first are used by the second
        torch.testing.assert_close(own.train(mode)(inputs), other.train(mode)(inputs))


# For ImageNet


@pytest.mark.parametrize(('depth', 'count'), [
    (18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808),
])  # fmt: skip
def test_imagenet_resnets_have_the_published_parameters(depth, count):
    model = outline('resnet', depth=depth, dataset='imagenet')
    assert num_parameters(model) == count
    assert main_path(model) == depth
    assert model.regime[0]['lr'] == 0.1
    assert {epoch: entry['lr'] for epoch, entry in model.regime.items()} == {0: 0.1, 30: 0.01, 60: 1e-3, 90: 1e-4}
    assert (model.regime[0]['momentum'], model.regime[0]['weight_decay']) == (0.9, 1e-4)


@pytest.mark.parametrize('depth', [18, pytest.param(50, marks=pytest.mark.slow)])
def test_weights_of_torchvision_load_and_give_its_outputs(depth):
    other = torchvision.models.get_model(f'resnet{depth}', num_classes=10).eval()
    own = build('resnet', 10, (3, 224, 224), depth=depth).eval()
    own.load_state_dict(other.state_dict())
    inputs = torch.randn(2, 3, 64, 64)
    assert torch.equal(own(inputs), other(inputs))


@pytest.mark.parametrize(('config', 'depth', 'num_classes'), [
    ({}, 44, 10),
    ({'dataset': 'cifar100'}, 44, 100),
    ({'dataset': 'imagenet'}, 50, 1000),
    ({'dataset': 'stl10', 'input_shape': (3, 96, 96)}, 50, 1000),
    ({'dataset': 'mnist', 'input_shape': (1, 28, 28)}, 44, 10),
    ({'input_shape': (3, 64, 64)}, 44, 10),
    ({'input_shape': (3, 32, 65)}, 50, 1000),
    ({'dataset': 'cifar10', 'input_shape': (3, 224, 224)}, 44, 10),
    ({'dataset': 'imagenet', 'input_shape': (3, 32, 32), 'depth': 18, 'num_classes': 7}, 18, 7),
])  # fmt: skip
def test_data_set_and_size_choose_the_layout(config, depth, num_classes):
    model = outline('resnet', **config)
    assert main_path(model) == depth
    assert model.fc.out_features == num_classes
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    assert first.in_channels == config.get('input_shape', (3,))[0]
    assert first.kernel_size == ((7, 7) if depth in (18, 50) else (3, 3))


# Without batch norm


@pytest.mark.slow
@pytest.mark.parametrize('depth', [8, 20, 32])
def test_without_batch_norm_it_learns(depth):
    """The loss of 128 digits falls to a half and less within 32 updates."""
    digits = data.get_dataset('digits')
    inputs, targets = digits.images[:128].float(), digits.targets[:128]
    inputs = (inputs - inputs.mean()) / inputs.std()
    model = build('resnet', 10, tuple(inputs.shape[1:]), depth=depth, norm='none')
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(32):
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] < 4
    assert losses[-1] < losses[0] / 2


# Refusals


@pytest.mark.parametrize('depth', [-1, 0, 2, 7, 9, 10, 12, 18, 43, 45, 46, 48, 100, 1001])
def test_resnet_names_the_nearest_depth(depth):
    message = refusal('resnet', depth=depth)
    assert f'depth {depth} is not 6n + 2' in message
    check_nearest(message, depth, range(8, 1100, 6))


@pytest.mark.parametrize('depth', [1, 4, 9, 11, 12, 14, 15, 18, 20, 26, 30, 44, 1001])
def test_wide_resnet_names_the_nearest_depth(depth):
    message = refusal('wide_resnet', depth=depth)
    assert f'depth {depth} is not 6n + 4' in message
    check_nearest(message, depth, range(10, 1100, 6))


def check_nearest(message: str, depth: int, valid: range) -> None:
    named = int(message.rpartition(' ')[2])
    assert named in valid
    assert abs(named - depth) == min(abs(depth - other) for other in valid)


@pytest.mark.parametrize('dataset', [None, 'imagenet'])
@pytest.mark.parametrize('depth', [44.0, '44', (44,), [18]])
def test_resnet_refuses_a_depth_that_is_no_whole_number(depth, dataset):
    assert repr(depth) in refusal('resnet', depth=depth, dataset=dataset)


@pytest.mark.parametrize('depth', [0, 20, 44, 49, 110])
def test_imagenet_resnet_lists_the_depths(depth):
    message = refusal('resnet', depth=depth, input_shape=(3, 224, 224))
    assert f'depth {depth} is none of 18, 34, 50, 101, 152' in message


@pytest.mark.parametrize('option', ['width', 'depth'])
@pytest.mark.parametrize('value', [0, -3, 12.0, '12', None])
def test_wide_resnet_refuses_a_bad_size(option, value):
    assert f'{option} {value!r} is not a whole number from 1' in refusal('wresnet16_4', **{option: value})
