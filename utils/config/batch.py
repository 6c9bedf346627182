"""The settings of batches: examples per update, per forward pass and per ghost."""

from __future__ import annotations

from dataclasses import dataclass

from utils.parser import Parser, auto_or, whole

AUTO = 'auto'  # --micro-batch-size: the fewest passes that fit into memory


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How many examples there are in what."""

    drop_last: bool
    batch_size: int  # examples per update, --batch-multiplier included
    micro_batch_size: int | str | None  # None: the whole batch at once; auto: not found yet
    ghost_batch_size: int | None  # None: ordinary batch norm
    base_batch_size: int
    bn_per_rank: bool

    @property
    def fixed_micro_batch_size(self) -> int | None:
        """The size of micro-batches where there is one, and it is known before the run starts."""
        return None if self.micro_batch_size == AUTO else self.micro_batch_size


def add_batch_args(parser: Parser, batch_size: int) -> None:
    """Add the flags of all sizes but that of ghosts."""
    group = parser.add_argument_group('batch size')
    group.add_argument(
        '-b', '--batch-size', '--b', type=whole(1), default=batch_size, metavar='B', help='examples per update'
    )
    group.add_argument(
        '-bm', '--batch-multiplier', type=whole(1), default=1, metavar='N', help='multiplies the batch size'
    )
    group.add_argument(
        '--micro-batch-size', type=auto_or(whole(1)), metavar='auto|M',
        help='examples per forward pass, to save memory; auto: the fewest equal passes of whole ghosts that fit into '
        'memory; if not given the whole batch, or B of it where that is made of whole ghosts and --batch-multiplier '
        'or --duplicates repeat it',
    )
    group.add_argument(
        '--bn-per-rank', action='store_true',
        help="under torchrun, ordinary batch norm over each rank's part of the batch; CPUs have no other over ranks",
    )
    group.add_argument(
        '--base-batch-size', type=whole(1), metavar='B0',
        help='batch size that the regime was tuned at; if not given 256, or the ghost size in main_gbn.py',
    )
    group.add_argument(
        '--eval-batch-size', type=whole(1), default=2048, metavar='N', help='examples per forward pass when scoring'
    )


def add_ghost_args(parser: Parser, *, default: int | None) -> None:
    """Add the flag of ghost batch norm; with it, the base batch size is the ghost size unless given."""
    group = parser.add_argument_group('ghost batch norm')
    group.add_argument(
        '-mb', '--mini-batch-size', type=whole(1), default=default, metavar='G',
        help='ghost batch size: examples per batch-norm statistic',
    )


def resolve_micro_batch_size(flags) -> int | str | None:
    """Return examples per pass: a published loader batch, or as many copies of images, where ghosts make that exact."""
    ghost = flags.mini_batch_size
    repeats = flags.batch_multiplier > 1 or flags.duplicates > 1
    accumulates = repeats and ghost is not None and flags.batch_size % ghost == 0
    return flags.micro_batch_size or (flags.batch_size if accumulates else None)
