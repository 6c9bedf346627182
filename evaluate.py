"""Print loss and errors of checkpoints, if wanted under noise on their weights; several make one table and a CSV file.

python evaluate.py --evaluate TrainingResults/quickstart_small/model_best.pth.tar
python evaluate.py --evaluate TrainingResults/a TrainingResults/b --mode train --ss 0.006 --noise-per copy --times 5
python evaluate.py --evaluate TrainingResults/a --augment --duplicates 8 --avg-out
python evaluate.py --model alexnet --dataset imagenet -b 100 --evaluate model_best.pth.tar --ss 0.006 --mode train
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from data import list_datasets
from models import list_models
from utils.command import command, user_errors
from utils.config.measure import build_analysis_parser, network_config
from utils.parser import Parser, real, whole


def build_parser() -> Parser:
    """Return the parser of this script."""
    noise = ('--sharpness-smoothing', '--ss')
    parser = build_analysis_parser(
        __doc__, list_models(), list_datasets(), prog='evaluate.py', batch_size=2048, used=noise
    )
    add = parser.add_argument_group('what is scored').add_argument
    add('--mode', choices=('val', 'train', 'test'), default='val', help='split to score')
    add(*noise, type=real(0, 1e6), default=0.0, metavar='A', help='add uniform noise from -A to A to every parameter')
    per = 'fresh noise for each batch, or copies of the network with noise, each scored on the whole split'
    add('--noise-per', choices=('batch', 'copy'), default='batch', help=per)
    add('-t', '--times', type=whole(1), default=1, metavar='N', help='repeat with other noise')
    copies = {'dest': 'num_copies', 'type': whole(1), 'default': 1, 'metavar': 'M'}
    add('--duplicates', **copies, help='copies of an image, see --avg-out')
    add('--avg-out', action='store_true', help='score mean outputs over copies that --augment makes')
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Score the checkpoints and return the exit status."""
    parser = build_parser()
    flags = parser.parse_args(argv)
    if not flags.sharpness_smoothing and (flags.times > 1 or flags.noise_per == 'copy'):
        parser.error('--times and --noise-per are about noise, of which there is none: add --ss A, as 0.006')
    if flags.avg_out != (flags.num_copies > 1) or (flags.avg_out and not flags.augment):
        parser.error('--avg-out scores the mean over --duplicates M, 2 or more, that --augment makes: give all or none')
    configs = [network_config(parser, argv, path) for path in flags.evaluate]
    # torch takes a second to import: only now, so that --help answers at once.
    from utils.engine.network import open_network
    from utils.measures.evaluation import Evaluation, Noise

    noise = Noise(flags.sharpness_smoothing, flags.noise_per, flags.seed)
    folder = Path(flags.results_dir) / (flags.save or 'evaluation')
    evaluation = Evaluation(folder, mode=flags.mode, noise=noise, times=flags.times)
    for config, path in zip(configs, flags.evaluate, strict=True):
        with user_errors():
            network = open_network(config, path, flags.evaluate)
        evaluation.add(network)
    if len(configs) * flags.times > 1:
        print(evaluation.table())
    return 0


if __name__ == '__main__':
    sys.exit(main())
