"""The workload of a benchmark: mnist_f1 on MNIST, batch 4096, ghosts of 128, or what the flags say."""

from __future__ import annotations

from data import list_datasets
from models import list_models
from utils.config import parse_config
from utils.distributed import ALONE, Ranks
from utils.errors import user_errors
from utils.experiment import build_experiment
from utils.flags import add_ghost_args, build_parser
from utils.parser import Parser, whole
from utils.plan import Experiment


def add_workload_args(parser: Parser) -> None:
    """Add the flags that say what is trained."""
    parser.add_argument('--model', default='mnist_f1', help='network')
    parser.add_argument('--dataset', default='mnist', help='data set')
    parser.add_argument('--datasets-dir', help='folder of the data sets; $DATASETS_DIR, else ~/Datasets')
    parser.add_argument('--b', type=whole(1), default=4096, help='examples per update, over all ranks')
    parser.add_argument('--mb', type=whole(1), default=128, help='examples per ghost')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, cuda:0, ...; of several ranks each has its own')


def build_workload(flags, *others: str, ranks: Ranks = ALONE) -> Experiment:
    """Build what the flags say, as main_gbn.py would.

    Args:
        flags: with those of add_workload_args.
        others: more flags of main_gbn.py.

    Raises:
        UserError: a setting that cannot hold.
    """
    parser = build_parser(__doc__, list_models(), list_datasets(), prog='main_gbn.py')
    add_ghost_args(parser, default=128)
    line = ['--model', flags.model, '--dataset', flags.dataset, '--b', str(flags.b), '-mb', str(flags.mb)]
    line += ['--base-batch-size', str(flags.mb), '--device', flags.device, *others]
    line += ['--datasets-dir', flags.datasets_dir] if flags.datasets_dir else []
    with user_errors():
        return build_experiment(parse_config(parser, line), ranks)
