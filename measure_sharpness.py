"""Measure how sharp the minima are that checkpoints lie in; several make one table and a CSV file.

python measure_sharpness.py --evaluate TrainingResults/quickstart_small TrainingResults/quickstart_large --times 3
python measure_sharpness.py --evaluate RUN/model_best.pth.tar --epsilon 1e-3 5e-4 --manifolds 100
python measure_sharpness.py --evaluate RUN --metric hessian --num-eigenvalues 5 --trace-samples 30
python measure_sharpness.py --model cifar100_shallow --dataset cifar100 --b 100 --evaluate model_best.pth.tar
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from data import list_datasets
from models import list_models
from utils.command import command
from utils.config.measure import build_analysis_parser, network_config
from utils.parser import Parser, real, whole

USED_BY = {  # what only one of the metrics uses
    'epsilon': ('epsilon', 'manifolds', 'subspace', 'times', 'max_iterations'),
    'hessian': ('num_eigenvalues', 'trace_samples'),
    'potential': ('directions',),
}


def build_parser() -> Parser:
    """Return the parser of this script."""
    parser = build_analysis_parser(
        __doc__, list_models(), list_datasets(), prog='measure_sharpness.py', batch_size=1000
    )
    add = parser.add_argument_group('sharpness').add_argument
    add('--metric', choices=tuple(USED_BY), default='epsilon', help='rise in a box, curvature, or spread with distance')
    add('--mode', choices=('train', 'val'), default='train', help='split that the loss is taken on')
    add('--bn', choices=('fixed', 'batch'), default='fixed', help='batch norm by running statistics or by each batch')
    add('--epsilon', type=real(0), nargs='+', default=[5e-4], metavar='E', help='half-width of the box over |x| + 1')
    add('-m', '--manifolds', type=whole(0), default=0, metavar='P', help='dimensions of a random subspace; 0: all')
    add('--subspace', choices=('gaussian', 'unit'), default='gaussian', help='columns: N(0, 1), or of length 1')
    add('-t', '--times', type=whole(1), default=1, metavar='N', help='searches, all but one from random starts')
    add('--max-iterations', type=whole(1), default=10, metavar='N', help='of the solver, L-BFGS-B, in a search')
    add('--num-eigenvalues', type=whole(1), default=1, metavar='N', help='of the Hessian, the largest')
    add('--trace-samples', type=whole(1), default=10, metavar='N', help="random vectors for the Hessian's trace")
    add('--directions', type=whole(2), default=20, metavar='N', help='random ones, along which the loss spreads')
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Measure the checkpoints and return the exit status."""
    parser = build_parser()
    flags = parser.parse_args(argv)
    for name in (name for metric, names in USED_BY.items() if metric != flags.metric for name in names):
        if getattr(flags, name) != parser.get_default(name):
            parser.error(f'--{name.replace("_", "-")} means nothing to --metric {flags.metric}: leave out one of them')
    if flags.subspace != parser.get_default('subspace') and not flags.manifolds:
        parser.error(f'--subspace {flags.subspace}: full space needs none: add --manifolds P, or leave it out')
    configs = [network_config(parser, argv, path) for path in flags.evaluate]
    # torch takes a second to import: only now, so that --help answers at once.
    from utils.engine.network import open_network
    from utils.measures.potential_run import measure_potentials
    from utils.measures.sharpness_run import measure_sharpness

    openers = [partial(open_network, *pair, flags.evaluate) for pair in zip(configs, flags.evaluate, strict=True)]
    print((measure_potentials if flags.metric == 'potential' else measure_sharpness)(flags, openers))
    return 0


if __name__ == '__main__':
    sys.exit(main())
