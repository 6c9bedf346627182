"""Compiled training passes: which ones they are, and that they compute what the others do."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

import models
from bigbatch.training.fast_paths import compile_passes
from tests.conftest import PROJECT, TINY_GBN, read_rows, stable_rows
from tests.ranks import assert_same_run, run_on_ranks
from tests.updates import CONVOLUTIONS, F1, build, losses_of

COMPILE = ('--compile', 'default')


@pytest.fixture(autouse=True)
def no_graphs():
    """Have torch forget what it compiled, of which it keeps but a few for one function."""
    yield
    torch.compiler.reset()


@pytest.fixture
def graphs(monkeypatch):
    """Have torch trace and not compile, which would take a minute; the sizes of the batches that it traced."""
    traced, original = [], nn.Module.compile

    def backend(graph, examples):
        traced.append(graph)
        return graph.forward

    def trace(model, *, mode, dynamic):
        original(model, backend=backend, dynamic=dynamic, fullgraph=True)

    monkeypatch.setattr(nn.Module, 'compile', trace)
    monkeypatch.setattr('utils.engine.speed.check_compiler', lambda device: None)
    return traced


@pytest.mark.parametrize('flags', [
    F1,
    (*F1, '--micro-batch-size', '32'),
    (*F1, '--ss', '0.01'),
    (*F1, '--ss', '0.01', '--noise-per', 'step', '--no-denoise'),
    (*F1, '--gradient-noise', '0.5', '--duplicates', '2', '--adapt-grad-norm', '2'),
    (*F1, '--noise-scale'),
    (*F1, '--amp', 'bf16'),
    (*CONVOLUTIONS, '--channels-last'),
    pytest.param((*CONVOLUTIONS, '--no-channels-last'), marks=pytest.mark.slow),
], ids=lambda flags: ' '.join(flags[flags.index('x') + 1 :]))  # fmt: skip
def test_training_passes_are_one_graph_that_computes_the_same(graphs, flags):
    num_steps = 3 if flags[: len(F1)] != F1 else 5
    plain = losses_of(build(*flags), num_steps=num_steps)
    assert not graphs
    compiled = losses_of(build(*flags, *COMPILE), num_steps=num_steps)
    assert len(graphs) == 1
    torch.testing.assert_close(compiled, plain, rtol=0.02 if 'bf16' in flags else 1e-4, atol=0)


def test_one_graph_for_a_whole_run(graphs, train):
    """Scoring, the average and its statistics, a short last batch, the last one of an epoch: none is compiled."""
    flags = (*TINY_GBN, '--b', '24', '--no-lr_bb_fix', '--no-drop-last', '--eval-batch-size', '12', '--swa-start', '2')
    plain, run = train(*flags, save='plain'), train(*flags, *COMPILE)
    assert len(graphs) == 1
    assert_same_run(run, plain, tolerance=1e-4)


def test_passes_of_other_sizes_modes_and_copies_are_not_compiled(graphs):
    normal = models.create_model('mnist_f1', width=8, depth=2, input_shape=(1, 8, 8))
    plain, inputs = copy.deepcopy(normal), torch.randn(64, 1, 8, 8)
    compile_passes(normal, 'default', 64)
    torch.testing.assert_close(normal(inputs), plain(inputs))
    assert len(graphs) == 1  # batch norm over the whole batch is one graph too
    graphs.clear()
    model = build(*F1, *COMPILE).model.train()
    with torch.no_grad():
        model(inputs)
    model(inputs[:32])
    copy.deepcopy(model)(inputs)
    model.eval()(inputs)
    assert not graphs
    model.train()(inputs)
    assert len(graphs) == 1


def test_gradients_over_several_passes_leave_the_memory_of_graphs(monkeypatch):
    """A replay overwrites what the last one returned, its gradients among it."""
    model, steps = nn.Linear(4, 3), []
    compile_passes(model, 'reduce-overhead', 8)
    model._compiled_call_impl = model._call_impl  # a GPU is needed for graphs themselves
    monkeypatch.setattr(torch.compiler, 'cudagraph_mark_step_begin', lambda: steps.append(model.weight.grad))
    inputs = torch.randn(8, 4)
    model(inputs).sum().backward()
    first = model.weight.grad
    model(inputs).sum().backward()
    assert steps[0] is None
    assert steps[1] is model.weight.grad is not first
    torch.testing.assert_close(model.weight.grad, 2 * first)


@pytest.mark.slow
@pytest.mark.parametrize('more', [(), ('--amp', 'bf16', '--ss', '0.01', '--deterministic')])
def test_the_compiler_computes_the_same(more):
    flags = ('--model_config', "{'width': 8, 'depth': 2}", *more)
    try:
        plain, compiled = losses_of(build(*F1, *flags)), losses_of(build(*F1, *flags, *COMPILE))
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(compiled, plain, rtol=0.05 if more else 1e-4, atol=0)


@pytest.mark.slow
def test_ranks_compile_too_and_a_resumed_run_is_the_same(tmp_path):
    place = ('--results_dir', str(tmp_path))
    one = ('main_gbn', *TINY_GBN, *COMPILE, *place)
    commands = [
        (*one, '--save', 'straight'), (*one, '--epochs', '2', '--save', 'run'),
        ('main_gbn', '--resume', str(tmp_path / 'run'), '--epochs', '3'),
    ]  # fmt: skip
    assert run_on_ranks(2, commands, tmp_path) == [[0, 0]] * 3
    assert stable_rows(tmp_path / 'run') == stable_rows(tmp_path / 'straight')
    assert len(read_rows(tmp_path / 'run' / 'results.csv')) == 3


@pytest.mark.slow
def test_a_missing_compiler_is_one_line(tmp_path):
    command = [sys.executable, 'main_gbn.py', *TINY_GBN, *COMPILE, '--results_dir', str(tmp_path / 'results')]
    environment = {**os.environ, 'CXX': '/no/such/g++', 'TORCHINDUCTOR_CACHE_DIR': str(tmp_path / 'cache')}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    line = done.stderr.splitlines()[-1]
    assert '--compile default' in line
    assert 'install it, or leave the flag out' in line
    assert not (tmp_path / 'results').exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('network', [F1, CONVOLUTIONS], ids=['f1', 'convolutions'])
def test_graphs_compute_the_same(network):
    network = (*network, '--b', '64', '-mb', '16', '--device', 'cuda')
    for methods in ((), ('--micro-batch-size', '32'), ('--ss', '0.01'), ('--amp', 'fp16')):
        torch.compiler.reset()
        plain = losses_of(build(*network, *methods))
        replayed = losses_of(build(*network, *methods, '--compile', 'reduce-overhead'))
        torch.testing.assert_close(replayed, plain, rtol=0.03 if '--amp' in methods else 1e-3, atol=0)
