"""How many threads compute, and how long those that wait do not sleep."""

import os
import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bigbatch.memory import THREADS_VARIABLE
from models import create_model
from tests.conftest import PROJECT
from tests.updates import CONVOLUTIONS, F1, build
from utils.command import SPIN_COUNT
from utils.engine import threads


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    """A machine of four cores where nobody has set the number of threads."""
    monkeypatch.delenv('OMP_NUM_THREADS')
    monkeypatch.setattr(threads, '_most_threads', lambda: 4)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def threads_of(*flags: str) -> int:
    build(*flags)
    return torch.get_num_threads()


@pytest.mark.parametrize(('name', 'config', 'shape'), [
    ('mnist_f1', {'width': 32}, (1, 28, 28)), ('resnet', {'depth': 8}, (3, 32, 32)), ('keskar_c1', {}, (3, 32, 32)),
])  # fmt: skip
def test_products_are_those_that_torch_counts(name, config, shape):
    model, inputs = create_model(name, **config).eval(), torch.randn(2, *shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(inputs)
    assert threads.products_of(model, inputs) == counter.get_total_flops() // 2


@pytest.mark.filterwarnings('ignore:.*is deprecated')
def test_of_a_traced_network_each_number_of_a_matrix_counts_once_an_example():
    model = create_model('mnist_f1', width=32)
    scripted = torch.jit.trace(model.eval(), torch.randn(2, 1, 28, 28))
    assert threads.products_of(scripted, torch.randn(3, 1, 28, 28)) == 3 * sum(
        p.numel() for p in model.parameters() if p.ndim > 1
    )


def test_large_passes_are_worth_more_threads(monkeypatch):
    large = (*F1[:-2], '--save', 'y', '--model_config', "{'width': 512}")
    found = {
        'small': threads_of(*F1), 'batch 640': threads_of(*large, '--b', '640'),
        'in passes of 64': threads_of(*large, '--b', '640', '--micro-batch-size', '64'),
    }  # fmt: skip
    assert found['small'] == found['in passes of 64'] == 1 < found['batch 640'] <= 4
    monkeypatch.setattr(threads, 'PRODUCTS_OF_A_THREAD', 1)
    assert threads_of(*CONVOLUTIONS) == 4, 'no more than there are cores'


def test_what_the_user_set_counts_and_the_share_of_a_suite_is_no_wish(monkeypatch):
    torch.set_num_threads(3)
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    assert threads_of(*F1) == 3
    monkeypatch.setenv(THREADS_VARIABLE, '3')
    assert threads_of(*F1) == 1


def test_waiting_threads_sleep_soon_unless_the_user_says_how_they_wait():
    code = 'import os, sys\nfrom utils.command import command\n@command\n'
    code += (
        "def main(argv): print(os.getenv('GOMP_SPINCOUNT'))\nmain(); assert 'torch' not in sys.modules\nimport bigbatch"
    )
    clean = {name: value for name, value in os.environ.items() if name not in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')}

    def shown(**environment: str) -> str:
        call = [sys.executable, '-c', code]
        return subprocess.check_output(call, env={**clean, **environment}, cwd=PROJECT, text=True).strip()

    assert shown() == SPIN_COUNT
    assert shown(GOMP_SPINCOUNT='5') == '5'
    assert shown(OMP_WAIT_POLICY='ACTIVE') == 'None'
