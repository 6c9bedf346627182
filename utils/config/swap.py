"""The settings of SWAP (Gupta, Serrano, DeCoste 2020, arXiv 2001.02312): those of its first phase, and its own."""

from __future__ import annotations

from dataclasses import dataclass

from bigbatch.errors import UserError
from utils.config.run import RunConfig
from utils.parser import Parser, real, whole
from utils.runs.config_json import read_config_json
from utils.runs.layout import run_of


@dataclass(frozen=True, kw_only=True)
class SwapConfig(RunConfig):
    """Every setting of SWAP; those of RunConfig are the first phase's."""

    swap_workers: int
    swap_batch_size: int | None  # None: the base batch size
    swap_epochs: int
    swap_lr: float | None  # None: the first rate of the regime, unscaled
    jobs: int
    skip_lost_workers: bool

    @property
    def phase_script(self) -> str:
        """The script that makes the runs of the phases."""
        return 'main_normal.py' if self.ghost_batch_size is None else 'main_gbn.py'

    @property
    def worker_batch_size(self) -> int:
        """Examples per update of a worker."""
        return self.swap_batch_size or self.base_batch_size


def add_swap_args(parser: Parser) -> None:
    """Add the flags of the second and the third phase."""
    group = parser.add_argument_group('SWAP, main_swap.py alone: workers that go on from where the large batch ends')
    group.add_argument(
        '--swap-workers', type=whole(2, 1000), default=8, metavar='W',
        help='runs of their own, whose weights are averaged',
    )
    group.add_argument(
        '--swap-batch-size', type=whole(1), metavar='B', help='examples per update of a worker; B0 if not given'
    )
    group.add_argument('--swap-epochs', type=whole(1), default=10, metavar='E', help='epochs of each worker')
    group.add_argument(
        '--swap-lr', type=real(0, above=True), metavar='RATE',
        help='rate of a worker at its start, from where it falls linearly to 0; the first one of the regime, '
        'unscaled, if not given',
    )
    group.add_argument('--jobs', type=whole(1), default=1, metavar='N', help='workers at a time; they share the cores')
    group.add_argument(
        '--skip-lost-workers', action='store_true',
        help='average the others where a worker failed, diverged or is damaged',
    )


def check_swap(config: SwapConfig) -> None:
    """Refuse flags that have no meaning for SWAP.

    Raises:
        UserError: in one line.
    """
    if config.evaluate:
        raise UserError(f'--evaluate {config.evaluate}: evaluate.py scores the average, and any of its workers')
    if config.swa_start is not None:
        raise UserError(f'--swa-start {config.swa_start} averages over the epochs of one run, SWAP over workers')
    if config.resume and run_of(config.resume) != config.folder.absolute():
        raise UserError(f'--resume {config.resume}: SWAP goes on in its own folder: leave out --save')
    if config.resume and (epochs := read_config_json(config.folder)['settings']['epochs']) != config.epochs:
        raise UserError(
            f'--resume {config.resume}: --epochs was {epochs} there, and the workers go on from where they end: it '
            f'cannot become {config.epochs}; start a new run with --init-from'
        )
    if not config.resume and '/' in config.save:
        raise UserError(f'--save {config.save!r} is no name of a folder: see --results_dir')
