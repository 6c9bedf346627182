"""Batch augmentation: --duplicates, --copies and --adapt-grad-norm in the updates, and the mean output over copies."""

import pytest
import torch
from torch import nn

import evaluate
from bigbatch.seeding import make_generator
from bigbatch.training.gradients.copies import AdaptGradNorm, copies_factor
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.scoring import summed_criterion
from tests.config.test_flags import build, weights_after
from tests.conftest import TINY, TINY_GBN, read_rows
from tests.each import check_each
from tests.engine.test_network import open_with
from tests.methods.test_smoothout import gradient

DOUBLE = ('--type', 'torch.DoubleTensor', '--epochs', '3')
NO_NORM = (
    '--dataset', 'fake:64:3x16x16:4', '--model', 'resnet', '--model_config', "{'depth': 8, 'norm': 'none'}",
    '--b', '16', '--base-batch-size', '16', '-mb', '4', '--device', 'cpu', '--clip-grad', '0', *DOUBLE,
)  # fmt: skip


def make_net(*between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), *between, nn.Tanh(), nn.Linear(8, 4)).double()


def batch_of(*flags: str):
    return next(build(*TINY, *DOUBLE, '-mb', '4', *flags).data.train.epoch(0))


def assert_same_weights(flags, others, num_steps: int = 3) -> None:
    """Assert that further flags change the weights after some updates by rounding alone."""
    plain = weights_after(num_steps, *flags)
    for more in others:
        found = weights_after(num_steps, *flags, *more)
        torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-13, msg=lambda text, more=more: f'{more}: {text}')


def test_equal_copies_are_the_plain_batch():
    """Without batch norm, and with ghosts, as each ghost of a copy then is a ghost of the batch."""
    copies = ('--duplicates', '4')
    assert_same_weights((*NO_NORM, '--no-augment'), [
        (*copies, '--copies', 'spread'), (*copies, '--copies', 'together'), (*copies, '--adapt-grad-norm', '2'),
    ])  # fmt: skip
    assert not torch.allclose(weights_after(3, *NO_NORM, *copies), weights_after(3, *NO_NORM), rtol=1e-3)
    copies = ('--duplicates', '2')
    assert_same_weights((*TINY, *DOUBLE, '-mb', '4', '--no-augment'), [
        copies, (*copies, '-mb', '8', '--copies', 'together'),
    ])  # fmt: skip


def test_micro_batches_do_not_count():
    for layout in ('spread', 'together'):
        flags = (*TINY, *DOUBLE, '-mb', '4', '--duplicates', '4', '--copies', layout, '--adapt-grad-norm', '2')
        assert_same_weights(flags, [('--micro-batch-size', micro) for micro in ('4', '12', '32')], num_steps=5)


@pytest.mark.parametrize('layout', ['spread', 'together'])
def test_the_factor_is_the_published_one(layout):
    """Without batch norm: mean_j |g_j| / |g|, each from one pass by hand."""
    model = make_net()
    batch = batch_of('--duplicates', '4', '--copies', layout, '--micro-batch-size', '12')
    inputs, targets = (torch.cat(parts) for parts in list(zip(*batch, strict=True))[:2])

    def gradient_of(part) -> torch.Tensor:
        loss = nn.functional.cross_entropy(model(inputs[part]), targets[part])
        return nn.utils.parameters_to_vector(torch.autograd.grad(loss, list(model.parameters())))

    chosen = [slice(16 * j, 16 * j + 16) if layout == 'spread' else slice(j, None, 4) for j in range(4)]
    whole = gradient_of(slice(None))
    expected = torch.stack([gradient_of(part).norm() for part in chosen]).mean() / whole.norm()
    factor = copies_factor(model, summed_criterion(None), batch)
    torch.testing.assert_close(factor, expected, rtol=1e-12, atol=0)
    assert factor > 1.001
    estimator = AdaptGradNorm(inner=PlainGradient(), every=3)
    torch.testing.assert_close(gradient(estimator, model, batch), whole * expected, rtol=1e-11, atol=1e-14)


def test_it_is_measured_every_so_many_updates_and_kept():
    model, plain = make_net(), PlainGradient()
    estimator = AdaptGradNorm(inner=plain, every=3)
    batches = list(build(*TINY, *DOUBLE, '-mb', '4', '--duplicates', '4').data.train.epoch(0))
    ratios = []
    for step, batch in enumerate(batches):
        ratios.append((gradient(estimator, model, batch, step=step) / gradient(plain, model, batch, step=step)).mean())
    torch.testing.assert_close(torch.stack(ratios[:3]), ratios[0].expand(3), rtol=1e-9, atol=0)
    assert abs(ratios[3] - ratios[0]) > 1e-4
    resumed = AdaptGradNorm(inner=plain, every=3)
    resumed.load_state_dict(estimator.state_dict())
    assert torch.equal(gradient(resumed, model, batches[0], step=4), gradient(estimator, model, batches[0], step=4))


def test_the_passes_that_measure_leave_no_trace():
    batch = batch_of('--duplicates', '2')
    states = []
    for every in (1, None):
        torch.manual_seed(0)
        model = make_net(nn.BatchNorm1d(8), nn.Dropout(0.5))
        estimator = AdaptGradNorm(inner=PlainGradient(), every=every) if every else PlainGradient()
        found = gradient(estimator, model, batch)
        states.append((found / found.norm(), torch.rand(1), *model.buffers()))
    for one, two in zip(*states, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=0)


def test_a_gradient_of_zero_is_left_alone():
    model = make_net()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    assert copies_factor(model, lambda logits, targets: logits.sum() * 0, batch_of('--duplicates', '2')) == 1


def test_copies_that_are_all_the_same_are_warned_of(caplog):
    def check(flags, warns):
        caplog.clear()
        build(*TINY_GBN, '--duplicates', '2', *flags)
        assert ('--duplicates 2: the copies of an image are all the same' in caplog.text) == warns

    check_each([
        (('--no-augment',), True), (('--no-augment', '--cutout', '3'), False), ((), False),
        (('--no-augment', '--relu_noise', '0.1'), False),
    ], check)  # fmt: skip


def test_the_mean_output_over_copies_is_scored(train, tmp_path, capsys):
    run = train(*TINY_GBN)
    flags = ('--evaluate', str(run), '--results_dir', str(tmp_path), '-b', '7')
    for more in ((), ('--augment', '--duplicates', '3', '--avg-out')):
        assert evaluate.main([*flags, *more]) == 0
    assert 'mean outputs for 3 copies' in capsys.readouterr().out
    rows = read_rows(tmp_path / 'evaluation' / 'evaluation.csv')
    assert [(row['duplicates'], row['examples']) for row in rows] == [('1', '16'), ('3', '16')]
    network = open_with(run, '--augment')
    images, targets = network.val.dataset.images, network.val.dataset.targets
    transform, logits = network.train.transform, []
    for purpose in ((), ('copy', 1), ('copy', 2)):
        choices = transform.draw(16, make_generator(123, 'augmentation', 0, *purpose), image_size=(8, 8))
        with torch.no_grad():
            logits.append(network.model(transform.apply(images, choices)).double())
    mean = torch.stack(logits).mean(0)
    assert float(rows[1]['loss']) == pytest.approx(nn.functional.cross_entropy(mean, targets).item(), rel=1e-6)
    assert float(rows[1]['error1']) == pytest.approx(100 * (mean.argmax(1) != targets).double().mean().item())
