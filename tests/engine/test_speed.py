"""Channels last and half precision against the plain way, over updates and layer by layer."""

from __future__ import annotations

import json

import pytest
import torch

from bigbatch.layers.ghost_batch_norm import GhostBatchNorm2d
from bigbatch.training.fast_paths import convolutions
from tests.conftest import TINY_GBN, main_gbn, read_json, stable_rows
from tests.fake_runs import groups_of
from tests.updates import CONVOLUTIONS, F1, build, losses_of
from utils.engine.plan import describe_plan

LAST = torch.channels_last


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """Leave out the drawing of pages, which takes longer than these runs."""
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)


def line_of(plan: str, label: str) -> str:
    return next(line for line in plan.splitlines() if line.startswith(label)).removeprefix(label).strip()


# Channels last


@pytest.mark.parametrize(('methods', 'tolerance'), [
    ((), 1e-5),
    (('--gradient-noise', '0.5', '--micro-batch-size', '16'), 1e-5),
    (('--duplicates', '2', '--adapt-grad-norm', '1'), 1e-5),
    (('--ss', '0.05', '--adapt-type', 'filter'), 1e-3),  # noise on weights makes more of rounding
    (('--ss', '0.01', '--noise-type', 'normal', '--noise-per', 'step'), 1e-3),
])  # fmt: skip
def test_channels_last_trains_as_channels_first(methods, tolerance):
    first, last = (build(*CONVOLUTIONS, *methods, flag) for flag in ('--no-channels-last', '--channels-last'))
    assert not any(layer.weight.is_contiguous(memory_format=LAST) for layer in convolutions(first.model)[1:2])
    assert all(layer.weight.is_contiguous(memory_format=LAST) for layer in convolutions(last.model))
    torch.testing.assert_close(losses_of(last, 6), losses_of(first, 6), rtol=tolerance, atol=0)


def test_what_a_convolution_returns_is_channels_last_too():
    model, seen = build(*CONVOLUTIONS).model, []
    for layer in model.modules():
        if isinstance(layer, GhostBatchNorm2d):
            layer.register_forward_hook(lambda layer, inputs, outputs: seen.append((*inputs, outputs)))
    model(torch.randn(32, 1, 8, 8))
    assert len(seen) > 5
    assert all(tensor.is_contiguous(memory_format=LAST) for pair in seen for tensor in pair)


@pytest.fixture
def units(monkeypatch):
    """A function that gives this processor units of these names alone."""
    return lambda *names: monkeypatch.setattr('torch.cpu.get_capabilities', lambda: dict.fromkeys(names, True))


def test_the_default_goes_by_network_device_and_precision(units):
    units('avx512_f')
    flags = {'by default': (), 'float64': ('--type', 'torch.DoubleTensor'), 'no': ('--no-channels-last',)}
    plans = {name: line_of(describe_plan(build(*CONVOLUTIONS, *more)), 'speed') for name, more in flags.items()}
    rest = 'amp off (default), compile off (default)'
    assert plans == {
        'by default': f'channels last (default), {rest}', 'float64': f'channels first (default), {rest}',
        'no': f'channels first, {rest}',
    }  # fmt: skip
    assert line_of(describe_plan(build(*F1)), 'speed') == rest


def test_without_convolutions_a_layout_is_warned_about_and_changes_nothing(capsys, train):
    run = train(*TINY_GBN, '--channels-last')
    assert 'warning: --channels-last has no effect: mnist_f1 has no convolutions' in capsys.readouterr().err
    assert stable_rows(run) == stable_rows(train(*TINY_GBN, save='plain'))
    assert main_gbn.main(['--resume', str(run), '--epochs', '4']) == 0


def test_a_resumed_run_keeps_its_layout(train, refused):
    flags = (*CONVOLUTIONS[2:-4], '--dataset', 'fake:64:1x8x8:4', '--epochs', '1')
    run = train(*flags)
    assert read_json(run / 'config.json')['settings']['channels_last'] is True
    refused('--resume', str(run), '--epochs', '2', '--no-channels-last', words=('channels_last was True',))
    refused('--resume', str(run), '--epochs', '2', '--amp', 'bf16', words=("amp was 'off'",))
    config = read_json(run / 'config.json')
    for name in ('channels_last', 'amp', 'compile'):  # as if it were older than these flags
        del config['settings'][name]
    (run / 'config.json').write_text(json.dumps(config))
    refused('--resume', str(run), '--epochs', '2', '--channels-last', words=('channels_last was False',))
    fork = ('--save', 'fork', '--results_dir', str(run.parent))
    assert main_gbn.main(['--resume', str(run), '--epochs', '2', *fork]) == 0
    assert read_json(run.parent / 'fork' / 'config.json')['settings']['channels_last'] is False


# Half precision


def test_the_plan_tells_of_units_for_bf16_where_they_are_not_used(units):
    told = {('avx512_f', 'avx512_bf16'): True, ('neon', 'bf16'): True, ('avx512_f', 'avx512_fp16'): False, (): False}
    for names, is_told in told.items():
        units(*names)
        speeds = [line_of(describe_plan(build(*F1, *more)), 'speed') for more in ((), ('--amp', 'bf16'))]
        assert ('this processor has units for --amp bf16' in speeds[0]) == is_told, names
        assert speeds[1] == 'amp bf16, compile off (default)'


def test_half_precision_without_units_is_warned_about(units, caplog):
    for amp, name in (('bf16', 'amx_bf16'), ('fp16', 'avx512_fp16')):
        units(name)
        build(*F1, '--amp', amp)
        assert not caplog.messages
        units('avx512_f')
        build(*F1, '--amp', amp)
        assert caplog.messages[0].startswith(f'--amp {amp}: this processor has no units for it')
        caplog.clear()


@pytest.mark.parametrize(('network', 'amp'), [
    (F1, 'bf16'), (F1, 'fp16'), (CONVOLUTIONS, 'bf16'), pytest.param(CONVOLUTIONS, 'fp16', marks=pytest.mark.slow),
], ids=['f1-bf16', 'f1-fp16', 'convolutions-bf16', 'convolutions-fp16'])  # fmt: skip
def test_half_precision_trains_as_float32_within_its_rounding(network, amp):
    plain, half = losses_of(build(*network)), losses_of(experiment := build(*network, '--amp', amp))
    torch.testing.assert_close(half, plain, rtol=0.05, atol=0)
    assert half != plain
    assert half[-1] < 0.9 * half[0]
    tensors = [*experiment.model.state_dict().values(), *(each.grad for each in experiment.model.parameters())]
    assert {tensor.dtype for tensor in tensors} == {torch.float32, torch.int64}  # that one counts batches
    assert experiment.model.eval()(torch.randn(2, *experiment.data.dataset.input_shape)).dtype == torch.float32


def test_copies_and_names_of_a_network_in_half_precision_are_those_of_its_class():
    plain, half = build(*F1).model, build(*F1, '--amp', 'bf16').model
    assert type(half).__name__ == type(plain).__name__
    assert isinstance(half, type(plain))
    assert half.state_dict().keys() == plain.state_dict().keys()


# Refusals and groups


def test_refused(refused):
    for flags, words in (
        (('--amp', 'bf16', '--type', 'torch.DoubleTensor'), ('--amp bf16', 'float64')),
        (('--amp', 'fp16', '--noise-scale'), ('--noise-scale', 'bf16 or off')),
        (('--amp', 'fp16', '--duplicates', '2', '--adapt-grad-norm', '1'), ('--adapt-grad-norm', 'bf16 or off')),
        (('--compile', 'default', '--relu_noise', '0.1'), ('--compile default', '--relu_noise 0.1')),
        (('--compile', 'reduce-overhead'), ('CUDA graphs', 'cpu', '--compile default')),
        (('--compile', 'max'), ("invalid choice: 'max'", 'reduce-overhead')),
        (('--amp', 'half'), ("invalid choice: 'half'", 'bf16')),
    ):
        refused(*TINY_GBN, *flags, words=words)


def test_rows_are_told_apart_by_precision_alone(tmp_path):
    groups = groups_of(
        tmp_path, older={}, off={'settings': {'amp': 'off', 'compile': 'off', 'channels_last': False}, 'seed': 2},
        fast={'settings': {'amp': 'off', 'compile': 'default', 'channels_last': True}, 'seed': 3},
        half={'settings': {'amp': 'bf16', 'compile': 'off', 'channels_last': True}, 'seed': 4},
    )  # fmt: skip
    assert sorted(len(group.runs) for group in groups) == [1, 3]
