"""Run a built experiment: the epochs, and the files that they leave."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import asdict

import torch

from utils import checkpoint as checkpoints
from utils import layout, manifest, results, run_folder, seeding
from utils.config import checkpoint_of, read_config_json, run_of
from utils.errors import DivergedError
from utils.gradients import create_estimator
from utils.logs import log_to_file
from utils.plan import Experiment, num_parameters
from utils.progress import Progress
from utils.tensorboard import TensorBoardExport
from utils.trainer import Trainer, evaluate

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
    content, best = _open_folder(experiment)
    log_to_file(config.folder / layout.LOG)
    log.info('%s\n%s', config.command, plan)
    writer = results.RunWriter(
        config.folder, content, make_checkpoint=functools.partial(snapshot, experiment), best=best,
        save_all=config.save_all,
        export=TensorBoardExport(config.folder, content['settings']) if config.tensorboard else None,
    )
    try:
        _run_epochs(experiment, writer)
        test = experiment.data.test
        scores = asdict(evaluate(experiment.model, experiment.criterion, test)) if test is not None else None
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
    writer.finish('done', test=scores, finished=manifest.now())
    if scores:
        log.info('test set, scored once: loss %.4f  error@1 %.2f %%', scores['loss'], scores['error1'])
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
        'rng': seeding.get_rng_state(),
        'config': experiment.config.settings(),
    }


def _run_epochs(experiment: Experiment, writer: results.RunWriter) -> None:
    config, start = experiment.config, experiment.start
    progress = Progress(
        experiment.steps_per_epoch, experiment.num_epochs, first_epoch=experiment.first_epoch,
        batch_size=config.batch_size, print_freq=config.print_freq,
    )
    initial = checkpoints.load_file(config.folder / layout.INITIAL)['state_dict']
    estimator = _create_estimator(experiment)
    trainer = Trainer(
        experiment.model, experiment.criterion, experiment.optimizer, estimator,
        initial={name: value.to(experiment.device) for name, value in initial.items()},
        first_step=start['step'] if start else 0, clip_grad=config.clip_grad, on_step=progress.on_step,
    )
    if start:
        seeding.set_rng_state(start['rng'])
    data = experiment.data
    reports = trainer.fit(data.train, data.val, first_epoch=experiment.first_epoch, num_epochs=experiment.num_epochs)
    try:
        for report in reports:
            measured = estimator.take_epoch() if config.noise_scale else {}
            writer.add(report, measured, is_last=report.epoch == experiment.num_epochs)
            progress.on_epoch(report)
    finally:
        progress.close()


def _create_estimator(experiment: Experiment) -> Callable:
    config = experiment.config
    if not config.noise_scale:
        return create_estimator('plain')
    ghost_size = config.ghost_batch_size or config.micro_batch_size
    return create_estimator('noise_scale', ghost_size=ghost_size, num_steps=experiment.steps_per_epoch)


def _open_folder(experiment: Experiment) -> tuple[dict, dict | None]:
    """Create the folder of a new run or of a fork, or cut that of a resumed run.

    Returns:
        The content of config.json, and the best epoch so far or None.
    """
    config, start, stored = experiment.config, experiment.start, experiment.stored
    content = _new_manifest(experiment)
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


def _new_manifest(experiment: Experiment) -> dict:
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
