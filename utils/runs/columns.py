"""The columns of the tables of a run, and what people call them; their names are a contract."""

from __future__ import annotations

from collections.abc import Mapping

from bigbatch.training.report import EpochReport

TITLES = {  # column of results.csv -> title, label of the y axis
    'val_error1': ('Validation error@1', 'error@1 (%)'),
    'train_error1': ('Training error@1', 'error@1 (%)'),
    'val_error5': ('Validation error@5', 'error@5 (%)'),
    'train_error5': ('Training error@5', 'error@5 (%)'),
    'val_loss': ('Validation loss', 'loss per example'),
    'train_loss': ('Training loss', 'loss per example'),
    'averaged_val_error1': ('Validation error@1 of the averaged weights', 'error@1 (%)'),
    'averaged_val_error5': ('Validation error@5 of the averaged weights', 'error@5 (%)'),
    'averaged_val_loss': ('Validation loss of the averaged weights', 'loss per example'),
    'lr': ('Learning rate', 'learning rate per update'),
    'grad_norm': ('Gradient norm', 'L2 norm, mean of the epoch'),
    'noise_scale': ('Gradient noise scale', 'examples'),
    'gradient_norm2': ('Squared norm of the mean gradient', 'L2 norm squared, without bias'),
    'gradient_variance': ('Variance of the gradient of an example', 'trace of the covariance'),
    'weight_distance': ('Distance from the initial weights', 'L2 distance'),
    'epoch_seconds': ('Time of an epoch', 'seconds'),
    'images_per_second': ('Speed', 'images per second'),
}
RESULT_COLUMNS = (
    'epoch', 'step', 'lr', 'train_loss', 'val_loss', 'train_error1', 'val_error1', 'train_error5', 'val_error5',
    'grad_norm', 'weight_distance', 'epoch_seconds', 'images_per_second',
)
NOISE_COLUMNS = ('noise_scale', 'gradient_norm2', 'gradient_variance')  # more of results.csv, with --noise-scale
AVERAGE_COLUMNS = ('averaged_val_loss', 'averaged_val_error1', 'averaged_val_error5')  # with --swa-start
DISTANCE_COLUMNS = ('step', 'weight_distance', 'train_loss')


def result_columns(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns of results.csv of a run with these settings."""
    noise = NOISE_COLUMNS if settings.get('noise_scale') else ()
    return RESULT_COLUMNS + noise + (AVERAGE_COLUMNS if settings.get('swa_start') else ())


def report_row(report: EpochReport) -> tuple:
    """Return a report in the order of RESULT_COLUMNS."""
    train, val = report.train, report.val
    return (
        report.epoch, report.step, report.lr, train.loss, val.loss, train.error1, val.error1, train.error5, val.error5,
        report.grad_norm, report.weight_distance, report.epoch_seconds, report.images_per_second,
    )
