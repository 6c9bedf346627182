"""Make run folders: new, forked from another run, or cut back to a checkpoint.

A folder appears whole or not at all: it is made under another name, with a leading dot, and renamed.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import io
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from bigbatch.errors import UserError
from utils.files import copy_atomically, flush_folder, naming_file, write_atomically
from utils.runs.checkpoint import first_step_of_epoch, load_file, save_checkpoint
from utils.runs.columns import DISTANCE_COLUMNS, head
from utils.runs.layout import BEST, CONFIG, DISTANCES, INITIAL, LATEST, LOG, PAGE, PREVIOUS, RESULTS, SWAP_PAGE
from utils.runs.lock import RunLock, holder_of

log = logging.getLogger('bigbatch')


# What goes when a run has ended, by what is to be kept.
NOT_KEPT = {
    'all': (), 'last': (INITIAL, BEST, PREVIOUS, 'checkpoint_epoch_*.pth.tar'),
    'results': ('*.pth.tar', LOG, PAGE, SWAP_PAGE),
}  # fmt: skip


def keep_only(folder: Path, keep: str) -> None:
    """Remove what a run that has ended is not asked to leave; only an ended one can do without, see --keep."""
    for path in (path for pattern in NOT_KEPT[keep] for path in folder.glob(pattern)):
        with naming_file(path):
            path.unlink(missing_ok=True)


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that exists already, or whose place cannot be written, by a UserError; creates nothing."""
    try:
        exists = folder.exists()
        parent = next(place for place in folder.absolute().parents if place.exists())
    except OSError as error:
        raise UserError(f'--save {folder.name[:80]}: no name for a folder ({error.strerror})') from error
    if exists:
        raise UserError(f'--save {folder.name}: {folder} exists: choose another name, or go on with --resume {folder}')
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f'--save {folder.name}: {parent} is no folder that can be written: see --results_dir')


def create_run_folder(folder: Path, manifest: dict, *, initial: dict, checkpoint: dict) -> RunLock:
    """Create a run folder with config.json, the initial weights, the first checkpoint and empty tables.

    Returns:
        The lock on it, held since before it had its name; a UserError where it exists or cannot be written.
    """
    with _new_folder(folder) as (partial, lock):
        write_manifest(partial, manifest)
        save_checkpoint(partial / INITIAL, initial)
        save_checkpoint(partial / LATEST, checkpoint)
        write_rows(partial / RESULTS, [head(manifest)])
        write_rows(partial / DISTANCES, [DISTANCE_COLUMNS])
    return lock


def fork_run_folder(
    run: Path, folder: Path, manifest: dict, *, checkpoint: Path, start: dict
) -> tuple[dict | None, RunLock]:
    """Create a run folder that goes on from a checkpoint of another run, which is left alone.

    Args:
        manifest: the content of the new config.json, but for the seconds spent so far.
        checkpoint: where `start` was read from.

    Returns:
        The best epoch so far, or None, and the lock on the folder.
    """
    with _new_folder(folder) as (partial, lock):
        for name in (RESULTS, DISTANCES, INITIAL):
            shutil.copyfile(run / name, partial / name)
        shutil.copyfile(checkpoint, partial / LATEST)
        best = _keep_best(run, partial, checkpoint=checkpoint, start=start)
        seconds = cut_tables(partial, start, manifest)
        write_manifest(partial, {**manifest, 'seconds': seconds})
    return best, lock


def rewind_run_folder(run: Path, manifest: dict, *, checkpoint: Path, start: dict) -> dict | None:
    """Cut a run back to one of its checkpoints; a kill between two of the steps leaves a run that can be resumed.

    This process holds its lock, so what others left half written is nobody's any more. Arguments are as of
    fork_run_folder; the best epoch so far, or None, is returned.
    """
    remove_leftovers(run)
    write_manifest(run, manifest)
    best = _keep_best(run, run, checkpoint=checkpoint, start=start)
    if checkpoint.absolute() != (run / LATEST).absolute():
        copy_atomically(checkpoint, run / LATEST)
    seconds = cut_tables(run, start, manifest)
    write_manifest(run, {**manifest, 'seconds': seconds})
    return best


def remove_leftovers(run: Path) -> None:
    """Remove what a process that was killed has left half written in a run folder; this one holds its lock."""
    for leftover in run.glob('.*.partial'):
        if leftover.is_file():  # a folder is that of a phase of SWAP
            leftover.unlink()


def cut_tables(folder: Path, start: dict, manifest: dict) -> float:
    """Take out the rows of epochs past a checkpoint, and a torn last line; return the seconds of what is left.

    The tables go on with the columns of config.json, `manifest`; rows that are older lack some.
    """
    seconds, last_step = 0.0, first_step_of_epoch(start)
    for name, known, last in ((DISTANCES, DISTANCE_COLUMNS, last_step), (RESULTS, head(manifest), start['epoch'])):
        path = folder / name
        with open(path, newline='', encoding='utf-8', errors='replace') as file:
            texts = (line.replace('\0', '\ufffd') for line in file)  # Python 3.10 refuses a NUL
            header, *lines = [tuple(row) for row in csv.reader(texts)] or [known]
        is_known = header[: len(known)] == known or {*header} < {*known}
        header = header if is_known else known
        columns = header if len(header) >= len(known) else known
        lines = [row for row in lines if len(row) == len(header) and row[0].isdecimal() and int(row[0]) <= last]
        found = [dict(zip(header, row, strict=True)) for row in lines]
        rows = [[row.get(column, '') for column in columns] for row in found]
        write_rows(path, [columns, *rows])
        if name == RESULTS and len(rows) < last - start['config'].get('start_epoch', 0):
            log.warning('%s: a row is torn or gone whose epoch the checkpoint is past: it is not made again', path)
        if 'epoch_seconds' in columns:
            seconds = sum(float(row[columns.index('epoch_seconds')]) for row in rows)
    return seconds + (start['partial']['seconds'] if start.get('partial') else 0.0)


def write_manifest(folder: Path, manifest: dict) -> None:
    """Write config.json."""
    text = json.dumps(manifest, indent=1, default=str) + '\n'
    write_atomically(folder / CONFIG, lambda file: file.write(text.encode()))


def write_rows(path: Path, rows: list) -> None:
    """Write a table, the header included."""
    write_atomically(path, lambda file: file.write(_as_csv(rows).encode()))


def append_rows(path: Path, rows: list) -> None:
    """Append rows to a table in one write."""
    with naming_file(path), open(path, 'a', newline='', encoding='utf-8') as file:
        file.write(_as_csv(rows))


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[tuple[Path, RunLock]]:
    """Give a locked folder of another name, which becomes `folder` if all goes well and is gone otherwise."""
    check_new_folder(folder)
    for leftover in folder.parent.glob(f'.{glob.escape(folder.name)}.*.partial'):  # of a process that was killed
        if not holder_of(leftover):
            shutil.rmtree(leftover, ignore_errors=True)
    partial, lock, is_ours = folder.with_name(f'.{folder.name}.{os.getpid()}.partial'), None, False
    try:
        partial.mkdir(parents=True)
        is_ours = True  # and not that of a process with the same number on another machine
        lock = RunLock(partial)
        yield partial, lock
        os.rename(partial, folder)
        flush_folder(folder.parent)
    except (OSError, UserError) as error:
        reason = getattr(error, 'strerror', None) or str(error).replace(str(partial), str(folder))
        raise UserError(f'--save {folder.name}: {folder} cannot be written ({reason}): see --results_dir') from error
    finally:
        if lock is not None and partial.exists():
            lock.release(partial)
        if is_ours:
            shutil.rmtree(partial, ignore_errors=True)


def _keep_best(run: Path, folder: Path, *, checkpoint: Path, start: dict) -> dict | None:
    """Put the weights of the best epoch up to a checkpoint in their place; without them, begin to look anew."""
    best = start['best']
    if best is None:
        return None
    for path in (run / BEST, checkpoint, run / f'checkpoint_epoch_{best["epoch"]}.pth.tar'):
        if _is_end_of_epoch(path, best['epoch']):
            if path != folder / BEST:
                copy_atomically(path, folder / BEST)
            return best
    log.warning('the weights of epoch %d, the best so far, are gone: looking for the best from here on', best['epoch'])
    return None


def _is_end_of_epoch(path: Path, epoch: int) -> bool:
    """Tell whether a file is a sound checkpoint from the end of an epoch."""
    try:
        found = load_file(path)
    except ValueError:
        return False
    return found.get('epoch') == epoch and not found.get('partial')


def _as_csv(rows: list) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return text.getvalue()
