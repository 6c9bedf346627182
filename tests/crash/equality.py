"""What must hold of a run's files after a kill, and at its end."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import torch

from utils.methods.weight_average import FILE as AVERAGED
from utils.runs.checkpoint import load_checkpoint, load_file
from utils.runs.layout import BEST, CONFIG, DISTANCES, INITIAL, LATEST, PAGE, PREVIOUS, RESULTS

TIMES = ('epoch_seconds', 'images_per_second')
PLACES = frozenset(('config', 'seconds'))  # of a checkpoint: how it was asked for, and how long it took


def check_after_kill(run: Path) -> None:
    """Assert that a run is whole enough to go on: every checkpoint reads, and no finished epoch has gone."""
    config = json.loads((run / CONFIG).read_text())
    assert config['status'] in ('running', 'failed', 'interrupted', 'done'), config['status']
    for path in run.glob('*.pth.tar'):
        load_file(path)
    for name in (LATEST, PREVIOUS):
        if name == LATEST or (run / name).exists():
            epoch = load_checkpoint(run / name)['epoch']
            rows = [row for row in read_table(run / RESULTS) if row[0].isdecimal()]
            whole = {int(row[0]) for row in rows}
            assert set(range(1, epoch + 1)) <= whole, f'{name} has {epoch} epochs, {RESULTS} has {sorted(whole)}'
            assert len(whole) == len(rows), f'a row twice in {RESULTS}'


def differences(run: Path, expected: Path, *, page: bool = True) -> list[str]:
    """List what two finished runs differ in, time apart.

    Args:
        page: whether there has to be a page that was drawn after the end.
    """
    found = [
        f'{name}: rows differ' for name in (RESULTS, DISTANCES)
        if stable_table(run / name) != stable_table(expected / name)
    ]  # fmt: skip
    epochs = [int(row[0]) for row in read_table(run / RESULTS)[1:]]
    found += [f'{RESULTS}: epochs {epochs}'] * (epochs != list(range(1, len(epochs) + 1)))
    names = [name for name in (LATEST, BEST, INITIAL, AVERAGED) if (expected / name).exists()]
    names += [path.name for path in expected.glob('checkpoint_epoch_*')]
    for name in names:
        contents = [load_file(folder / name) for folder in (run, expected)]
        found += [f'{name}: {place}' for place in unequal(*contents)]
    configs = [json.loads((folder / CONFIG).read_text()) for folder in (run, expected)]
    shown = [_without_places(config) for config in configs]
    found += [f'{CONFIG}: {each}' for each in unequal(*shown)]
    if page and (run / PAGE).stat().st_mtime_ns < (run / CONFIG).stat().st_mtime_ns:
        found.append(f'{PAGE} is out of date')
    return found + [f'left over: {path.name}' for path in run.rglob('*.partial') if page or PAGE not in path.name]


def _without_places(config: dict) -> dict:
    kept = ('status', 'regime', 'settings', 'test', 'averaged_test', 'num_epochs', 'data', 'message')
    settings = {name: value for name, value in config['settings'].items() if name not in ('results_dir', 'init_from')}
    return {name: config.get(name) for name in kept} | {'settings': settings}


def read_table(path: Path) -> list[list[str]]:
    """Read the rows of a table, the header among them."""
    with open(path, newline='') as file:
        return list(csv.reader(file))


def stable_table(path: Path) -> list[list[str]]:
    """Read a table without the columns that measure time."""
    rows = read_table(path)
    kept = [index for index, name in enumerate(rows[0]) if name not in TIMES]
    return [[row[index] for index in kept] for row in rows]


def unequal(value: object, expected: object, place: str = '') -> list[str]:
    """List where two nested values differ in any bit, but for places and seconds."""
    if type(value) is not type(expected) and not (isinstance(value, dict) and isinstance(expected, dict)):
        return [f'{place} is a {type(value).__name__}, not a {type(expected).__name__}']
    if isinstance(value, dict):
        keys = [f'{place} has other keys: {value.keys() ^ expected.keys()}'] * (value.keys() != expected.keys())
        shared = (value.keys() & expected.keys()) - PLACES
        return keys + [each for key in shared for each in unequal(value[key], expected[key], f'{place}.{key}')]
    if isinstance(value, (list, tuple)):
        if len(value) != len(expected):
            return [f'{place} has {len(value)} items, not {len(expected)}']
        pairs = enumerate(zip(value, expected, strict=True))
        return [each for index, pair in pairs for each in unequal(*pair, f'{place}[{index}]')]
    if isinstance(value, torch.Tensor):
        same = value.dtype == expected.dtype and value.shape == expected.shape
        same = same and value.numpy().tobytes() == expected.numpy().tobytes()
        return [] if same else [f'{place} differs']
    return [] if value == expected or (value != value and expected != expected) else [f'{place}: {value}, {expected}']
