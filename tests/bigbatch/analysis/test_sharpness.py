"""Sharpness against functions whose largest value in the box is known."""

import functools
import itertools

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from bigbatch.analysis.box import build_box, draw_matrix
from bigbatch.analysis.sharpness import epsilon_sharpness
from tests.data_helpers import assert_refused

EPSILON = 0.2  # a box so wide that mistakes are large


def quadratic(hessian, centre, level=0.0):
    """Return level + (y - centre)' hessian (y - centre) / 2 as an objective."""
    return lambda y: (level + 0.5 * (y - centre) @ hessian @ (y - centre), hessian @ (y - centre))


def box_of(x, epsilon=EPSILON):
    return epsilon * (np.abs(x) + 1)


def rotated(rng, n, eigenvalues):
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return basis @ np.diag(eigenvalues) @ basis.T


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def test_linear_and_diagonal_functions(rng):
    x, slope = rng.normal(size=40), rng.normal(size=40) * 10 ** rng.uniform(-6, 2, 40)
    result = epsilon_sharpness(lambda y: (slope @ y + 500, slope), x, EPSILON)
    assert result.sharpness == pytest.approx(100 * box_of(x) @ np.abs(slope) / (1 + slope @ x + 500), rel=1e-9)
    assert result.num_evaluations == 2
    for spread in (0, 1, 3):
        curvature = 10 ** rng.uniform(-spread, spread, 40)
        centre = x + box_of(x) * rng.uniform(-2, 2, 40) * rng.integers(0, 2, 40)  # some are at their minimum
        result = epsilon_sharpness(quadratic(np.diag(curvature), centre), x, EPSILON)
        assert result.max_loss == pytest.approx(0.5 * curvature @ (np.abs(x - centre) + box_of(x)) ** 2, rel=1e-9)
        centre = x + box_of(x) * rng.uniform(-2, 2, 40)
        result = epsilon_sharpness(quadratic(-np.diag(curvature), centre, level=9.0), x, EPSILON)
        outside = np.maximum(np.abs(x - centre) - box_of(x), 0)
        assert result.max_loss == pytest.approx(9.0 - 0.5 * curvature @ outside**2, rel=1e-9)


def test_rotated_concave_functions(rng):
    x, root = rng.normal(size=6), rotated(rng, 6, 10 ** rng.uniform(-0.5, 0.5, 6))
    centre = x + box_of(x) * rng.uniform(-2, 2, 6)
    result = epsilon_sharpness(quadratic(-root @ root, centre, level=1.0), x, EPSILON, max_iterations=100)
    other = lsq_linear(root, root @ centre, (x - box_of(x), x + box_of(x)), method='bvls')
    assert result.max_loss == pytest.approx(1.0 - other.cost, abs=1e-9)


def test_rotated_convex_functions_against_all_corners(rng):
    for n in (2, 3, 5, 8):
        x = rng.normal(size=n)
        centre = x + box_of(x) * rng.uniform(-1, 1, n) * rng.choice([0, 1])
        objective = quadratic(rotated(rng, n, 10 ** rng.uniform(-2, 2, n)), centre)
        corners = [objective(x + box_of(x) * signs)[0] for signs in itertools.product([-1, 1], repeat=n)]
        found = [
            epsilon_sharpness(objective, x, EPSILON, seed=seed, start='random' if seed else 'solution').max_loss
            for seed in range(50)
        ]
        assert max(found) == pytest.approx(max(corners), rel=1e-6)
        assert all(value <= max(corners) * (1 + 1e-12) for value in found)


def test_points_are_inside_the_box_counted_and_the_best_is_kept_with_its_loss(rng):
    x = rng.normal(size=30) * 10 ** rng.uniform(-8, 8, 30)
    weights, frequency = 1 / box_of(x, 1e-3), rng.uniform(1, 5, 30)

    def objective(y):
        inner = weights * (y - x)
        losses[y.tobytes()] = float(np.sin(frequency * inner).sum() + 40)
        assert np.all(np.abs(y - x) <= box_of(x, 1e-3))
        return losses[y.tobytes()], frequency * weights * np.cos(frequency * inner)

    for start in ('solution', 'random'):
        losses = {}
        result = epsilon_sharpness(objective, x, 1e-3, start=start)
        assert losses[result.point.tobytes()] == result.max_loss == max(losses.values())
        assert result.max_loss > result.loss == losses[x.tobytes()] == pytest.approx(40)
        assert (result.start, result.num_evaluations, result.num_nonfinite) == (start, len(losses), 0)
        assert result.status.startswith(('CONVERGENCE', 'STOP'))


def test_a_stationary_solution_is_left_at_a_seeded_random_point():
    objective = quadratic(np.diag([1.0, 3.0]), np.ones(2))
    results = [epsilon_sharpness(objective, np.ones(2), EPSILON, seed=seed) for seed in (1, 1, 2, 3)]
    assert [result.start for result in results] == ['random'] * 4
    assert np.array_equal(results[0].point, results[1].point)
    assert [result.max_loss for result in results] == pytest.approx([0.5 * 4 * 0.4**2] * 4)


def test_a_constant_function_and_a_box_without_width_have_sharpness_0():
    flat = epsilon_sharpness(lambda y: (2.0, np.zeros(3)), np.ones(3), EPSILON)
    assert (flat.sharpness, flat.max_loss) == (0.0, 2.0)
    point = epsilon_sharpness(quadratic(np.eye(3), np.zeros(3)), np.ones(3), 0)
    assert (point.sharpness, point.num_evaluations) == (0.0, 1)
    assert np.array_equal(point.point, np.ones(3))


def test_values_that_are_not_finite_are_no_improvement():
    inner = quadratic(np.eye(4), np.zeros(4))

    def objective(y, at_loss, at_gradient):
        loss, gradient = inner(y)
        is_near = np.abs(y - 1).max() <= 0.15
        return (loss, gradient) if is_near else (loss + at_loss, gradient + at_gradient)

    for added in ((np.nan, 0), (np.inf, 0), (0, np.nan), (0, np.inf)):
        result = epsilon_sharpness(lambda y: objective(y, *added), np.ones(4), EPSILON)  # noqa: B023
        assert result.num_nonfinite > 0, added  # the box ends at 1.4
        assert np.abs(result.point - 1).max() <= 0.15, added
        assert result.max_loss > inner(np.full(4, 1.1))[0], added


@pytest.mark.parametrize('subspace', ['gaussian', 'unit'])
def test_a_subspace_is_that_of_metric_2_1(rng, subspace):
    x, slope = rng.normal(size=50), rng.normal(size=50)
    matrix = draw_matrix(50, 4, seed=3, subspace=subspace).astype(float)
    half_width = EPSILON * (np.abs(np.linalg.pinv(matrix) @ x) + 1)
    result = epsilon_sharpness(lambda y: (slope @ y + 99, slope), x, EPSILON, 4, seed=3, subspace=subspace)
    assert result.max_loss - result.loss == pytest.approx(half_width @ np.abs(matrix.T @ slope), rel=1e-6)
    assert np.allclose(result.point, x + matrix @ result.coordinates, rtol=0, atol=1e-12)
    assert np.all(np.abs(result.coordinates) <= half_width * (1 + 1e-9))


def test_convex_functions_in_a_subspace_against_all_corners(rng):
    x, centre = rng.normal(size=20), 50 * rng.normal(size=20)  # so far off that the slope points to the right corner
    objective = quadratic(rotated(rng, 20, 10 ** rng.uniform(-2, 2, 20)), centre)
    found, largest = [], []
    for seed in range(4):
        box = build_box(x, EPSILON, 3, seed=seed)
        largest.append(max(objective(box.point(np.array(u)))[0] for u in itertools.product([-1, 1], repeat=3)))
        found.append(epsilon_sharpness(objective, x, EPSILON, 3, seed=seed).max_loss)
    assert np.all(np.array(found) <= np.array(largest) * (1 + 1e-9))
    assert found == pytest.approx(largest, rel=1e-6)
    assert len(set(found)) == 4


def test_matrices_are_a_function_of_the_seed():
    first, again, other = (draw_matrix(5000, 7, seed=seed, subspace='gaussian') for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.dtype == np.float32
    assert (first.mean(), first.std()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))
    unit = draw_matrix(5000, 7, seed=1, subspace='unit')
    assert np.allclose(np.linalg.norm(unit, axis=0), 1, atol=1e-5)
    assert np.allclose(unit * np.linalg.norm(first, axis=0), first, atol=1e-5)


def test_arguments_that_cannot_hold_are_refused():
    objective = quadratic(np.eye(3), np.zeros(3))
    for message, arguments in (
        ('4: expected 0 to 3, the number of parameters', {'subspace_dim': 4}),
        ('-1: expected 0 to 3', {'subspace_dim': -1}),
        ('epsilon -0.1', {'epsilon': -0.1}),
        ('epsilon nan', {'epsilon': np.nan}),
        ("subspace 'ball'.*gaussian, unit", {'subspace': 'ball', 'subspace_dim': 2}),
        ("start 'corner'.*solution, random", {'start': 'corner'}),
        ('0 iterations', {'max_iterations': 0}),
        (r'shape \(0,\)', {'x': []}),
        (r'shape \(1, 3\)', {'x': [[1.0, 2.0, 3.0]]}),
        ('finite', {'x': [1.0, np.nan, 3.0]}),
        ('not finite', {'objective': lambda y: (np.nan, np.zeros(3))}),
    ):
        arguments = {'objective': objective, 'x': np.ones(3), **arguments}
        assert_refused(message, functools.partial(epsilon_sharpness, **arguments))
