"""Make run folders: new, forked from another run, or cut back to a checkpoint.

A folder appears whole or not at all: it is made under another name, with a leading dot, and renamed.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from utils.checkpoint import load_file, save_checkpoint
from utils.errors import UserError
from utils.files import copy_atomically, write_atomically
from utils.layout import (
    BEST,
    CONFIG,
    DISTANCE_COLUMNS,
    DISTANCES,
    INITIAL,
    LATEST,
    RESULT_COLUMNS,
    RESULTS,
    result_columns,
)

log = logging.getLogger('bigbatch')


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that exists already, or whose place cannot be written; creates nothing.

    Raises:
        UserError: see above.
    """
    try:
        exists = folder.exists()
        parent = next(place for place in folder.absolute().parents if place.exists())
    except OSError as error:
        raise UserError(f'--save {folder.name[:80]}: no name for a folder ({error.strerror})') from error
    if exists:
        raise UserError(f'--save {folder.name}: {folder} exists: choose another name, or go on with --resume {folder}')
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f'--save {folder.name}: {parent} is no folder that can be written: see --results_dir')


def create_run_folder(folder: Path, manifest: dict, *, initial: dict, checkpoint: dict) -> None:
    """Create a run folder with config.json, the initial weights, the first checkpoint and empty tables.

    Raises:
        UserError: the folder exists already or cannot be written.
    """
    with _new_folder(folder) as partial:
        write_manifest(partial, manifest)
        save_checkpoint(partial / INITIAL, initial)
        save_checkpoint(partial / LATEST, checkpoint)
        write_rows(partial / RESULTS, [result_columns(manifest['settings'])])
        write_rows(partial / DISTANCES, [DISTANCE_COLUMNS])


def fork_run_folder(run: Path, folder: Path, manifest: dict, *, checkpoint: Path, start: dict) -> dict | None:
    """Create a run folder that goes on from a checkpoint of another run, which is left alone.

    Args:
        run: the other run's folder.
        manifest: the content of the new config.json, but for the seconds spent so far.
        checkpoint: where `start` was read from.

    Returns:
        The best epoch so far, or None.
    """
    with _new_folder(folder) as partial:
        for name in (RESULTS, DISTANCES, INITIAL):
            shutil.copyfile(run / name, partial / name)
        shutil.copyfile(checkpoint, partial / LATEST)
        best = _keep_best(run, partial, checkpoint=checkpoint, start=start)
        seconds = cut_tables(partial, epoch=start['epoch'], step=start['step'])
        write_manifest(partial, {**manifest, 'seconds': seconds})
    return best


def rewind_run_folder(run: Path, manifest: dict, *, checkpoint: Path, start: dict) -> dict | None:
    """Cut a run back to one of its checkpoints; a kill between two of the steps leaves a run that can be resumed.

    Args:
        manifest: the content of config.json from now on, but for the seconds spent so far.
        checkpoint: where `start` was read from.

    Returns:
        The best epoch so far, or None.
    """
    write_manifest(run, manifest)
    best = _keep_best(run, run, checkpoint=checkpoint, start=start)
    if checkpoint.absolute() != (run / LATEST).absolute():
        copy_atomically(checkpoint, run / LATEST)
    seconds = cut_tables(run, epoch=start['epoch'], step=start['step'])
    write_manifest(run, {**manifest, 'seconds': seconds})
    return best


def cut_tables(folder: Path, *, epoch: int, step: int) -> float:
    """Take out the rows of epochs past a checkpoint, and a torn last line; return the seconds of the epochs left."""
    seconds = 0.0
    for name, known, last in ((DISTANCES, DISTANCE_COLUMNS, step), (RESULTS, RESULT_COLUMNS, epoch)):
        path = folder / name
        with open(path, newline='', encoding='utf-8') as file:
            header, *rows = list(csv.reader(file)) or [known]
        columns = header if tuple(header[: len(known)]) == known else known  # there may be more
        rows = [row for row in rows if len(row) == len(columns) and row[0].isdecimal() and int(row[0]) <= last]
        write_rows(path, [columns, *rows])
        if 'epoch_seconds' in columns:
            seconds = sum(float(row[columns.index('epoch_seconds')]) for row in rows)
    return seconds


def write_manifest(folder: Path, manifest: dict) -> None:
    """Write config.json."""
    text = json.dumps(manifest, indent=1, default=str) + '\n'
    write_atomically(folder / CONFIG, lambda file: file.write(text.encode()))


def write_rows(path: Path, rows: list) -> None:
    """Write a table, the header included."""
    write_atomically(path, lambda file: file.write(_as_csv(rows).encode()))


def append_rows(path: Path, rows: list) -> None:
    """Append rows to a table in one write."""
    with open(path, 'a', newline='', encoding='utf-8') as file:
        file.write(_as_csv(rows))


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder of another name, which becomes `folder` if all goes well and is gone otherwise."""
    check_new_folder(folder)
    partial = folder.with_name(f'.{folder.name}.{os.getpid()}.partial')
    try:
        partial.mkdir(parents=True)
        yield partial
        os.rename(partial, folder)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f'--save {folder.name}: {folder} cannot be written ({reason}): see --results_dir') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _keep_best(run: Path, folder: Path, *, checkpoint: Path, start: dict) -> dict | None:
    """Put the weights of the best epoch up to a checkpoint in their place; without them, begin to look anew."""
    best = start['best']
    if best is None:
        return None
    for path in (run / BEST, checkpoint, run / f'checkpoint_epoch_{best["epoch"]}.pth.tar'):
        if path.is_file() and load_file(path).get('epoch') == best['epoch']:
            if path != folder / BEST:
                copy_atomically(path, folder / BEST)
            return best
    log.warning('the weights of epoch %d, the best so far, are gone: looking for the best from here on', best['epoch'])
    return None


def _as_csv(rows: list) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return text.getvalue()
