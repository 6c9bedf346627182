"""How far the runs of a sweep are, read from their folders, and how long the rest will take."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bigbatch.errors import UserError
from bigbatch.messages import counted
from utils.config.every import names_of
from utils.files import write_atomically
from utils.quantities import duration
from utils.runs.config_json import read_config_json
from utils.runs.layout import RESULTS, checkpoint_of
from utils.settings import Means
from utils.sweeps.commands import differences, settings_of
from utils.sweeps.suite import PlannedRun


@dataclass(frozen=True)
class State:
    """What is known of a planned run."""

    status: str  # new, begun, done, diverged, or refused: its folder is in the way
    reason: str = ''  # why it is refused
    epoch: int = 0  # finished epochs
    num_epochs: int | None = None  # None: not begun
    epoch_seconds: float | None = None  # mean over the finished epochs

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to run: a diverged run is a result."""
        return self.status in ('done', 'diverged')


def look_at(run: PlannedRun, results_dir: Path) -> State:
    """Read how far a run is."""
    if run.measures:
        return State('done' if _read_record(run, results_dir) == _measured(run) else 'new')
    folder = results_dir / run.name
    if not folder.exists():
        return State('new')
    try:
        stored = read_config_json(folder)
    except UserError as error:
        return State('refused', f'{folder} is no run of this project: move it away ({error})')
    why = _difference(run, stored)
    if why:
        reason = f'{folder} was made by other settings ({why}): move it away, or give another --results_dir'
        return State('refused', reason)
    status = stored['status'] if stored['status'] in ('done', 'diverged') else 'begun'
    epoch, epoch_seconds = _read_epochs(folder)
    return State(status, epoch=epoch, num_epochs=stored['num_epochs'], epoch_seconds=epoch_seconds)


def record_measurement(run: PlannedRun, results_dir: Path) -> None:
    """Note that a measuring run has ended well, so that it is repeated only where what it measured has changed."""
    text = json.dumps(_measured(run), indent=1) + '\n'
    write_atomically(_record_path(run, results_dir), lambda file: file.write(text.encode()))


def _record_path(run: PlannedRun, results_dir: Path) -> Path:
    return results_dir / f'{run.name}.measured.json'


def _read_record(run: PlannedRun, results_dir: Path) -> object:
    try:
        return json.loads(_record_path(run, results_dir).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None


def _measured(run: PlannedRun) -> dict:
    """Return what a measuring run is asked for, and of which checkpoints: [bytes, time of the last change]."""
    argv = [word for word in run.argv if word not in run.extra and word not in run.inputs]
    checkpoints = {}
    for path in run.inputs:
        file = checkpoint_of(path)
        stat = file.stat() if file.is_file() else None
        checkpoints['/'.join(file.parts[-2:])] = stat and [stat.st_size, stat.st_mtime_ns]
    return {'script': run.script, 'argv': argv, 'checkpoints': checkpoints}


def _difference(run: PlannedRun, stored: dict) -> str:
    """Say in which settings a stored run differs from a planned one, be they spelt and ordered as they may."""
    if stored['script'] != run.script:
        return f'{stored["script"]} there, {run.script} here'
    try:
        before = settings_of(run.script, stored['argv'])
    except UserError as error:
        return str(error)
    now = settings_of(run.script, run.argv)
    return differences(_without_parent(before), _without_parent(now))


def _without_parent(settings: dict) -> dict:
    """Leave out where the folders of other runs lie that are named: they may have been moved, or named anew."""
    paths = {name: settings[name] for name in names_of(Means.RUN) if settings.get(name)}
    return settings | {name: '/'.join(Path(path).parts[-2:]) for name, path in paths.items()}


def _read_epochs(folder: Path) -> tuple[int, float | None]:
    """Return the number of finished epochs and their mean seconds."""
    try:
        with open(folder / RESULTS, newline='', encoding='utf-8') as file:
            rows = [(int(row['epoch']), float(row['epoch_seconds'])) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError):  # not there yet, or half a line of it
        rows = []
    return (rows[-1][0], sum(seconds for _, seconds in rows) / len(rows)) if rows else (0, None)


@dataclass(frozen=True)
class Underway:
    """A run that goes on."""

    row: str
    seconds: float  # since it was started
    state: State  # now

    def left(self, row_seconds: float | None) -> float | None:
        """Return the seconds that it still needs, given those of a whole run of its row; None where nothing tells."""
        if self.state.epoch_seconds is not None and self.state.num_epochs is not None:
            return (self.state.num_epochs - self.state.epoch) * self.state.epoch_seconds
        return None if row_seconds is None else max(0.0, row_seconds - self.seconds)


class Estimate:
    """Foretell how long a sweep will take from the runs that were timed; runs of a row take the same time."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def add(self, row: str, seconds: float) -> None:
        """Take note of what a whole run took."""
        self._seconds.setdefault(row, []).append(seconds)

    def describe(self, todo: Iterable[str], underway: Iterable[Underway], *, jobs: int) -> str:
        """Say what is left of the rows to do and the runs underway, as far as it is known: `about 12 min left`."""
        rows = {row: sum(seconds) / len(seconds) for row, seconds in self._seconds.items()}
        left = []
        for run in underway:
            left.append(run.left(rows.get(run.row)))
            if left[-1] is not None:
                rows.setdefault(run.row, run.seconds + left[-1])
        left += [rows.get(row) for row in todo]
        known = [seconds for seconds in left if seconds is not None]
        num_unknown = len(left) - len(known)
        if num_unknown and sum(known) < 1:
            return 'time left not known yet'
        seconds = max([sum(known) / min(jobs, len(left)), *known])
        if num_unknown:
            return f'more than {duration(seconds)} left, {counted(num_unknown, "run")} not timed yet'
        return f'about {duration(seconds)} left'
