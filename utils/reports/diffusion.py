"""How the distance from the initial weights grows with the updates of each run: a table of fits for a comparison.

bigbatch.analysis.diffusion says what is fitted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, fields

import pandas as pd

from bigbatch.analysis.diffusion import DiffusionFit, fit_diffusion
from utils.quantities import spread
from utils.reports.groups import Group
from utils.reports.tables import Section
from utils.runs.reader import Run

FEWEST_POINTS = 10
TITLE = 'Diffusion: distance from the initial weights against updates, before the first drop of the rate'
EXPLANATION = (
    'a + b log t: least squares over the points of weight_distance.csv (natural log: b is the growth per factor e of '
    'updates); c t**p: least squares in logarithms. R2 of either: 1 - squared residuals / squared deviations, of the '
    'distances themselves. Mean +- sample standard deviation over the fits of single runs (runs).'
)


def last_step_before_drop(config: dict) -> float:
    """Return the last update before the rate first falls, infinity where it never does.

    Args:
        config: config.json of a run; its regime is the adapted one, with a row for each change. A rise, or the warm-up,
            is no drop.
    """
    rows = config.get('regime') or []
    start_epoch = (config.get('settings') or {}).get('start_epoch') or 0
    for before, row in itertools.pairwise(rows):
        if row.get('lr', math.inf) < before.get('lr', 0.0) and row['epoch'] > start_epoch:
            return (row['epoch'] - start_epoch) * config.get('steps_per_epoch', math.inf)
    return math.inf


def fit_run(run: Run) -> DiffusionFit | None:
    """Fit a run's distances before the first drop of its rate; None where there are fewer than FEWEST_POINTS."""
    points = run.distances.dropna(subset=['step', 'weight_distance'])
    points = points[(points['step'] <= last_step_before_drop(run.config)) & (points['weight_distance'] > 0)]
    if len(points) < FEWEST_POINTS:
        return None
    return fit_diffusion(points['step'], points['weight_distance'])


def diffusion_section(groups: Sequence[Group]) -> Section | None:
    """Return the table of the fits of a comparison, a row a group; None where no run has enough points."""
    fits = [{run.name: fit for run in group.counted if (fit := fit_run(run))} for group in groups]
    if not any(fits):
        return None
    labels = [group.label for group in groups]
    runs = [(name, [fit]) for each in fits for name, fit in each.items()]
    return Section(
        title=TITLE,
        values=pd.DataFrame([_values(list(each.values())) for each in fits]),
        cells=_cells(list(zip(labels, [list(each.values()) for each in fits], strict=True))),
        explanation=EXPLANATION,
        runs=_cells(runs) if len(runs) > len([each for each in fits if each]) else None,
    )


def _values(fits: Sequence[DiffusionFit]) -> dict[str, float]:
    """Return mean and sample deviation of each number, as columns of a CSV."""
    names = [each.name for each in fields(DiffusionFit) if each.name != 'num_points']
    table = pd.DataFrame([asdict(fit) for fit in fits], columns=names, dtype=float).add_prefix('diffusion_')
    stds = table.drop(columns='diffusion_last_step').std().add_suffix('_std')
    return {'diffusion_n': len(fits), **table.mean(), **stds}


def _cells(rows: Sequence[tuple[str, Sequence[DiffusionFit]]]) -> pd.DataFrame:
    """Lay out fits as text, a row for each label and its fits."""
    columns = {
        'a': 'intercept', 'b': 'slope', 'R2 of a + b log t': 'log_r2', 'p': 'exponent', 'R2 of c t**p': 'power_r2'
    }  # fmt: skip
    cells = {'run': [label for label, _ in rows], 'runs': [str(len(fits)) for _, fits in rows]}
    cells['to update'] = [f'{max(fit.last_step for fit in fits):,}' if fits else '-' for _, fits in rows]
    for heading, name in columns.items():
        cells[heading] = [spread([getattr(fit, name) for fit in fits], '.3g') for _, fits in rows]
    return pd.DataFrame(cells, dtype=object)
