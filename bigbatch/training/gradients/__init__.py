"""Gradient estimators: each leaves in `.grad` an estimate of the mean gradient of one batch.

One training step is one estimator, then clipping, then the optimizer. A new method is a new file here and a line in the
table; the trainer does not change. An estimator is called as `estimator(model, criterion, batch, step=...)`, see
bigbatch.training.gradients.base, and finds the gradients empty.
"""

from __future__ import annotations

import importlib

from bigbatch.messages import suggest
from bigbatch.training.gradients.base import Estimator

ESTIMATORS = {
    'plain': ('bigbatch.training.gradients.plain', 'PlainGradient'),
    'noise_scale': ('bigbatch.training.gradients.noise_scale', 'NoiseScaleGradient'),
    'gradient_noise': ('bigbatch.training.gradients.gradient_noise', 'GradientNoise'),
    'relu_noise': ('bigbatch.training.gradients.relu_noise', 'ReluNoise'),
    'smoothout': ('bigbatch.training.gradients.smoothout', 'SmoothOut'),
    'adapt_grad_norm': ('bigbatch.training.gradients.copies', 'AdaptGradNorm'),
}


def create_estimator(name: str, **settings) -> Estimator:
    """Create a gradient estimator by name.

    Raises:
        ValueError: there is no such estimator.
    """
    if name not in ESTIMATORS:
        raise ValueError(f'unknown gradient estimator {name!r}: {suggest(name, ESTIMATORS)}')
    module, attribute = ESTIMATORS[name]
    return getattr(importlib.import_module(module), attribute)(**settings)
