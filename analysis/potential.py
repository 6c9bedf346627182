"""How the loss varies with the distance from a point of weight space: the random potential behind the diffusion law.

Hoffer et al. 2017 (arXiv 1705.08741), section 3 and appendix: where E (L(w1) - L(w2))**2 ~ norm(w1 - w2)**alpha, a
random walk over the loss travels like (log t)**(2 / alpha). They find alpha about 2: the standard deviation of the loss
grows in proportion to the distance. Measured here: losses at given distances along random directions from a network's
weights, those of `initial.pth.tar` as in the paper, or any other.
"""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.diffusion import r_squared
from analysis.objective import open_objective
from utils.command import user_errors
from utils.network import Network
from utils.progress import EvaluationProgress
from utils.rows import RowFile
from utils.seeding import derive_seed

FILE = 'potential.csv'
RELATIVE_DISTANCES = (0.01, 0.018, 0.032, 0.056, 0.1, 0.18, 0.32, 0.56, 1.0)  # to the norm of the weights

log = logging.getLogger('bigbatch')


@dataclass(frozen=True)
class Potential:
    """What the losses along random directions come to.

    Args:
        distances: from the start, (k,).
        stds: sample standard deviation of the loss over the directions, (k,).
        means: of the loss differences from the start, (k,).
        alpha: of std ~ distance**(alpha / 2), least squares in logarithms.
        r2: of that fit, in logarithms.
    """

    distances: np.ndarray
    stds: np.ndarray
    means: np.ndarray
    alpha: float
    r2: float


def random_direction(dim: int, seed: int, index: int) -> np.ndarray:
    """Return a point of the unit sphere, uniform over it, float64 (dim,); another one for each seed and index."""
    direction = np.random.default_rng(derive_seed(seed, 'potential', index)).standard_normal(dim)
    return direction / np.linalg.norm(direction)


def summarise_potential(distances: Sequence[float], differences: np.ndarray) -> Potential:
    """Summarise loss differences and fit the exponent.

    Args:
        distances: (k,), above 0.
        differences: (directions, k).

    Raises:
        ValueError: fewer than two directions or distances at which the loss varies.
    """
    distances, differences = np.asarray(distances, dtype=float), np.asarray(differences, dtype=float)
    if len(differences) < 2:
        raise ValueError(f'{len(differences)} random direction: a deviation needs at least 2')
    stds = differences.std(axis=0, ddof=1)
    varies = np.isfinite(stds) & (stds > 0)
    if varies.sum() < 2:
        raise ValueError('the loss varies at fewer than 2 of the distances: larger ones are needed')
    logs, values = np.log(distances[varies]), np.log(stds[varies])
    slope, level = np.polyfit(logs, values, 1)
    r2 = r_squared(values, level + slope * logs)
    return Potential(distances, stds, differences.mean(axis=0), alpha=float(2 * slope), r2=r2)


def measure_potential(
    network: Network, folder: Path, *, num_directions: int, seed: int, batch_norm: str, split: str = 'train',
    relative_distances: Sequence[float] = RELATIVE_DISTANCES,
) -> Potential:  # fmt: skip
    """Measure a network's loss along random directions from its weights; goes on where it was stopped.

    Args:
        folder: of FILE, to which a row is added when it is measured.
        batch_norm: fixed or batch; an untrained network has no running statistics yet, so it needs batch.
        split: whose loss.
        relative_distances: in units of the norm of the weights.

    Raises:
        ValueError: see summarise_potential, or a network that cannot be measured so.
    """
    loader = getattr(network, split)
    common = {
        'digest': network.digest, **network.conditions_on(split), 'seed': seed, 'split': split, 'bn': batch_norm,
        'batch_size': loader.batch_size if batch_norm == 'batch' else None,
    }  # fmt: skip
    key = (*common, 'direction', 'relative_distance')
    rows = RowFile(folder / FILE, ('checkpoint', *key, 'distance', 'loss', 'difference'), key)
    log.info('rows: %s', rows.path)
    places = [(index, relative) for index in range(num_directions) for relative in relative_distances]
    missing = [place for place in places if rows.get(**common, direction=place[0], relative_distance=place[1]) is None]
    with (
        EvaluationProgress((len(missing) + 1) * loader.num_examples) as progress,
        open_objective(
            network.model, network.criterion, loader, batch_norm=batch_norm, advance=progress.advance
        ) as objective,
    ):
        start, norm = objective.solution, float(np.linalg.norm(objective.solution))
        origin = objective.loss(start) if missing else None
        for index, relative in missing:
            loss = objective.loss(start + relative * norm * random_direction(len(start), seed, index))
            rows.add({
                **common, 'checkpoint': network.label, 'direction': index, 'relative_distance': relative,
                'distance': relative * norm, 'loss': loss, 'difference': loss - origin,
            })  # fmt: skip
    found = [rows.get(**common, direction=index, relative_distance=relative) for index, relative in places]
    differences = np.reshape([row['difference'] for row in found], (num_directions, -1))
    return summarise_potential([row['distance'] for row in found[: len(relative_distances)]], differences)


def measure_potentials(flags: Namespace, open_networks: Iterable[Callable[[], Network]]) -> str:
    """Measure networks one after another and return their potentials as text.

    Args:
        flags: of measure_sharpness.py; rows of a checkpoint that lies in no run go to --results_dir/--save.
        open_networks: each opens one.
    """
    texts = []
    for open_network in open_networks:
        with user_errors():
            network = open_network()
            potential = measure_potential(
                network, network.run or Path(flags.results_dir) / (flags.save or 'potential'),
                num_directions=flags.directions, seed=flags.seed, batch_norm=flags.bn, split=flags.mode,
            )  # fmt: skip
        texts.append(describe_potential(network.label, potential))
    return '\n\n'.join(texts)


def describe_potential(label: str, potential: Potential) -> str:
    """Lay out a potential as text: a row a distance, then the exponent."""
    lines = [label, f'{"distance":>12}{"mean difference":>18}{"std of the loss":>18}']
    for row in zip(potential.distances, potential.means, potential.stds, strict=True):
        lines.append(f'{row[0]:>12.4g}{row[1]:>18.4g}{row[2]:>18.4g}')
    lines.append(f'std ~ distance**(alpha / 2): alpha {potential.alpha:.2f}, R2 {potential.r2:.3f} in logarithms')
    return '\n'.join(lines)
