"""Channels last and half precision against the plain way, over updates and layer by layer."""

import json

import pytest
import torch

from bigbatch.layers.ghost_batch_norm import GhostBatchNorm2d
from bigbatch.training.fast_paths import convolutions
from tests.conftest import TINY_GBN, main_gbn, read_json, stable_rows
from tests.updates import CONVOLUTIONS, F1, build, losses_of
from utils.engine.plan import describe_plan

LAST = torch.channels_last


def line_of(plan: str, label: str) -> str:
    return next(line for line in plan.splitlines() if line.startswith(label)).removeprefix(label).strip()


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


def test_units_for_half_precision_are_told_of_and_missed(units, caplog):
    for names, amp, is_told in (
        ('avx512_f avx512_bf16', 'bf16', True), ('neon bf16', 'bf16', True), ('amx_bf16', 'bf16', True),
        ('avx512_f avx512_fp16', 'fp16', False), ('avx512_f', 'fp16', False), ('avx512_f', 'bf16', False),
        ('', 'bf16', False),
    ):  # fmt: skip
        units(*names.split())
        assert ('this processor has units for --amp bf16' in line_of(describe_plan(build(*F1)), 'speed')) == is_told
        assert not caplog.messages
        assert line_of(describe_plan(build(*F1, '--amp', amp)), 'speed') == f'amp {amp}, compile off (default)'
        has_units = any(amp in name for name in names.split())
        warned = [text.startswith(f'--amp {amp}: this processor has no units for it') for text in caplog.messages]
        assert warned == [] if has_units else all(warned) and warned, (names, amp)
        caplog.clear()


@pytest.mark.parametrize(('network', 'amp'), [
    (F1, 'bf16'), (F1, 'fp16'), (CONVOLUTIONS, 'bf16'), pytest.param(CONVOLUTIONS, 'fp16', marks=pytest.mark.slow),
], ids=['f1-bf16', 'f1-fp16', 'convolutions-bf16', 'convolutions-fp16'])  # fmt: skip
def test_half_precision_trains_as_float32_within_its_rounding(network, amp):
    original, experiment = build(*network), build(*network, '--amp', amp)
    assert type(experiment.model).__name__ == type(original.model).__name__
    assert experiment.model.state_dict().keys() == original.model.state_dict().keys()
    plain, half = losses_of(original), losses_of(experiment)
    torch.testing.assert_close(half, plain, rtol=0.05, atol=0)
    assert half != plain
    assert half[-1] < 0.9 * half[0]
    tensors = [*experiment.model.state_dict().values(), *(each.grad for each in experiment.model.parameters())]
    assert {tensor.dtype for tensor in tensors} == {torch.float32, torch.int64}  # that one counts batches
    assert experiment.model.eval()(torch.randn(2, *experiment.data.dataset.input_shape)).dtype == torch.float32


def test_refused(refused):
    for flags, words in (
        (('--amp', 'fp16', '--noise-scale'), ('--noise-scale', 'bf16 or off')),
        (('--amp', 'fp16', '--duplicates', '2', '--adapt-grad-norm', '1'), ('--adapt-grad-norm', 'bf16 or off')),
        (('--compile', 'default', '--relu_noise', '0.1'), ('--compile default', '--relu_noise 0.1')),
        (('--compile', 'reduce-overhead'), ('CUDA graphs', 'cpu', '--compile default')),
    ):
        refused(*TINY_GBN, *flags, words=words)
