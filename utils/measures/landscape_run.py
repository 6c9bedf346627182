"""Measure a network on a line, a row a point, and draw what was measured.

The folder holds line.json (what was asked for), line.csv (a row a point, written when it is measured), line.html and
line.pdf. The same call goes on where it was stopped; another one is refused there.
"""

from __future__ import annotations

import json
import logging
import re
import textwrap
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bigbatch.analysis.landscape import Around, Between, statistics
from bigbatch.errors import UserError
from bigbatch.training.batch_norm import check_batches
from bigbatch.training.scoring import score
from bigbatch.weights import restored, weight_distance
from utils.bar import EvaluationProgress
from utils.command import user_errors
from utils.engine.network import Network
from utils.files import write_atomically
from utils.reports.figures.landscape import write_landscape_figure
from utils.reports.landscape import ROWS, SETTINGS
from utils.reports.pages.landscape_page import write_landscape_page
from utils.rows import RowFile
from utils.runs.checkpoint import load_file
from utils.runs.layout import INITIAL
from utils.wording import losses_apart

LONGEST_NAME = 80  # characters of a network's label in the name of a folder

log = logging.getLogger('bigbatch')


def line_between(flags: Namespace, open_end: Callable[[str], Network]) -> Path:
    """Measure and draw what the flags of visualize_sharpness.py ask for and return the folder.

    Raises:
        UserError: the networks differ in more than their weights, or the folder holds something else.
    """
    with user_errors():
        network, end = (open_end(path) for path in (flags.evaluate, flags.slave_evaluate))
        _check_pair(network, end)
        _check_batches(network, flags)
        folder = _open_folder(flags, _folder_name([network, end], mode=flags.mode, bn=flags.bn), {
            'kind': 'line', 'names': [network.label, end.label], 'paths': [str(network.path), str(end.path)],
            'distances': _distances(network, end),
            'settings': _settings(network, flags, digests=[network.digest, end.digest], mode=flags.mode),
        })  # fmt: skip
    with restored(network.model):
        line = Between(network.model, end.model.state_dict(), mode=flags.mode, bn=flags.bn)
        rows = _measure(network, [({'alpha': alpha}, line) for alpha in flags.alpha], folder, flags)
    _warn_of_clamped(rows)
    ends = {row['alpha']: row[f'{_splits(flags)[0]}_loss'] for row in rows if row['alpha'] in (0, 1)}
    names = {0: network.label, 1: end.label}
    if len(ends) == 2 and (apart := losses_apart({names[alpha]: loss for alpha, loss in ends.items()})):
        log.warning('%s', apart)
    _draw(folder)
    return folder


def directions_around(flags: Namespace, open_end: Callable[[str], Network]) -> Path:
    """Measure and draw what the flags of visualize2_sharpness.py ask for and return the folder.

    Raises:
        UserError: the folder holds something else.
    """
    with user_errors():
        network = open_end(flags.evaluate)
        _check_batches(network, flags)
        settings = _settings(network, flags, digests=[network.digest], directions=flags.directions, seed=flags.seed)
        folder = _open_folder(flags, _folder_name([network], bn=flags.bn), {
            'kind': 'directions', 'names': [network.label], 'paths': [str(network.path)], 'distances': {},
            'settings': settings,
        })  # fmt: skip
    for index in range(flags.directions):  # one at a time: each is as large as the network
        with restored(network.model):
            line = Around(network.model, seed=flags.seed, index=index)
            points = [({'direction': index, 'alpha': alpha}, line) for alpha in flags.alpha]
            _measure(network, points, folder, flags)
    _draw(folder)
    return folder


def _folder_name(networks: Sequence[Network], *, bn: str, mode: str = 'linear') -> str:
    """Return a name for the folder of a measurement that is the same at every call."""
    kind = ('line' if mode == 'linear' else mode) if len(networks) > 1 else 'around'
    usual = 'interpolate' if len(networks) > 1 else 'fixed'
    labels = [network.label if network.run else network.path.name for network in networks]
    names = [re.sub(r'[^\w.+-]+', '_', label.removesuffix('.pth.tar')).strip('_')[-LONGEST_NAME:] for label in labels]
    return f'{kind}_{"_to_".join(names)}' + ('' if bn == usual else f'_bn_{bn}')


def _splits(flags: Namespace) -> tuple[str, ...]:
    return ('train', 'val') if flags.visualize_train else ('val',)


def _settings(network: Network, flags: Namespace, **more) -> dict:
    """Return what decides the rows of a measurement, as plain values."""
    splits = _splits(flags)
    conditions = network.conditions_on(*splits, *(['train'] if flags.bn == 'recompute' else []))
    settings = {**conditions, 'alpha': flags.alpha, 'bn': flags.bn, 'splits': splits, **more}
    if flags.bn in ('batch', 'recompute'):  # else only rounding depends on it
        settings['batch_size'] = network.train.batch_size
    return settings


def _check_pair(network: Network, end: Network) -> None:
    """Refuse networks between which there is no line."""
    for name, value in network.conditions.items():
        if end.conditions[name] != value:
            raise ValueError(
                f'{end.path}: its {name} is {end.conditions[name]!r}, that of {network.path} is {value!r}; a line '
                'joins two states of one network on one data set'
            )
    shapes, others = ({name: tuple(value.shape) for name, value in each.model.state_dict().items()}
                      for each in (network, end))  # fmt: skip
    different = [name for name in sorted(shapes.keys() | others.keys()) if shapes.get(name) != others.get(name)]
    if different:
        name, nothing = different[0], 'missing'
        raise ValueError(
            f'{end.path}: {name} is {others.get(name, nothing)} there and {shapes.get(name, nothing)} in '
            f'{network.path}; a line joins two states of one network'
        )
    if network.digest == end.digest:
        log.warning('%s and %s hold the same weights: nothing changes along this line', network.path, end.path)
    if network.conditions['val_fraction'] and network.settings.get('seed') != end.settings.get('seed'):
        why = 'the second was trained on some that are validated on here'
        log.warning('%s and %s held out different examples: %s', network.path, end.path, why)


def _check_batches(network: Network, flags: Namespace) -> None:
    for split in {'batch': _splits(flags), 'recompute': ('train',)}.get(flags.bn, ()):
        check_batches(network.model, getattr(network, split))


def _distances(network: Network, end: Network) -> dict[str, float]:
    """Return the L2 distances between the ends and, where their runs kept the start, of each from there."""
    distances = {'between': weight_distance(end.model, network.model.state_dict())}
    for name, one in (('start_to_first', network), ('start_to_second', end)):
        if one.run is not None and (one.run / INITIAL).is_file():
            initial = load_file(one.run / INITIAL)['state_dict']
            distances[name] = weight_distance(one.model, initial)
    return distances


def _open_folder(flags: Namespace, usual_name: str, description: dict) -> Path:
    """Make the folder and return it, or find the same measurement in it."""
    folder = Path(flags.results_dir) / (flags.save or usual_name)
    path = folder / SETTINGS
    text = json.dumps(description, indent=1) + '\n'
    try:
        if path.is_file():
            _check_same(folder, json.loads(path.read_text(encoding='utf-8')), json.loads(text))
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f'--save {folder.name}: {folder} holds something else: choose another --save')
        folder.mkdir(parents=True, exist_ok=True)
        log.info('writing %s', folder / ROWS)
        write_atomically(path, lambda file: file.write(text.encode()))
    except json.JSONDecodeError as error:
        raise UserError(f'{path}: damaged ({error}): take {folder} away, or choose another --save') from error
    except OSError as error:
        raise UserError(f'--save {folder.name}: {folder} cannot be written ({error.strerror})') from error
    return folder


def _check_same(folder: Path, stored: dict, asked: dict) -> None:
    before, now = ({'kind': each.get('kind'), **each.get('settings', {})} for each in (stored, asked))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            old, new = (textwrap.shorten(str(each.get(name)), 60, placeholder=' ...') for each in (before, now))
            raise UserError(
                f'--save {folder.name}: {folder} holds a measurement with {name} {old}, not {new}: choose another '
                '--save'
            )


def _measure(
    network: Network, points: Sequence[tuple[dict, Between | Around]], folder: Path, flags: Namespace
) -> list[dict]:
    """Measure the points that have no row yet and return the rows of all."""
    splits, key = _splits(flags), tuple(points[0][0])
    columns = [*key, *(f'{split}_{score}' for split in splits for score in ('loss', 'accuracy')), 'clamped']
    rows = RowFile(folder / ROWS, tuple(columns), key)
    missing = [(place, line) for place, line in points if rows.get(**place) is None]
    if len(missing) < len(points):
        log.info('%d of %d points are measured already', len(points) - len(missing), len(points))
    examples = sum(getattr(network, split).num_examples for split in splits)
    with EvaluationProgress(len(missing) * examples, 'examples') as progress:
        for place, line in missing:
            row = {**place, 'clamped': line.place(place['alpha'])}
            with statistics(network.model, flags.bn, network.train):
                for split in splits:
                    scores = score(network.model, network.criterion, getattr(network, split), progress.advance)
                    row |= {f'{split}_loss': scores.loss, f'{split}_accuracy': 100 - scores.error1}
            rows.add(row)
            log.info('%s', _describe(row, splits))
    return [rows.row(**place) for place, _ in points]


def _describe(row: dict, splits: Sequence[str]) -> str:
    where = f'direction {row["direction"]}  ' if 'direction' in row else ''
    scores = [f'{split} loss {row[f"{split}_loss"]:.4f} accuracy {row[f"{split}_accuracy"]:.2f} %' for split in splits]
    return f'{where}alpha {row["alpha"]:g}  {"  ".join(scores)}'


def _warn_of_clamped(rows: Iterable[dict]) -> None:
    clamped = [row for row in rows if row['clamped']]
    if clamped:
        number, places = sum(row['clamped'] for row in clamped), ', '.join(f'{row["alpha"]:g}' for row in clamped)
        what = 'extrapolated variances of batch norm were below 0 and were set to 0'
        log.warning('%d %s, at alpha %s: see --bn', number, what, places)


def _draw(folder: Path) -> None:
    log.info('page: %s', write_landscape_page(folder))
    log.info('figure: %s', write_landscape_figure(folder))
