"""Export a run for TensorBoard while it goes on, for those who have the package.

The events follow the tables of the run: a resumed or forked run begins with the rows that it keeps, so that no point
past a checkpoint is left from before.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bigbatch.errors import UserError
from utils.runs.columns import COLUMNS, DISTANCE, SPLITS
from utils.runs.layout import DISTANCES, RESULTS, TENSORBOARD

# Not curves: counters, which the x axis holds, and the distance at the ends of epochs, of which DISTANCES has more.
NOT_DRAWN = frozenset((*(column.name for column in COLUMNS if not column.title), DISTANCE))


def check_tensorboard() -> None:
    """Refuse the export by a UserError where the package is missing."""
    if importlib.util.find_spec('tensorboard') is None:
        raise UserError('--tensorboard needs the package tensorboard: pip install tensorboard, or leave the flag out')


class TensorBoardExport:
    """Write the rows of a run's tables as TensorBoard scalars over updates, beside the settings as text.

    The events of rows that are in the folder of the run are written at once, in place of older ones.
    """

    def __init__(self, run_folder: Path, settings: Mapping[str, object]):
        from torch.utils.tensorboard import SummaryWriter  # two seconds to import

        shutil.rmtree(run_folder / TENSORBOARD, ignore_errors=True)
        self._writer = SummaryWriter(str(run_folder / TENSORBOARD))
        rows = '\n'.join(f'| {name} | {json.dumps(value)} |' for name, value in settings.items())
        self._writer.add_text('settings', f'| setting | value |\n|---|---|\n{rows}')
        self.add(_read_table(run_folder / RESULTS), _read_table(run_folder / DISTANCES))

    def add(self, results: Sequence[Mapping], distances: Sequence[Mapping]) -> None:
        """Write rows of results.csv and of weight_distance.csv, as mappings from column to number."""
        for row in results:
            for name, value in row.items():
                if name not in NOT_DRAWN:
                    self._add_scalar(name, value, row['step'])
        for row in distances:
            self._add_scalar(DISTANCE, row[DISTANCE], row['step'])
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()

    def _add_scalar(self, column: str, value: float | str | None, step: float | str) -> None:
        if value is not None and value != '' and math.isfinite(float(value)):  # empty: not measured yet
            split, _, measure = column.partition('_')
            tag = f'{measure}/{split}' if split in SPLITS else column  # both splits share a heading
            self._writer.add_scalar(tag, float(value), int(step))


def _read_table(path: Path) -> list[dict[str, str]]:
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))
