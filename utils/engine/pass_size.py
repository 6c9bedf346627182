"""Settle how many examples a run takes in one pass, where --micro-batch-size leaves that open."""

from __future__ import annotations

import dataclasses

from bigbatch.distributed import min_over_ranks
from bigbatch.errors import UserError
from bigbatch.training.batch_norm import has_batch_norm
from bigbatch.training.micro_batch import SHARE_FOR_PASSES, Fit, Workload, find_fit
from bigbatch.training.optim import RegimeOptimizer
from utils.config.batch import AUTO
from utils.engine.plan import Experiment
from utils.engine.speed import fit_compiler


def fit_micro_batch(experiment: Experiment, free_bytes: int) -> Experiment:
    """Settle --micro-batch-size auto, by passes that leave the experiment as it was; a UserError where none fit."""
    config, ranks, device = experiment.config, experiment.ranks, experiment.device
    if config.micro_batch_size != AUTO:
        return experiment
    size, memory = (experiment.stored or {}).get('micro_batch_size'), ''  # what it came to when the run began
    if size is None:
        limit = int(SHARE_FOR_PASSES * free_bytes) // (ranks.size if device.type == 'cpu' else 1)
        size, memory = _find_micro_batch(experiment, limit)
    experiment.data.train.micro_batch_size = size
    fit_compiler(dataclasses.replace(config, micro_batch_size=size), experiment.model, device, ranks)
    return dataclasses.replace(experiment, memory=memory)


def _find_micro_batch(experiment: Experiment, limit: int) -> tuple[int, str]:
    """Return the largest size of passes that fits on every rank, and how that was found."""
    config, ranks, device, loaders = experiment.config, experiment.ranks, experiment.device, experiment.data
    optimizer = RegimeOptimizer(experiment.model.parameters(), experiment.regime)
    optimizer.start_epoch(experiment.first_epoch)
    inputs, targets, _ = loaders.train.peek(64)
    workload = Workload(
        model=experiment.model,
        criterion=experiment.criterion,
        estimator=experiment.estimator,
        optimizer=optimizer,
        examples=(inputs, targets),
        eval_size=min(config.eval_batch_size, loaders.val.num_examples),
    )
    num_own = config.num_images // ranks.size
    is_whole = config.ghost_batch_size is None and has_batch_norm(workload.model)
    unit = num_own if is_whole else config.ghost_batch_size or 1
    fit = find_fit(workload, num_own, unit, limit)
    size = min_over_ranks(fit.size if fit.num_bytes <= limit else 0, device)
    if not size:
        raise UserError(f'--micro-batch-size {AUTO}: {_explain_no_fit(fit, limit, is_whole, config.ghost_batch_size)}')
    return size, fit.describe()


def _explain_no_fit(fit: Fit, limit: int, is_whole: bool, ghost_size: int | None) -> str:
    if fit.num_bytes <= limit:
        return 'another rank has no memory for its passes: it says how much it lacks'
    remedy = 'take smaller ghosts' if ghost_size else 'take a smaller network'
    remedy = 'main_gbn.py takes a batch in passes of whole ghosts' if is_whole else remedy
    return f'{fit.describe()}: {remedy}, or a smaller --eval-batch-size'
