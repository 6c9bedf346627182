"""Train with ordinary batch norm.

python main_normal.py --dataset digits --model mnist_f1 --model_config "{'width': 128}" --epochs 5 --b 32
python main_normal.py --model mnist_f1 --dataset mnist --save mnist_baseline_bs2048 --epochs 50 --b 2048 --lr_bb_fix
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from data import list_datasets
from models import list_models
from utils.command import command
from utils.config.parse import build_parser, parse_config


@command
def main(argv=None):
    parser = build_parser(__doc__, list_models(), list_datasets(), prog='main_normal.py', batch_size=256)
    config = parse_config(parser, argv)
    from utils.engine.experiment import run  # after parsing, so that --help does not wait for torch

    return run(config)


if __name__ == '__main__':
    sys.exit(main())
