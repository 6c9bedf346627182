"""The workload of a benchmark: mnist_f1 on MNIST, batch 4096, ghosts of 128, or what the flags say."""

from __future__ import annotations

import argparse
import itertools
import shlex
from collections.abc import Callable

from bigbatch.distributed import ALONE, Ranks
from bigbatch.training.parallel import Parallel
from bigbatch.training.trainer import clip_gradient
from data import list_datasets
from models import list_models
from utils.command import user_errors
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.engine.experiment import build_experiment
from utils.engine.plan import Experiment
from utils.parser import Parser, whole

COMPILERS = ('off', 'default', 'reduce-overhead')


def add_workload_args(parser: Parser, *, device: str = 'auto') -> None:
    """Add the flags that say what is trained."""
    parser.add_argument('--model', default='mnist_f1', help='network')
    parser.add_argument('--dataset', default='mnist', help='data set')
    parser.add_argument('--b', type=whole(1), default=4096, help='examples per update, over all ranks')
    parser.add_argument('--mb', type=whole(1), default=128, help='examples per ghost')
    add_place_args(parser, device=device)


def add_place_args(parser: Parser, *, device: str = 'auto') -> None:
    """Add the flags that say where it is trained."""
    parser.add_argument('--datasets-dir', help='folder of the data sets; $DATASETS_DIR, else ~/Datasets')
    parser.add_argument('--device', default=device, help='auto, cpu, cuda, ...; of several ranks each has its own')


def add_speed_args(parser: Parser) -> None:
    """Add the flags of the training scripts that say how fast it is trained; what is not given is as there."""
    parser.add_argument('--amp', choices=('off', 'bf16', 'fp16'), help='precision of our side')
    parser.add_argument('--compile', choices=COMPILERS, help='compiler of our side')
    parser.add_argument('--channels-last', action=argparse.BooleanOptionalAction, help='memory format of our side')


def workload_of(flags: argparse.Namespace, **settings) -> argparse.Namespace:
    """Return the flags with another workload: model, dataset, b, mb (None: ordinary batch norm), ..."""
    return argparse.Namespace(**{**vars(flags), **settings})


def command_line(flags: argparse.Namespace, *others: str) -> tuple[str, ...]:
    """Return the training command that the flags stand for, its script first.

    Args:
        flags: with those of add_workload_args, and perhaps those of add_speed_args.
        others: more flags of it.
    """
    line = ['--model', flags.model, '--dataset', flags.dataset, '--b', str(flags.b), '--device', flags.device]
    line += ['-mb', str(flags.mb)] if flags.mb else []
    line += ['--base-batch-size', str(flags.mb or flags.b)]
    line += ['--datasets-dir', flags.datasets_dir] if flags.datasets_dir else []
    for name in ('amp', 'compile'):
        line += [f'--{name}', getattr(flags, name)] if getattr(flags, name, None) else []
    if getattr(flags, 'channels_last', None) is not None:
        line.append('--channels-last' if flags.channels_last else '--no-channels-last')
    return 'main_gbn.py' if flags.mb else 'main_normal.py', *line, *others


def describe_workload(flags: argparse.Namespace, *others: str) -> str:
    """Return command_line as text, once it is known that it parses.

    Raises:
        UserError: a setting that cannot hold.
    """
    line = command_line(flags, *others)
    _parse(line)
    return shlex.join(('python', *line))


def build_workload(flags: argparse.Namespace, *others: str, ranks: Ranks = ALONE) -> Experiment:
    """Build what command_line asks for.

    Raises:
        UserError: a setting that cannot hold.
    """
    with user_errors():
        return build_experiment(_parse(command_line(flags, *others)), ranks)


def _parse(line: tuple[str, ...]):
    parser = build_parser(__doc__, list_models(), list_datasets(), prog=line[0])
    if line[0] == 'main_gbn.py':
        add_ghost_args(parser, default=128)
    with user_errors():
        return parse_config(parser, list(line[1:]))


def stepper(experiment: Experiment) -> Callable[[], None]:
    """Return a function that makes one update, always with the first batch, without a look at what came of it."""
    batch, parallel = next(iter(experiment.data.train.epoch(0))), Parallel(experiment.model)

    def step() -> None:
        experiment.model.train()
        make_update(experiment, batch, parallel)

    return step


def make_update(experiment: Experiment, batch, parallel: Parallel, *, is_shared: bool = True) -> None:
    """Make one update as the trainer does; is_shared: the loss, too, is summed over the ranks."""
    optimizer = experiment.optimizer
    optimizer.zero_grad()
    with parallel.statistics.of_update():
        sums = experiment.estimator(parallel.model, experiment.criterion, batch, step=0)
    parallel.reduce_gradients()
    optimizer.unscale()
    clip_gradient(optimizer.parameters, experiment.config.clip_grad)
    if is_shared:
        parallel.mean(sums.mean_loss())
    optimizer.step(0)


class FirstUpdates:
    """The first batches of each epoch of a loader.

    Args:
        loader: of data_sets.loader.
        num_steps: how many of them; None: all.
    """

    def __init__(self, loader, num_steps: int | None):
        self.loader = loader
        self.num_steps = min(num_steps or loader.num_steps, loader.num_steps)

    def epoch(self, epoch: int, start_step: int = 0):
        """Iterate over the batches of that epoch."""
        return itertools.islice(self.loader.epoch(epoch, start_step), self.num_steps - start_step)
