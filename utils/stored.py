"""What a run has stored: which folder and which checkpoint a path stands for, and the settings in config.json."""

from __future__ import annotations

import json
from pathlib import Path

from bigbatch.errors import UserError
from utils.layout import CONFIG, LATEST, wrong_field


def run_of(path: str) -> Path:
    """Return the run folder that a path (the folder, or a checkpoint in it) belongs to."""
    found = Path(path)
    if not found.exists():
        raise UserError(f'{path}: no such run or checkpoint (looked in {found.absolute().parent})')
    _check_is_no_parent(found)
    return found.absolute() if found.is_dir() else found.absolute().parent


def checkpoint_of(path: str) -> Path:
    """Return the checkpoint that a path (a run folder, or a checkpoint in it) stands for: the latest of a folder."""
    found = Path(path)
    _check_is_no_parent(found)
    return found / LATEST if found.is_dir() else found


def _check_is_no_parent(path: Path) -> None:
    """Refuse a folder that holds runs, such as that of a suite, where one of them is meant."""
    if not path.is_dir() or (path / CONFIG).is_file() or (path / LATEST).is_file():
        return
    inside = (file.parent for depth in ('*', '*/*') for file in sorted(path.glob(f'{depth}/{CONFIG}')))
    run = next((run for run in inside if not run.name.startswith('.')), None)  # those are half made
    if run:
        raise UserError(f'{path}: a folder of runs, not a run: name one of them, such as {run}')


def read_config_json(run: Path) -> dict:
    """Read config.json of a run folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = run / CONFIG
    remedy = f'bring it back, or begin anew from the weights, --init-from {run / LATEST}'
    try:
        stored = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise UserError(f'{run}: no config.json, so no run of this project (weights alone: --init-from)') from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path}: damaged or unreadable ({error}): {remedy}') from error
    needed = {'script', 'argv', 'settings', 'status', 'num_epochs', 'regime', 'data', 'started', 'num_threads'}
    if not isinstance(stored, dict):
        raise UserError(f'{path}: damaged, it holds no object: {remedy}')
    missing = [name for name in sorted(needed) if stored.get(name) is None]
    if missing:
        raise UserError(f'{path}: damaged, it lacks {", ".join(missing)}: {remedy}')
    if wrong := wrong_field(stored):
        raise UserError(f'{path}: damaged, {wrong}: {remedy}')
    return stored


def stored_settings(run: Path) -> dict:
    """Return the settings of a run; empty for a folder that is none."""
    return read_config_json(run)['settings'] if (run / CONFIG).is_file() else {}
