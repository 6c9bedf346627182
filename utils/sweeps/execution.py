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
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import IO

from bigbatch.errors import Interrupted, UserError
from bigbatch.interrupts import known_signals, stop_requests
from bigbatch.memory import JOBS_VARIABLE, THREADS_VARIABLE, num_sharing
from bigbatch.messages import counted
from utils.command import EXIT_DIVERGED, EXIT_INTERRUPTED, EXIT_KILLED
from utils.quantities import duration
from utils.runs.layout import PAGES_VARIABLE, STARTED_VARIABLE
from utils.runs.lock import holder_of
from utils.sweeps.pages import Pages
from utils.sweeps.state import Estimate, State, Underway, look_at, record_measurement
from utils.sweeps.suite import PlannedRun
from utils.sweeps.warm import LOST, Fork, Starter

SECONDS_BETWEEN_LOOKS = 0.05
SECONDS_BETWEEN_LINES = (15.0, 300.0)  # of progress: at first, and in a long sweep
SHOWN = 3  # runs in a line of progress
WORDS = {0: 'done', EXIT_DIVERGED: 'diverged', EXIT_INTERRUPTED: 'stopped', EXIT_KILLED: 'stopped'}


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
    process: subprocess.Popen | Fork
    output: IO[str]
    start: float


@dataclass
class Sweep:
    """Run planned runs, `jobs` at a time; finished ones are skipped, begun ones resumed, others waited for."""

    runs: list[PlannedRun]  # in the order in which they start
    results_dir: Path  # parent of their folders
    _: KW_ONLY
    jobs: int
    fail_fast: bool  # start nothing more once a run has failed
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)  # of the runs
    # Runs by how they ended: done, diverged, FAILED, stopped, skipped (what they need has failed), left (to another
    # process, or what they need is); those that were finished before included.
    counts: Counter[str] = field(default_factory=Counter, init=False)
    failures: list[Failure] = field(default_factory=list, init=False)  # in the order in which they happened
    left: dict[str, str] = field(default_factory=dict, init=False)  # why runs are not finished that have not failed

    def __post_init__(self) -> None:
        self._starter: Starter | None = None
        self._pages: Pages | None = None  # where there is a server to fork
        self._active: list[_Running] = []
        self._todo: list[tuple[PlannedRun, State]] = []
        self._estimate = Estimate()
        self._start_time = self._last_line = time.monotonic()

    def prepare(self) -> None:
        """Look at what is done, and have imported meanwhile what the others need.

        Raises:
            UserError: a run's folder is in the way.
        """
        self._look()
        self._starter = Starter(self._environment(), is_warm=len(self._todo) > 1)

    def execute(self) -> None:
        """Run what is not finished yet.

        Raises:
            UserError: a run's folder is in the way, and nothing is started; or nothing can be written any more, and the
                runs have been ended.
            Interrupted: a signal came; the runs have saved and ended.
        """
        if self._starter is None:
            self.prepare()
        try:
            with stop_requests('the runs finish their step, then save') as should_stop:
                while self._draws() or (self._todo and not self._stops()) or self._active:
                    self._start_ready()
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                    if should_stop():
                        self._end_active(signal.SIGTERM)
                        raise Interrupted(f'by {should_stop.name}')
                    self._collect()
        except KeyboardInterrupt as error:
            if not isinstance(error, Interrupted):  # the second Ctrl-C
                self._end_active(signal.SIGKILL)
            raise
        except (UserError, OSError):  # such as a full disk: no run is left without what started it
            self._end_active(signal.SIGTERM)
            raise
        finally:
            if self._pages:
                self._pages.stop()

    def check_none_left(self) -> None:
        """End where a run is still written by another process, such as one whose parent was killed, or was stopped."""
        for name, why in self.left.items():
            raise Interrupted(f'as {name} {why}')

    def describe(self) -> str:
        """Say in a line how the runs ended: `15 runs in 2 min 33 s: 14 done, 1 diverged`."""
        counts = [f'{self.counts[word]} {word.lower()}' for word in dict.fromkeys(['done', *self.counts])]
        counts += [f'{len(self._active)} stopped'] if self._active else []
        counts += [f'{len(self._todo)} not started'] if self._todo else []
        seconds = time.monotonic() - self._start_time
        return f'{counted(len(self.runs), "run")} in {duration(seconds)}: {", ".join(counts)}'

    def _look(self) -> None:
        states = [look_at(run, self.results_dir) for run in self.runs]
        refused = [state.reason for state in states if state.status == 'refused']
        if refused:
            more = f' (and {len(refused) - 1} more: --dry-run lists them)' if len(refused) > 1 else ''
            raise UserError(refused[0] + more)
        for run, state in zip(self.runs, states, strict=True):
            if not state.is_finished:
                self._todo.append((run, state))
                continue
            self.counts[state.status] += 1
            if state.status == 'done' and state.epoch_seconds is not None:
                self._estimate.add(run.row, state.epoch_seconds * state.epoch)
        if self.counts:
            diverged = f', {self.counts["diverged"]} of them diverged' if self.counts['diverged'] else ''
            is_done = 'are done' if len(self.runs) > 1 else 'is done'
            of = counted(len(self.runs), 'run')
            print(f'{self.counts.total()} of {of} {is_done} already{diverged}', flush=True)

    def _pop_ready(self) -> tuple[PlannedRun, State] | None:
        """Take the first run that waits for no other; skip those that wait for one that has failed or is left."""
        failed = {failure.name: failure for failure in self.failures}
        waiting = {run.name for run, _ in self._todo} | {running.run.name for running in self._active}
        for run, before in list(self._todo):
            broken = [failed[name] for name in run.needs if name in failed]
            left = [name for name in run.needs if name in self.left]
            if waiting.intersection(run.needs) and not (broken or left):
                continue
            self._todo.remove((run, before))
            if broken:
                self._skip(run, broken[0])
            elif left:
                self._leave(run, f'waits for {left[0]}')
            elif now := self._claim(run):
                return run, now
            return self._pop_ready()
        return None

    def _claim(self, run: PlannedRun) -> State | None:
        """Look at a run once more; None where another process writes it, or has finished it since the first look."""
        now, holder = look_at(run, self.results_dir), holder_of(self.results_dir / run.name)
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
        return self.fail_fast and bool(self.failures)

    def _start_ready(self) -> None:
        """Start as many runs as may go on at a time, and with the first of them what draws their pages."""
        starter = self._starter
        while starter and starter.is_ready() and len(self._active) < self.jobs and not self._stops():
            if not (ready := self._pop_ready()):
                return
            if starter.is_warm and self._pages is None:
                self._pages = Pages(starter)
            self._active.append(self._start(starter, *ready))

    def _start(self, starter: Starter, run: PlannedRun, before: State) -> _Running:
        begins = before.status == 'new'
        after = f' after epoch {before.epoch} of {before.num_epochs}' if not begins else ''
        print(f'{"start" if begins else "resume":9}{run.name}{after}', flush=True)  # first: it may end the sweep
        more = {STARTED_VARIABLE: datetime.datetime.now().isoformat(timespec='microseconds')}
        if self._pages:
            more[PAGES_VARIABLE] = 'later'
        output = tempfile.TemporaryFile('w+', errors='replace')  # noqa: SIM115 - closed when the run has ended
        process = starter.start(run.script, run.flags(self.results_dir, begins=begins), more, output)
        return _Running(run, before, process, output, time.monotonic())

    def _environment(self) -> dict[str, str]:
        """Return the environment of the runs, which share the cores unless the user has set the number of threads."""
        found = {**self.environment, JOBS_VARIABLE: str(self.jobs * num_sharing(self.environment))}
        found.pop(PAGES_VARIABLE, None)  # of this suite, where it is itself a run of one
        if 'OMP_NUM_THREADS' not in self.environment:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
            # Sums depend in the last digit on the number of threads: set it to compare between --jobs.
            found |= dict.fromkeys(('OMP_NUM_THREADS', THREADS_VARIABLE), str(max(1, cores // self.jobs)))
        return found

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
        code, name = running.process.wait(), running.run.name
        word = 'stopped' if -code in known_signals() else WORDS.get(code, 'FAILED')  # before it could heed the signal
        if code == LOST:
            now = look_at(running.run, self.results_dir)
            word = now.status if now.is_finished else 'stopped'
        if word == 'FAILED' and self._claim(running.run) is None:  # another sweep was faster by a moment
            running.output.close()
            return
        self.counts[word] += 1
        seconds = time.monotonic() - running.start
        of = f'({self.counts.total()} of {len(self.runs)})'
        print(f'{word:9}{name}  {duration(seconds)}  {of}', flush=True)
        record = self.results_dir / f'{name}.failed.txt'
        if word == 'stopped':
            self.left[name] = 'was stopped'
        elif word in ('done', 'diverged'):
            record.unlink(missing_ok=True)
        else:
            self._keep_failure(running, code, record)
        if word == 'done' and running.run.measures:
            record_measurement(running.run, self.results_dir)
        self._draw(running.run)
        if word == 'done' and running.before.status == 'new':
            self._estimate.add(running.run.row, seconds)
        running.output.close()

    def _keep_failure(self, running: _Running, code: int, record: Path) -> None:
        """Show the last lines of a run that failed, and keep all of them."""
        running.output.seek(0)
        text = running.output.read().rstrip()
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
            state = look_at(running.run, self.results_dir)
            self._draw(running.run)
            begun = 'measuring' if running.run.measures else 'starting'
            reached = f'epoch {state.epoch}/{state.num_epochs}' if state.num_epochs else begun
            texts.append(f'{running.run.name} {reached}')
            underway.append(Underway(running.run.row, now - running.start, state))
        more = f' and {len(texts) - SHOWN} more' if len(texts) > SHOWN else ''
        left = self._estimate.describe([run.row for run, _ in self._todo], underway, jobs=self.jobs)
        return f'running  {", ".join(texts[:SHOWN])}{more}; {left}'

    def _draw(self, run: PlannedRun) -> None:
        if self._pages:
            for name in run.needs if run.measures else (run.name,):
                self._pages.add(self.results_dir / name)

    def _draws(self) -> bool:
        return self._pages is not None and self._pages.are_left()

    def _end_active(self, number: int) -> None:
        """Send the runs a signal and wait until they have ended."""
        for running in self._active:
            running.process.send_signal(number)
        for running in self._active:
            running.process.wait()
            running.output.close()
