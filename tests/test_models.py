"""The networks: shapes, published facts counted by hand, refusals, and a user's own network in a whole run."""

import copy
import itertools
import subprocess
import sys

import pytest
import torch
from torch import nn

import models
from models import create_model, list_models, register_model
from models.layers.ghost_batch_norm import convert_ghost_batch_norm
from tests.conftest import main_normal, read_json, stable_rows
from utils.optim import check_regime
from utils.regime import Regime

# name -> the options that its usual data gives: (num_classes, input_shape).
USUAL = {
    'mnist_f1': (10, (1, 28, 28)),
    'cifar10_shallow': (10, (3, 32, 32)),
    'cifar100_shallow': (100, (3, 32, 32)),
    'resnet': (10, (3, 32, 32)),
}
# The others may come as well: a network that is not named above is tried on CIFAR-10's shape.
CASES = [(name, *USUAL.get(name, (10, (3, 32, 32)))) for name in list_models()] + [
    ('mnist_f1', 10, (1, 8, 8)),
    ('mnist_f1', 3, (20,)),
    ('cifar10_shallow', 4, (1, 7, 7)),
    ('resnet', 4, (1, 8, 8)),
]
EPOCHS = 200


@pytest.fixture
def registry(monkeypatch):
    """The table of networks, put back after the test."""
    monkeypatch.setattr(models, 'MODELS', dict(models.MODELS))
    return models.MODELS


def build(name: str, num_classes: int, shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=num_classes, input_shape=shape)


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def batch_norm(channels: int) -> int:
    """Count its parameters: weight and bias."""
    return 2 * channels


# Every network


@pytest.mark.parametrize(('name', 'num_classes', 'shape'), CASES)
def test_it_gives_logits_in_both_modes(name, num_classes, shape):
    model, inputs = build(name, num_classes, shape), torch.randn(2, *shape)
    for mode in (True, False):
        logits = model.train(mode)(inputs)
        assert logits.shape == (2, num_classes)
        assert logits.isfinite().all()
    with torch.no_grad():  # scored one by one or together: eval mode knows no batch
        single = torch.cat([model(inputs[:1]), model(inputs[1:])])
    torch.testing.assert_close(logits, single, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(('name', 'num_classes', 'shape'), CASES)
def test_every_parameter_gets_a_gradient(name, num_classes, shape):
    model = build(name, num_classes, shape).train()
    model(torch.randn(4, *shape)).logsumexp(1).sum().backward()
    without = [key for key, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert without == []


@pytest.mark.parametrize('name', list_models())
def test_its_regime_holds(name):
    model = build(name, *USUAL.get(name, (10, (3, 32, 32))))
    regime = Regime(model.regime)
    check_regime(regime, EPOCHS)
    assert regime.table(EPOCHS)[0].keys() >= {'optimizer', 'lr', 'momentum', 'weight_decay'}


@pytest.mark.parametrize(('name', 'num_classes', 'shape'), CASES)
def test_ghosts_keep_the_keys_and_what_eval_mode_gives(name, num_classes, shape):
    plain, ghost = build(name, num_classes, shape), build(name, num_classes, shape)
    before = list(plain.state_dict())
    convert_ghost_batch_norm(ghost, 2)
    assert list(ghost.state_dict()) == before
    inputs = torch.randn(4, *shape)
    torch.manual_seed(1)  # for the dropout of the shallow networks
    ghost.train()(inputs)
    plain.load_state_dict(ghost.state_dict())
    moved = [key for key, value in ghost.state_dict().items() if key.endswith('num_batches_tracked') and value == 2]
    assert len(moved) == sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in plain.modules()) > 0
    assert torch.equal(plain.eval()(inputs), ghost.eval()(inputs))


@pytest.mark.parametrize('name', list_models())
def test_a_linear_or_convolution_before_batch_norm_has_no_bias(name):
    model = build(name, *USUAL.get(name, (10, (3, 32, 32))))
    order, hooks = [], []  # weighted layers and batch norms as data meets them
    kinds = (nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d)
    for module in model.modules():
        if isinstance(module, kinds):
            hooks.append(module.register_forward_hook(lambda module, inputs, output: order.append(module)))
    model.eval()(torch.randn(2, *USUAL.get(name, (10, (3, 32, 32)))[1]))
    followed = [
        first for first, second in itertools.pairwise(order)
        if isinstance(first, (nn.Linear, nn.Conv2d)) and isinstance(second, (nn.BatchNorm1d, nn.BatchNorm2d))
    ]
    assert followed
    assert all(module.bias is None for module in followed)
    assert order[-1].bias is not None


# What the papers and the published code say, counted by hand


def test_f1_is_784_5x512_10():
    linears = 784 * 512 + 4 * 512 * 512 + (512 * 10 + 10)
    assert num_parameters(create_model('mnist_f1')) == linears + 5 * batch_norm(512)
    layers = [module for module in create_model('mnist_f1').modules() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(784, 512), *[(512, 512)] * 4, (512, 10)]


def test_f1_of_another_size():
    model = create_model('mnist_f1', width=16, depth=2, num_classes=3, input_shape=(1, 8, 8))
    assert num_parameters(model) == 64 * 16 + 16 * 16 + (16 * 3 + 3) + 2 * batch_norm(16)


@pytest.mark.parametrize(('name', 'num_classes'), [('cifar10_shallow', 10), ('cifar100_shallow', 100)])
def test_c1_and_c3_by_hand(name, num_classes):
    convolutions = 3 * 64 * 25 + 64 * 64 * 25 + 2 * batch_norm(64)
    hidden = 64 * 7 * 7 * 384 + 384 * 192 + batch_norm(384) + batch_norm(192)
    model = create_model(name)
    assert num_parameters(model) == convolutions + hidden + (192 * num_classes + num_classes)
    flat = model.eval().classifier[0](model.features(torch.randn(2, 3, 32, 32)))
    assert flat.shape == (2, 64 * 7 * 7)
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize('depth', [8, 20, 44])
def test_resnet_counts_its_weighted_layers(depth):
    num_blocks = (depth - 2) // 6
    model = create_model('resnet', depth=depth)
    weighted = {key: layer for key, layer in model.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}
    assert sum('shortcut' not in key for key in weighted) == 3 * num_blocks * 2 + 2 == depth
    projections = [layer for key, layer in weighted.items() if 'shortcut' in key]
    assert [(layer.in_channels, layer.out_channels, layer.kernel_size) for layer in projections] == [
        (16, 32, (1, 1)), (32, 64, (1, 1)),
    ]  # fmt: skip


def test_resnet_44_has_the_parameters_of_the_formula():
    stages = 0
    for before, width in ((16, 16), (16, 32), (32, 64)):
        first = 9 * before * width + 9 * width * width + 2 * batch_norm(width)
        projection = before * width + batch_norm(width) if before != width else 0
        stages += first + projection + 6 * (2 * 9 * width * width + 2 * batch_norm(width))
    stem, classifier = 9 * 3 * 16 + batch_norm(16), 64 * 10 + 10
    assert num_parameters(create_model('resnet')) == stem + stages + classifier


def test_resnet_44_maps_are_32_16_8_and_its_blocks_16_32_64_wide():
    model, shapes = create_model('resnet').eval(), []
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
    model(torch.randn(2, 3, 32, 32))
    assert shapes == [(16, 32, 32)] * 7 + [(32, 16, 16)] * 7 + [(64, 8, 8)] * 7


def test_a_block_of_zero_weights_hands_on_its_input():
    block = create_model('resnet', depth=8).blocks[0].eval()
    nn.init.zeros_(block.bn2.weight)
    inputs = torch.rand(2, 16, 8, 8)  # not negative, so the last ReLU leaves it alone
    assert torch.equal(block(inputs), inputs)


# The rates of the published code: (epoch, rate), momentum, weight decay.
REGIMES = {
    'mnist_f1': ([(0, 0.1), (10, 0.01), (20, 1e-3), (30, 1e-4)], 0.9, 1e-4),
    'cifar10_shallow': ([(0, 1e-3), (60, 0.01), (120, 1e-3), (180, 1e-4)], 0.9, 5e-4),
    'cifar100_shallow': ([(0, 1e-3), (60, 0.01), (120, 1e-3), (180, 1e-4)], 0.9, 5e-4),
    'resnet': ([(0, 0.1), (81, 0.01), (122, 1e-3), (164, 1e-4)], 0.9, 1e-4),
}


@pytest.mark.parametrize('name', REGIMES)
def test_the_published_regime(name):
    rates, momentum, weight_decay = REGIMES[name]
    settings = {'optimizer': 'SGD', 'momentum': momentum, 'weight_decay': weight_decay}
    table = Regime(create_model(name).regime).table(EPOCHS)
    assert table == [{'epoch': epoch, 'lr': lr, **settings} for epoch, lr in rates]


# Refusals


def refusal(name: str, **config) -> str:
    with pytest.raises(ValueError) as caught:
        create_model(name, **config)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_an_unknown_model_names_the_nearest():
    message = refusal('resnett')
    assert "'resnett'" in message
    assert 'did you mean resnet?' in message
    assert all(name in message for name in list_models())


@pytest.mark.parametrize(('name', 'option', 'near'), [
    ('resnet', 'detph', 'depth'), ('mnist_f1', 'widht', 'width'), ('cifar10_shallow', 'drop_out', 'dropout'),
])  # fmt: skip
def test_an_unknown_option_names_the_nearest(name, option, near):
    message = refusal(name, **{option: 1})
    assert f'{name} has no option {option!r}' in message
    assert f'did you mean {near}?' in message
    assert 'num_classes' in message


@pytest.mark.parametrize('option', ['width', 'depth'])
@pytest.mark.parametrize('value', [0, -3, 12.0, '12', None])
def test_f1_refuses_a_bad_size(option, value):
    message = refusal('mnist_f1', **{option: value})
    assert option in message
    assert repr(value) in message


@pytest.mark.parametrize('depth', [-1, 0, 2, 7, 9, 10, 12, 43, 45, 46, 48, 100, 1001])
def test_resnet_names_the_nearest_depth(depth):
    message = refusal('resnet', depth=depth)
    assert f'depth {depth} is not 6n + 2' in message
    named = int(message.rpartition(' ')[2])
    valid = range(8, 1100, 6)
    assert named in valid
    assert abs(named - depth) == min(abs(depth - other) for other in valid)


@pytest.mark.parametrize('depth', [44.0, '44', None])
def test_resnet_refuses_a_depth_that_is_no_whole_number(depth):
    assert repr(depth) in refusal('resnet', depth=depth)


def test_shallow_networks_refuse_images_that_vanish():
    message = refusal('cifar10_shallow', input_shape=(3, 32, 6))
    assert '32 x 6' in message
    assert '7' in message


@pytest.mark.parametrize('name', ['cifar10_shallow', 'resnet'])
def test_an_image_network_refuses_features_in_words(name, tmp_path, capsys):
    """Its own message, or that of the run that would use it; none of Python's about unpacking."""
    import numpy

    data = tmp_path / 'features.npz'
    x, y = numpy.random.RandomState(0).randn(16, 20).astype('float32'), numpy.arange(16) % 4
    numpy.savez(data, x_train=x, y_train=y, x_test=x, y_test=y)
    capsys.readouterr()
    flags = ['--dataset', str(data), '--model', name, '--b', '8', '--device', 'cpu', '--dry-run']
    assert main_normal.main([*flags, '--results_dir', str(tmp_path / 'results')]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith('warning: ')]
    assert len(lines) == 1
    assert '(20,)' in lines[0]
    assert 'unpack' not in lines[0]


# The table


def test_a_network_is_added_at_run_time_and_a_name_is_taken_once(registry):
    @register_model
    def my_net(width=3):
        return nn.Linear(width, 2)

    assert 'my_net' in list_models()
    assert list_models() == sorted(list_models())
    assert create_model('my_net', width=5).in_features == 5
    assert 'did you mean width?' in refusal('my_net', widht=5)
    with pytest.raises(ValueError, match=r"'my_net' is registered already"):
        register_model(my_net)
    with pytest.raises(ValueError, match=r"'resnet' is registered already"):
        register_model(type('resnet', (nn.Module,), {}))
    assert isinstance(registry['resnet'], str)


def test_a_network_of_any_options_gets_them_all(registry):
    seen = {}

    @register_model
    def greedy(**kwargs):
        seen.update(kwargs)
        return nn.Identity()

    create_model('greedy', num_classes=4, whatever='x')
    assert seen == {'num_classes': 4, 'whatever': 'x'}
    assert models.model_options('greedy') is None


def test_listing_the_networks_imports_no_torch(project):
    code = 'import sys, models; print(models.list_models()); sys.exit("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(list_models())


# A network of a user, as the README of the published code shows one


def example(regime):
    """The published example with its dots filled in: 1000 outputs, a regime and transforms of its own."""
    from torchvision import transforms

    class Model(nn.Module):
        def __init__(self, num_classes=1000):
            super().__init__()
            self.model = nn.Sequential(
                nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                nn.Linear(4 * 13 * 13, num_classes),
            )  # fmt: skip
            self.regime = regime
            self.input_transform = {
                'train': transforms.Compose([
                    transforms.RandomCrop(28), transforms.RandomHorizontalFlip(), transforms.ColorJitter(0.2),
                    transforms.ToTensor(),
                ]),
                'eval': transforms.Compose([transforms.CenterCrop(28), transforms.ToTensor()]),
            }  # fmt: skip

        def forward(self, inputs):
            return self.model(inputs)

    return Model


def run_example(tmp_path, save, *flags):
    status = main_normal.main([
        '--model', 'model', '--dataset', 'fake:64:3x32x32:4', '--b', '16', '--base-batch-size', '16', '--epochs', '1',
        '--device', 'cpu', '--results_dir', str(tmp_path), '--save', save, *flags,
    ])  # fmt: skip
    assert status == 0
    return tmp_path / save


DICT_REGIME = {
    0: {'optimizer': 'SGD', 'lr': 1e-2, 'weight_decay': 5e-4, 'momentum': 0.9},
    15: {'lr': 1e-3, 'weight_decay': 0},
}


def function_regime(epoch):
    return {'optimizer': 'SGD', 'lr': 1e-2 / (1 + epoch), 'momentum': 0.9}


@pytest.mark.usefixtures('registry')
@pytest.mark.parametrize('regime', [DICT_REGIME, function_regime], ids=['dict', 'function'])
def test_a_users_network_trains_alike_with_any_number_of_workers(tmp_path, monkeypatch, regime):
    monkeypatch.setattr('utils.plots.write_run_page', lambda folder: None)
    before, network = copy.deepcopy(regime), example(regime)

    @register_model
    def model(**kwargs):
        return network()

    runs = [run_example(tmp_path, f'workers{number}', '--workers', str(number)) for number in (0, 2)]
    assert stable_rows(runs[0]) == stable_rows(runs[1])
    row = stable_rows(runs[0])[0]
    assert (row['epoch'], row['step'], float(row['lr'])) == ('1', '4', 0.01)
    assert float(row['train_loss']) > 3  # 1000 outputs: it starts near log 1000, where 4 of them start at log 4
    still = run_example(tmp_path, 'still', '--workers', '0', '--no-augment')
    assert stable_rows(still) != stable_rows(runs[0])
    assert regime == before


@pytest.mark.usefixtures('registry')
def test_a_users_network_learns_the_number_of_classes_of_the_data(tmp_path, monkeypatch):
    monkeypatch.setattr('utils.plots.write_run_page', lambda folder: None)

    @register_model
    def model(**kwargs):
        return example(DICT_REGIME)(num_classes=kwargs['num_classes'])

    run = run_example(tmp_path, 'run', '--workers', '0')
    outputs = 4 * 13 * 13 * 4 + 4
    assert read_json(run / 'config.json')['num_parameters'] == 3 * 4 * 9 + 4 + batch_norm(4) + outputs
