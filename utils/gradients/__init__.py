"""Gradient estimators: each leaves in `.grad` an estimate of the mean gradient of one batch.

One training step is one estimator, then clipping, then the optimizer. A new method is a new file here and a line in the
table; the trainer does not change. An estimator is called as `estimator(model, criterion, batch) -> ScoreSums`, finds
the gradients empty, and sees the batch as an iterable of micro-batches (inputs, targets, indices) that may be run
through more than once.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from utils.errors import suggest

ESTIMATORS = {
    'plain': ('utils.gradients.plain', 'PlainGradient'),
    'noise_scale': ('utils.gradients.noise_scale', 'NoiseScaleGradient'),
}


def create_estimator(name: str, **settings) -> Callable:
    """Create a gradient estimator by name.

    Raises:
        ValueError: there is no such estimator.
    """
    if name not in ESTIMATORS:
        raise ValueError(f'unknown gradient estimator {name!r}: {suggest(name, ESTIMATORS)}')
    module, attribute = ESTIMATORS[name]
    return getattr(importlib.import_module(module), attribute)(**settings)
