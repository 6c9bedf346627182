"""The flags of the learning rate besides the regime: a rate per example, warm-up of any length, decay over the run."""

import pytest
import torch

from bigbatch.regime import Regime
from bigbatch.training.optim import RegimeOptimizer
from data import list_datasets
from models import list_models
from tests.conftest import TINY, main_normal
from tests.each import check_each
from utils.config.parse import build_parser, parse_config
from utils.engine.experiment import build_experiment

# 64 examples in batches of 16: 4 updates an epoch; 0.05 for two epochs, then 0.005
RATE = (*TINY, '--epochs', '3')


def build(*flags):
    parser = build_parser('', list_models(), list_datasets(), prog='main_normal.py', batch_size=256)
    return build_experiment(parse_config(parser, [*RATE, '--save', 'x', *flags]))


def rates(*flags, steps_per_epoch: int = 4) -> list[float]:
    experiment = build(*flags)
    first, found = experiment.config.start_epoch, []
    for epoch in range(first, experiment.num_epochs):
        experiment.optimizer.start_epoch(epoch)
        steps = range((epoch - first) * steps_per_epoch, (epoch - first + 1) * steps_per_epoch)
        found += [experiment.optimizer.lr_at(step) for step in steps]
    return found


def test_linear_decay_multiplies_the_regime_over_the_length_of_the_run():
    base = [0.05] * 8 + [0.005] * 4
    assert rates() == base  # exactly: without it nothing is multiplied
    found = rates('--linear-decay')
    assert found == pytest.approx([rate * (12 - step) / 12 for step, rate in enumerate(base)], rel=1e-12)
    assert found[-1] > 0
    warm = rates('--linear-decay', '--warmup-epochs', '1.5', '--warmup-start', '0.1')
    assert warm[:7] == pytest.approx([rate * min(0.1 + 0.15 * step, 1) for step, rate in enumerate(found[:7])])
    late = [0.05 * (8 - step) / 8 for step in range(4)] + [0.005 * (8 - step) / 8 for step in range(4, 8)]
    assert rates('--linear-decay', '--start-epoch', '1') == pytest.approx(late, rel=1e-12)
    assert rates('--linear-decay', '--regime_bb_multi', '2')[-1] == pytest.approx(0.005 / 24, rel=1e-12)


def test_the_weights_under_linear_decay_are_those_of_sgd_by_hand():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = RegimeOptimizer([parameter], Regime({0: {'lr': 0.1}}), decay_steps=5)
    optimizer.start_epoch(0)
    expected = parameter.detach().clone()
    for step in range(5):
        parameter.grad = torch.full_like(parameter, step + 1.0)
        optimizer.step(step)
        expected -= 0.1 * (1 - step / 5) * (step + 1)
    torch.testing.assert_close(parameter.detach(), expected, rtol=1e-14, atol=0)


def test_what_goes_by_the_length_of_the_run_keeps_it_on_resume(train, refused):
    def check(flags, more, *words):
        run = train(*RATE, *flags, script=main_normal, save=f'run{len(flags)}')
        refused('--resume', str(run), '--epochs', '5', *more, words=words, script=main_normal)

    check_each([
        (('--linear-decay',), (), '--epochs was 3', '--linear-decay', '5', '--init-from'),
        (('--ss', '0.02', '--smoothing-type', 'tanh'), (), '--epochs was 3', '--smoothing-type tanh', '5'),
        ((), ('--linear-decay',), 'linear_decay was False', 'True'),
    ], check)  # fmt: skip


def test_warm_up_counts_updates_and_need_not_last_whole_epochs():
    # 1.4 epochs of 4 updates: 5.6, so 6 updates; from 1/32 of the rate
    expected = [0.05 * (1 / 32 + 31 / 32 * step / 6) for step in range(6)] + [0.05] * 2 + [0.005] * 4
    assert rates('--warmup-epochs', '1.4', '--warmup-start', '0.03125') == pytest.approx(expected, rel=1e-12)
    scaled = rates('--warmup-epochs', '0.5', '--base-batch-size', '4')  # without a start: from the unscaled rate
    assert scaled[:3] == pytest.approx([0.05, 0.075, 0.1], rel=1e-12)


def test_the_rate_is_that_of_an_example_times_the_batch():
    for batch in (2, 16, 64):
        flags, steps = ('--b', str(batch)), 64 // batch
        found = rates(*flags, '--base-lr-per-example', '0.001', steps_per_epoch=steps)
        assert found[0] == pytest.approx(0.001 * batch, rel=1e-12)
        assert found[-1] == pytest.approx(0.0001 * batch, rel=1e-12)  # the drops of the regime stay
        assert found == rates(*flags, '--lr', str(0.001 * batch), '--no-lr_bb_fix', steps_per_epoch=steps)
    with_multiplier = build('--base-lr-per-example', '0.001', '-bm', '2', '--b', '8')
    assert with_multiplier.regime.at(0)['lr'] == pytest.approx(0.016)
    settings = build('--base-lr-per-example', '0.001').config.settings()
    assert (settings['base_lr_per_example'], settings['lr'], settings['lr_scaling']) == (0.001, 0.016, 'none')
