"""The fewest passes that fit into memory: what passes need, and that finding them leaves no trace."""

import copy
import itertools

import pytest
import torch
from torch import nn

import models
from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.regime import Regime
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.gradients.smoothout import SmoothOut
from bigbatch.training.micro_batch import Workload, fewest_passes, find_fit, peak_bytes
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.scoring import summed_criterion
from tests.networks import unchanged

DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU'))]


def test_fewest_passes_by_trying_all_numbers_of_them():
    failures = []
    for num_units, unit in itertools.product((1, 2, 7, 12, 64), (1, 16)):
        sizes = [-(-num_units // passes) * unit for passes in range(1, num_units + 1)]
        for most in range(unit * num_units + 2):
            expected = next((size for size in sizes if size <= most), unit)
            if fewest_passes(num_units * unit, unit, most.__ge__) != expected:
                failures.append((num_units, unit, most))
    assert not failures, failures


def test_peak_of_a_known_sequence():
    kept = torch.zeros(1000)

    def work():
        first = torch.zeros(1000, dtype=torch.float64)  # 8000
        view = first.view(10, 100).t()
        second = kept + 1  # 4000
        del first
        third = torch.cat([second, second])  # 8000, beside 8000 that the view holds, and 4000
        del view, second
        kept.add_(third[:1000])
        torch.zeros(500)

    assert peak_bytes(work) == 20000


def make_workload(*, conv: bool = False, smoothing: bool = False, device: str = 'cpu') -> Workload:
    torch.manual_seed(0)
    shape = (3, 12, 12) if conv else (1, 8, 8)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(800, 4))
    if not conv:
        model = models.create_model('mnist_f1', input_shape=shape, num_classes=4, width=64, depth=3)
    convert_ghost_batch_norm(model, 16).to(device)
    optimizer = RegimeOptimizer(model.parameters(), Regime({0: {'optimizer': 'Adam', 'lr': 0.1}}))
    optimizer.start_epoch(0)
    estimator = PlainGradient()
    if smoothing:
        estimator = SmoothOut(inner=estimator, strength=lambda step: 0.1, ghost_size=16, seed=0)
    examples = torch.randn(20, *shape, device=device), torch.arange(20, device=device) % 4
    settings = {'estimator': estimator, 'optimizer': optimizer, 'examples': examples, 'eval_size': 32}
    return Workload(model=model, criterion=summed_criterion(None), **settings)


@pytest.mark.parametrize('conv', [False, True])
def test_the_bound_on_a_cpu_holds_and_is_near(conv):
    fit, workload = find_fit(make_workload(conv=conv), 2048, 16, 2**40), make_workload(conv=conv)
    assert fit.size == 2048

    def update():
        initial = copy.deepcopy(workload.model.state_dict())
        workload.prepare()
        workload.train(2048)
        return initial

    truth = peak_bytes(update)
    assert truth <= fit.num_bytes < 1.3 * truth


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('conv', [False, True])
def test_less_memory_means_more_passes_of_whole_ghosts_and_smoothout_holds_one_at_a_time(conv, device):
    def found(batch, limit, **settings):
        return find_fit(make_workload(conv=conv, device=device, **settings), batch, 16, limit)

    most = found(1024, 2**33).num_bytes
    fits = [found(1024, int(share * most)) for share in (1.0, 0.7, 0.4)]
    assert all(fit.num_bytes <= fit.limit and fit.size % 16 == 0 for fit in fits)
    assert fits[0].size == 1024 > fits[1].size > fits[2].size > 16
    fit = found(1024, 1000)
    assert fit.size == 16 and fit.num_bytes > fit.limit
    assert not conv or found(256, 2**33, smoothing=True).num_bytes < found(256, 2**33).num_bytes / 2


@pytest.mark.parametrize('device', DEVICES)
def test_nothing_is_left_behind(device):
    workload = make_workload(conv=True, device=device)
    workload.model.add_module('noise', nn.Dropout(0.5))
    workload.model.eval()
    generators = [torch.get_rng_state, *([torch.cuda.get_rng_state] if device == 'cuda' else [])]
    random = [read() for read in generators]
    with unchanged(workload.model):
        find_fit(workload, 256, 16, 2**30)
    assert all(map(torch.equal, random, [read() for read in generators]))
