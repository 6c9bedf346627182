"""Run a built experiment: the epochs, and the files that they leave."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from bigbatch import seeding
from bigbatch.distributed import Ranks, naming_failed_rank, sum_over_ranks
from bigbatch.errors import DivergedError, Interrupted, OtherRankError, UserError
from bigbatch.interrupts import StopRequest, stop_requests
from bigbatch.messages import counted
from bigbatch.training.parallel import Parallel, has_idle_parameters
from bigbatch.training.rank_states import begin_rank, collect_rank_states, restore_rank
from bigbatch.training.report import PartialEpoch
from bigbatch.training.scoring import evaluate
from bigbatch.training.trainer import Trainer
from utils.engine.methods import follow_epoch
from utils.engine.plan import Experiment, num_parameters
from utils.engine.progress import Progress
from utils.files import naming_file
from utils.logs import log_to_file
from utils.reports.drawing import draw_old_pages, draw_page
from utils.runs import checkpoint as checkpoints
from utils.runs import folder as run_folder
from utils.runs import layout, manifest
from utils.runs.config_json import read_config_json, stored_settings
from utils.runs.lock import RunLock
from utils.runs.tensorboard import TensorBoardExport
from utils.runs.writer import RunWriter, SilentWriter, Writer

log = logging.getLogger('bigbatch')


def score(experiment: Experiment) -> None:
    """Print loss and errors of a checkpoint on the validation set."""
    config, val = experiment.config, experiment.data.val
    scores = evaluate(experiment.model, experiment.criterion, val)
    what = f'{config.evaluate} on {config.dataset} (val, {counted(val.num_examples, "example")})'
    log.info('%s: loss %.4f  error@1 %.2f %%  error@5 %.2f %%', what, scores.loss, scores.error1, scores.error5)


def complete(folder: Path) -> None:
    """Make up for a kill after the end of a run: remove what is half written, and draw a page that is out of date."""
    run_folder.remove_leftovers(folder)
    run_folder.keep_only(folder, stored_settings(folder).get('keep', 'all'))
    draw_old_pages([folder])


def train(experiment: Experiment, plan: str) -> None:
    """Train up to the last epoch and write the files of the run; its status says how it ended, as do exceptions."""
    config = experiment.config
    with stop_requests('finishing the step, then saving') as stop:  # heeded by all ranks alike, so from the start
        content, best, lock = _open_folder(experiment) if experiment.ranks.is_first else ({}, None, None)
        try:
            _train(experiment, plan, content, best, stop)
        except UserError as error:
            raise UserError(f'{error}; --resume {config.folder} goes on') from error
        finally:
            if lock is not None:
                lock.release(config.folder)


def _train(experiment: Experiment, plan: str, content: dict, best: dict | None, stop: StopRequest) -> None:
    config = experiment.config
    parallel = _build_parallel(experiment)
    writer = _build_writer(experiment, parallel, content, best)
    log.info('%s\n%s', config.command, plan)
    with _noting_the_end(writer, config.folder, stop), naming_failed_rank(parallel.ranks):
        message = _run_epochs(experiment, parallel, writer, stop)
        tests = _score_at_end(experiment)
        for _, follower in experiment.followed if parallel.ranks.is_first else ():
            follower.save(config.folder, config.settings())
    writer.finish('done', message, **tests, finished=manifest.now())
    for name, scores in tests.items():
        who = '' if name == 'test' else f', {name.removesuffix("_test")} weights'
        log.info('test set, scored once%s: loss %.4f  error@1 %.2f %%', who, scores['loss'], scores['error1'])
    if message:
        log.info('%s', message)
    what, name = ('table', layout.RESULTS) if config.keep == 'results' else ('page', layout.PAGE)
    log.info('%s: %s', what, config.folder / name)


def _build_parallel(experiment: Experiment) -> Parallel:
    model, ranks = experiment.model, experiment.ranks
    if ranks.size == 1:
        return Parallel(model)
    inputs, targets, _ = experiment.data.train.peek(2)
    has_idle = has_idle_parameters(model, experiment.criterion, (inputs, targets))
    has_idle = bool(sum_over_ranks(torch.tensor(float(has_idle), device=experiment.device)))  # which all do alike
    return Parallel(model, ranks, has_idle_parameters=has_idle)


def _build_writer(experiment: Experiment, parallel: Parallel, content: dict, best: dict | None) -> Writer:
    """Build what writes the run's files, which the first rank alone does."""
    config = experiment.config
    make_checkpoint = functools.partial(snapshot, experiment, parallel=parallel)
    if not parallel.ranks.is_first:
        return SilentWriter(make_checkpoint)
    with naming_file(config.folder / layout.LOG):
        log_to_file(config.folder / layout.LOG)
    export = TensorBoardExport(config.folder, content['settings']) if config.tensorboard else None
    return RunWriter(
        config.folder,
        content,
        make_checkpoint,
        draw_page,
        best,
        save_all=config.save_all,
        save_minutes=config.checkpoint_minutes,
        keep=config.keep,
        export=export,
    )


@contextlib.contextmanager
def _noting_the_end(writer: Writer, folder: Path, stop: StopRequest) -> Iterator[None]:
    """Save what is finished and write how it ended into config.json, where that is not well."""
    try:
        yield
    except DivergedError as error:
        log.debug('%s', error)
        writer.finish('diverged', str(error))
        raise
    except Interrupted as error:
        message = f'by {stop.name or "a signal to another rank"} {error}: --resume {folder} goes on'
        log.debug('stopped %s', message)
        writer.finish('interrupted', f'stopped {message}')
        raise Interrupted(message) from error
    except Exception as error:
        log.debug('failed', exc_info=True)
        with contextlib.suppress(UserError):  # where the disk is full, `error` says so
            is_named = isinstance(error, (UserError, OtherRankError))
            writer.finish('failed', str(error) if is_named else f'{type(error).__name__}: {error}')
        raise


def snapshot(
    experiment: Experiment, epoch: int, step: int, best: dict | None, partial: PartialEpoch | None = None, *,
    parallel: Parallel | None = None,
) -> dict:  # fmt: skip
    """Return the present state as a checkpoint; of several ranks, which all call this, the first one gets it whole.

    Args:
        epoch: finished epochs.
        best: {'epoch', 'val_error1'} of the best epoch so far, or None.
        partial: what the epoch that goes on has come to.
    """
    return checkpoints.checked(
        {
            'version': checkpoints.VERSION,
            'epoch': epoch,
            'step': step,
            'best': best,
            'partial': partial.state_dict() if partial else None,
            'state_dict': experiment.model.state_dict(),
            'optimizer': experiment.optimizer.state_dict(),
            'estimator': experiment.estimator.state_dict(),
            'rng': seeding.get_rng_state(),
            'config': experiment.config.settings(),
            **{name: part for _, follower in experiment.followed for name, part in follower.to_checkpoint().items()},
            **(collect_rank_states(parallel, partial) if parallel else {}),
        }
    )


def _run_epochs(experiment: Experiment, parallel: Parallel, writer: Writer, should_stop: Callable[[], bool]) -> str:
    """Make the epochs that are left and return what is to say about the end, if anything."""
    config, start = experiment.config, experiment.start
    initial = _initial_weights(experiment)
    partial = _restore(experiment, parallel)
    progress = _build_progress(experiment, parallel.ranks, partial)
    trainer = Trainer(
        experiment.model,
        experiment.criterion,
        experiment.optimizer,
        experiment.estimator,
        initial=initial,
        first_step=start['step'] if start else 0,
        clip_grad=config.clip_grad,
        on_step=progress.on_step,
        should_stop=should_stop,
        should_save=writer.is_save_due,
        save=writer.save_within_epoch,
        parallel=parallel,
    )
    data = experiment.data
    if experiment.ends_early:
        return experiment.end
    reports = trainer.fit(
        data.train, data.val, first_epoch=experiment.first_epoch, num_epochs=experiment.num_epochs, partial=partial
    )
    try:
        for report in reports:
            report, measured = follow_epoch(experiment.followed, report, experiment)
            is_last = report.epoch >= experiment.num_epochs or experiment.ends_early
            writer.add(report, measured, is_last=is_last)
            progress.on_epoch(report, is_last=is_last)
            if is_last:
                break
    finally:
        progress.close()
    return experiment.end


def _build_progress(experiment: Experiment, ranks: Ranks, partial: PartialEpoch | None) -> Progress:
    return Progress(
        experiment.steps_per_epoch,
        experiment.num_epochs,
        first_epoch=experiment.first_epoch,
        first_index=partial.num_steps if partial else 0,
        batch_size=experiment.config.num_images,
        print_freq=experiment.config.print_freq,
        stream=None if ranks.is_first else io.StringIO(),
    )


def _initial_weights(experiment: Experiment) -> dict:
    """Return the weights at step 0, which distances are measured from."""
    if not experiment.start:
        return {name: value.clone() for name, value in experiment.model.state_dict().items()}
    initial = checkpoints.load_file(layout.run_of(experiment.config.resume) / layout.INITIAL)['state_dict']
    return {name: value.to(experiment.device) for name, value in initial.items()}


def _restore(experiment: Experiment, parallel: Parallel) -> PartialEpoch | None:
    """Bring all but weights and optimizer into the state to go on from, and return what the epoch had come to there."""
    start, seed = experiment.start, experiment.config.seed
    if not start:
        begin_rank(parallel, seed)
        return None
    experiment.estimator.load_state_dict(start.get('estimator', {}))  # older checkpoints have none
    return restore_rank(parallel, start, seed)


def _score_at_end(experiment: Experiment) -> dict:
    """Score the last weights, and those that methods have made of them, on a test set that is scored once."""
    test, models = experiment.data.test, {'test': experiment.model}
    if test is None:
        return {}
    for _, follower in experiment.followed:
        models |= follower.scored_at_end()
    return {name: asdict(evaluate(model, experiment.criterion, test)) for name, model in models.items()}


def _open_folder(experiment: Experiment) -> tuple[dict, dict | None, RunLock | None]:
    """Create a run's folder or cut it back; return config.json, the best epoch so far, and the lock on a new folder."""
    config, start, stored = experiment.config, experiment.start, experiment.stored
    content = new_manifest(experiment)
    if start is None:
        return content, None, create_folder(experiment, config.folder, content)
    assert stored is not None, 'a checkpoint to go on from lies in a run'
    content['started'] = stored['started']
    run, checkpoint, lock = layout.run_of(config.resume), layout.checkpoint_of(config.resume), None
    if experiment.continues_in_place:  # whose lock is held since it was read
        best = run_folder.rewind_run_folder(run, content, checkpoint=checkpoint, start=start)
    else:
        best, lock = run_folder.fork_run_folder(run, config.folder, content, checkpoint=checkpoint, start=start)
    return read_config_json(config.folder), best, lock


def create_folder(experiment: Experiment, folder: Path, content: dict) -> RunLock:
    """Create the folder of a run that begins, with this config.json, and return the lock on it."""
    first = snapshot(experiment, experiment.first_epoch, 0, None)
    initial = {'state_dict': first['state_dict'], 'version': checkpoints.VERSION}
    return run_folder.create_run_folder(folder, content, initial=initial, checkpoint=first)


def new_manifest(experiment: Experiment) -> dict:
    """Return the content of config.json of a run that begins."""
    config = experiment.config
    return {
        'version': 1,
        'script': config.script,
        'command': config.command,
        'argv': list(config.argv),
        'status': 'running',
        'message': '',
        'settings': {**config.settings(), 'num_epochs': experiment.num_epochs, 'device': str(experiment.device)},
        'micro_batch_size': experiment.micro_batch_size,
        'columns': [column.to_plain() for method in config.methods_on for column in method.COLUMNS],
        'regime': experiment.regime.table(experiment.num_epochs),
        'num_epochs': experiment.num_epochs,
        'steps_per_epoch': experiment.steps_per_epoch,
        'num_parameters': num_parameters(experiment.model),
        'data': experiment.data.fingerprint,
        'git': manifest.describe_code(),
        'num_threads': torch.get_num_threads(),
        'ranks': experiment.ranks.size,
        'versions': manifest.describe_versions(),
        'device': manifest.describe_device(experiment.device),
        'seed': config.seed,
        'started': os.environ.get(layout.STARTED_VARIABLE) or manifest.now(),
        'finished': None,
        'seconds': None,
        'test': None,
    }
