"""Execute planned runs, several at a time, each in a process of its own: one that fails takes no other with it.

A signal is passed on to the runs, which save and end. A run that another process is writing is left to it.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bigbatch.errors import Interrupted, UserError
from bigbatch.interrupts import stop_requests
from bigbatch.memory import JOBS_VARIABLE, num_sharing
from bigbatch.messages import counted
from utils.command import EXIT_DIVERGED, EXIT_INTERRUPTED, EXIT_KILLED
from utils.files import PROJECT
from utils.quantities import duration
from utils.runs.layout import STARTED_VARIABLE
from utils.runs.lock import holder_of
from utils.sweeps.state import Estimate, State, Underway, look_at, record_measurement
from utils.sweeps.suite import PlannedRun

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_LINES = (15.0, 300.0)  # of progress: at first, and in a long sweep
SHOWN = 3  # runs in a line of progress
WORDS = {
    0: 'done', EXIT_DIVERGED: 'diverged', EXIT_INTERRUPTED: 'stopped', EXIT_KILLED: 'stopped',
    -signal.SIGTERM: 'stopped', -signal.SIGINT: 'stopped',
}  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """A run that did not end well."""

    name: str
    line: str  # the last one that it printed
    output: Path  # all that it printed


@dataclass
class _Running:
    """A started run, how far it was then, and where its output goes."""

    run: PlannedRun
    before: State
    process: subprocess.Popen
    output: IO[str]
    start: float


class Sweep:
    """Run planned runs, `jobs` at a time; finished ones are skipped, begun ones resumed, others waited for.

    Args:
        runs: in the order in which they start.
        results_dir: parent of their folders.
        fail_fast: start nothing more once a run has failed.
        environment: of the runs; None: that of this process.

    Attributes:
        counts: runs by how they ended: done, diverged, FAILED, stopped, skipped (what they need has failed), left (to
            another process, or what they need is); those that were finished before included.
        failures: in the order in which they happened.
        left: why a run is not finished though it has not failed, by its name.
    """

    def __init__(
        self, runs: list[PlannedRun], results_dir: Path, *, jobs: int, fail_fast: bool,
        environment: Mapping[str, str] | None = None,
    ):  # fmt: skip
        self.counts: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.left: dict[str, str] = {}
        self._runs, self._results_dir = runs, results_dir
        self._jobs, self._fail_fast = jobs, fail_fast
        self._environment = os.environ if environment is None else environment
        self._active: list[_Running] = []
        self._todo: list[tuple[PlannedRun, State]] = []
        self._estimate = Estimate()
        self._start_time = self._last_line = time.monotonic()

    def execute(self) -> None:
        """Run what is not finished yet.

        Raises:
            UserError: a run's folder is in the way, and nothing is started; or nothing can be written any more, and the
                runs have been ended.
            Interrupted: a signal came; the runs have saved and ended.
        """
        self._look()
        try:
            with stop_requests('the runs finish their step, then save') as should_stop:
                while (self._todo and not self._stops()) or self._active:
                    while len(self._active) < self._jobs and not self._stops() and (ready := self._pop_ready()):
                        self._active.append(self._start(*ready))
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                    if should_stop():
                        self._end_active(signal.SIGTERM)
                        raise Interrupted(f'by {should_stop.name}')
                    self._collect()
        except KeyboardInterrupt as error:
            if not isinstance(error, Interrupted):  # the second Ctrl-C
                self._end_active(signal.SIGKILL)
            raise
        except UserError:  # such as a full disk: no run is left without what started it
            self._end_active(signal.SIGTERM)
            raise

    def describe(self) -> str:
        """Say in a line how the runs ended: `15 runs in 2 min 33 s: 14 done, 1 diverged`."""
        counts = [f'{self.counts[word]} {word.lower()}' for word in dict.fromkeys(['done', *self.counts])]
        counts += [f'{len(self._active)} stopped'] if self._active else []
        counts += [f'{len(self._todo)} not started'] if self._todo else []
        seconds = time.monotonic() - self._start_time
        return f'{counted(len(self._runs), "run")} in {duration(seconds)}: {", ".join(counts)}'

    def _look(self) -> None:
        states = [look_at(run, self._results_dir) for run in self._runs]
        refused = [state.reason for state in states if state.status == 'refused']
        if refused:
            more = f' (and {len(refused) - 1} more: --dry-run lists them)' if len(refused) > 1 else ''
            raise UserError(refused[0] + more)
        for run, state in zip(self._runs, states, strict=True):
            if not state.is_finished:
                self._todo.append((run, state))
                continue
            self.counts[state.status] += 1
            if state.status == 'done' and state.epoch_seconds is not None:
                self._estimate.add(run.row, state.epoch_seconds * state.epoch)
        if self.counts:
            diverged = f', {self.counts["diverged"]} of them diverged' if self.counts['diverged'] else ''
            is_done = 'are done' if len(self._runs) > 1 else 'is done'
            of = counted(len(self._runs), 'run')
            print(f'{self.counts.total()} of {of} {is_done} already{diverged}', flush=True)

    def _pop_ready(self) -> tuple[PlannedRun, State] | None:
        """Take the first run that waits for no other; skip those that wait for one that has failed or is left."""
        failed = {failure.name: failure for failure in self.failures}
        waiting = {run.name for run, _ in self._todo} | {running.run.name for running in self._active}
        for run, before in list(self._todo):
            broken = [failed[name] for name in run.needs if name in failed]
            if broken:
                self._todo.remove((run, before))
                self._skip(run, broken[0])
                return self._pop_ready()
            if waits_for := [name for name in run.needs if name in self.left]:
                self._todo.remove((run, before))
                self._leave(run, f'waits for {waits_for[0]}')
                return self._pop_ready()
            if not waiting.intersection(run.needs):
                self._todo.remove((run, before))
                return (run, now) if (now := self._claim(run)) else self._pop_ready()
        return None

    def _claim(self, run: PlannedRun) -> State | None:
        """Look at a run once more; None where another process writes it, or has finished it since the first look."""
        now, holder = look_at(run, self._results_dir), holder_of(self._results_dir / run.name)
        if holder:
            self._leave(run, f'is being written by {holder}')
        elif now.is_finished:
            self.counts[now.status] += 1
            print(f'{now.status:9}{run.name}  by another process', flush=True)
        else:
            return now
        return None

    def _leave(self, run: PlannedRun, why: str) -> None:
        self.counts['left'] += 1
        self.left[run.name] = why
        print(f'{"left":9}{run.name}  {why}', flush=True)

    def _skip(self, run: PlannedRun, needed: Failure) -> None:
        self.counts['skipped'] += 1
        self.failures.append(Failure(run.name, f'skipped, because {needed.name} did not end well', needed.output))
        print(f'{"skipped":9}{run.name}  {needed.name} did not end well', flush=True)

    def _stops(self) -> bool:
        return self._fail_fast and bool(self.failures)

    def _start(self, run: PlannedRun, before: State) -> _Running:
        begins = before.status == 'new'
        # Sums of batch norm depend in the last digit on the number of threads: set it to compare between --jobs.
        threads = str(max(1, _num_cores() // self._jobs))
        started = datetime.datetime.now().isoformat(timespec='microseconds')
        environment = {'OMP_NUM_THREADS': threads, **self._environment, STARTED_VARIABLE: started}
        environment[JOBS_VARIABLE] = str(self._jobs * num_sharing(self._environment))  # this may be a run of a sweep
        output = tempfile.TemporaryFile('w+', errors='replace')  # noqa: SIM115 - closed when the run has ended
        process = subprocess.Popen(
            [sys.executable, str(PROJECT / run.script), *run.flags(self._results_dir, begins=begins)],
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        after = f' after epoch {before.epoch} of {before.num_epochs}' if not begins else ''
        print(f'{"start" if begins else "resume":9}{run.name}{after}', flush=True)
        return _Running(run, before, process, output, time.monotonic())

    def _collect(self) -> None:
        for running in [running for running in self._active if running.process.poll() is not None]:
            self._active.remove(running)
            self._report(running)
        now = time.monotonic()
        least, most = SECONDS_BETWEEN_LINES
        if self._active and now - self._last_line >= min(most, max(least, (now - self._start_time) / 20)):
            print(self._progress(now), flush=True)
            self._last_line = now

    def _report(self, running: _Running) -> None:
        code, name = running.process.returncode, running.run.name
        word = WORDS.get(code, 'FAILED')
        if word == 'FAILED' and self._claim(running.run) is None:  # another sweep was faster by a moment
            running.output.close()
            return
        self.counts[word] += 1
        seconds = time.monotonic() - running.start
        of = f'({self.counts.total()} of {len(self._runs)})'
        print(f'{word:9}{name}  {duration(seconds)}  {of}', flush=True)
        record = self._results_dir / f'{name}.failed.txt'
        if word == 'stopped':
            self.left[name] = 'was stopped'
        elif word in ('done', 'diverged'):
            record.unlink(missing_ok=True)
        else:
            self._keep_failure(running, record)
        if word == 'done' and running.run.measures:
            record_measurement(running.run, self._results_dir)
        if word == 'done' and running.before.status == 'new':
            self._estimate.add(running.run.row, seconds)
        running.output.close()

    def _keep_failure(self, running: _Running, record: Path) -> None:
        """Show the last lines of a run that failed, and keep all of them."""
        running.output.seek(0)
        text, code = running.output.read().rstrip(), running.process.returncode
        text += f'\nended by {signal.Signals(-code).name}' if code < 0 else ''
        lines = text.strip().splitlines() or [f'exit status {code}, without a word']
        for line in lines[-5:]:
            print(f'        {line}', file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):  # a full disk, as the lines above may say: the other runs go on
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text('\n'.join(lines) + '\n', encoding='utf-8')
        self.failures.append(Failure(running.run.name, lines[-1], record))

    def _progress(self, now: float) -> str:
        texts, underway = [], []
        for running in self._active:
            state = look_at(running.run, self._results_dir)
            begun = 'measuring' if running.run.measures else 'starting'
            reached = f'epoch {state.epoch}/{state.num_epochs}' if state.num_epochs else begun
            texts.append(f'{running.run.name} {reached}')
            underway.append(Underway(running.run.row, now - running.start, state))
        more = f' and {len(texts) - SHOWN} more' if len(texts) > SHOWN else ''
        left = self._estimate.describe([run.row for run, _ in self._todo], underway, jobs=self._jobs)
        return f'running  {", ".join(texts[:SHOWN])}{more}; {left}'

    def _end_active(self, number: int) -> None:
        """Send the runs a signal and wait until they have ended."""
        for running in self._active:
            running.process.send_signal(number)
        for running in self._active:
            running.process.wait()
            running.output.close()


def _num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
