"""The files of a run folder and the columns of its tables; the names are a contract."""

from __future__ import annotations

from collections.abc import Mapping

CONFIG, LOG, PAGE, TENSORBOARD = 'config.json', 'log.txt', 'results.html', 'tensorboard'
LATEST, BEST, INITIAL = 'checkpoint.pth.tar', 'model_best.pth.tar', 'initial.pth.tar'
RESULTS, DISTANCES = 'results.csv', 'weight_distance.csv'
RESULT_COLUMNS = (
    'epoch', 'step', 'lr', 'train_loss', 'val_loss', 'train_error1', 'val_error1', 'train_error5', 'val_error5',
    'grad_norm', 'weight_distance', 'epoch_seconds', 'images_per_second',
)
NOISE_COLUMNS = ('noise_scale', 'gradient_norm2', 'gradient_variance')  # more of results.csv, with --noise-scale
DISTANCE_COLUMNS = ('step', 'weight_distance', 'train_loss')


def result_columns(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns of results.csv of a run with these settings."""
    return RESULT_COLUMNS + (NOISE_COLUMNS if settings.get('noise_scale') else ())
