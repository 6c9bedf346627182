"""The optimizer under a regime, against torch's own stepped by hand."""

import functools
import subprocess
import sys

import pytest
import torch
from torch import nn

from bigbatch.regime import Regime
from bigbatch.training.optim import RegimeOptimizer, check_regime, override_regime
from tests.conftest import PROJECT, TINY
from tests.data_helpers import assert_refused
from utils.config.schedule import OPTIMIZERS

SGD = {0: {'optimizer': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 0.01}, 2: {'lr': 0.01}}


def gradient_of(step: int) -> torch.Tensor:
    return torch.tensor([1.0, -2.0, 0.5]) * (step + 1)


def run_regime(regime, num_steps=6, steps_per_epoch=2, **settings) -> torch.Tensor:
    parameter = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
    optimizer = RegimeOptimizer([parameter], Regime(regime), **settings)
    for step in range(num_steps):
        if step % steps_per_epoch == 0:
            optimizer.start_epoch(step // steps_per_epoch)
        parameter.grad = gradient_of(step)
        optimizer.step(step)
    return parameter.detach()


def run_by_formula(rates, reset_every=6, momenta=(0.9,) * 6, decay=0.01) -> torch.Tensor:
    """SGD as torch defines it: v = m v + (g + wd w), w -= lr v."""
    weights, velocity = torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3)
    for step, (lr, momentum) in enumerate(zip(rates, momenta, strict=True)):
        velocity = (momentum if step % reset_every else 0) * velocity + gradient_of(step) + decay * weights
        weights = weights - lr * velocity
    return weights


def test_momentum_survives_a_drop_of_the_rate_unless_it_is_reset_and_warm_up_is_linear():
    drop = [0.1] * 4 + [0.01] * 2
    torch.testing.assert_close(run_regime(SGD), run_by_formula(drop))
    torch.testing.assert_close(run_regime(SGD, reset_momentum=True), run_by_formula(drop, reset_every=2))
    # factor 4: from a quarter of the rate to the rate in 4 updates, and no further
    expected = run_by_formula([0.025, 0.04375, 0.0625, 0.08125, 0.01, 0.01])
    torch.testing.assert_close(run_regime(SGD, warmup_steps=4, warmup_start=0.25), expected)


def test_a_setting_that_a_function_regime_stops_naming_returns_to_the_default():
    settings = [{'lr': 0.1, 'momentum': 0.9}, {'lr': 0.1}]
    weights = run_regime(lambda epoch: settings[min(epoch, 1)])
    torch.testing.assert_close(weights, run_by_formula([0.1] * 6, momenta=[0.9] * 2 + [0.0] * 4, decay=0))


def test_the_optimizer_object_changes_only_with_its_class():
    regime = Regime({**SGD, 3: {'lr': 0.5}, 4: {'optimizer': 'Adam', 'lr': 0.1}})
    optimizer, seen = RegimeOptimizer([nn.Parameter(torch.ones(2))], regime), []
    for epoch in range(5):
        optimizer.start_epoch(epoch)
        seen.append(optimizer._optimizer)
    assert seen[:4] == [seen[0]] * 4
    assert isinstance(seen[4], torch.optim.Adam)


def test_every_optimizer_updates_as_that_of_torch_and_survives_a_state_dict():
    def ours(settings: dict, restart_at: int | None = None) -> torch.Tensor:
        parameter, regime = nn.Parameter(torch.tensor([1.0, -2.0])), Regime({0: settings})
        optimizer = RegimeOptimizer([parameter], regime)
        optimizer.start_epoch(0)
        for step in range(20):
            if step == restart_at:
                state = optimizer.state_dict()
                optimizer = RegimeOptimizer([parameter], regime)
                optimizer.load_state_dict(state, epoch=0)
            parameter.grad = 2 * parameter.detach()  # of the squared norm
            optimizer.step(step)
        return parameter.detach()

    for name in OPTIMIZERS:
        settings = {'lr': 0.05, 'weight_decay': 0.1} if name != 'Rprop' else {'lr': 0.05}
        theirs = nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer = getattr(torch.optim, name)([theirs], **settings)
        for _ in range(20):
            theirs.grad = 2 * theirs.detach()
            optimizer.step()
        assert theirs.norm() < 5**0.5, name
        for restart_at in (None, 7):
            assert torch.equal(ours({'optimizer': name, **settings}, restart_at), theirs), (name, restart_at)
    assert torch.is_grad_enabled()


def test_overrides_hold_at_every_epoch_and_another_class_keeps_rates_and_weight_decay_only():
    def override(**given):
        return override_regime(
            Regime(SGD), **{**dict.fromkeys(('optimizer', 'lr', 'momentum', 'weight_decay')), **given}
        )

    regime = override(lr=0.2, momentum=0.5, weight_decay=0.0)
    expected = {'optimizer': 'SGD', 'lr': 0.2, 'momentum': 0.5, 'weight_decay': 0.0}
    assert (regime.at(0), regime.at(2)) == (expected, {**expected, 'lr': pytest.approx(0.02)})
    adam = {'optimizer': 'Adam', 'lr': pytest.approx(1e-4), 'weight_decay': 0.01}
    assert override(optimizer='Adam', lr=0.001).at(2) == adam
    assert_refused('--lr or --regime', lambda: override(optimizer='Adam'))
    words = r'--momentum 0\.9: Adam has no such setting'
    assert_refused(words, lambda: override(optimizer='Adam', lr=0.1, momentum=0.9))


def test_bad_settings_fail_before_the_run():
    for entry, words in (
        ({'lr': 0.1, 'momentun': 0.9}, "(regime|optimizer).*'momentun'.*did you mean momentum"),
        ({'lr': 0.1, 'optimizer': 'SDG'}, "optimizer.*'SDG'.*SGD"),
        ({'lr': 0.1, 'momentum': -1}, 'regime.*momentum'),
        ({'lr': 0.1, 'weight_decay': 'much'}, 'regime.*weight_decay'),
    ):
        regime = Regime({0: {'lr': 0.1}, 3: entry})
        assert_refused(words, functools.partial(check_regime, regime, 10))
        check_regime(regime, 3)  # an entry past the end is not in force


def test_a_run_up_to_its_first_update_leaves_heavy_libraries_out(tmp_path):
    flags = [*TINY, '--epochs', '1', '-mb', '4', '--results_dir', str(tmp_path), '--save', 'run']
    program = (
        'import os, sys; import main_gbn, bigbatch.training.trainer as trainer\n'
        'step = trainer.Trainer._train_step\n'
        'def first(self, batch, watch):\n'
        '    step(self, batch, watch)\n'
        '    print([name for name in sys.argv[1].split() if name in sys.modules], flush=True)\n'
        '    os._exit(0)\n'
        'trainer.Trainer._train_step = first\n'
        'main_gbn.main(sys.argv[2:])\n'
    )
    heavy = 'torch._dynamo torch._inductor sympy pandas bokeh matplotlib scipy sklearn torchvision tensorboard'
    done = subprocess.run([sys.executable, '-c', program, heavy, *flags], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '[]', (done.stdout, done.stderr)
