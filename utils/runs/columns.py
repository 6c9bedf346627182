"""The columns of the tables of a run, each declared once: where its values come from and how it is shown.

Their names are a contract. A method that measures something declares columns of its own; config.json keeps how those
are shown, so that who reads a run needs no method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from bigbatch.training.report import DistancePoint, EpochReport


@dataclass(frozen=True)
class Column:
    """A column of results.csv."""

    name: str  # in the head of the table
    title: str = ''  # of its chart; a column without one is an x axis
    label: str = ''  # of the y axis: quantity and unit
    panel: str = ''  # the chart of a run's page that it is drawn in; none if empty
    of: Callable[[EpochReport], float] | None = None  # what it is of a report; None: a method measures it
    beside: str = ''  # a column that is the same of other weights, in whose charts it is drawn, too
    weights: str = ''  # those, in words
    flag: str = ''  # what had it measured
    summary: str = ''  # the column of a comparison's summary that is made of it; none if empty
    reduce: str = 'last'  # how that is made of the epochs of a run: last, sum or mean

    @property
    def prefix(self) -> str:
        """The word before the name of the column that it is beside: `averaged`."""
        return self.name.removesuffix(f'_{self.beside}') if self.beside else ''

    @property
    def split(self) -> str:
        """The split that it was scored on, train or val; empty for what is no score."""
        first = self.name.partition('_')[0]
        return first if first in SPLITS else ''

    def to_plain(self) -> dict[str, str]:
        """Return how it is shown, as config.json keeps it: what is not as it is by default."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != 'of'}
        return {name: value for name, value in values.items() if value != getattr(Column, name, None)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> Column:
        """Return what to_plain described; what is no part of it is left out."""
        known = {field.name for field in fields(cls)} - {'of'}
        values: dict[str, Any] = {name: str(value) for name, value in plain.items() if name in known}
        return cls(**values)


SPLITS = ('train', 'val')
ERROR, LOSS = 'error@1 (%)', 'loss per example'
COLUMNS = (
    Column('epoch', of=lambda report: report.epoch),
    Column('step', of=lambda report: report.step, summary='updates'),
    Column('lr', 'Learning rate', 'learning rate per update', 'Learning rate', of=lambda report: report.lr),
    Column('train_loss', 'Training loss', LOSS, 'Loss', of=lambda report: report.train.loss),
    Column('val_loss', 'Validation loss', LOSS, 'Loss', of=lambda report: report.val.loss),
    Column('train_error1', 'Training error@1', ERROR, 'Error@1', of=lambda report: report.train.error1),
    Column('val_error1', 'Validation error@1', ERROR, 'Error@1', of=lambda report: report.val.error1),
    Column('train_error5', 'Training error@5', 'error@5 (%)', 'Error@5', of=lambda report: report.train.error5),
    Column('val_error5', 'Validation error@5', 'error@5 (%)', 'Error@5', of=lambda report: report.val.error5),
    Column(
        'grad_norm', 'Gradient norm', 'L2 norm, mean of the epoch', 'Gradient norm',
        of=lambda report: report.grad_norm,
    ),
    Column(
        'weight_distance', 'Distance from the initial weights', 'L2 distance', 'Distance from the initial weights',
        of=lambda report: report.weight_distance,
    ),
    Column(
        'epoch_seconds', 'Time of an epoch', 'seconds', of=lambda report: report.epoch_seconds, summary='seconds',
        reduce='sum',
    ),
    Column(
        'images_per_second', 'Speed', 'images per second', of=lambda report: report.images_per_second,
        summary='images_per_second', reduce='mean',
    ),
)  # fmt: skip
PANELS = (  # of a run's page, in order; others follow
    'Loss', 'Error@1', 'Error@5', 'Learning rate', 'Distance from the initial weights', 'Gradient norm',
)  # fmt: skip
COMPARED = ('val_error1', 'train_error1', 'val_loss', 'train_loss', 'lr', 'weight_distance')  # unless told otherwise
# The table of log-spaced updates; of its columns the distance alone is drawn, in place of that of results.csv.
DISTANCE_COLUMNS = tuple(DistancePoint.__dataclass_fields__)
DISTANCE = 'weight_distance'
RESULT_COLUMNS = tuple(column.name for column in COLUMNS)
SCORES = tuple(column.name for column in COLUMNS if column.split)


def head(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of results.csv of a run with this config.json."""
    return (*RESULT_COLUMNS, *(column.name for column in measured_columns(manifest)))


def measured_columns(manifest: Mapping[str, Any]) -> list[Column]:
    """Return the columns that the methods of a run with this config.json have measured."""
    return [Column.from_plain(plain) for plain in manifest.get('columns') or ()]
