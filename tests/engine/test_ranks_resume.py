"""A run of several ranks that is stopped and gone on with, on as many ranks or on another number of them."""

import pytest
import torch

import main_gbn
from tests.conftest import TINY, read_json
from tests.ranks import assert_same_run, run_on_ranks

PLAIN = (*TINY, '--epochs', '4', '--type', 'torch.DoubleTensor')
FLAGS = (*PLAIN, '-mb', '4')
NOISY = (*FLAGS, '--relu_noise', '0.3')
STOPPED = 10  # update, in the midst of the third epoch

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """A folder of runs: noisy ones of two ranks, plain ones that begin on one or two and end on the other number."""
    folder = tmp_path_factory.mktemp('runs')
    place = ('--results_dir', str(folder))
    assert main_gbn.main([*FLAGS, *place, '--save', 'alone']) == 0
    assert main_gbn.main([*PLAIN, *place, '--save', 'halves', '-mb', '8']) == 0
    assert main_gbn.main([*FLAGS, *place, '--save', 'one_then_two', '--epochs', '2']) == 0
    statuses = run_on_ranks(2, [
        ('main_gbn', *NOISY, *place, '--save', 'noisy'),
        (f'main_gbn:{STOPPED}', *NOISY, *place, '--save', 'noisy_stopped'),
        ('main_gbn', '--resume', str(folder / 'noisy_stopped'), '--checkpoint-minutes', '1e-9'),
        ('main_gbn', '--resume', str(folder / 'one_then_two'), '--epochs', '4'),
        (f'main_gbn:{STOPPED}', *FLAGS, *place, '--save', 'two_then_one'),
        ('main_normal', *PLAIN, *place, '--save', 'per_rank', '--bn-per-rank'),
    ], folder)  # fmt: skip
    text = (folder / 'rank0.txt').read_text()
    assert statuses == [[0, 0], [75, 75], [0, 0], [0, 0], [75, 75], [0, 0]], text[-3000:]
    assert read_json(folder / 'two_then_one' / 'config.json')['status'] == 'interrupted'
    assert main_gbn.main(['--resume', str(folder / 'two_then_one')]) == 0
    return folder


def test_as_many_ranks_go_on_to_the_last_bit(runs):
    assert_same_run(runs / 'noisy', runs / 'noisy_stopped', tolerance=0)
    tables = [(runs / name / 'weight_distance.csv').read_text() for name in ('noisy', 'noisy_stopped')]
    assert tables[0] == tables[1]
    states = torch.load(runs / 'noisy' / 'checkpoint.pth.tar', weights_only=True)['ranks']
    assert len(states) == 2
    assert not torch.equal(states[0]['rng']['torch'], states[1]['rng']['torch'])  # noise is not the same on all


def test_another_number_of_ranks_goes_on_as_well(runs):
    assert_same_run(runs / 'alone', runs / 'one_then_two')
    assert_same_run(runs / 'alone', runs / 'two_then_one')
    assert_same_run(runs / 'halves', runs / 'per_rank')  # batch norm per rank is that of ghosts as large as a rank


def test_a_signal_to_one_rank_is_told_by_the_first(runs):
    lines = (runs / 'rank0.txt').read_text().splitlines()
    told = [line for line in lines if line.startswith('stopped: ')]
    assert [f'in epoch 3 after update {STOPPED + 1}:' in line for line in told] == [True, True], told
    assert 'stopped: ' not in (runs / 'rank1.txt').read_text()
