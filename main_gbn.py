"""Train with ghost batch norm: statistics over ghosts of the batch (Hoffer et al. 2017, arXiv 1705.08741).

python main_gbn.py --dataset digits --model mnist_f1 --model_config "{'width': 128}" --epochs 5 --b 640 -mb 32
python main_gbn.py --model mnist_f1 --dataset mnist --save gbn_bs4096 --epochs 50 --b 4096 --mini-batch-size 128
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from data import list_datasets
from models import list_models
from utils.command import command
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config


@command
def main(argv=None):
    parser = build_parser(__doc__, list_models(), list_datasets(), prog='main_gbn.py')
    add_ghost_args(parser, default=128)
    config = parse_config(parser, argv)
    from utils.engine.experiment import run  # after parsing, so that --help does not wait for torch

    return run(config)


if __name__ == '__main__':
    sys.exit(main())
