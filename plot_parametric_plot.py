"""Train a network of Keskar et al. with a small and a large batch from one start, and draw the line between the two.

python plot_parametric_plot.py -n F1 --dataset digits
python plot_parametric_plot.py -n C1 --mode arc
"""

from __future__ import annotations

import sys

from data import get_dataset, list_datasets
from models import list_models
from utils.command import command, user_errors
from utils.config.measure import network_config
from utils.config.parse import build_parser, parse_config
from utils.logs import start_logging
from utils.measures.landscape_flags import build_line_parser
from utils.measures.parametric import build_pair_parser, plot_pair


@command
def main(argv: list[str] | None = None) -> int:
    """Train what is not trained yet, draw the line and return the exit status."""
    flags = build_pair_parser(__doc__, prog='plot_parametric_plot.py').parse_args(argv)

    def count_examples(dataset: str) -> int:
        with user_errors():
            return len(get_dataset(dataset, download=flags.download, datasets_path=flags.datasets_dir))

    def configure(run_argv: list[str]):
        start_logging()  # each run has a log of its own
        parser = build_parser(None, list_models(), list_datasets(), prog='main_normal.py', batch_size=256)
        return parse_config(parser, run_argv)

    def check(run_argv: list[str]) -> None:
        # torch takes seconds to import: only now, so that --help answers at once
        from utils.engine.experiment import build_experiment

        with user_errors():
            build_experiment(configure(run_argv))

    def train(run_argv: list[str]) -> None:
        from utils.engine.experiment import run

        run(configure(run_argv))

    def draw(line_argv: list[str]):
        from utils.engine.network import open_network
        from utils.measures.landscape_run import line_between

        start_logging()
        parser = build_line_parser(None, list_models(), list_datasets(), prog='visualize_sharpness.py')
        return line_between(
            parser.parse_args(line_argv), lambda end: open_network(network_config(parser, line_argv, end), end)
        )

    plot_pair(flags, count_examples=count_examples, check=check, train=train, draw=draw)
    return 0


if __name__ == '__main__':
    sys.exit(main())
