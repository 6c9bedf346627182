"""The settings of what a run starts from, where it goes and what is shown of it."""

from __future__ import annotations

import datetime
import itertools
from argparse import BooleanOptionalAction
from dataclasses import dataclass
from pathlib import Path

from utils.config.network import PLACE
from utils.parser import real, whole
from utils.settings import ABSENT, Means, setting


@dataclass(frozen=True, kw_only=True)
class PlaceConfig:
    """Where results go."""

    results_dir: str = setting(
        '--results_dir', default='./TrainingResults', metavar='DIR', means=PLACE | Means.FOLDER | Means.EACH,
        help='parent folder of runs',
    )  # fmt: skip
    save: str = setting(
        '--save', default='', metavar='NAME', means=Means.FREE | Means.EACH,
        help='folder of this run; the start time if not given',
    )  # fmt: skip
    keep: str = setting(
        '--keep', choices=('all', 'last', 'results'), default='all', before='all', means=PLACE | Means.PHASE,
        help='what is left when the run has ended: all; of the checkpoints the last; config.json and tables alone',
    )  # fmt: skip
    standalone: bool = setting(
        '--standalone', action=BooleanOptionalAction, default=False, before=True, means=PLACE,
        help="put bokeh's scripts into the page; else the pages in a folder of results share one copy there",
    )  # fmt: skip
    save_all: bool = setting(
        '--save_all', action=BooleanOptionalAction, default=False, means=PLACE | Means.IDLE,
        help='keep the checkpoint of every epoch',
    )  # fmt: skip
    checkpoint_minutes: float = setting(  # 0: none within an epoch
        '--checkpoint-minutes', type=real(0), default=10.0, metavar='M', means=PLACE,
        help='save within an epoch, too, when the last checkpoint is so old; 0: between epochs alone',
    )  # fmt: skip
    tensorboard: bool = setting(
        '--tensorboard', action=BooleanOptionalAction, default=False, means=PLACE,
        help='also write the curves for TensorBoard, if that package is installed',
    )  # fmt: skip
    print_freq: int | None = setting(
        '-p', '--print-freq', type=whole(1), metavar='STEPS', means=PLACE | Means.IDLE,
        help='log a progress line every so many steps; by default a line every 10 seconds',
    )  # fmt: skip

    @property
    def folder(self) -> Path:
        """The folder that this run writes."""
        return Path(self.results_dir) / self.save


@dataclass(frozen=True, kw_only=True)
class StartConfig:
    """The run."""

    script: str = setting(means=Means.ASKED, default=ABSENT)
    command: str = setting(means=Means.ASKED, default=ABSENT)
    argv: tuple[str, ...] = setting(means=Means.ASKED, default=ABSENT)
    init_from: str = setting(
        '--init-from', default='', metavar='CKPT', means=Means.RUN | Means.LARGE,
        help='start from the weights of a checkpoint',
    )  # fmt: skip
    resume: str = setting(
        '--resume', default='', metavar='RUN', means=PLACE | Means.FOLDER | Means.ASKED | Means.EACH | Means.IDLE,
        help='go on with a run: its folder or a checkpoint in it',
    )  # fmt: skip
    evaluate: str = setting(
        '-e', '--evaluate', default='', metavar='CKPT', means=Means.ASKED | Means.SCORING | Means.EACH,
        help='score a checkpoint on the validation set',
    )  # fmt: skip
    dry_run: bool = setting(
        '--dry-run', action='store_true', means=PLACE | Means.ASKED | Means.SCORING | Means.EACH,
        help='print the plan and touch nothing',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OutputConfig(StartConfig, PlaceConfig):
    """What a run was asked by, what it starts from and what it leaves."""


def name_by_time(results_dir: Path) -> str:
    """Return the name of a run that was given none: the time, with a number behind it where that is taken."""
    name = datetime.datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    others = (f'{name}_{number}' for number in itertools.count(2))
    return next(each for each in itertools.chain([name], others) if not (results_dir / each).exists())
