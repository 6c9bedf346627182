"""The files of a measured line: read by its page and its figure, written by utils/measures/landscape_run.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

SETTINGS, ROWS, PAGE, FIGURE = 'line.json', 'line.csv', 'line.html', 'line.pdf'
SPLIT_NAMES = {'train': 'train', 'val': 'validation'}


@dataclass(frozen=True, eq=False)
class Landscape:
    """A measured line as its files tell it.

    kind: line (between two networks) or directions (around one). names: of the networks at alpha 0 and 1. rows: a point
    each, sorted: alpha, direction (0 on a line), {split}_loss, {split}_accuracy (percent), clamped (variances).
    """

    kind: str
    names: list[str]
    paths: list[str]
    distances: dict[str, float]  # L2: between; start_to_first and start_to_second where the runs kept their start
    settings: dict
    rows: pd.DataFrame

    @property
    def splits(self) -> list[str]:
        """The splits that were scored."""
        return list(self.settings['splits'])

    @property
    def marks(self) -> dict[str, str]:
        """The letter that marks a network's place in a chart -> what the key says of it; A is at alpha 0, B at 1."""
        return {letter: f'{letter}: {name}' for letter, name in zip('AB', self.names, strict=False)}

    @property
    def num_directions(self) -> int:
        """Random directions, or 1 for a line."""
        return int(self.settings.get('directions', 1))

    def average(self, column: str) -> pd.DataFrame:
        """Return columns alpha, mean, std (missing for one direction) and n of a column, over directions."""
        groups = self.rows.groupby('alpha')[column]
        return pd.DataFrame({'mean': groups.mean(), 'std': groups.std(), 'n': groups.size()}).reset_index()


def load_landscape(folder: Path) -> Landscape:
    """Read the folder of a measured line, finished or not."""
    description = json.loads((folder / SETTINGS).read_text(encoding='utf-8'))
    rows = pd.read_csv(folder / ROWS)
    rows = rows.assign(direction=0) if 'direction' not in rows else rows
    return Landscape(**description, rows=rows.sort_values(['direction', 'alpha'], ignore_index=True))
