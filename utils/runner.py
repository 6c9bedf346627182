"""Run a built experiment: the epochs, and the files that they leave."""

from __future__ import annotations

import functools
import logging
import time
from dataclasses import asdict, replace

import torch

from utils import checkpoint as checkpoints
from utils import layout, manifest, results, run_folder, seeding
from utils.averaging import settle
from utils.config import checkpoint_of, read_config_json, run_of
from utils.device import keep_freed_memory
from utils.errors import DivergedError
from utils.logs import log_to_file
from utils.plan import Experiment, num_parameters
from utils.progress import Progress
from utils.tensorboard import TensorBoardExport
from utils.trainer import EpochReport, Trainer, evaluate

log = logging.getLogger('bigbatch')


def score(experiment: Experiment) -> None:
    """Print loss and errors of a checkpoint on the validation set."""
    scores = evaluate(experiment.model, experiment.criterion, experiment.data.val)
    log.info(
        '%s on %s (val, %d examples): loss %.4f  error@1 %.2f %%  error@5 %.2f %%',
        experiment.config.evaluate, experiment.config.dataset, experiment.data.val.num_examples,
        scores.loss, scores.error1, scores.error5,
    )


def train(experiment: Experiment, plan: str) -> None:
    """Train up to the last epoch and write the files of the run.

    Raises:
        DivergedError: the loss is not finite any more; the run's status says so.
    """
    config = experiment.config
    if experiment.device.type == 'cpu':
        keep_freed_memory()
    content, best = _open_folder(experiment)
    log_to_file(config.folder / layout.LOG)
    log.info('%s\n%s', config.command, plan)
    writer = results.RunWriter(
        config.folder, content, make_checkpoint=functools.partial(snapshot, experiment), best=best,
        save_all=config.save_all,
        export=TensorBoardExport(config.folder, content['settings']) if config.tensorboard else None,
    )
    try:
        message = _run_epochs(experiment, writer)
        tests = _score_at_end(experiment)
        _save_average(experiment)
    except DivergedError as error:
        log.debug('%s', error)
        writer.finish('diverged', str(error))
        raise
    except KeyboardInterrupt:
        writer.finish('failed', f'interrupted: --resume {config.folder} goes on')
        raise
    except Exception as error:
        log.debug('failed', exc_info=True)
        writer.finish('failed', f'{type(error).__name__}: {error}')
        raise
    writer.finish('done', message, **tests, finished=manifest.now())
    for name, scores in tests.items():
        who = ', the average of the weights' if name == 'averaged_test' else ''
        log.info('test set, scored once%s: loss %.4f  error@1 %.2f %%', who, scores['loss'], scores['error1'])
    if message:
        log.info('%s', message)
    log.info('page: %s', config.folder / layout.PAGE)


def snapshot(experiment: Experiment, epoch: int, step: int, best: dict | None) -> dict:
    """Return the present state as a checkpoint.

    Args:
        epoch: finished epochs.
        step: updates made.
        best: {'epoch', 'val_error1'} of the best epoch so far, or None.
    """
    return {
        'version': checkpoints.VERSION,
        'epoch': epoch,
        'step': step,
        'best': best,
        'state_dict': experiment.model.state_dict(),
        'optimizer': experiment.optimizer.state_dict(),
        'estimator': experiment.estimator.state_dict(),
        'average': experiment.average.state_dict() if experiment.average else {},
        'rng': seeding.get_rng_state(),
        'config': experiment.config.settings(),
    }


def _run_epochs(experiment: Experiment, writer: results.RunWriter) -> str:
    """Make the epochs that are left and return what is to say about the end, if anything."""
    config, start = experiment.config, experiment.start
    progress = Progress(
        experiment.steps_per_epoch, experiment.num_epochs, first_epoch=experiment.first_epoch,
        batch_size=config.num_images, print_freq=config.print_freq,
    )
    initial = checkpoints.load_file(config.folder / layout.INITIAL)['state_dict']
    trainer = Trainer(
        experiment.model, experiment.criterion, experiment.optimizer, experiment.estimator,
        initial={name: value.to(experiment.device) for name, value in initial.items()},
        first_step=start['step'] if start else 0, clip_grad=config.clip_grad, on_step=progress.on_step,
    )
    if start:
        experiment.estimator.load_state_dict(start.get('estimator', {}))  # older checkpoints have none
        if experiment.average:
            experiment.average.load_state_dict(start['average'])
        seeding.set_rng_state(start['rng'])
    data, stop = experiment.data, experiment.stop_rule()
    if stop.is_reached:
        return stop.message
    reports = trainer.fit(data.train, data.val, first_epoch=experiment.first_epoch, num_epochs=experiment.num_epochs)
    try:
        for report in reports:
            measured = experiment.estimator.take_epoch() if config.noise_scale else {}
            if experiment.average:
                report, scores = _add_to_average(experiment, report)
                measured |= dict(zip(layout.AVERAGE_COLUMNS, scores, strict=True))
            is_last = stop.see(report.epoch, report.train.error1)
            writer.add(report, measured, is_last=is_last)
            progress.on_epoch(report, is_last=is_last)
            if is_last:
                break
    finally:
        progress.close()
    return stop.message


def _add_to_average(experiment: Experiment, report: EpochReport) -> tuple[EpochReport, tuple]:
    """Add an epoch's weights to the average and score it; return the report with the time that took, and the scores."""
    if report.epoch < experiment.config.swa_start:
        return report, (None,) * len(layout.AVERAGE_COLUMNS)
    start, average, data = time.perf_counter(), experiment.average, experiment.data
    average.add(experiment.model)
    scores = settle(average.model, experiment.criterion, data.train, data.val)
    seconds = report.epoch_seconds + time.perf_counter() - start
    return replace(report, epoch_seconds=seconds), (scores.loss, scores.error1, scores.error5)


def _score_at_end(experiment: Experiment) -> dict:
    """Score the last weights, and their average, on a test set that is scored once."""
    test, average = experiment.data.test, experiment.average
    if test is None:
        return {}
    models = {'test': experiment.model, **({'averaged_test': average.model} if average and average.count else {})}
    return {name: asdict(evaluate(model, experiment.criterion, test)) for name, model in models.items()}


def _save_average(experiment: Experiment) -> None:
    """Save the average of the weights as a checkpoint to score, to measure and to start from."""
    config, average = experiment.config, experiment.average
    if average is None:
        return
    if not average.count:
        log.warning('no average: the run ended before epoch %d, --swa-start', config.swa_start)
        return
    content = {
        'version': checkpoints.VERSION, 'state_dict': average.model.state_dict(), 'num_averaged': average.count,
        'config': config.settings(),
    }
    checkpoints.save_checkpoint(config.folder / layout.AVERAGED, content)


def _open_folder(experiment: Experiment) -> tuple[dict, dict | None]:
    """Create the folder of a new run or of a fork, or cut that of a resumed run.

    Returns:
        The content of config.json, and the best epoch so far or None.
    """
    config, start, stored = experiment.config, experiment.start, experiment.stored
    content = new_manifest(experiment)
    if start is None:
        first = snapshot(experiment, experiment.first_epoch, 0, None)
        initial = {'state_dict': first['state_dict'], 'version': checkpoints.VERSION}
        run_folder.create_run_folder(config.folder, content, initial=initial, checkpoint=first)
        return content, None
    content['started'] = stored['started']
    where = {'checkpoint': checkpoint_of(config.resume), 'start': start}
    if experiment.continues_in_place:
        best = run_folder.rewind_run_folder(config.folder, content, **where)
    else:
        best = run_folder.fork_run_folder(run_of(config.resume), config.folder, content, **where)
    return read_config_json(config.folder), best


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
        'regime': experiment.regime.table(experiment.num_epochs),
        'num_epochs': experiment.num_epochs,
        'steps_per_epoch': experiment.steps_per_epoch,
        'num_parameters': num_parameters(experiment.model),
        'data': experiment.data.fingerprint,
        'git': manifest.describe_code(),
        'num_threads': torch.get_num_threads(),
        'versions': manifest.describe_versions(),
        'device': manifest.describe_device(experiment.device),
        'seed': config.seed,
        'started': manifest.now(),
        'finished': None,
        'seconds': None,
        'test': None,
    }
