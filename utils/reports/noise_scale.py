"""The gradient noise scale of runs that were trained with --noise-scale (McCandlish et al. 2018, arXiv 1812.06162).

results.csv holds for each epoch the mean |G|**2 and tr(Sigma) over its measured updates; here both are smoothed over
epochs, each apart, before one is divided by the other. How they are measured: bigbatch.training.gradients.noise_scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from utils.methods import NoiseScale
from utils.quantities import spread
from utils.reports.groups import Group
from utils.reports.tables import Section

HALF_LIFE = 2.0  # epochs
TITLE = 'Gradient noise scale'
EXPLANATION = (
    'noise scale: tr(Sigma) / |G|**2 in examples, the batch size at which the noise is as large as the gradient, in '
    f'the first, the middle and the last epoch; both moments are smoothed over epochs (half-life {HALF_LIFE:g}) before '
    'they are divided. It is no critical batch size, and goes like 1 / rate. -: |G|**2 is lost in the noise. Mean +- '
    'sample standard deviation over seeds (runs).'
)


def smoothed_noise_scale(results: pd.DataFrame) -> pd.Series:
    """Return the noise scale at each epoch, from both moments smoothed apart up to that epoch.

    Args:
        results: results.csv of a run with the columns of NoiseScale.

    Returns:
        In examples; missing where |G|**2, an unbiased estimate, is not above 0.
    """
    smooth = results[['gradient_norm2', 'gradient_variance']].ewm(halflife=HALF_LIFE).mean()
    norm2 = smooth['gradient_norm2']
    return (smooth['gradient_variance'] / norm2.where(norm2 > 0)).rename('noise_scale')


def noise_scale_section(groups: Sequence[Group]) -> Section | None:
    """Return the table of the noise scales of a comparison, a row a group; None where no run has measured it."""
    measured = {column.name for column in NoiseScale.COLUMNS}
    scales = [
        [smoothed_noise_scale(run.results) for run in group.counted if measured <= set(run.results)] for group in groups
    ]
    if not any(scales):
        return None
    places = {'first': _at(scales, 0.0), 'middle': _at(scales, 0.5), 'last': _at(scales, 1.0)}
    cells = {'run': [group.label for group in groups], 'runs': [str(len(each)) for each in scales]}
    for place, found in places.items():
        cells[f'noise scale, {place}'] = [spread(each.tolist(), '.3g') for each in found]
    values = {f'noise_scale_{place}': [each.mean() for each in found] for place, found in places.items()}
    return Section(TITLE, pd.DataFrame(values, dtype=float), pd.DataFrame(cells, dtype=object), EXPLANATION)


def _at(scales: Sequence[Sequence[pd.Series]], part: float) -> list[pd.Series]:
    """Return for each group the scales of its runs at a part of their epochs, the known ones."""
    found = [[each.iloc[round(part * (len(each) - 1))] for each in runs] for runs in scales]
    return [pd.Series(each, dtype=float).replace([np.inf, -np.inf], np.nan).dropna() for each in found]
