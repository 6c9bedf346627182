"""The settings of what a run starts from, where it goes and what is shown of it."""

from __future__ import annotations

import datetime
import itertools
from argparse import BooleanOptionalAction
from dataclasses import dataclass
from pathlib import Path

from utils.config.network import add_device_args
from utils.methods import noise_scale
from utils.parser import Parser, real, whole


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """What a run was asked by, what it starts from and what it leaves."""

    script: str
    command: str
    argv: tuple[str, ...]
    results_dir: str
    save: str
    save_all: bool
    checkpoint_minutes: float  # 0: none within an epoch
    tensorboard: bool
    print_freq: int | None
    init_from: str
    resume: str
    evaluate: str
    dry_run: bool

    @property
    def folder(self) -> Path:
        """The folder that this run writes."""
        return Path(self.results_dir) / self.save


def add_place_args(parser: Parser) -> None:
    """Add the flags of where results go and what else is written."""
    group = parser.add_argument_group('where results go')
    group.add_argument('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of runs')
    group.add_argument('--save', default='', metavar='NAME', help='folder of this run; the start time if not given')
    group.add_argument(
        '--save_all', action=BooleanOptionalAction, default=False, help='keep the checkpoint of every epoch'
    )
    group.add_argument(
        '--checkpoint-minutes', type=real(0), default=10.0, metavar='M',
        help='save within an epoch, too, when the last checkpoint is so old; 0: between epochs alone',
    )
    group.add_argument(
        '--tensorboard', action=BooleanOptionalAction, default=False,
        help='also write the curves for TensorBoard, if that package is installed',
    )
    noise_scale.add_args(group)
    group.add_argument(
        '-p', '--print-freq', type=whole(1), metavar='STEPS',
        help='log a progress line every so many steps; by default a line every 10 seconds',
    )


def add_run_args(parser: Parser) -> None:
    """Add the flags of the length, the device and the start of a run."""
    group = parser.add_argument_group('the run')
    group.add_argument('--epochs', type=whole(1), default=200, metavar='E', help='epochs, before they are stretched')
    group.add_argument('--start-epoch', type=whole(0), default=0, metavar='E', help='first epoch, counted from 0')
    add_device_args(group)
    group.add_argument('--resume', default='', metavar='RUN', help='go on with a run: its folder or a checkpoint in it')
    group.add_argument('-e', '--evaluate', default='', metavar='CKPT', help='score a checkpoint on the validation set')
    group.add_argument('--dry-run', action='store_true', help='print the plan and touch nothing')


def name_by_time(results_dir: Path) -> str:
    """Return the name of a run that was given none: the time, with a number behind it where that is taken."""
    name = datetime.datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    others = (f'{name}_{number}' for number in itertools.count(2))
    return next(each for each in itertools.chain([name], others) if not (results_dir / each).exists())
