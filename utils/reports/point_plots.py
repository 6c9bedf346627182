"""What a comparison shows besides curves: error and sharpness against batch size and the like, for pages and figures.

Figures 4 to 6 of Keskar et al. 2016 (arXiv 1609.04836) and figure 1 of Hoffer et al. 2017 (arXiv 1705.08741) are such
plots. Sharpness comes from sharpness.csv in the run folders.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bigbatch.errors import UserError
from bigbatch.messages import counted
from utils.config.every import names_of
from utils.quantities import spread
from utils.reports.groups import Group, varying_between
from utils.reports.sharpness import SHARPNESS
from utils.reports.tables import Section
from utils.runs.reader import Run
from utils.settings import Means

FEWEST = 3  # places on the x axis that make a plot
MOST_SAID = 2  # settings of a family of which it is said that it lacks them; with more, only those that it has
WITHOUT = 'without what the others have'
EPOCH_FILE = re.compile(r'checkpoint_epoch_(\d+)(?:\.pth\.tar)?$')
SECTION = (
    '100 (worst loss - loss) / (1 + loss) in a box around the weights (metric 2.1 of Keskar et al. 2016), at the last '
    'epoch that was measured; mean +- sample standard deviation over seeds (runs).'
)

log = logging.getLogger('bigbatch')


@dataclass(frozen=True)
class PointPlot:
    """Points with error bars, joined by lines."""

    name: str  # of its file
    title: str
    x: str  # column of points on the x axis
    x_label: str  # quantity and unit
    y_label: str
    names: list[str]  # of the lines; several of one name look alike
    points: pd.DataFrame  # columns curve (position in names, ascending), x, mean, std (missing for one run), n
    by_group: bool = False  # whether the names are labels of groups, in whose colours they are drawn
    log_base: float | None = None  # of the x axis
    has_ticks: bool = True  # whether the ticks stand at the points


def point_plots(groups: Sequence[Group], summary: pd.DataFrame) -> list[PointPlot]:
    """Return the plots that the groups have enough points for; summary is that of summarise, for the same groups."""
    rows = sharpness_rows(groups)
    errors = {'mean': 100 - summary['val_accuracy'], 'std': summary['val_accuracy_std'], 'n': summary['n']}
    table = pd.DataFrame(errors).astype(float).reset_index(drop=True)
    measures = [('error', 'Final error', 'validation error@1 (%), last epoch', table)]
    for index, (setting, part) in enumerate(rows.groupby('setting', sort=False)):
        name = 'sharpness' if index == 0 else f'sharpness_{index + 1}'
        measures.append((name, f'Sharpness ({setting})', 'sharpness (metric 2.1)', _last_sharpness(groups, part)))
    plots = [_against(groups, *measure, **x_axis) for x_axis in _x_axes(groups) for measure in measures]
    plots += [_against_loss(groups, part, setting, index) for index, (setting, part) in
              enumerate(rows.groupby('setting', sort=False))]  # fmt: skip
    return [plot for plot in plots if plot is not None]


def sharpness_section(groups: Sequence[Group]) -> Section | None:
    """Return the table of measured sharpness, a row a group and a column a setting; None where nothing was measured."""
    rows = sharpness_rows(groups)
    if rows.empty:
        return None
    cells, values = {'run': [group.label for group in groups]}, {}
    for setting, part in rows.groupby('setting', sort=False):
        last = _last_rows(part)
        found = [last.loc[last['group'] == place, 'sharpness'].tolist() for place in range(len(groups))]
        cells[f'sharpness, {setting}'] = [spread(each, '.4g', has_count=True) for each in found]
        values[f'sharpness {setting}'] = [np.mean(each) if each else np.nan for each in found]
        values[f'sharpness {setting} std'] = [np.std(each, ddof=1) if len(each) > 1 else np.nan for each in found]
    title = 'Sharpness of the last epoch that was measured'
    return Section(title, pd.DataFrame(values), pd.DataFrame(cells, dtype=object), SECTION)


def sharpness_rows(groups: Sequence[Group]) -> pd.DataFrame:
    """Return what was measured of the counted runs, a row a checkpoint and setting, means over repetitions.

    Columns: group and run (positions), setting (in words), epoch (infinite for the latest checkpoint), loss, sharpness.
    """
    runs = [(place, run) for place, group in enumerate(groups) for run in group.counted]
    rows = [
        {'group': place, 'run': number, **row} for number, (place, run) in enumerate(runs) for row in _read_rows(run)
    ]
    columns = ['group', 'run', 'setting', 'epoch', 'digest', 'loss', 'sharpness']
    table = pd.DataFrame(rows, columns=columns)
    # of a latest checkpoint that was measured more than once, between which it was trained, the last holds
    by = [name for name in columns if name not in ('loss', 'sharpness')]
    means = table.groupby(by, sort=False, as_index=False)[['loss', 'sharpness']].mean()
    return means.drop_duplicates([name for name in by if name != 'digest'], keep='last').drop(columns='digest')


def batch_settings() -> list[str]:
    """Return the settings that name the batch size or follow from it; a line joins groups that differ in no other.

    The adapted regime differs between groups only where another setting does, or where it is the batch size's doing.
    """
    return [*names_of(Means.SIZE), 'num_epochs', 'regime']


def families(groups: Sequence[Group], ignored: Sequence[str]) -> list[str]:
    """Return for each group the settings that it shares with those that differ from it in the ignored ones alone."""
    settings = varying_between(groups).drop(columns=list(ignored), errors='ignore')
    without = settings.drop(columns='script', errors='ignore')
    if len(without.drop_duplicates()) == len(settings.drop_duplicates()):
        settings = without  # ghost batch norm tells main_gbn.py from main_normal.py already
    names = [name.replace('_', ' ') for name in settings]
    rows = settings.to_numpy().tolist()
    phrases = [list(map(_phrase, names, row)) for row in rows]
    if len(names) > MOST_SAID:
        phrases = [[each for each in row if not each.startswith('no ')] or [WITHOUT] for row in phrases]
    return [', '.join(row) for row in phrases]


def _phrase(name: str, value: str) -> str:
    return f'no {name}' if value in ('-', 'no') else name if value == 'yes' else f'{name} {value}'


def _read_rows(run: Run) -> Iterator[dict]:
    try:
        rows = SHARPNESS.open(run.folder).rows()
    except UserError as error:
        log.warning('sharpness of %s is left out: %s', run.name, error)
        return
    for row in rows:
        epoch = EPOCH_FILE.search(str(row['checkpoint']))
        if epoch or '/' not in str(row['checkpoint']):
            place = {'epoch': float(epoch[1]) if epoch else np.inf, 'digest': row['digest']}
            yield {**place, 'setting': _setting(row), 'loss': row['loss'], 'sharpness': row['sharpness']}


def _setting(row: dict) -> str:
    """Say what a row was measured with, as far as it is not what is usual."""
    words = [f'epsilon {row["epsilon"]:g}']
    words += [f'{row["manifolds"]}-dim {row["subspace"]}'] if row['manifolds'] else []
    words += ['validation set'] if row['mode'] != 'train' else []
    words += [f'batch statistics of {row["batch_size"]}'] if row['batch_norm'] == 'batch' else []
    words += [counted(int(row['num_examples']), 'example')] if row['num_examples'] else []
    words += ['augmented'] if row['augment'] else []
    words += [f'{row["max_iterations"]} iterations'] if row['max_iterations'] != 10 else []
    return ', '.join(words)


def _last_rows(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values('epoch', kind='stable').drop_duplicates('run', keep='last')


def _last_sharpness(groups: Sequence[Group], rows: pd.DataFrame) -> pd.DataFrame:
    by_group = _last_rows(rows).groupby('group')['sharpness']
    table = pd.DataFrame({'mean': by_group.mean(), 'std': by_group.std(), 'n': by_group.count()})
    return table.reindex(range(len(groups))).astype(float)


def _x_axes(groups: Sequence[Group]) -> Iterator[dict]:
    """Yield the quantities that groups may be plotted against, with a value for each group or none."""
    sizes = [{run.settings.get('batch_size') for run in group.runs} for group in groups]
    yield {
        'x': 'batch_size', 'what': 'batch size', 'x_label': 'batch size (examples per update)', 'log_base': 2.0,
        'places': [float(each.pop() or np.nan) if len(each) == 1 else np.nan for each in sizes],
        'ignored': batch_settings(),
    }  # fmt: skip
    starts = [{EPOCH_FILE.search(str(run.settings.get('init_from'))) for run in group.runs} for group in groups]
    epochs = [{match and float(match[1]) for match in each} for each in starts]
    yield {
        'x': 'start_epoch', 'what': 'epoch that it started from', 'x_label': 'epoch of the run that it started from',
        'log_base': None, 'places': [each.pop() or np.nan if len(each) == 1 else np.nan for each in epochs],
        'ignored': (*names_of(Means.RUN), 'regime'),
    }  # fmt: skip


def _against(
    groups: Sequence[Group], name: str, measured: str, y_label: str, values: pd.DataFrame, *,
    x: str, what: str, x_label: str, log_base: float | None, places: Sequence[float], ignored: Sequence[str],
) -> PointPlot | None:  # fmt: skip
    """Plot a measure of each group against one of its settings, a line for groups that agree in all others."""
    points = values.assign(**{x: places}).dropna(subset=[x, 'mean'])
    if points[x].nunique() < FEWEST:
        return None
    members = [groups[place] for place in points.index]
    curve, names = pd.factorize(pd.Series(families(members, ignored), dtype=object))
    if is_unlike := len(names) == len(members):  # no two are joined: the names of the rows say more than their settings
        names = [group.label for group in members]
    points = points.assign(curve=curve).sort_values(['curve', x], kind='stable').reset_index(drop=True)
    file = f'{name}_vs_{"starting_epoch" if x == "start_epoch" else x}'
    title = f'{measured} against {what}'
    return PointPlot(file, title, x, x_label, y_label, list(names), points, by_group=is_unlike, log_base=log_base)


def _against_loss(groups: Sequence[Group], rows: pd.DataFrame, setting: str, index: int) -> PointPlot | None:
    """Plot sharpness against loss where runs were measured along their training, a line a run."""
    counts = rows['run'].map(rows['run'].value_counts())
    rows = rows[counts >= FEWEST].sort_values(['run', 'loss'], kind='stable')
    if rows.empty:
        return None
    curve, _ = pd.factorize(rows['run'])
    names = [groups[place].label for place in rows.drop_duplicates('run')['group']]
    points = pd.DataFrame({'curve': curve, 'loss': rows['loss'], 'mean': rows['sharpness'], 'std': np.nan, 'n': 1.0})
    return PointPlot(
        f'sharpness_vs_loss{f"_{index + 1}" if index else ""}', f'Sharpness along training, {setting}', 'loss',
        'training loss' if 'validation' not in setting else 'validation loss', 'sharpness (metric 2.1)', names,
        points.reset_index(drop=True), by_group=True, log_base=10.0, has_ticks=False,
    )  # fmt: skip
