"""Run a suite of experiments, several seeds and several at a time, and go on where it was stopped.

Each run is a command of its own in a process of its own, so one that fails takes no other with it. Finished runs are
skipped, interrupted and failed ones resumed; a diverged run is a result and is kept.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from utils.config import read_config_json
from utils.errors import EXIT_DIVERGED, EXIT_INTERRUPTED, UserError, command
from utils.layout import RESULTS
from utils.parser import Parser, whole
from utils.suite import PROJECT, RESERVED_FLAGS, PlannedRun, find_suite, list_suites

SECONDS_BETWEEN_LINES = 15.0
SECONDS_BETWEEN_LOOKS = 0.2


@dataclass
class _Running:
    """A started run and where its output goes."""

    run: PlannedRun
    process: subprocess.Popen
    output: object
    start: float


@command
def main(argv: list[str] | None = None) -> int:
    """Run a suite and print its table, or list the suites."""
    given = list(sys.argv[1:] if argv is None else argv)
    split = given.index('--') if '--' in given else len(given)
    flags = _build_parser().parse_args(given[:split])
    if flags.suite is None and given:
        raise UserError(f'{given[0]}: name the suite first; without any argument the suites are listed')
    if flags.suite is None:
        return _print_suites()
    suite = find_suite(flags.suite)
    runs = suite.runs(num_seeds=flags.seeds, extra=_extra_flags(given[split + 1:]), pattern=flags.filter)
    if not runs:
        raise UserError(f'--filter {flags.filter}: no run of suite {suite.name} has this in its name')
    results_dir = Path(flags.results_dir) / suite.name
    if Path(flags.results_dir).exists() and not Path(flags.results_dir).is_dir():
        raise UserError(f'--results_dir {flags.results_dir}: not a folder')
    print(f'suite {suite.name}: {len(runs)} runs in {results_dir}', flush=True)
    if flags.dry_run:
        return _dry_run(runs, results_dir)
    with _interrupted_by_sigterm():
        failed = Sweep(runs, results_dir, jobs=flags.jobs, fail_fast=flags.fail_fast).execute()
    if any(run.name not in failed and (results_dir / run.name).is_dir() for run in runs):
        _compare(results_dir, runs)
    for name in failed:
        print(f'failed: {name}', file=sys.stderr)
    return 1 if failed else 0


def _build_parser() -> Parser:
    parser = Parser(
        prog='run_experiments.sh', description='Run a suite of experiments; without a suite, list them.',
        epilog='Flags behind -- are added to every command: ./run_experiments.sh quickstart -- --device cpu',
    )
    parser.add_argument('suite', nargs='?', metavar='SUITE|FILE', help='name of a suite, or a file of commands')
    parser.add_argument('--seeds', type=whole(1), metavar='N', help='seeds 0 to N-1 for every row; else the suite says')
    parser.add_argument('--jobs', type=whole(1), default=1, metavar='N', help='runs at a time; they share the cores')
    parser.add_argument('--filter', default='', metavar='TEXT', help='only the runs with this text in their name')
    parser.add_argument('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of the suite')
    parser.add_argument('--dry-run', action='store_true', help='print the commands and the plan of each; run nothing')
    parser.add_argument('--fail-fast', action='store_true', help='stop at the first run that fails')
    return parser


def _extra_flags(words: list[str]) -> tuple[str, ...]:
    for word in words:
        if word.partition('=')[0].replace('_', '-') in RESERVED_FLAGS | {'--save'}:
            raise UserError(f'{word} behind --: the sweep sets it for each run, so it cannot be given to all of them')
    return tuple(words)


class Sweep:
    """Run planned runs, `jobs` at a time.

    Args:
        runs: in the order in which they start.
        results_dir: parent of their folders.
        fail_fast: start nothing more once a run has failed.
    """

    def __init__(self, runs: list[PlannedRun], results_dir: Path, *, jobs: int, fail_fast: bool):
        self._runs, self._results_dir = runs, results_dir
        self._jobs, self._fail_fast = jobs, fail_fast
        self._active: list[_Running] = []
        self._failed: list[str] = []
        self._num_done = 0
        self._last_line = time.monotonic()

    def execute(self) -> list[str]:
        """Run what is not done yet and return the names of the runs that failed."""
        todo = [run for run in self._runs if not self._is_done(run)]
        self._num_done = len(self._runs) - len(todo)
        if self._num_done:
            print(f'{self._num_done} of {len(self._runs)} runs are done already', flush=True)
        try:
            while (todo and not self._stops()) or self._active:
                while todo and len(self._active) < self._jobs and not self._stops():
                    self._active.append(self._start(todo.pop(0)))
                self._collect()
        except KeyboardInterrupt:
            print('\nstopped; the same command goes on from here', file=sys.stderr)
            raise
        finally:
            self._stop_active()
        return self._failed

    def _stops(self) -> bool:
        return self._fail_fast and bool(self._failed)

    def _is_done(self, run: PlannedRun) -> bool:
        folder = self._results_dir / run.name
        if not folder.exists():
            return False
        stored = _stored(folder)
        if stored is None:
            raise UserError(f'{folder} is no run of this project: move it away')
        made_by = [*run.argv, '--results_dir']  # its value and, once resumed, --resume follow
        if stored['script'] != Path(run.script).name or stored['argv'][: len(made_by)] != made_by:
            raise UserError(
                f'{folder} was made by other settings ({shlex.join(stored["argv"])}): move it away, or give another '
                '--results_dir'
            )
        return stored['status'] in ('done', 'diverged')

    def _start(self, run: PlannedRun) -> _Running:
        folder = self._results_dir / run.name
        begins = not folder.exists()
        arguments = [*run.argv, '--results_dir', str(self._results_dir)] if begins else ['--resume', str(folder)]
        # Sums of batch norm depend in the last digit on the number of threads: set it to compare between --jobs.
        threads = str(max(1, (os.cpu_count() or 1) // self._jobs))
        environment = {'OMP_NUM_THREADS': threads, **os.environ}
        output = tempfile.TemporaryFile('w+')  # noqa: SIM115 - closed when the run has ended
        process = subprocess.Popen(
            [sys.executable, str(PROJECT / run.script), *arguments], env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )
        print(f'{"start" if begins else "resume":9}{run.name}', flush=True)
        return _Running(run, process, output, time.monotonic())

    def _collect(self) -> None:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        for running in [running for running in self._active if running.process.poll() is not None]:
            self._active.remove(running)
            self._report(running)
        if self._active and time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            print('running ' + ', '.join(self._progress(running.run) for running in self._active), flush=True)
            self._last_line = time.monotonic()

    def _report(self, running: _Running) -> None:
        status = running.process.returncode
        self._num_done += 1
        word = {0: 'done', EXIT_DIVERGED: 'diverged', EXIT_INTERRUPTED: 'stopped'}.get(status, 'FAILED')
        seconds = time.monotonic() - running.start
        print(f'{word:9}{running.run.name}  {seconds:.0f} s  ({self._num_done} of {len(self._runs)})', flush=True)
        self._last_line = time.monotonic()
        if status not in (0, EXIT_DIVERGED):
            self._failed.append(running.run.name)
            running.output.seek(0)
            for line in running.output.read().strip().splitlines()[-5:]:
                print(f'        {line}', file=sys.stderr, flush=True)
        running.output.close()

    def _progress(self, run: PlannedRun) -> str:
        folder = self._results_dir / run.name
        stored = _stored(folder) or {}
        with contextlib.suppress(OSError, IndexError):
            rows = list(csv.DictReader((folder / RESULTS).read_text().splitlines()))
            return f'{run.name} epoch {rows[-1]["epoch"]}/{stored["num_epochs"]}'
        return f'{run.name} starting'

    def _stop_active(self) -> None:
        for running in self._active:
            running.process.terminate()
        for running in self._active:
            running.process.wait()
            running.output.close()


@contextlib.contextmanager
def _interrupted_by_sigterm():
    """Let a sweep that is told to end take its runs with it, as with Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stored(folder: Path) -> dict | None:
    try:
        return read_config_json(folder)
    except UserError:
        return None


def _print_suites() -> int:
    for suite in list_suites():
        print(f'{suite.name:16}{suite.description}')
    return 0


def _dry_run(runs: list[PlannedRun], results_dir: Path) -> int:
    """Print each command and the plan that it prints; return 1 if one of them is refused."""
    status = 0
    for run in runs:
        if (results_dir / run.name).exists():
            print(f'\n{run.name}: begun or done already', flush=True)
            continue
        arguments = [*run.argv, '--results_dir', str(results_dir)]
        print(f'\n{shlex.join(["python", run.script, *arguments])}', flush=True)
        done = subprocess.run([sys.executable, str(PROJECT / run.script), *arguments, '--dry-run'], check=False)
        status = status or int(done.returncode != 0)
    return status


def _compare(results_dir: Path, runs: list[PlannedRun]) -> None:
    """Print the table of the suite and draw its page, from the files."""
    from utils import compare, plots

    folders = [results_dir / run.name for run in runs if (results_dir / run.name).is_dir()]
    groups = compare.group_runs(compare.load_runs(folders))
    summary = compare.summarise(groups)
    page = plots.write_comparison_page(groups, results_dir / 'comparison.html', summary)
    print(f'\n{compare.format_table(summary)}\n\npage: {page}')


if __name__ == '__main__':
    sys.exit(main())
