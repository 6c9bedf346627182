"""The settings of batches: examples per update, per forward pass and per ghost."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from dataclasses import dataclass
from typing import ClassVar

from utils.parser import Parser, auto_or, whole
from utils.settings import Means, Setting, add_settings, asked, setting

AUTO = 'auto'  # --micro-batch-size: the fewest passes that fit into memory
BASE = 256  # examples per update that a regime was tuned at, where neither a flag nor ghosts say so


@dataclass(frozen=True, kw_only=True)
class SizeConfig:
    """Batch size."""

    batch_size: int = setting(  # of a run: --batch-multiplier included
        '-b', '--batch-size', '--b', type=whole(1), default=2048, metavar='B',
        means=Means.KEY | Means.SUMMARY | Means.SIZE | Means.PHASE,
        help='examples per update; if not given and the training set is smaller, a quarter of that',
    )  # fmt: skip
    fits_batch: bool = setting(means=Means.ASKED, default=False)  # nobody asked for a size: a small set gets a smaller
    batch_multiplier: ClassVar[Setting] = asked(
        '-bm', '--batch-multiplier', type=whole(1), default=1, metavar='N',
        means=Means.SIZE | Means.PHASE | Means.IDLE, help='multiplies the batch size',
    )  # fmt: skip
    micro_batch_size: int | str | None = setting(  # of a run; None: the whole batch at once; auto: not found yet
        '--micro-batch-size', type=auto_or(whole(1)), metavar='auto|M', means=Means.KEY | Means.SIZE | Means.PHASE,
        help='examples per forward pass, to save memory; auto: the fewest equal passes of whole ghosts that fit into '
        'memory; if not given the whole batch, or B of it where that is made of whole ghosts and --batch-multiplier '
        'or copies of the examples repeat it',
    )  # fmt: skip
    bn_per_rank: bool = setting(
        '--bn-per-rank', action='store_true', means=Means.LARGE,
        help="under torchrun, ordinary batch norm over each rank's part of the batch; CPUs have no other over ranks",
    )  # fmt: skip
    base_batch_size: int = setting(
        '--base-batch-size', type=whole(1), metavar='B0', means=Means.KEY | Means.DERIVED | Means.PHASE,
        help=f'batch size that the regime was tuned at; if not given {BASE}, or the ghost size in main_gbn.py',
    )  # fmt: skip
    drop_last: bool = setting(
        '--drop-last', action=BooleanOptionalAction, default=True,
        help='leave out the last incomplete batch of an epoch',
    )  # fmt: skip

    @property
    def fixed_micro_batch_size(self) -> int | None:
        """The size of micro-batches where there is one, and it is known before the run starts."""
        return self.micro_batch_size if isinstance(self.micro_batch_size, int) else None


@dataclass(frozen=True, kw_only=True)
class GhostConfig:
    """Ghost batch norm."""

    ghost_batch_size: int | None = setting(  # None: ordinary batch norm
        '-mb', '--mini-batch-size', type=whole(1), metavar='G',
        means=Means.KEY | Means.SUMMARY | Means.AXIS | Means.LARGE | Means.IDLE,
        help='ghost batch size: examples per batch-norm statistic',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BatchConfig(GhostConfig, SizeConfig):
    """How many examples there are in what."""


def add_ghost_args(parser: Parser, *, default: int | None) -> None:
    """Add the flag of ghost batch norm; with it, the base batch size is the ghost size unless given."""
    add_settings(parser, GhostConfig, ghost_batch_size=default)


def resolve_micro_batch_size(flags, ghost: int | None, num_copies: int) -> int | str | None:
    """Return examples per pass: a published loader batch, or as many copies of images, where ghosts make that exact."""
    repeats = flags.batch_multiplier > 1 or num_copies > 1
    accumulates = repeats and ghost is not None and flags.batch_size % ghost == 0
    return flags.micro_batch_size or (flags.batch_size if accumulates else None)
