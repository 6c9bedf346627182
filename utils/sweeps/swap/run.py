"""SWAP: one run with a large batch, workers that go on from it each on its own, and the average of their weights.

Source: Gupta, Serrano, DeCoste 2020, "Stochastic weight averaging in parallel: large-batch training that generalizes
well" (arXiv 2001.02312). Where we differ: the workers share one machine, one after the other or several at a time; all
that they share is the weights they start from, so times are given in turn and as if side by side. The phases are
ordinary runs of the training scripts, each resumed on its own; for statistics of batch norm see
bigbatch.training.averaging.
"""

from __future__ import annotations

import copy
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import torch

from bigbatch.distributed import Ranks, from_environment, hear_from_first, meet
from bigbatch.errors import Interrupted, UserError
from bigbatch.regime import lr_factor
from bigbatch.training.averaging import WeightAverage, settle
from bigbatch.training.scoring import evaluate
from bigbatch.weights import weight_distance
from utils.command import EXIT_DIVERGED, user_errors
from utils.config.swap import SwapConfig
from utils.engine.experiment import build_experiment
from utils.engine.plan import Experiment, describe_plan
from utils.engine.runner import create_folder, new_manifest
from utils.logs import log_to_file
from utils.reports.drawing import draw_old_pages, draw_page
from utils.runs import checkpoint as checkpoints
from utils.runs import folder as run_folder
from utils.runs import layout, manifest
from utils.runs import lock as run_lock
from utils.runs.config_json import read_config_json
from utils.runs.reader import Run, load_run
from utils.sweeps.execution import Sweep
from utils.sweeps.state import look_at
from utils.sweeps.suite import PlannedRun
from utils.sweeps.swap.phases import PHASE1, plan_phase1, plan_worker
from utils.sweeps.swap.ranks import FOLDER, LOOKED, WORKERS, alone, follow_phases, own_workers
from utils.sweeps.swap.tables import SCORES, Average, phase_seconds, write_tables
from utils.wording import all_epochs_done

log = logging.getLogger('bigbatch')


def run_swap(config: SwapConfig, parse: Callable[[str, Sequence[str]], object]) -> int:
    """Train, average and write the files of SWAP, or print the plan, and return the exit status.

    Args:
        parse: resolves the command line of a training script to its settings.
    """
    ranks = from_environment()
    if not (config.resume or config.dry_run):
        config = replace(config, save=hear_from_first(ranks, 'save', config.save))  # the time, where it is not given
    goes_on = config.resume and not config.dry_run and ranks.is_first
    with run_lock.locked(config.folder) if goes_on else nullcontext():
        return _run_swap(config, parse, ranks)


def _run_swap(config: SwapConfig, parse: Callable[[str, Sequence[str]], object], ranks: Ranks) -> int:
    with user_errors():
        if ranks.is_first and not config.resume:
            run_folder.check_new_folder(config.folder)
        phase1 = build_experiment(replace(config, resume='', results_dir=str(config.folder), save=PHASE1), ranks)
        config = replace(config, batch_size=phase1.config.batch_size)  # which may have been fitted to the data
        workers = _plan_workers(config, phase1)
        worker = _build_worker(parse, workers[0], config)
    plan = _describe(config, phase1, worker)
    if config.dry_run:
        log.info('%s', plan)
        return 0
    if config.resume and _is_finished(config, workers):
        log.info('%s: all phases are done', config.resume)
        return 0
    if not ranks.is_first:
        del phase1, worker
        follow_phases(plan_phase1(config), workers, config.folder, ranks, jobs=config.jobs)
        return 0
    content, lock = _open_folder(config, phase1)
    try:
        log_to_file(config.folder / layout.LOG)
        log.info('%s\n%s', config.command, plan)
        del phase1, worker  # their data, while other processes train
        return _run_phases(config, workers, content, parse, ranks)
    finally:
        if lock is not None:
            lock.release(config.folder)


def _plan_workers(config: SwapConfig, phase1: Experiment) -> list[PlannedRun]:
    """Plan the workers: the optimizer of the regime's first epoch, at a rate of their own."""
    settings = phase1.regime.at(0)
    factor = lr_factor(config.batch_size, config.base_batch_size, config.lr_scaling)
    rate = settings['lr'] / factor
    if config.base_lr_per_example is not None:
        rate = config.base_lr_per_example * config.worker_batch_size
    settings['lr'] = rate if config.swap_lr is None else config.swap_lr
    return [plan_worker(config, number, settings) for number in range(config.swap_workers)]


def _build_worker(parse: Callable, run: PlannedRun, config: SwapConfig, *, trained: bool = False) -> Experiment:
    """Build a worker in this process, to check it or for its data; the weights that it starts from may not be there."""
    try:
        settings = parse(run.script, [*run.argv, '--results_dir', str(config.folder)])
        start = settings.init_from if trained else ''
        return build_experiment(replace(settings, init_from=start, dry_run=config.dry_run))
    except ValueError as error:
        raise UserError(f'a worker of phase 2: {error}') from error


def _describe(config: SwapConfig, phase1: Experiment, worker: Experiment) -> str:
    seed = worker.config.seed
    seeds = f'seeds {seed} to {seed + config.swap_workers - 1}'
    return '\n'.join([
        'phase 1, a large batch', describe_plan(phase1), '',
        f'phase 2, {config.swap_workers} workers, {config.jobs} at a time, {seeds}; the first one:',
        describe_plan(worker), '',
        f'phase 3, the average: {config.folder}/ {layout.CONFIG}, {layout.RESULTS}, {layout.SWAP_TABLE}, '
        f'{layout.SWAP_PAGE}, {layout.PAGE}, {layout.LATEST}',
    ])  # fmt: skip


def _is_finished(config: SwapConfig, workers: Sequence[PlannedRun]) -> bool:
    stored = read_config_json(config.folder)
    states = [look_at(run, config.folder) for run in (plan_phase1(config), *workers)]
    left = any(state.status in ('new', 'begun') for state in states)
    is_whole = config.skip_lost_workers or len(stored.get('workers') or ()) == len(workers)
    return stored['status'] == 'done' and is_whole and not left


def _open_folder(config: SwapConfig, phase1: Experiment) -> tuple[dict, run_lock.RunLock | None]:
    """Create the folder, or go on in it; return the content of its config.json and the lock on a new one."""
    content = new_manifest(phase1)
    epochs = phase1.num_epochs + config.swap_epochs
    content['settings'].update(save=config.save, results_dir=config.results_dir, num_epochs=epochs)
    content.update(num_epochs=epochs, workers=[], phases={}, columns=[])  # what methods measure is in phase 1
    if config.resume:
        content['started'] = read_config_json(config.folder)['started']
        run_folder.remove_leftovers(config.folder)
        run_folder.write_manifest(config.folder, content)
        return content, None
    return content, create_folder(phase1, config.folder, content)


def _run_phases(config: SwapConfig, workers: Sequence[PlannedRun], content: dict, parse: Callable, ranks: Ranks) -> int:
    with _ending(config.folder, content):
        meet(ranks, FOLDER)
        meet(ranks, LOOKED)
        phase1 = _train_phase1(config)
        if phase1.status == 'diverged':  # there is nothing to go on from
            message = f'phase 1 {phase1.config.get("message")}'
            run_folder.write_manifest(config.folder, {**content, 'status': 'diverged', 'message': message})
            print(f'error: {message}', file=sys.stderr)
            return EXIT_DIVERGED
        names = _train_workers(config, workers, ranks)
        with user_errors():
            worker = _build_worker(parse, workers[0], config, trained=True)
            _average(config, content, phase1, names, worker)
    return 0


@contextmanager
def _ending(folder: Path, content: dict) -> Iterator[None]:
    """Write how it ended into config.json, where that is not well."""

    def write(status: str, message: str) -> None:
        run_folder.write_manifest(folder, {**content, 'status': status, 'message': message})

    try:
        yield
    except Interrupted as error:
        message = f'{error}: --resume {folder} goes on'
        write('interrupted', f'stopped {message}')
        raise Interrupted(message) from error
    except Exception as error:
        log.debug('failed', exc_info=True)
        write('failed', str(error))
        raise


def _train_phase1(config: SwapConfig) -> Run:
    """Return the first phase, once it is done or diverged."""
    sweep = Sweep([plan_phase1(config)], config.folder, jobs=1, fail_fast=True)
    sweep.execute()
    for failure in sweep.failures:
        raise UserError(
            f'phase 1 failed: {failure.line} (all of its output: {failure.output}); --resume {config.folder} goes on'
        )
    sweep.check_none_left()
    run = load_run(config.folder / PHASE1)
    if run.status == 'diverged':
        return run
    if reason := _find_damage(config.folder, PHASE1, epochs_before=config.start_epoch):
        raise UserError(f'phase 1: {reason}. To repeat it, delete {run.folder} and give --resume {config.folder}')
    log.info('phase 1: %s', run.config.get('message') or all_epochs_done(len(run.results)))
    return run


def _train_workers(config: SwapConfig, workers: Sequence[PlannedRun], ranks: Ranks) -> list[str]:
    """Train the workers of this rank, wait for the others, and return the names of those that ended well."""
    states = {run.name: look_at(run, config.folder) for run in workers}
    lost = {name: state.reason for name, state in states.items() if state.status == 'refused'}
    _report_lost(config, lost)
    left = [run for run in workers if run.name not in lost]
    own = [run for run in own_workers(workers, ranks) if run in left]
    sweep = Sweep(own, config.folder, jobs=config.jobs, fail_fast=False, environment=alone(ranks))
    sweep.execute()
    sweep.check_none_left()
    meet(ranks, WORKERS)
    lost |= {failure.name: f'{failure.line} (all of its output: {failure.output})' for failure in sweep.failures}
    for run in left:
        if run.name not in lost and (reason := _find_damage(config.folder, run.name, num_epochs=config.swap_epochs)):
            lost[run.name] = reason
    _report_lost(config, lost)
    names = [run.name for run in workers if run.name not in lost]
    if not names:
        raise UserError(f'all {len(workers)} workers are lost: nothing is left to average')
    return names


def _find_damage(parent: Path, name: str, *, epochs_before: int = 0, num_epochs: int | None = None) -> str:
    """Say what keeps the run of a phase from being gone on with; empty for a sound one, of any length if not given."""
    folder, path = parent / name, parent / name / layout.LATEST
    try:
        run = load_run(folder)
        if run.status == 'diverged':
            return str(run.config.get('message'))
        found = checkpoints.load_checkpoint(path)
    except ValueError as error:
        return str(error)
    epoch, state, rows = found['epoch'], found['state_dict'], len(run.results)
    expected = checkpoints.load_state(parent / layout.INITIAL)
    if not rows == epoch - epochs_before == (num_epochs or rows) > 0:
        of = f' of {num_epochs}' if num_epochs else ''
        return f'{folder} holds {min(epoch - epochs_before, rows)}{of} epochs, though it says that it is done'
    if run.results[list(SCORES)].isna().any(axis=None):
        return f'{folder / layout.RESULTS} has scores that are no numbers'
    if {key: value.shape for key, value in state.items()} != {key: value.shape for key, value in expected.items()}:
        return f'{path} holds the weights of another network'
    if not all(value.isfinite().all() for value in state.values()):
        return f'{path} holds weights that are not finite'
    return ''


def _report_lost(config: SwapConfig, lost: dict[str, str]) -> None:
    """Name the lost workers; refuse to go on without them unless that is asked for."""
    if not lost:
        return
    text = '; '.join(f'{name}: {reason}' for name, reason in lost.items())
    if config.skip_lost_workers:
        log.warning('left out of the average: %s', text)
        return
    name = next(iter(lost))
    raise UserError(
        f'lost: {text}. To repeat it, delete {config.folder / name} and give --resume {config.folder}; to do without, '
        'add --skip-lost-workers'
    )


def _average(config: SwapConfig, content: dict, phase1: Run, names: Sequence[str], worker: Experiment) -> None:
    """Average the workers into the network of `worker`, score it on its data and write all files."""
    start, model, folder = time.perf_counter(), worker.model, config.folder
    average_weights(model, [folder / name / layout.LATEST for name in names])
    scores = settle(model, worker.criterion, worker.data.train, worker.data.val)
    test = worker.data.test
    tested = asdict(evaluate(model, worker.criterion, test)) if test is not None else None
    distance = weight_distance(model, checkpoints.load_file(folder / layout.INITIAL)['state_dict'])
    average = Average(scores, distance, time.perf_counter() - start)
    table = write_tables(folder, phase1, [load_run(folder / name) for name in names], average)
    last = table.iloc[-1]
    checkpoints.save_checkpoint(folder / layout.LATEST, {
        'version': checkpoints.VERSION, 'epoch': int(last['epoch']), 'step': int(last['step']), 'best': None,
        'state_dict': model.state_dict(), 'num_averaged': len(names), 'config': config.settings(),
    })  # fmt: skip
    phases = phase_seconds(table)
    seconds = last['seconds_in_turn']
    content.update(status='done', message='', workers=list(names), phases=phases, test=tested, seconds=seconds)
    run_folder.write_manifest(folder, {**content, 'finished': manifest.now()})
    _report(folder, table, phases, tested)
    for place in (folder, folder / PHASE1, *(folder / name for name in names)):
        run_folder.keep_only(place, config.keep)


@torch.no_grad()
def average_weights(model: torch.nn.Module, paths: Sequence[Path]) -> None:
    """Put the mean of the weights of checkpoints into a network, computed in float64.

    Its running statistics belong to none of them and are to be computed anew.
    """
    wide = copy.deepcopy(model).to('cpu', torch.float64)
    average = WeightAverage(wide)
    for path in paths:
        checkpoints.load_weights(wide, checkpoints.load_state(path), path)
        average.add(wide)
    model.load_state_dict(average.model.state_dict())


def _report(folder: Path, table, phases: dict[str, float], tested: dict | None) -> None:
    from utils.reports.pages.swap_page import write_swap_page

    errors = table.set_index('name')['val_error1']
    workers = errors[errors.index.str.startswith('worker')]
    shown = (errors['mean'], workers.min(), workers.max(), errors['average'])
    log.info('workers: error@1 %.2f %% on average, %.2f to %.2f %%; their average: %.2f %%', *shown)
    if tested:
        log.info('test set, scored once: loss %.4f  error@1 %.2f %%', tested['loss'], tested['error1'])
    text = 'seconds: phase 1 %.1f, phase 2 %.1f in turn and %.1f as if side by side, phase 3 %.1f'
    log.info(text, *phases.values())
    draw_old_pages(folder / name for name in table['name'] if (folder / name).is_dir())
    draw_page(folder)
    log.info('page: %s', write_swap_page(folder))
