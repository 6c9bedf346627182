"""Draw loss and accuracy on the line between two checkpoints of one network.

python visualize_sharpness.py --evaluate TrainingResults/small_batch --slave-evaluate TrainingResults/large_batch
python visualize_sharpness.py --evaluate TrainingResults/a --slave-evaluate TrainingResults/b --mode arc --bn batch
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from data import list_datasets
from models import list_models
from utils.command import command
from utils.config.measure import network_config
from utils.measures.landscape_flags import build_line_parser


@command
def main(argv: list[str] | None = None) -> int:
    """Measure the line, draw it and return the exit status."""
    parser = build_line_parser(__doc__, list_models(), list_datasets(), prog='visualize_sharpness.py')
    flags = parser.parse_args(argv)
    # torch takes seconds to import: only now, so that --help answers at once
    from utils.engine.network import open_network
    from utils.measures.landscape_run import line_between

    ends = (flags.evaluate, flags.slave_evaluate)
    line_between(flags, lambda end: open_network(network_config(parser, argv, end), end, ends))
    return 0


if __name__ == '__main__':
    sys.exit(main())
