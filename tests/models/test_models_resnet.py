"""Residual networks, wide ones too: layers and parameters counted by hand, against torchvision."""

import torch
import torchvision
from torch import nn

from models import create_model
from tests.networks import batch_norm, build, num_parameters, outline, refusal


def main_path(model: nn.Module) -> int:
    weighted = [key for key, layer in model.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sum('shortcut' not in key and 'downsample' not in key for key in weighted)


def test_resnet_counts_its_weighted_layers_and_projects_at_two_stages():
    for depth in (8, 14, 20, 32, 44, 56, 110):
        model = outline('resnet', depth=depth)
        assert main_path(model) == depth
        convolutions = [
            each for key, each in model.named_modules() if 'shortcut' in key and isinstance(each, nn.Conv2d)
        ]
        found = [(each.in_channels, each.out_channels, each.kernel_size) for each in convolutions]
        assert found == [(16, 32, (1, 1)), (32, 64, (1, 1))], depth


def count_by_hand(num_blocks: int, width: int, num_classes: int) -> int:
    """Add up stem, stages and classifier; a stage of another width starts with a projection."""
    stages, before = 0, 16 * width
    for channels in (16 * width, 32 * width, 64 * width):
        first = 9 * before * channels + 9 * channels * channels + 2 * batch_norm(channels)
        projection = before * channels + batch_norm(channels) if before != channels else 0
        others = (num_blocks - 1) * (2 * 9 * channels * channels + 2 * batch_norm(channels))
        stages, before = stages + first + projection + others, channels
    return 9 * 3 * 16 * width + batch_norm(16 * width) + stages + 64 * width * num_classes + num_classes


def test_wide_resnet_is_16_4_or_of_another_size():
    for name in ('wide_resnet', 'wide_WResNet', 'wresnet16_4'):
        for depth, width, dropout in ((16, 4, 0.0), (10, 1, 0.3), (28, 10, 0.3), (40, 2, 0.3)):
            config = {} if depth == 16 else {'depth': depth, 'width': width, 'dropout': dropout}
            model, num_blocks = outline(name, num_classes=100, **config), (depth - 4) // 6
            assert num_parameters(model) == count_by_hand(num_blocks, width, 100), (name, config)
            widths = [width * channels for channels in (16, 32, 64) for _ in range(num_blocks)]
            assert [block.conv2.out_channels for block in model.blocks] == widths
            assert [each.p for each in model.modules() if isinstance(each, nn.Dropout)] == [dropout] * len(widths)


def test_resnet_44_has_the_parameters_of_the_formula_and_maps_of_32_16_8_pixels():
    assert num_parameters(outline('resnet', dataset='cifar100')) == count_by_hand(7, 1, 100)
    model, shapes = outline('resnet').eval(), []
    assert num_parameters(model) == count_by_hand(7, 1, 10) == 661338
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
    model(torch.empty(2, 3, 32, 32, device='meta'))
    assert shapes == [(16, 32, 32)] * 7 + [(32, 16, 16)] * 7 + [(64, 8, 8)] * 7


def test_the_keys_of_its_weights_stay():
    norm = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    blocks = []
    for block in range(3):
        own = ['conv1.weight', *[f'bn1.{key}' for key in norm], 'conv2.weight', *[f'bn2.{key}' for key in norm]]
        shortcut = ['shortcut.0.weight', *[f'shortcut.1.{key}' for key in norm]] if block else []
        blocks += [f'blocks.{block}.{key}' for key in own + shortcut]
    stem = ['stem.0.weight', *[f'stem.1.{key}' for key in norm]]
    assert list(outline('resnet', depth=8).state_dict()) == [*stem, *blocks, 'fc.weight', 'fc.bias']


def test_a_block_is_that_of_torchvision():
    for own, stride in zip(create_model('resnet', depth=8).blocks, (1, 2, 2), strict=True):
        channels = own.conv1.in_channels, own.conv1.out_channels
        downsample = nn.Sequential(nn.Conv2d(*channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels[1]))
        other = torchvision.models.resnet.BasicBlock(*channels, stride, downsample if stride == 2 else None)
        other.load_state_dict({key.replace('shortcut', 'downsample'): value for key, value in own.state_dict().items()})
        inputs = torch.randn(4, channels[0], 9, 8)
        for mode in (True, False):  # the running statistics of the first are used by the second
            torch.testing.assert_close(own.train(mode)(inputs), other.train(mode)(inputs))


def test_imagenet_resnets_have_the_published_parameters():
    counts = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
    for depth, count in counts.items():
        model = outline('resnet', depth=depth, dataset='imagenet')
        assert (num_parameters(model), main_path(model)) == (count, depth)
    assert {epoch: entry['lr'] for epoch, entry in model.regime.items()} == {0: 0.1, 30: 0.01, 60: 1e-3, 90: 1e-4}
    assert (model.regime[0]['momentum'], model.regime[0]['weight_decay']) == (0.9, 1e-4)


def test_weights_of_torchvision_load_and_give_its_outputs():
    other = torchvision.models.resnet18(num_classes=10).eval()
    own = build('resnet', 10, (3, 224, 224), depth=18).eval()
    own.load_state_dict(other.state_dict())
    inputs = torch.randn(2, 3, 64, 64)
    assert torch.equal(own(inputs), other(inputs))


def test_data_set_and_size_choose_the_layout():
    for config, depth, num_classes in (
        ({}, 44, 10), ({'dataset': 'cifar100'}, 44, 100), ({'dataset': 'imagenet'}, 50, 1000),
        ({'dataset': 'stl10', 'input_shape': (3, 96, 96)}, 50, 1000), ({'input_shape': (3, 32, 65)}, 50, 1000),
        ({'dataset': 'mnist', 'input_shape': (1, 28, 28)}, 44, 10), ({'input_shape': (3, 64, 64)}, 44, 10),
        ({'dataset': 'cifar10', 'input_shape': (3, 224, 224)}, 44, 10),
        ({'dataset': 'imagenet', 'input_shape': (3, 32, 32), 'depth': 18, 'num_classes': 7}, 18, 7),
    ):  # fmt: skip
        model = outline('resnet', **config)
        first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
        found = (main_path(model), model.fc.out_features, first.in_channels, first.kernel_size)
        channels = config.get('input_shape', (3,))[0]
        assert found == (depth, num_classes, channels, (7, 7) if depth in (18, 50) else (3, 3)), config


def test_the_nearest_depth_is_named():
    for name, rest, depths in (
        ('resnet', 2, (-1, 0, 2, 7, 9, 10, 12, 18, 43, 45, 46, 48, 100, 1001)),
        ('wide_resnet', 4, (1, 4, 9, 11, 12, 14, 15, 18, 20, 26, 30, 44, 1001)),
    ):
        valid = range(6 + rest, 1100, 6)
        for depth in depths:
            message = refusal(name, depth=depth)
            assert f'depth {depth} is not 6n + {rest}' in message
            named = int(message.rpartition(' ')[2])
            assert named in valid, message
            assert abs(named - depth) == min(abs(depth - other) for other in valid), message


def test_a_size_that_cannot_be_is_named():
    none_of, large = 'depth {} is none of 18, 34, 50, 101, 152', {'input_shape': (3, 224, 224)}
    cases = [('resnet', {'depth': depth, **large}, none_of.format(depth)) for depth in (0, 20, 44)]
    cases += [
        ('resnet', {'depth': depth, 'dataset': dataset}, repr(depth))
        for depth in (44.0, '44', (44,))
        for dataset in (None, 'imagenet')
    ]
    cases += [
        (name, {option: value}, f'{option} {value!r} is not a whole number from 1')
        for name, option in (('wresnet16_4', 'width'), ('mnist_f1', 'width'), ('mnist_f1', 'depth'))
        for value in (0, -3, 12.0, '12', None)
    ]
    assert [case for case in cases if case[2] not in refusal(case[0], **case[1])] == []
