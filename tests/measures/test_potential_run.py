"""The measured random potential: an exponent that is known of a loss, and rows that are not measured twice."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from bigbatch.analysis.potential import random_direction
from data_sets.loader import Batch, MicroBatch
from tests.conftest import read_rows
from utils.measures.potential_run import describe_potential, measure_potential, measure_potentials


class Loader:
    num_examples = batch_size = 32

    def __init__(self):
        self.inputs = torch.randn(32, 12, generator=torch.Generator().manual_seed(0))

    def epoch(self, _):
        def gather(start, stop):
            return MicroBatch(self.inputs[start:stop], torch.zeros(stop - start, dtype=torch.int64), None)

        return [Batch(torch.arange(32), 32, gather)]


@pytest.fixture
def network():
    """A network whose loss is linear in its weights."""
    torch.manual_seed(0)
    model = nn.Linear(12, 1, bias=False).eval()
    return SimpleNamespace(
        model=model, criterion=lambda logits, _: logits[:, 0], train=Loader(), label='linear', digest='abc',
        conditions_on=lambda split: {'model': 'linear'},
    )  # fmt: skip


SETTINGS = {'num_directions': 30, 'seed': 3, 'batch_norm': 'fixed'}


def test_a_linear_loss_has_alpha_2_and_the_deviation_of_its_slope(network, tmp_path):
    before = network.model.weight.detach().clone()
    found = measure_potential(network, tmp_path, **SETTINGS)
    assert (found.alpha, found.r2) == (pytest.approx(2.0, abs=1e-3), pytest.approx(1.0, abs=1e-6))
    slope = network.train.inputs.double().mean(dim=0).numpy()
    slopes = [slope @ random_direction(12, 3, index) for index in range(30)]
    assert found.stds / found.distances == pytest.approx(np.full(9, np.std(slopes, ddof=1)), rel=1e-4)
    assert found.means[-1] == pytest.approx(np.mean(slopes) * found.distances[-1], rel=1e-3)
    assert found.distances[-1] == pytest.approx(before.norm().item())
    assert torch.equal(network.model.weight, before)
    assert 'alpha 2.00, R2 1.000' in describe_potential('linear', found)


def test_rows_are_measured_once_and_a_stopped_measurement_goes_on(network, tmp_path, monkeypatch):
    whole = measure_potential(network, tmp_path / 'whole', **SETTINGS)
    assert len(read_rows(tmp_path / 'whole' / 'potential.csv')) == 30 * 9
    measure_potential(network, tmp_path / 'part', **{**SETTINGS, 'num_directions': 4})
    measure_potential(network, tmp_path / 'part', **SETTINGS)
    assert read_rows(tmp_path / 'part' / 'potential.csv') == read_rows(tmp_path / 'whole' / 'potential.csv')
    monkeypatch.setattr('bigbatch.analysis.objective.NetworkObjective.loss', None)  # not called
    again = measure_potential(network, tmp_path / 'part', **SETTINGS)
    assert again.alpha == whole.alpha


def test_several_networks_are_measured_into_their_runs(network, tmp_path):
    flags = SimpleNamespace(results_dir=str(tmp_path), save='', directions=3, seed=0, bn='fixed', mode='train')
    network.run = tmp_path / 'run'
    foreign = SimpleNamespace(**{**vars(network), 'run': None, 'label': 'foreign'})
    text = measure_potentials(flags, [lambda: network, lambda: foreign])
    assert [part.splitlines()[0] for part in text.split('\n\n')] == ['linear', 'foreign']
    for folder in ('run', 'potential'):
        assert len(read_rows(tmp_path / folder / 'potential.csv')) == 3 * 9
