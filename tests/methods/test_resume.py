"""A run with a method that was stopped and goes on is the run that was not stopped."""

import pytest
import torch

from tests.conftest import TINY_GBN, main_gbn, stable_rows
from utils.runs.checkpoint import load_state


@pytest.mark.parametrize('flags', [
    '--duplicates 2 --copies together --cutout 3 --adapt-grad-norm 3',  # stops 1 update after a measurement
    '--ss 0.02 --smoothing-type anneal --adapt-type filter',
    '--ss 0.02 --no-denoise --gradient-noise 0.5',
    '--ss 0.02 --relu_noise 0.3 --noise-per step',
])  # fmt: skip
def test_a_resumed_run_is_the_same_bit_for_bit(train, flags):
    flags = (*TINY_GBN, *flags.split())
    whole, part = train(*flags, save='whole'), train(*flags, '--epochs', '1', save='part')
    assert main_gbn.main(['--resume', str(part), '--epochs', '3']) == 0
    assert stable_rows(part) == stable_rows(whole)
    first, second = (load_state(run / 'checkpoint.pth.tar') for run in (part, whole))
    assert all(torch.equal(first[name], second[name]) for name in second)
