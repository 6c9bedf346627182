"""Print what a benchmark measures and append it to a table, a row a figure.

A row says where, when and with which code it was measured, so that rows of several machines and commits lie side by
side. Outside a git checkout the code is named by a hash of its files.
"""

from __future__ import annotations

import argparse
import csv
import functools
import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.machine import Limits, measure_limits
from bigbatch.device import choose_device
from bigbatch.errors import UserError
from utils.command import user_errors
from utils.parser import Parser
from utils.runs import manifest

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / 'benchmarks' / 'results.csv'
COLUMNS = (
    'date', 'commit', 'dirty', 'machine', 'device', 'versions', 'program', 'row', 'ours', 'theirs', 'ratio', 'low',
    'high', 'limit', 'limit_of', 'share', 'unit', 'flags',
)  # fmt: skip
SAME = ('commit', 'dirty', 'machine', 'device', 'program', 'row', 'flags')  # what tells a figure from another
NO_SETTINGS = frozenset(('results', 'skip_measured', 'dry_run', 'row', 'device', 'datasets_dir'))


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    row: what was measured. ours: in `unit`. theirs: the same of what it is held against. ratio: of the two, in the
    direction that `what` names, median over the pairs measured in turn; low, high: its spread. limit: what `ours` could
    be by the physical limit that limit_of names; share: how much of it is reached, 0 to 1. what: the ratio in words,
    printed and not kept.
    """

    row: str
    unit: str
    ours: float
    theirs: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    limit_of: str = ''
    share: float | None = None
    what: str = ''

    def __str__(self) -> str:
        text = f'{self.row:24} {self.ours:,.4g} {self.unit}'
        text += f', against {self.theirs:,.4g}' if self.theirs is not None else ''
        if self.ratio is not None:
            text += f'; ratio {self.ratio:.3f} ({self.low:.3f} to {self.high:.3f}){self.what and ", " + self.what}'
        if self.limit is not None:
            text += f'; {self.share:.0%} of {self.limit:,.4g} by {self.limit_of}'
        return text


def add_report_args(parser: Parser) -> None:
    """Add the flags that say where figures go."""
    parser.add_argument('--results', type=Path, default=RESULTS, metavar='FILE', help='table that figures are added to')
    parser.add_argument(
        '--skip-measured',
        action='store_true',
        help='leave out rows that the table has from this commit, machine and device with the same flags',
    )
    parser.add_argument('--dry-run', action='store_true', help='print what would be measured and touch nothing')


class Report:
    """Where a benchmark says what it found.

    Args:
        program: its name.
        parser, flags: what it was called with, as far as it decides about figures part of each row.
        device: where it measures.
    """

    def __init__(self, program: str, parser: Parser, flags: argparse.Namespace, device: torch.device):
        self.device = device
        self._path, self._dry_run = flags.results, flags.dry_run
        self._precisions = [flags.amp] if getattr(flags, 'amp', None) in ('bf16', 'fp16') else []
        self._place = {
            **_code(), 'machine': f'{manifest.cpu_name()}, {os.cpu_count()} cores',
            'device': manifest.describe_device(device), 'program': program,
            'versions': ', '.join(f'{name} {version}' for name, version in manifest.describe_versions().items()),
            'flags': _given(parser, flags),
        }  # fmt: skip
        table = _read(flags.results)
        self._measured = table if flags.skip_measured else []
        place = {**self._place, 'code': f'{self._place["commit"]}{", with changes" * bool(self._place["dirty"])}'}
        for name in () if flags.dry_run else ('machine', 'device', 'versions', 'code', 'flags'):
            print(f'{name:9} {place[name]}'.rstrip())

    @functools.cached_property
    def limits(self) -> Limits:
        """Those of the device, measured and printed before the first figure."""
        found = measure_limits(self.device, self._precisions)
        rates = ', '.join(f'{name} {rate / 1e9:,.0f}' for name, rate in found.products.items())
        print(f'limits    matrix products in GFLOP/s: {rates}; memory {found.bandwidth / 1e9:,.1f} GB/s', flush=True)
        return found

    def wants(self, row: str, what: str = '') -> bool:
        """Say whether a row is to be measured; if not, print why.

        Args:
            what: what it would run, for a dry run.
        """
        if self._dry_run:
            print(f'would measure {row}: {what}', flush=True)
            return False
        same = {**self._place, 'row': row, 'dirty': str(False)}  # of changed code nobody knows what it was
        if not self._place['dirty'] and any(all(old[key] == same[key] for key in SAME) for old in self._measured):
            print(f'{row}: measured already', flush=True)
            return False
        return bool(self.limits)

    def add(self, figure: Figure) -> None:
        """Print a figure and append it to the table."""
        print(figure, flush=True)
        values = {name: _text(value) for name, value in asdict(figure).items()}
        line = {'date': manifest.now(), **self._place, **values}
        try:
            is_new = not self._path.exists() or not self._path.stat().st_size
            with open(self._path, 'a', encoding='utf-8', newline='') as file:
                writer = csv.DictWriter(file, COLUMNS, extrasaction='ignore', lineterminator='\n')
                if is_new:
                    writer.writeheader()
                writer.writerow(line)
        except OSError as error:
            raise UserError(f'--results {self._path} cannot be written ({error.strerror})') from error


def open_report(program: str, parser: Parser, flags: argparse.Namespace) -> Report:
    """Choose the device of `--device` and print what is measured with.

    Raises:
        UserError: there is no such device, or a table that cannot be read.
    """
    with user_errors():
        device = choose_device(flags.device, strict=True)
    return Report(program, parser, flags, device)


def _code() -> dict:
    """Return {'commit', 'dirty'}, with a hash of the files in place of a commit where there is none."""
    code = manifest.describe_code()
    return code if code['commit'] else {'commit': f'files {_hash_of_files()}', 'dirty': False}


def _hash_of_files() -> str:
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.relative_to(PROJECT).as_posix().encode() + b'\0' + path.read_bytes())
    return digest.hexdigest()[:12]


def _sources() -> Iterable[Path]:
    folders = ('benchmarks', 'bigbatch', 'data_sets', 'experiments', 'models', 'utils')
    inside = [path for folder in folders for path in (PROJECT / folder).rglob('*') if path.suffix in ('.py', '.sh')]
    return sorted([*PROJECT.glob('*.py'), *PROJECT.glob('*.sh'), *inside])


def _given(parser: Parser, flags: argparse.Namespace) -> str:
    """Return the settings that differ from their defaults, in one order."""
    given = {name: value for name, value in sorted(vars(flags).items()) if name not in NO_SETTINGS}
    return ' '.join(f'{name}={value}' for name, value in given.items() if value != parser.get_default(name))


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    try:
        with open(path, encoding='utf-8', newline='') as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f'--results {path} cannot be read ({error})') from error
    if reader.fieldnames and tuple(reader.fieldnames) != COLUMNS:
        raise UserError(f'--results {path} is no table of figures: its first line should be {",".join(COLUMNS)}')
    return rows


def _text(value: object) -> object:
    return f'{value:.6g}' if isinstance(value, float) else value
