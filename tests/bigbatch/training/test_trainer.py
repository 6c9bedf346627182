"""The training step against one written out by hand, and the loop around it."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from bigbatch.errors import DivergedError
from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.regime import Regime
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.scoring import evaluate
from bigbatch.training.trainer import Trainer, clip_gradient
from data_sets.arrays import ArrayDataset
from data_sets.loader import DeviceLoader
from tests.conftest import PROJECT
from tests.networks import unchanged

SETTINGS = {'optimizer': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-3}


def loader_of(inputs, targets, *, batch_size, **settings):
    dataset = ArrayDataset(inputs.float(), targets, num_classes=4)
    return DeviceLoader(dataset, None, batch_size=batch_size, device='cpu', dtype=torch.float64, **settings)


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(48, 6, generator=generator).double(), torch.arange(48) % 4


def make_model(ghost=None, norm=True, num_classes=4) -> nn.Module:
    torch.manual_seed(1)
    layers = [nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, num_classes)]
    model = nn.Sequential(*(layers if norm else [layers[0], *layers[2:]])).double()
    return convert_ghost_batch_norm(model, ghost) if ghost else model


def fit(model, loader, num_epochs=2, **settings):
    optimizer = RegimeOptimizer(model.parameters(), Regime({0: SETTINGS, 1: {'lr': 0.01}}))
    initial = copy.deepcopy(model.state_dict())
    criterion = nn.CrossEntropyLoss(reduction='sum')
    trainer = Trainer(model, criterion, optimizer, PlainGradient(), initial=initial, **settings)
    return list(trainer.fit(loader, loader, num_epochs=num_epochs))


def assert_same_state(model, expected):
    for name, value in expected.state_dict().items():
        if not name.endswith('num_batches_tracked'):
            torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-9, atol=1e-12)


def test_an_epoch_equals_steps_written_out(examples):
    inputs, targets = examples
    model, expected = make_model(), make_model()
    reports = fit(model, loader_of(inputs, targets, batch_size=16), clip_grad=0.5)
    optimizer = torch.optim.SGD(expected.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    losses, norms = [], []
    for epoch in range(2):
        optimizer.param_groups[0]['lr'] = (0.1, 0.01)[epoch]
        for start in range(0, 48, 16):
            optimizer.zero_grad()
            loss = F.cross_entropy(expected(inputs[start : start + 16]), targets[start : start + 16])
            loss.backward()
            norms.append(nn.utils.clip_grad_norm_(expected.parameters(), 0.5).item())
            optimizer.step()
            losses.append(loss.item())
    assert_same_state(model, expected)
    assert reports[1].train.loss == pytest.approx(sum(losses[3:]) / 3, rel=1e-10)
    assert reports[1].grad_norm == pytest.approx(sum(norms[3:]) / 3, rel=1e-10)
    assert [(report.epoch, report.step, report.lr) for report in reports] == [(1, 3, 0.1), (2, 6, 0.01)]
    assert [point.step for report in reports for point in report.distances] == [1, 2, 3, 4, 5, 6]
    assert reports[0].distances[0].train_loss == pytest.approx(losses[0], rel=1e-10)


@pytest.mark.parametrize('norm', [True, False])
def test_micro_batches_change_nothing(examples, norm):
    """Whole ghosts for a network with batch norm; anything, uneven pieces included, for one without."""
    whole = make_model(ghost=4, norm=norm)
    expected = fit(whole, loader_of(*examples, batch_size=16))[-1].train
    for micro in (4, 8, 12, 16):
        split = make_model(ghost=4, norm=norm)
        loader = loader_of(*examples, batch_size=16, micro_batch_size=micro if norm else micro - 1)
        found = fit(split, loader)[-1].train
        assert_same_state(split, whole)
        assert (found.loss, found.error1) == (pytest.approx(expected.loss, rel=1e-10), expected.error1), micro


def test_scores_over_an_uneven_last_batch_by_brute_force_leave_the_network_alone(examples):
    inputs, targets = examples
    model = make_model(ghost=4, num_classes=9)
    for size in (16, 40):
        with unchanged(model):
            scores = evaluate(model, nn.CrossEntropyLoss(reduction='sum'), loader_of(inputs, targets, batch_size=size))
        logits = copy.deepcopy(model).eval()(inputs)
        assert scores.loss == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-10)
        ranks = (logits > logits.gather(1, targets[:, None])).sum(1)
        wrong = [100 * (ranks >= top).double().mean().item() for top in (1, 5)]
        assert (scores.error1, scores.error5) == pytest.approx(wrong)
    few = make_model(norm=False)
    reports = fit(few, loader_of(inputs[:40], targets[:40], batch_size=16), num_epochs=1)
    assert (reports[0].step, reports[0].val.error5) == (3, 0)  # top 4 of 4 classes


def test_clipping_bounds_the_global_norm_and_reports_what_it_was():
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))]
    for bound, left in ((2.5, 2.5), (10.0, 5.0), (0.0, 5.0)):
        parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 4.0])
        assert clip_gradient(parameters, bound).item() == pytest.approx(5.0)
        assert torch.cat([p.grad for p in parameters]).norm().item() == pytest.approx(left, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_before_the_update(examples):
    inputs, targets = examples
    inputs = inputs.clone()
    inputs[20] = float('inf')
    model = make_model(norm=False)
    with pytest.raises(DivergedError, match=r'epoch 1 at step 2: loss nan.*learning rate 0\.1'):
        fit(model, loader_of(inputs, targets, batch_size=16))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_a_short_run_in_float64_repeats_the_committed_losses():
    """Twenty updates of F1 with ghosts: a silent change of the numbers shows here."""
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(320, 12, generator=generator)
    targets = inputs[:, :4].argmax(1)
    model = models.create_model('mnist_f1', width=16, depth=2, num_classes=4, input_shape=(12,)).double()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * 0.3)
    nn.init.zeros_(model[-1].bias)
    convert_ghost_batch_norm(model, 8)
    reports = fit(model, loader_of(inputs, targets, batch_size=32, seed=3, shuffle=True))
    losses = [point.train_loss for report in reports for point in report.distances]
    golden = [float(line) for line in (PROJECT / 'tests' / 'golden_losses.txt').read_text().split()]
    assert losses == pytest.approx(golden, rel=1e-6)
