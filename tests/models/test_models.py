"""Every network: shapes, gradients, ghosts, published regimes, refusals, and the table that names them."""

# ruff: noqa: F811 - fixtures are imported by name
import copy
import re

import pytest
import torch
from torch import nn

import models
from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.regime import Regime
from bigbatch.training.optim import check_regime
from models import create_model, list_models, register_model
from tests.networks import build, cases, outline, refusal, registry  # noqa: F401

OTHERS = (
    ('mnist_f1', 3, (20,), {}),
    ('keskar_f1', 3, (1, 8, 8), {}),
    ('keskar_f2', 3, (3, 8, 8), {}),
    ('cifar10_shallow', 4, (1, 7, 7), {}),
    ('keskar_c1', 4, (1, 7, 9), {}),
    ('vgg', 4, (1, 8, 40), {}),
    ('alexnet_small', 4, (1, 15, 16), {}),
    ('alexnet_small', 4, (3, 32, 32), {'norm': 'conv', 'dropout': 0.1}),
    ('resnet', 4, (1, 8, 8), {}),
    ('resnet', 4, (3, 65, 20), {'depth': 18}),
    ('resnet', 4, (2, 32, 32), {'depth': 50, 'dataset': 'imagenet'}),
    ('wresnet16_4', 4, (1, 8, 8), {'depth': 10, 'width': 2, 'dropout': 0.2}),
)
WITHOUT_BATCH_NORM = (
    ('alexnet', 10, (3, 64, 64), {'norm': 'none'}),
    ('alexnet_small', 10, (3, 32, 32), {'norm': 'none'}),
    ('resnet', 10, (3, 16, 16), {'norm': 'none', 'depth': 32}),
    ('resnet', 10, (3, 65, 65), {'norm': 'none', 'depth': 50}),
)
BATCH_NORMS, WEIGHTED = (nn.BatchNorm1d, nn.BatchNorm2d), (nn.Linear, nn.Conv2d)
EPOCHS = 200


@pytest.mark.parametrize(('name', 'num_classes', 'shape', 'config'), cases(*OTHERS, *WITHOUT_BATCH_NORM))
def test_it_gives_logits_every_parameter_gets_a_gradient_and_it_takes_ghosts(name, num_classes, shape, config):
    model, inputs = build(name, num_classes, shape, **config), torch.randn(4, *shape)
    ghost = convert_ghost_batch_norm(copy.deepcopy(model), 2)
    logits = model.train()(inputs)
    logits.logsumexp(1).sum().backward()
    without = [key for key, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert without == []
    with torch.no_grad():
        scored = model.eval()(inputs)
        # one by one or together: eval mode knows no batch
        torch.testing.assert_close(scored, torch.cat(list(map(model, inputs.split(1)))), rtol=1e-3, atol=1e-4)
        for found in (logits, scored):
            assert found.shape == (4, num_classes)
            assert found.isfinite().all()
        ghost.train()(inputs)
        model.load_state_dict(ghost.state_dict())
        assert torch.equal(model.eval()(inputs), ghost.eval()(inputs))
    assert list(ghost.state_dict()) == list(model.state_dict())
    moved = [key for key, value in ghost.state_dict().items() if key.endswith('num_batches_tracked') and value == 2]
    num_norms = sum(isinstance(module, BATCH_NORMS) for module in model.modules())
    assert len(moved) == num_norms
    assert (num_norms == 0) == (config.get('norm') == 'none')


@pytest.mark.parametrize(('name', 'num_classes', 'shape', 'config'), WITHOUT_BATCH_NORM)
def test_without_batch_norm_it_has_biases_and_keeps_the_scale(name, num_classes, shape, config):
    model = build(name, num_classes, shape, **config)
    assert not any(isinstance(module, BATCH_NORMS) for module in model.modules())
    weighted = [module for module in model.modules() if isinstance(module, WEIGHTED)]
    assert all(module.bias is not None for module in weighted)
    assert all(not module.bias.any() for module in weighted[:-1])
    with torch.no_grad():
        logits = model.eval()(torch.randn(8, *shape))
    assert 0.1 < logits.std() < 4  # 20 layers without a norm lose or gain many powers of ten where it is off


# The published regimes: optimizer, (epoch, rate), momentum, weight decay, of each entry where it changes.
REGIMES = {
    'mnist_f1': ('SGD', [(0, 0.1), (10, 0.01), (20, 1e-3), (30, 1e-4)], 0.9, 1e-4),
    'cifar10_shallow': ('SGD', [(0, 1e-3), (60, 0.01), (120, 1e-3), (180, 1e-4)], 0.9, 5e-4),
    'cifar100_shallow': ('SGD', [(0, 1e-3), (60, 0.01), (120, 1e-3), (180, 1e-4)], 0.9, 5e-4),
    'resnet': ('SGD', [(0, 0.1), (81, 0.01), (122, 1e-3), (164, 1e-4)], 0.9, 1e-4),
    'wide_WResNet': ('SGD', [(0, 0.1), (60, 0.02), (120, 4e-3), (140, 1e-4)], 0.9, 1e-4),
    'alexnet': ('SGD', [(0, 0.01), (10, 5e-3), (15, 1e-3), (20, 5e-4), (25, 1e-4)], 0.9, [5e-4, 5e-4, 0, 0, 0]),
    'alexnetv2': ('SGD', [(0, 0.01), (20, 1e-3), (40, 1e-4)], 0.9, 1e-4),
    'alexnetv3': ('SGD', [(0, 0.01), (20, 1e-3), (40, 1e-4)], 0.9, 0),
    'alexnetvlr': ('SGD', [(0, 0.113137), (20, 0.0113137), (40, 0.00113137)], 0.9, 0),
    'alexnet_small': ('SGD', [(0, 0.125), (41, 0.0125), (61, 0.00125)], 0, 5e-4),
    'vgg': ('SGD', [(0, 0.1), (81, 0.01), (122, 1e-3), (164, 1e-4)], 0.9, 5e-4),
    **{f'keskar_{net}': ('Adam', [(0, 1e-3)], None, None) for net in ('f1', 'f2', 'c1', 'c2', 'c3', 'c4')},
}
REGIMES |= {'wide_resnet': REGIMES['wide_WResNet'], 'wresnet16_4': REGIMES['wide_WResNet']}


def test_the_published_regimes():
    assert REGIMES.keys() == set(list_models())
    for name, (optimizer, rates, momentum, weight_decay) in REGIMES.items():
        regime = Regime(outline(name).regime)
        check_regime(regime, EPOCHS)
        table = regime.table(EPOCHS)
        decays = weight_decay if isinstance(weight_decay, list) else [weight_decay] * len(rates)
        assert [row['epoch'] for row in table] == [epoch for epoch, _ in rates], name
        assert [row['lr'] for row in table] == pytest.approx([rate for _, rate in rates], rel=1e-12), name
        assert [row.get('weight_decay') for row in table] == decays, name
        assert {(row['optimizer'], row.get('momentum')) for row in table} == {(optimizer, momentum)}, name


def test_an_unknown_option_names_the_nearest():
    for name, option, near in (('resnet', 'detph', 'depth'), ('alexnetv2', 'nrom', 'norm')):
        assert re.search(
            f'{name} has no option {option!r}.*did you mean {near}.*num_classes', refusal(name, **{option: 1})
        )


def test_bad_values_are_refused():
    of_any = [(name, 'num_classes', value, str(value)) for name in list_models() for value in (0, -1, 2.5, '10')]
    of_images = set(list_models()) - {'mnist_f1', 'keskar_f1', 'keskar_f2'}
    cases = of_any + [(name, 'input_shape', (20,), '(20,) are no images (C, H, W)') for name in sorted(of_images)]
    with_dropout = ('cifar10_shallow', 'wresnet16_4', 'alexnet', 'alexnet_small')
    cases += [(name, 'dropout', value, 'dropout') for name in with_dropout for value in (2, -0.5, 'a')]
    norms = {'resnet': 'batch, none', 'alexnet': 'batch, conv, none', 'alexnet_small': 'batch, conv, none'}
    cases += [(name, 'norm', 'group', f"norm 'group' is unknown: choose one of {all}") for name, all in norms.items()]
    messages = {case: refusal(case[0], **{case[1]: case[2]}) for case in cases}
    assert [case for case, message in messages.items() if case[3] not in message] == []


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

    @register_model
    def greedy(**kwargs):
        return nn.Linear(kwargs['num_classes'], kwargs['whatever'])

    assert create_model('greedy', num_classes=4, whatever=2).in_features == 4
    assert models.model_options('greedy') is None
