"""Run a suite of experiments, several seeds and several at a time, and go on where it was stopped.

Finished runs are skipped, interrupted and failed ones resumed; a diverged run is a result and is kept.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # which Python leaves out where PYTHONSAFEPATH asks for it

from bigbatch.errors import Interrupted, UserError
from bigbatch.messages import counted
from utils.command import EXIT_INTERRUPTED, EXIT_KILLED, command
from utils.logs import print_notes
from utils.parser import Parser, whole
from utils.reports.drawing import draw_old_pages
from utils.sweeps.commands import data_of, name_suffix, settings_of
from utils.sweeps.execution import Sweep
from utils.sweeps.state import State, look_at
from utils.sweeps.suite import PlannedRun, find_suite, list_suites
from utils.wording import typed


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
    suite, extra = find_suite(flags.suite), tuple(given[split + 1 :])
    results_dir = Path(flags.results_dir) / suite.name
    runs = suite.runs(results_dir=results_dir, num_seeds=flags.seeds, extra=extra, pattern=flags.filter)
    if not runs:
        raise UserError(f'--filter {flags.filter}: no run of suite {suite.name} has this in its name')
    if Path(flags.results_dir).exists() and not Path(flags.results_dir).is_dir():
        raise UserError(f'--results_dir {flags.results_dir}: not a folder')
    print(f'suite {suite.name}: {counted(len(runs), "run")} in {results_dir}, {flags.jobs} at a time', flush=True)
    if flags.dry_run:
        return _dry_run(runs, results_dir)
    return _run(runs, results_dir, jobs=flags.jobs, fail_fast=flags.fail_fast)


def _build_parser() -> Parser:
    parser = Parser(
        prog='run_experiments.sh',
        description='Run a suite of experiments; without a suite, list them.',
        epilog='Flags behind -- are added to every command: ./run_experiments.sh quickstart -- --device cpu',
    )
    add = parser.add_argument
    add('suite', nargs='?', metavar='SUITE|FILE', help='name of a suite, or a file of commands')
    add('--seeds', type=whole(1, 10_000), metavar='N', help='seeds 0 to N-1 for every row; else the suite says')
    add('--jobs', type=whole(1), default=1, metavar='N', help='runs at a time; they share the cores')
    add('--filter', default='', metavar='TEXT', help='only the runs with this text in their name')
    add('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of the suite')
    add('--dry-run', action='store_true', help='print the commands, the plan of each row and what is done already')
    add('--fail-fast', action='store_true', help='start nothing more once a run has failed')
    return parser


def _run(runs: list[PlannedRun], results_dir: Path, *, jobs: int, fail_fast: bool) -> int:
    sweep = Sweep(runs, results_dir, jobs=jobs, fail_fast=fail_fast)
    sweep.prepare()
    _check_data([run for run in runs if not (run.measures or look_at(run, results_dir).is_finished)])
    print_notes()
    try:
        sweep.execute()
    except Interrupted as error:
        raise Interrupted(f'{error}: {sweep.describe()}; the same command goes on from here') from error
    print(sweep.describe(), flush=True)
    failed = {failure.name for failure in sweep.failures}
    trained = [run for run in runs if not run.measures and run.name not in failed]
    finished = [run for run in trained if (results_dir / run.name).is_dir()]
    if finished:
        draw_old_pages(results_dir / run.name for run in finished)
        _compare(finished, results_dir)
    for failure in sweep.failures:
        print(f'failed: {failure.name}: {failure.line}  (all of its output: {failure.output})', file=sys.stderr)
    if sweep.left and not failed:
        name, why = next(iter(sweep.left.items()))
        raise Interrupted(f'{name} {why}; the same command goes on from here once all runs have ended')
    return 1 if failed else 0


def _check_data(runs: list[PlannedRun]) -> None:
    """Refuse to start where a data set is not there, in the words of a run: else run after run would say so."""
    data = [data_of(run.script, run.argv) for run in runs]
    fetched = {(name, folder) for name, folder, download in data if download}  # by the first run that needs it
    needed = Counter((name, folder) for name, folder, _ in data if (name, folder) not in fetched)
    if needed:
        from utils.engine.loading import check_data  # torch takes a second to import

        for (name, folder), number in needed.items():
            try:
                check_data(name, folder)
            except ValueError as error:
                need = f'{name} is needed by {number} of {counted(len(runs), "run")} to do'
                need += '; --filter leaves others out' if number < len(runs) else ''
                raise UserError(f'{error} ({need}; flags for all runs stand behind --)') from error


def _print_suites() -> int:
    suites = list_suites()
    width = max(len(suite.name) for suite in suites) + 2
    for suite in suites:
        print(f'{suite.name:{width}}{suite.description}')
    return 0


def _dry_run(runs: list[PlannedRun], results_dir: Path) -> int:
    """Print what would be done about each run, with the plan of a row's first new one; return 1 if one is refused."""
    states = [look_at(run, results_dir) for run in runs]
    unfinished = {run.name for run, state in zip(runs, states, strict=True) if not state.is_finished}
    planned, status = set(), 0
    for run, state in zip(runs, states, strict=True):
        print(f'\n{_describe(run, state, results_dir)}', flush=True)
        waits = [name for name in run.needs if name in unfinished]
        if waits:
            print(f'  waits for {", ".join(waits)}', flush=True)
        status |= int(state.status == 'refused')
        if state.status == 'new' and run.row not in planned and not (run.measures or waits):
            planned.add(run.row)
            status |= int(_plan(run, results_dir) != 0)
    counts = Counter(state.status for state in states)
    print(f'\n{counted(len(runs), "run")}: {", ".join(f"{number} {word}" for word, number in counts.items())}')
    return status


def _describe(run: PlannedRun, state: State, results_dir: Path) -> str:
    if state.status == 'new':
        return typed(['python', run.script, *run.flags(results_dir)])
    if state.status == 'refused':
        return f'{run.name}: refused: {state.reason}'
    if run.measures:
        return f'{run.name}: {state.status}'
    reached = f'epoch {state.epoch} of {state.num_epochs}'
    return f'{run.name}: ' + (f'would be resumed after {reached}' if state.status == 'begun' else state.status)


def _plan(run: PlannedRun, results_dir: Path) -> int:
    """Have the script of a run print its plan, in this process, and return its exit status."""
    script = importlib.import_module(Path(run.script).stem)
    status = script.main([*run.flags(results_dir), '--dry-run'])
    if status in (EXIT_INTERRUPTED, EXIT_KILLED):  # as it has said
        raise SystemExit(status)
    sys.stdout.flush()
    return status


def _compare(runs: list[PlannedRun], results_dir: Path) -> None:
    """Print the tables of the suite and draw its page, from the files; a page of its own for other extra flags."""
    from utils.reports.comparison import Comparison

    page = results_dir / f'comparison{name_suffix(settings_of(runs[0].script, runs[0].extra))}.html'
    comparison = Comparison(experiments=[results_dir / run.name for run in runs], output=page)
    try:
        groups = comparison.load()
    except UserError as error:
        print(f'no table: {error}', file=sys.stderr)
        return
    print()
    comparison.report(groups)


if __name__ == '__main__':
    sys.exit(main())
