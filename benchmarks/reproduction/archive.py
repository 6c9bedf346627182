"""Keep what ended runs have to tell: their settings and tables, without checkpoints and without places of a machine.

A kept run is a run folder like any other, so whatever reads runs reads it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from bigbatch.errors import UserError
from utils.config.every import names_of
from utils.files import write_atomically
from utils.reports.sharpness import SHARPNESS
from utils.runs.layout import CONFIG, DISTANCES, RESULTS
from utils.runs.reader import Run, find_run_folders, is_run_folder, load_run
from utils.settings import Means

KEPT = (RESULTS, DISTANCES, SHARPNESS.file)
ENDED = ('done', 'diverged')
# The root or the home, then names; not the second half of `images/s`.
ABSOLUTE_PATH = re.compile(r"""(?<![\w.:/~])~?(?:/[^\s'",;:/]+)+/?""")

log = logging.getLogger('bigbatch')


def keep_suite(source: Path, archive: Path) -> list[Path]:
    """Keep the runs of a suite that are done or diverged in archive/SUITE/RUN; others are left out with a warning.

    Args:
        source: folder of a suite, such as TrainingResults/SUITE; its own name is that of the suite.
        archive: made if it is missing. A run that is there already is replaced.

    Returns:
        The folders of the kept runs.

    Raises:
        UserError: the folder holds no run, is a run itself, or none of its runs has ended; nothing is written.
    """
    suite = Path(os.path.abspath(source)).name
    runs = [load_run(folder) for folder in _folders_of_runs(source)]
    ended = [run for run in runs if run.status in ENDED]
    others = ', '.join(f'{run.name} ({run.status})' for run in runs if run.status not in ENDED)
    if not ended:
        raise UserError(f'{source}: no run has ended yet: {others}; only runs that are done or diverged are kept')
    if others:
        log.warning('left out, for they have not ended: %s', others)
    for run in ended:
        _keep_run(run, archive / suite / run.folder.name)
    return [archive / suite / run.folder.name for run in ended]


def clean_config(config: dict) -> dict:
    """Return a config.json without the places of the machine that it was written on.

    `results_dir` and `datasets_dir` are gone, from the settings and the command; of any other path below the root the
    part below the results' folder is left, or else its last name.
    """
    settings = config.get('settings') or {}
    results_dir = str(settings.get('results_dir') or '')
    cleaned = _without_paths(config, results_dir)
    folders = names_of(Means.FOLDER)
    cleaned['settings'] = {name: value for name, value in cleaned['settings'].items() if name not in folders}
    cleaned['argv'] = [_without_paths(word, results_dir) for word in _without_place_flags(config.get('argv') or [])]
    return cleaned | {'command': shlex.join(['python', cleaned.get('script') or '', *cleaned['argv']])}


def _folders_of_runs(source: Path) -> list[Path]:
    """List the runs right in a folder."""
    folders = [folder for _, folder in find_run_folders([source])]
    if is_run_folder(source):
        raise UserError(f'{source} is a run itself: give the folder of its suite, {source.parent}')
    inside = [folder for folder in folders if folder.parent == source]
    if not inside:
        deeper = ', '.join(sorted({str(folder.parent) for folder in folders})[:5])
        why = f'no run lies right in it, give {deeper}' if deeper else 'no run there (a folder with config.json)'
        raise UserError(f'{source} is no folder of a suite: {why}')
    for folder in inside:
        if not (folder / CONFIG).is_file() or not (folder / RESULTS).is_file():
            raise UserError(f'{folder} is no whole run: {CONFIG} and {RESULTS} are needed; leave that folder out')
    return sorted(inside)


def _keep_run(run: Run, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tables = {name: (run.folder / name).read_bytes() for name in KEPT if (run.folder / name).is_file()}
    texts = {name: _without_paths(table.decode(), '') for name, table in tables.items()}
    texts[CONFIG] = json.dumps(clean_config(run.config), indent=1) + '\n'
    for name, text in texts.items():
        write_atomically(folder / name, lambda file, text=text: file.write(text.encode()))


def _without_place_flags(argv: Sequence[str]) -> list[str]:
    """Leave out the flags that name places, each with its value."""
    words, kept = iter(argv), []
    for word in words:
        name, equals, _ = word.partition('=')
        if name.removeprefix('--').replace('-', '_') not in names_of(Means.FOLDER):  # of --resume, too
            kept.append(word)
        elif not equals:
            next(words, None)
    return kept


def _without_paths(value: object, results_dir: str) -> object:
    """Shorten the paths in the texts of a JSON value."""
    if isinstance(value, dict):
        return {name: _without_paths(each, results_dir) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_paths(each, results_dir) for each in value]
    if not isinstance(value, str):
        return value
    if results_dir:
        value = re.sub(rf'{re.escape(results_dir)}/(?=\S)', 'TrainingResults/', value)
    if value.startswith(('/', '~/')):  # all of it is a path, which may hold spaces
        return Path(value).name
    return ABSOLUTE_PATH.sub(lambda match: Path(match[0]).name, value)
