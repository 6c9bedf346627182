"""Measure the random potential around networks: losses along random directions, row by row, and what they come to.

bigbatch.analysis.potential has the mathematics and its source.
"""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from bigbatch.analysis.objective import open_objective
from bigbatch.analysis.potential import RELATIVE_DISTANCES, Potential, random_direction, summarise_potential
from utils.bar import EvaluationProgress
from utils.command import user_errors
from utils.engine.network import Network
from utils.logs import print_notes
from utils.rows import RowFile
from utils.text_table import text_table

FILE = 'potential.csv'
log = logging.getLogger('bigbatch')


def measure_potential(
    network: Network, folder: Path, *, num_directions: int, seed: int, batch_norm: str, split: str = 'train'
) -> Potential:
    """Measure a network's loss along random directions from its weights; goes on where it was stopped.

    Args:
        folder: of FILE, to which a row is added when it is measured.
        batch_norm: fixed or batch; an untrained network has no running statistics yet, so it needs batch.
        split: whose loss.

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
    places = [(index, relative) for index in range(num_directions) for relative in RELATIVE_DISTANCES]
    missing = [place for place in places if rows.get(**common, direction=place[0], relative_distance=place[1]) is None]
    progress = EvaluationProgress((len(missing) + 1) * loader.num_examples)
    opened = open_objective(network.model, network.criterion, loader, batch_norm=batch_norm, advance=progress.advance)
    with progress, opened as objective:
        print_notes()
        start, norm = objective.solution, float(np.linalg.norm(objective.solution))
        origin = objective.loss(start) if missing else 0.0
        for index, relative in missing:
            loss = objective.loss(start + relative * norm * random_direction(len(start), seed, index))
            rows.add({
                **common, 'checkpoint': network.label, 'direction': index, 'relative_distance': relative,
                'distance': relative * norm, 'loss': loss, 'difference': loss - origin,
            })  # fmt: skip
    found = [rows.row(**common, direction=index, relative_distance=relative) for index, relative in places]
    differences = np.reshape([row['difference'] for row in found], (num_directions, -1))
    return summarise_potential([row['distance'] for row in found[: len(RELATIVE_DISTANCES)]], differences)


def measure_potentials(flags: Namespace, open_networks: Iterable[Callable[[], Network]]) -> str:
    """Measure networks by the flags of measure_sharpness.py one after another and return their potentials as text.

    Rows of a checkpoint that lies in no run go to --results_dir/--save.
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
    places = zip(potential.distances, potential.means, potential.stds, strict=True)
    rows = [[f'{value:.4g}' for value in place] for place in places]
    return '\n'.join([
        label, *text_table(['distance', 'mean difference', 'std of the loss'], rows, left=()),
        f'std ~ distance**(alpha / 2): alpha {potential.alpha:.2f}, R2 {potential.r2:.3f} in logarithms',
    ])  # fmt: skip
