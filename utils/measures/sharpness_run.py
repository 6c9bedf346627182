"""Measure sharpness or the Hessian of networks one after another; what their tables hold already is not measured again.

Rows lie in sharpness.csv or hessian.csv of each network's run, or among the results for a checkpoint that lies in none.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigbatch.analysis.hessian import hessian_trace, top_eigenvalues
from bigbatch.analysis.objective import NUM_JITTERS, NetworkObjective, open_objective
from bigbatch.analysis.sharpness import epsilon_sharpness
from bigbatch.errors import UserError
from bigbatch.seeding import derive_seed
from utils.bar import EvaluationProgress
from utils.command import user_errors
from utils.engine.network import Network
from utils.logs import print_notes
from utils.reports.drawing import draw_page
from utils.reports.sharpness import HESSIAN, SHARPNESS, align, write_csv
from utils.wording import losses_apart

FOLDER = 'sharpness'  # of results, if --save does not name another

log = logging.getLogger('bigbatch')


@dataclass(frozen=True)
class EpsilonSharpness:
    """Metric 2.1 for each epsilon and repetition; see bigbatch.analysis.sharpness."""

    epsilons: Sequence[float]
    manifolds: int  # dimensions of the subspace; 0: full space
    subspace: str
    max_iterations: int
    times: int

    table = SHARPNESS

    def check(self, objective: NetworkObjective) -> None:
        """Refuse what a network of this size and precision cannot be asked for."""
        dim = objective.solution.size
        if not 0 <= self.manifolds <= dim:
            raise UserError(f'--manifolds {self.manifolds}: expected 0 to {dim:,}, the number of parameters')
        rounding = objective.rounding
        for epsilon in self.epsilons:
            if 0 < epsilon < rounding:
                raise UserError(
                    f'--epsilon {epsilon:g}: weights are rounded to {rounding:.1g} of their size, so the box holds '
                    f'nothing but the solution: expected {10 * rounding:.0e} or more, or --type torch.DoubleTensor'
                )

    def settings(self) -> list[dict]:
        """Return what tells the rows of one network apart."""
        subspace = self.subspace if self.manifolds else None
        shared = {'manifolds': self.manifolds, 'subspace': subspace, 'max_iterations': self.max_iterations}
        pairs = itertools.product(self.epsilons, range(self.times))
        return [{**shared, 'epsilon': epsilon, 'repeat': repeat} for epsilon, repeat in pairs]

    def num_passes(self, num_rows: int) -> int:
        """Return about how many passes over the data so many rows take."""
        return num_rows * (self.max_iterations + 4) + 1 + NUM_JITTERS

    def measure(self, objective: NetworkObjective, setting: dict, seed: int) -> dict:
        """Search once: from the solution, or if repeated from a random point, and in a subspace of its own."""
        result = epsilon_sharpness(
            objective, objective.solution, setting['epsilon'], self.manifolds, self.max_iterations,
            derive_seed(seed, 'repeat', setting['repeat']),
            subspace=self.subspace, start='random' if setting['repeat'] else 'solution',
        )  # fmt: skip
        return {
            'start': result.start,
            'loss': result.loss,
            'max_loss': result.max_loss,
            'sharpness': result.sharpness,
            'resolution': objective.resolution,
            'evaluations': result.num_evaluations,
            'nonfinite': result.num_nonfinite,
            'status': result.status,
        }


@dataclass(frozen=True)
class Hessian:
    """Top eigenvalues and trace of the Hessian of the mean loss; see bigbatch.analysis.hessian."""

    num_eigenvalues: int
    trace_samples: int

    table = HESSIAN

    def check(self, objective: NetworkObjective) -> None:
        """Refuse what a network of this size cannot be asked for."""
        num, dim = self.num_eigenvalues, objective.solution.size
        if not 1 <= num < dim:
            raise UserError(f'--num-eigenvalues {num}: expected 1 to {dim - 1:,}, less than the number of parameters')

    def settings(self) -> list[dict]:
        """Return what tells the rows of one network apart."""
        return [{'num_eigenvalues': self.num_eigenvalues, 'trace_samples': self.trace_samples}]

    def num_passes(self, num_rows: int) -> int:
        """Return about how many passes over the data so many rows take."""
        return num_rows * (1 + self.trace_samples + 2 * max(20, 2 * self.num_eigenvalues + 1))

    def measure(self, objective: NetworkObjective, setting: dict, seed: int) -> dict:
        """Measure at the solution."""
        num_before = objective.num_products
        eigenvalues = top_eigenvalues(objective, self.num_eigenvalues, seed=seed)
        trace = hessian_trace(objective, self.trace_samples, seed=seed)
        return {
            'loss': objective.loss(objective.solution),
            'eigenvalues': ' '.join(f'{value:.9g}' for value in eigenvalues),
            'trace': trace.value,
            'trace_error': trace.error,
            'products': objective.num_products - num_before,
        }


Metric = EpsilonSharpness | Hessian


def metric_of(flags: Namespace) -> Metric:
    """Return what the flags of measure_sharpness.py ask for."""
    if flags.metric == 'hessian':
        return Hessian(flags.num_eigenvalues, flags.trace_samples)
    epsilons = tuple(dict.fromkeys(flags.epsilon))
    return EpsilonSharpness(epsilons, flags.manifolds, flags.subspace, flags.max_iterations, flags.times)


def measure_sharpness(flags: Namespace, openers: Iterable[Callable[[], Network]]) -> str:
    """Measure networks one after another and return the table of all of them; the page of each run shows its rows."""
    metric, folder = metric_of(flags), Path(flags.results_dir) / (flags.save or FOLDER)
    combined = folder / f'{metric.table.file.removesuffix(".csv")}_table.csv'
    _check_writable(combined)
    summaries: list[Mapping] = []
    for open_network in openers:
        with user_errors():
            network = open_network()
            rows = _measure_network(network, metric, folder, flags)
        summaries += metric.table.summarise(rows)
        write_csv(combined, summaries)
        if network.run is not None:
            draw_page(network.run)
    log.info('table: %s', combined)
    if apart := losses_apart({row['checkpoint']: row['loss'] for row in summaries}):
        log.warning('%s', apart)
    return align(metric.table.cells(summaries))


def _measure_network(network: Network, metric: Metric, folder: Path, flags: Namespace) -> list[dict]:
    """Return all rows of a network, measuring those that its file lacks."""
    loader, table = getattr(network, flags.mode), metric.table
    place = {
        'digest': network.digest,
        **network.conditions_on(flags.mode),
        'mode': flags.mode,
        'batch_norm': flags.bn,
        'batch_size': loader.batch_size if flags.bn == 'batch' else None,
    }
    file = table.open(network.run or folder)
    keys = [{**place, **setting} for setting in metric.settings()]
    missing = [key for key in keys if file.get(**key) is None]
    log.info('%s: %d of %d rows to measure: %s', network.label, len(missing), len(keys), file.path)
    if missing:
        _check_writable(file.path)
        progress = EvaluationProgress(metric.num_passes(len(missing)) * loader.num_examples)
        model, criterion = network.model, network.criterion
        opened = open_objective(model, criterion, loader, batch_norm=flags.bn, advance=progress.advance)
        with progress, opened as objective:
            metric.check(objective)
            print_notes()
            for key in missing:
                start = time.perf_counter()
                row = {**key, 'checkpoint': network.label, 'examples': loader.num_examples}
                row |= metric.measure(objective, key, network.conditions['seed'])
                row['seconds'] = round(time.perf_counter() - start, 3)
                file.add(row)
                log.info('%s', table.line(row))
    return [{**file.row(**key), 'checkpoint': network.label} for key in keys]


def _check_writable(path: Path) -> None:
    place = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not os.access(place, os.W_OK):
        raise UserError(f'{path}: {place} cannot be written, so there is nowhere to keep what is measured')
