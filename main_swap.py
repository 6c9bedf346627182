"""Train with a large batch, then workers of their own from there, and average their weights: SWAP (arXiv 2001.02312).

python main_swap.py --dataset digits --model mnist_f1 --epochs 9 --b 640 --swap-workers 3 --swap-batch-size 32
python main_swap.py --epochs 150 --b 4096 --stop-accuracy 98 --swap-batch-size 512 --swap-epochs 30 --swap-lr 0.12
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from data import list_datasets
from models import list_models
from utils.command import command
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.config.swap import SwapConfig, add_swap_args, check_swap


def build_phase_parser(prog, *, doc=None):
    """Return the parser of a script that makes phases, or that of this one without its own flags."""
    parser = build_parser(doc, list_models(), list_datasets(), prog=prog, batch_size=4096)
    if prog != 'main_normal.py':
        add_ghost_args(parser, default=None)
    return parser


@command
def main(argv=None):
    parser = build_phase_parser('main_swap.py', doc=__doc__)
    add_swap_args(parser)
    config = parse_config(parser, argv, SwapConfig)
    check_swap(config)
    from utils.sweeps.swap.run import run_swap  # after parsing, so that --help does not wait for torch

    return run_swap(config, lambda script, words: parse_config(build_phase_parser(script), words))


if __name__ == '__main__':
    sys.exit(main())
