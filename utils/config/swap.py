"""The settings of SWAP (Gupta, Serrano, DeCoste 2020, arXiv 2001.02312): those of its first phase, and its own."""

from __future__ import annotations

from dataclasses import dataclass

from bigbatch.errors import UserError
from utils.config.network import PLACE
from utils.config.run import RunConfig
from utils.parser import Parser, real, whole
from utils.runs.config_json import read_config_json
from utils.runs.layout import run_of
from utils.settings import Means, add_settings, setting


@dataclass(frozen=True, kw_only=True)
class PhasesConfig:
    """SWAP, main_swap.py alone: workers that go on from where the large batch ends."""

    swap_workers: int = setting(
        '--swap-workers', type=whole(2, 1000), default=8, metavar='W', means=Means.PHASE | Means.KEY,
        help='runs of their own, whose weights are averaged',
    )  # fmt: skip
    swap_batch_size: int | None = setting(
        '--swap-batch-size', type=whole(1), metavar='B', means=Means.PHASE | Means.KEY,
        help='examples per update of a worker; B0 if not given',
    )  # fmt: skip
    swap_epochs: int = setting(
        '--swap-epochs', type=whole(1), default=10, metavar='E', means=Means.PHASE | Means.KEY,
        help='epochs of each worker',
    )  # fmt: skip
    swap_lr: float | None = setting(
        '--swap-lr', type=real(0, above=True), metavar='RATE', means=Means.PHASE | Means.KEY,
        help='rate of a worker at its start, from where it falls linearly to 0; the first one of the regime, '
        'unscaled, if not given',
    )  # fmt: skip
    jobs: int = setting(
        '--jobs', type=whole(1), default=1, metavar='N', means=PLACE | Means.PHASE,
        help='workers at a time; they share the cores',
    )  # fmt: skip
    skip_lost_workers: bool = setting(
        '--skip-lost-workers', action='store_true', means=PLACE | Means.PHASE,
        help='average the others where a worker failed, diverged or is damaged',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SwapConfig(PhasesConfig, RunConfig):
    """Every setting of SWAP; those of RunConfig are the first phase's."""

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
    add_settings(parser, PhasesConfig)


def check_swap(config: SwapConfig) -> None:
    """Refuse, with a UserError of one line, flags that have no meaning for SWAP."""
    if config.evaluate:
        raise UserError(f'--evaluate {config.evaluate}: evaluate.py scores the average, and any of its workers')
    for method in config.methods_on:
        method.check_phases()
    if config.resume and run_of(config.resume) != config.folder.absolute():
        raise UserError(f'--resume {config.resume}: SWAP goes on in its own folder: leave out --save')
    if config.resume and (epochs := read_config_json(config.folder)['settings']['epochs']) != config.epochs:
        raise UserError(
            f'--resume {config.resume}: --epochs was {epochs} there, and the workers go on from where they end: it '
            f'cannot become {config.epochs}; start a new run with --init-from'
        )
    if not config.resume and '/' in config.save:
        raise UserError(f'--save {config.save!r} is no name of a folder: see --results_dir')
