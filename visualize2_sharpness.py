"""Draw loss and accuracy around one checkpoint, along random directions whose filters are as long as the network's.

python visualize2_sharpness.py --evaluate TrainingResults/small_batch --alpha="-0.3:0.02:0.31"
python visualize2_sharpness.py --evaluate TrainingResults/small_batch --directions 5 --no-visualize_train
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from data import list_datasets
from models import list_models
from utils.command import command
from utils.config.measure import network_config
from utils.measures.landscape_flags import build_directions_parser


@command
def main(argv: list[str] | None = None) -> int:
    """Measure the directions, draw them and return the exit status."""
    parser = build_directions_parser(__doc__, list_models(), list_datasets(), prog='visualize2_sharpness.py')
    flags = parser.parse_args(argv)
    # torch takes seconds to import: only now, so that --help answers at once
    from utils.engine.network import open_network
    from utils.measures.landscape_run import directions_around

    directions_around(flags, lambda end: open_network(network_config(parser, argv, end), end))
    return 0


if __name__ == '__main__':
    sys.exit(main())
