"""config.json: what a run was asked for and how it ended, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bigbatch.errors import UserError
from utils.runs.layout import CONFIG, LATEST

MOST_THREADS = 4096  # that a run was made with: more are none that a machine has
KINDS = {str: 'a text', int: 'a whole number', float: 'a number', dict: 'an object', list: 'a list'}
# Fields of config.json that are computed with, below a dot those of `settings`; null stands for what is not known yet.
FIELDS = {
    'script': str, 'argv': list, 'status': str, 'message': str, 'started': str, 'data': str, 'seconds': float,
    'num_epochs': int, 'num_threads': int, 'steps_per_epoch': int, 'regime': list, 'test': dict, 'settings': dict,
    'micro_batch_size': int, 'columns': list, 'settings.batch_size': int, 'settings.ghost_batch_size': int,
    'settings.start_epoch': int, 'settings.seed': int, 'settings.model': str, 'settings.model_config': dict,
    'settings.dataset': str, 'settings.datasets_dir': str, 'settings.val_fraction': float,
    'settings.input_size': int, 'settings.pixels': str,
}  # fmt: skip
NEEDED = ('argv', 'data', 'num_epochs', 'num_threads', 'regime', 'script', 'settings', 'started', 'status')  # to go on


def _wrong_field(config: Mapping[str, Any]) -> str:
    """Say which field of a config.json is of a wrong type, and which would be right; empty where none is."""
    settings = config.get('settings')
    inside = settings.items() if isinstance(settings, Mapping) else ()
    fields = {**config, **{f'settings.{name}': value for name, value in inside}}
    for name, kind in FIELDS.items():
        if not _is_kind(fields.get(name), kind):
            return f'{name} is {str(fields[name])[:40]!r}, expected {KINDS[kind]}'
    if not all(isinstance(word, str) for word in config.get('argv') or ()):
        return 'argv holds something else than texts'
    if not all(isinstance(row, Mapping) and _is_kind(row.get('lr'), float) for row in config.get('regime') or ()):
        return 'regime holds something else than objects with a number as lr'
    if not all(isinstance(row.get('epoch'), int) for row in config.get('regime') or ()):
        return 'regime holds a row without a whole number as epoch'
    if not all(isinstance(column, Mapping) and column.get('name') for column in config.get('columns') or ()):
        return 'columns holds something else than objects with a name'
    threads = config.get('num_threads')
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        return f'num_threads is {threads}, expected 1 to {MOST_THREADS}'
    score = (config.get('test') or {}).get('error1')
    return '' if _is_kind(score, float) else f'test.error1 is {str(score)[:40]!r}, expected a number'


def _is_kind(value: object, kind: type) -> bool:
    if value is None or isinstance(value, bool):
        return value is None
    return isinstance(value, (int, float) if kind is float else kind)


def load_config_json(run: Path, remedy: str) -> dict | None:
    """Read config.json of a run folder; None where there is none, a UserError that ends with the remedy if damaged."""
    path = run / CONFIG
    try:
        stored = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path}: damaged or unreadable ({error}): {remedy}') from error
    if not isinstance(stored, dict):
        raise UserError(f'{path}: damaged, it holds no object: {remedy}')
    if wrong := _wrong_field(stored):
        raise UserError(f'{path}: damaged, {wrong}: {remedy}')
    return stored


def read_config_json(run: Path) -> dict:
    """Read config.json of a run folder, to go on with that run; a UserError where it is missing or damaged."""
    remedy = f'bring it back, or begin anew from the weights, --init-from {run / LATEST}'
    stored = load_config_json(run, remedy)
    if stored is None:
        raise UserError(f'{run}: no config.json, so no run of this project (weights alone: --init-from)')
    missing = [name for name in NEEDED if stored.get(name) is None]
    if missing:
        raise UserError(f'{run / CONFIG}: damaged, it lacks {", ".join(missing)}: {remedy}')
    return stored


def stored_settings(run: Path) -> dict:
    """Return the settings of a run; empty for a folder that is none."""
    return read_config_json(run)['settings'] if (run / CONFIG).is_file() else {}
