"""Loss and errors of trained networks, if wanted under noise on their weights, as a table that is gone on with.

Outputs may be averaged over transformed copies of each image before they are scored (--avg-out of the code of Hoffer et
al. 2019, arXiv 1901.09335).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bigbatch.messages import counted
from bigbatch.seeding import make_generator
from bigbatch.training.perturbation import perturbed
from bigbatch.training.report import Scores
from bigbatch.training.scoring import ScoreSums
from utils.bar import EvaluationProgress
from utils.config.measure import CONDITIONS
from utils.engine.network import Network
from utils.quantities import spread
from utils.rows import RowFile
from utils.text_table import text_table

FILE = 'evaluation.csv'
KEY = ('digest', *CONDITIONS, 'mode', 'noise', 'noise_per', 'batch_size', 'repeat', 'duplicates')
COLUMNS = ('checkpoint', *KEY, 'examples', 'loss', 'error1', 'error5')
FORMS = {'loss': '.4f', 'error1': '.2f', 'error5': '.2f'}

log = logging.getLogger('bigbatch')


@dataclass(frozen=True)
class Noise:
    """Noise on the weights: uniform between -strength and strength, fresh per 'batch' or per 'copy' of the network."""

    strength: float  # 0: none
    per: str
    seed: int

    def on(self, what: str, network: Network, *place: int) -> contextlib.AbstractContextManager:
        """Return the noise of a place as a block, which is without any where noise is not per `what`."""
        if not self.strength or what != self.per:
            return contextlib.nullcontext()
        generator = make_generator(self.seed, 'noise', what, *place, device=network.device)
        return perturbed(network.model, self.strength, generator)


@torch.no_grad()
def score(
    network: Network, loader, noise: Noise, repeat: int = 0, advance: Callable[[int], object] = lambda num: None
) -> Scores:
    """Score a network on every example of a loader once, by the mean of its outputs for the copies of the example.

    Repetitions differ in their noise; `advance` is told the number of examples after each batch.
    """
    sums = ScoreSums(network.device)
    with noise.on('copy', network, repeat):
        for index, batch in enumerate(loader.epoch(0)):
            with noise.on('batch', network, repeat, index):
                for logits, targets in _outputs(network.model, batch):
                    sums.add(network.criterion(logits, targets).sum(), logits, targets)
            advance(batch.num_examples // batch.duplicates)
    return sums.scores()


def _outputs(model: nn.Module, batch) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (mean logits over the copies, targets) of the distinct examples of a batch."""
    for parts in zip(*(batch.copy(number) for number in range(batch.duplicates)), strict=True):
        yield sum(model(part.inputs) for part in parts) / len(parts), parts[0].targets


class Evaluation:
    """Score networks on a split, as often with other noise as asked for; what the file holds is not measured again."""

    def __init__(self, folder: Path, *, mode: str, noise: Noise, times: int = 1):
        self._mode, self._noise, self._times = mode, noise, times
        self._rows = RowFile(folder / FILE, COLUMNS, KEY)
        self._table: list[tuple[str, list[dict]]] = []

    def add(self, network: Network) -> None:
        """Score a network and print each row."""
        loader = getattr(network, self._mode)
        if self._mode == 'test' and network.test is network.val:
            log.warning('%s has one set besides the training set: test is val', network.conditions['dataset'])
        if self._mode != 'train' and network.conditions['augment'] and network.num_copies == 1:
            log.warning('--augment has no effect on --mode %s: only training images are augmented', self._mode)
        keys = [self._key(network, loader, repeat) for repeat in range(self._times)]
        missing = sum(self._rows.get(**key) is None for key in keys)
        rows = []
        with EvaluationProgress(missing * loader.num_examples) as progress:
            for key in keys:
                rows.append(self._rows.get(**key) or self._measure(network, loader, key, progress.advance))
                log.info('%s', self._describe(network, rows[-1]))
        if not self._table:
            log.info('rows: %s', self._rows.path)
        self._table.append((network.label, rows))

    def table(self) -> str:
        """Lay out all networks as text: means over repetitions, and sample deviations where there are several."""
        head = ['checkpoint', 'loss', 'error@1 %', 'error@5 %']
        cells = [
            [label, *(spread([row[name] for row in rows], form) for name, form in FORMS.items())]
            for label, rows in self._table
        ]
        return '\n'.join(text_table(head, cells))

    def _key(self, network: Network, loader, repeat: int) -> dict:
        noise = self._noise
        return {
            'digest': network.digest,
            **network.conditions_on(self._mode),
            'mode': self._mode,
            'repeat': repeat,
            'duplicates': network.num_copies,
            'noise': noise.strength,
            'noise_per': noise.per if noise.strength else '',
            'batch_size': loader.batch_size if noise.strength and noise.per == 'batch' else None,
        }

    def _measure(self, network: Network, loader, key: dict, advance: Callable[[int], object]) -> dict:
        scores = score(network, loader, self._noise, key['repeat'], advance)
        row = {**key, 'checkpoint': network.label, 'examples': loader.num_examples, **asdict(scores)}
        self._rows.add(row)
        return row

    def _describe(self, network: Network, row: dict) -> str:
        which = f', noise {row["repeat"] + 1} of {self._times}' if self._times > 1 else ''
        which += f', mean outputs for {row["duplicates"]} copies' if row['duplicates'] > 1 else ''
        return (
            f'{network.label} on {row["dataset"]} ({self._mode}, {counted(row["examples"], "example")}{which}): '
            f'loss {row["loss"]:.4f}  error@1 {row["error1"]:.2f} %  error@5 {row["error5"]:.2f} %'
        )
