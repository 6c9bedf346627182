"""Train a network of Keskar et al. with a small and a large batch from one start, and draw the line between the two.

python plot_parametric_plot.py -n F1 --dataset digits
python plot_parametric_plot.py -n C1 --mode arc
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from utils.command import command
from utils.measures.parametric import build_pair_parser, plot_pair


@command
def main(argv: list[str] | None = None) -> int:
    """Train what is not trained yet, draw the line and return the exit status."""
    plot_pair(build_pair_parser(__doc__, prog='plot_parametric_plot.py').parse_args(argv))
    return 0


if __name__ == '__main__':
    sys.exit(main())
