"""Run a built experiment: the epochs, and the files that they leave."""

from __future__ import annotations

import functools
import logging
import shutil
from dataclasses import asdict
from pathlib import Path

from utils import checkpoint as checkpoints
from utils import layout, manifest, results, seeding
from utils.config import read_config_json, run_of
from utils.errors import DivergedError, UserError
from utils.gradients import create_estimator
from utils.logs import log_to_file
from utils.plan import Experiment, num_parameters
from utils.progress import Progress
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
    config, start = experiment.config, experiment.start
    content = _open_folder(experiment)
    log_to_file(config.folder / layout.LOG)
    log.info('%s\n%s', config.command, plan)
    best = start['best'] if start else None
    writer = results.RunWriter(
        config.folder, content, make_checkpoint=functools.partial(snapshot, experiment), best=best,
        save_all=config.save_all,
    )
    try:
        _run_epochs(experiment, writer)
        test = experiment.data.test
        scores = asdict(evaluate(experiment.model, experiment.criterion, test)) if test is not None else None
    except DivergedError as error:
        writer.finish('diverged', str(error))
        raise
    except Exception as error:
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
    initial = checkpoints.load_state(config.folder / layout.INITIAL)
    trainer = Trainer(
        experiment.model, experiment.criterion, experiment.optimizer, create_estimator('plain'),
        initial={name: value.to(experiment.device) for name, value in initial.items()},
        first_step=start['step'] if start else 0, clip_grad=config.clip_grad, on_step=progress.on_step,
    )
    if start:
        seeding.set_rng_state(start['rng'])
    data = experiment.data
    reports = trainer.fit(data.train, data.val, first_epoch=experiment.first_epoch, num_epochs=experiment.num_epochs)
    try:
        for report in reports:
            writer.add(report, is_last=report.epoch == experiment.num_epochs)
            progress.on_epoch(report)
    finally:
        progress.close()


def _open_folder(experiment: Experiment) -> dict:
    """Create the folder of a new run, of a fork, or cut that of a resumed run; return the content of config.json."""
    config, start = experiment.config, experiment.start
    if start is None:
        content = _new_manifest(experiment)
        first = snapshot(experiment, experiment.first_epoch, 0, None)
        initial = {'state_dict': first['state_dict'], 'version': checkpoints.VERSION}
        results.create_run_folder(config.folder, content, initial=initial, checkpoint=first)
        return content
    run = run_of(config.resume)
    stored = read_config_json(run)
    if stored['data'] != experiment.data.fingerprint:
        raise UserError(
            f'--resume {config.resume}: the training set is not the one that the run began with '
            f'(fingerprint {experiment.data.fingerprint}, then {stored["data"]}): bring that one back'
        )
    given = Path(config.resume)
    source = given / layout.LATEST if given.is_dir() else given
    if not experiment.continues_in_place:
        results.copy_run_folder(run, config.folder, checkpoint=source)
    elif source.name != layout.LATEST:
        shutil.copyfile(source, run / layout.LATEST)
    results.cut_tables(config.folder, epoch=start['epoch'], step=start['step'])
    content = {**_new_manifest(experiment), 'started': stored['started'], 'seconds': stored.get('seconds')}
    results.write_manifest(config.folder, content)
    return content


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
        'versions': manifest.describe_versions(),
        'device': manifest.describe_device(experiment.device),
        'seed': config.seed,
        'started': manifest.now(),
        'finished': None,
        'seconds': None,
        'test': None,
    }
