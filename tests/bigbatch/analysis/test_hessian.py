"""Eigenvalues and traces against dense matrices, and those of networks against torch's own Hessian."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bigbatch.analysis.hessian import estimate_trace, top_eigenvalues
from bigbatch.analysis.objective import open_objective
from bigbatch.training.scoring import summed_criterion
from tests.data_helpers import assert_refused


class OneBatch:
    """A loader of one data set in one batch."""

    def __init__(self, inputs, targets):
        self._batch, self.num_examples, self.batch_size = (inputs, targets, None), len(targets), len(targets)

    def epoch(self, number):
        """Yield the batch."""
        yield [self._batch]


def symmetric(rng, eigenvalues):
    n = len(eigenvalues)
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return basis @ np.diag(eigenvalues) @ basis.T


def test_top_eigenvalues_of_a_matrix():
    eigenvalues = np.concatenate([[9.0, 7.0, 6.5], np.linspace(-30, 2, 57)])  # -30 is larger in size only
    matrix = symmetric(np.random.default_rng(0), eigenvalues)
    for num in (1, 3):
        assert np.allclose(top_eigenvalues(lambda v: matrix @ v, 60, num), eigenvalues[:num], rtol=1e-3)
    for num in (0, 60, 61):
        refused = functools.partial(top_eigenvalues, lambda v: v, 60, num)
        assert_refused(f'--num-eigenvalues {num}: expected 1 to 59', refused)


def test_the_trace_of_a_matrix_is_within_three_standard_errors():
    matrix = symmetric(np.random.default_rng(0), np.linspace(-3, 10, 50))
    misses = []
    for seed in range(20):
        trace, error = estimate_trace(lambda v: matrix @ v, 50, 100, seed=seed)
        misses.append((trace - np.trace(matrix)) / error)
    assert np.abs(misses).max() < 3
    assert 0.5 < np.std(misses) < 1.7  # so the error says how far off the estimate is
    assert estimate_trace(lambda v: v * np.arange(50), 50, 2)[0] == np.arange(50).sum()  # exact for diagonal ones
    assert np.isnan(estimate_trace(lambda v: v, 4, 1)[1])  # one sample has no error


@pytest.mark.parametrize('mode', ['fixed', 'batch'])
def test_the_hessian_of_a_network_equals_that_of_torch(mode):
    """With batch norm, in-place ReLU and max pooling, as the networks here have them."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(inplace=True), nn.Linear(3, 3),
    ).double()  # fmt: skip
    inputs, targets = torch.randn(40, 1, 6, 6, dtype=torch.float64), torch.arange(40) % 3
    for _ in range(3):
        model(inputs)
    model.train(mode == 'batch')
    names, shapes = zip(*[(name, p.shape) for name, p in model.named_parameters()], strict=True)
    buffers = {name: value.clone() for name, value in model.named_buffers()}

    def loss(x):
        pieces = x.split([shape.numel() for shape in shapes])
        weights = {name: piece.view(shape) for name, piece, shape in zip(names, pieces, shapes, strict=True)}
        copies = {name: value.clone() for name, value in buffers.items()}
        return F.cross_entropy(torch.func.functional_call(model, {**weights, **copies}, (inputs,)), targets)

    x = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    dense = torch.autograd.functional.hessian(loss, x).numpy()
    model.eval()
    with open_objective(model, summed_criterion(None), OneBatch(inputs, targets), batch_norm=mode) as objective:
        solution = objective.solution

        def product(vector):
            return objective.hessian_product(solution, vector)

        columns = np.stack([product(column) for column in np.eye(solution.size)])
        assert np.allclose(columns, dense, rtol=1e-8, atol=1e-10)
        assert np.allclose(top_eigenvalues(product, x.numel(), 2), np.linalg.eigvalsh(dense)[:-3:-1], rtol=1e-3)
        trace, error = estimate_trace(product, x.numel(), 40)
        assert abs(trace - np.trace(dense)) < 3 * error
