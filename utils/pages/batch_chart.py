"""The chart of final error against batch size, the question of the project in one figure."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from utils.compare import Group, varying_between
from utils.looks import COLORS, DASHES
from utils.pages.charts import Chart, Look, legend, line_chart, use_ticks

FEWEST_SIZES = 3
# Settings that name the batch size or follow from it; groups that differ in nothing else are joined by a line.
# The adapted regime differs between groups only where another setting does, or where it is the batch size's doing.
BATCH_SETTINGS = ('batch_size', 'micro_batch_size', 'batch_multiplier', 'num_epochs', 'regime')


def batch_chart(groups: Sequence[Group], summary: pd.DataFrame) -> Chart | None:
    """Return the chart, or None where fewer than three batch sizes have results.

    Args:
        groups: from group_runs.
        summary: from summarise, for the same groups.
    """
    curve, names = pd.factorize(pd.Series(families(groups), dtype=object))
    points = pd.DataFrame({
        'curve': curve,
        'batch_size': summary['batch_size'].astype(float),
        'mean': 100 - summary['val_accuracy'].astype(float),
        'std': summary['val_accuracy_std'].astype(float),
        'n': summary['n'].astype(float),
    })
    points = points.dropna(subset=['batch_size', 'mean']).sort_values(['curve', 'batch_size'], kind='stable')
    sizes = sorted(points['batch_size'].unique())
    if len(sizes) < FEWEST_SIZES:
        return None
    looks = [
        Look(name, COLORS[index % len(COLORS)], DASHES[index // len(COLORS) % len(DASHES)])
        for index, name in enumerate(names)
    ]
    chart = line_chart(
        'Final error against batch size', looks, points, x_labels={'batch_size': 'batch size'}, x='batch_size',
        y_label='validation error@1 (%), last epoch', log_x=True, parts=('bars', 'marks'),
        legend=legend(looks) if len(looks) > 1 else '',
    )  # fmt: skip
    if chart:
        use_ticks(chart, sizes)
    return chart


def families(groups: Sequence[Group]) -> list[str]:
    """Return for each group the settings that it shares with those that differ from it in batch size alone."""
    settings = varying_between(groups).drop(columns=list(BATCH_SETTINGS), errors='ignore')
    without = settings.drop(columns='script', errors='ignore')
    if len(without.drop_duplicates()) == len(settings.drop_duplicates()):
        settings = without  # ghost batch norm tells main_gbn.py from main_normal.py already
    names = [name.replace('_', ' ') for name in settings]
    rows = settings.to_numpy().tolist()
    return [', '.join(map(_phrase, names, row)) for row in rows]


def _phrase(name: str, value: str) -> str:
    return f'no {name}' if value in ('-', 'no') else name if value == 'yes' else f'{name} {value}'
