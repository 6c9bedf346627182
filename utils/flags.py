"""The flags of the training scripts.

The published flags of bigBatch and SmoothOut keep their spellings. This file answers `--help`, so it imports nothing
heavy.
"""

from __future__ import annotations

from argparse import BooleanOptionalAction

from utils.method_flags import add_method_args
from utils.parser import Parser, auto_or, one_of, options_literal, real, regime_literal, whole
from utils.swap_flags import add_swap_args

DATASET = 'cifar10'  # unless --dataset names another
OPTIMIZERS = ('SGD', 'ASGD', 'Adam', 'AdamW', 'Adamax', 'Adagrad', 'Adadelta', 'Rprop', 'RMSprop')
TENSOR_TYPES = {
    'torch.FloatTensor': ('cpu', 'float32'),
    'torch.DoubleTensor': ('cpu', 'float64'),
    'torch.cuda.FloatTensor': ('cuda', 'float32'),
    'torch.cuda.DoubleTensor': ('cuda', 'float64'),
}


def build_parser(
    doc: str | None, models: list[str], datasets: list[str], *, prog: str, batch_size: int = 2048
) -> Parser:
    """Build the parser that the training scripts share; the script adds its own group."""
    parser = Parser(prog=prog, description=doc, takes_ranks=True, related=_specialists)
    parser.set_defaults(mini_batch_size=None)
    _add_place_args(parser)
    _add_data_args(parser, datasets)
    _add_model_args(parser, models)
    _add_batch_args(parser, batch_size)
    _add_regime_args(parser)
    _add_optimizer_args(parser)
    add_method_args(parser)
    _add_speed_args(parser)
    _add_run_args(parser)
    return parser


def add_ghost_args(parser: Parser, *, default: int | None) -> None:
    """Add the flag of ghost batch norm; with it, the base batch size is the ghost size unless given."""
    group = parser.add_argument_group('ghost batch norm')
    group.add_argument(
        '-mb', '--mini-batch-size', type=whole(1), default=default, metavar='G',
        help='ghost batch size: examples per batch-norm statistic',
    )


def _specialists() -> list[Parser]:
    """Return parsers of the scripts that have flags of their own, without those that all of them share."""
    ghost, swap = (Parser(prog=prog, add_help=False) for prog in ('main_gbn.py', 'main_swap.py'))
    add_ghost_args(ghost, default=None)
    add_swap_args(swap)
    return [ghost, swap]


def _add_place_args(parser: Parser) -> None:
    group = parser.add_argument_group('where results go')
    group.add_argument('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of runs')
    group.add_argument('--save', default='', metavar='NAME', help='folder of this run; the start time if not given')
    group.add_argument(
        '--save_all', action=BooleanOptionalAction, default=False, help='keep the checkpoint of every epoch'
    )
    group.add_argument(
        '--checkpoint-minutes', type=real(0), default=10.0, metavar='M',
        help='save within an epoch, too, when the last checkpoint is so old; 0: between epochs alone',
    )
    group.add_argument(
        '--tensorboard', action=BooleanOptionalAction, default=False,
        help='also write the curves for TensorBoard, if that package is installed',
    )
    group.add_argument(
        '--noise-scale', action='store_true',
        help='also measure the gradient noise scale, from the gradients of the ghosts or micro-batches of some updates',
    )
    group.add_argument(
        '-p', '--print-freq', type=whole(1), metavar='STEPS',
        help='log a progress line every so many steps; by default a line every 10 seconds',
    )


def _add_data_args(parser: Parser, datasets: list[str]) -> None:
    group = parser.add_argument_group('data')
    group.add_argument(
        '--dataset', default=DATASET, metavar='NAME',
        help=f'data set: {", ".join(datasets)}, a .npz file or a folder of class folders',
    )
    group.add_argument(
        '--datasets-dir', metavar='DIR', help='folder of the data sets; $DATASETS_DIR, else ~/Datasets, if not given'
    )
    group.add_argument('--download', action='store_true', help='fetch the data set if it is not there')
    add_input_args(group)
    group.add_argument(
        '--augment', action=BooleanOptionalAction,
        help='crop training images at random; by default as is usual for the data set',
    )
    group.add_argument(
        '--flip', action=BooleanOptionalAction,
        help='mirror training images at random; by default for photographs, not for digits',
    )
    group.add_argument(
        '--val-fraction', type=real(0, 1, below=True), default=0.0, metavar='F',
        help='share of the training set held out for validation; the test set is then scored once, at the end',
    )
    group.add_argument(
        '--val-seed', type=whole(0, 2**63 - 1), metavar='S',
        help='seed that chooses the examples held out; that of --seed if not given',
    )
    group.add_argument(
        '--drop-last', action=BooleanOptionalAction, default=True,
        help='leave out the last incomplete batch of an epoch',
    )
    group.add_argument(
        '-j', '--workers', type=whole(0), metavar='N',
        help='loader processes, for data that is transformed image by image; 2 if not given',
    )


def add_input_args(group) -> None:
    """Add the flags that say what of an image the network sees."""
    group.add_argument('--input_size', type=whole(1), metavar='PIXELS', help='side of the crop that the network sees')
    group.add_argument(
        '--pixels', choices=('normalized', 'unit'), default='normalized',
        help='normalized: by mean and deviation of the data set; unit: from 0 to 1, as Keskar et al.',
    )


def _add_model_args(parser: Parser, models: list[str]) -> None:
    group = parser.add_argument_group('model')
    group.add_argument(
        '-a', '--model', type=one_of('model', models), default='resnet', metavar='NAME',
        help=f'network: {", ".join(models)}',
    )
    group.add_argument(
        '--model_config', type=options_literal, default={}, metavar='DICT', help='options, as "{\'depth\': 44}"'
    )
    group.add_argument('--init-from', default='', metavar='CKPT', help='start from the weights of a checkpoint')


def _add_batch_args(parser: Parser, batch_size: int) -> None:
    group = parser.add_argument_group('batch size')
    group.add_argument(
        '-b', '--batch-size', '--b', type=whole(1), default=batch_size, metavar='B', help='examples per update'
    )
    group.add_argument(
        '-bm', '--batch-multiplier', type=whole(1), default=1, metavar='N', help='multiplies the batch size'
    )
    group.add_argument(
        '--micro-batch-size', type=auto_or(whole(1)), metavar='auto|M',
        help='examples per forward pass, to save memory; auto: the fewest equal passes of whole ghosts that fit into '
        'memory; if not given the whole batch, or B of it where that is made of whole ghosts and --batch-multiplier '
        'or --duplicates repeat it',
    )
    group.add_argument(
        '--bn-per-rank', action='store_true',
        help="under torchrun, ordinary batch norm over each rank's part of the batch; CPUs have no other over ranks",
    )
    group.add_argument(
        '--base-batch-size', type=whole(1), metavar='B0',
        help='batch size that the regime was tuned at; if not given 256, or the ghost size in main_gbn.py',
    )
    group.add_argument(
        '--eval-batch-size', type=whole(1), default=2048, metavar='N', help='examples per forward pass when scoring'
    )


def _add_regime_args(parser: Parser) -> None:
    group = parser.add_argument_group('adaptation to the batch size B')
    group.add_argument(
        '--lr_bb_fix', action=BooleanOptionalAction,
        help='multiply the learning rate by (B / B0)**0.5; on unless --base-lr-per-example is given',
    )
    group.add_argument(
        '--lr_fix_policy', choices=('sqrt', 'linear'),
        help='what --lr_bb_fix multiplies by: the root (default) or B / B0',
    )
    group.add_argument(
        '--regime_bb_fix', action=BooleanOptionalAction, default=False,
        help='multiply epochs and drop points by ceil(B / B0)',
    )
    group.add_argument(
        '-rbm', '--regime_bb_multi', type=whole(1), default=1, metavar='N',
        help='one more factor on epochs and drop points',
    )
    group.add_argument(
        '--base-lr-per-example', type=real(0, above=True), metavar='ETA',
        help='start the regime at the rate ETA times B, in place of --lr and --lr_bb_fix (Masters & Luschi)',
    )
    group.add_argument(
        '--warmup-epochs', type=real(0), default=0.0, metavar='E',
        help='raise the rate linearly, per update, from the unscaled one over so many epochs, which need not be whole',
    )
    group.add_argument(
        '--warmup-start', type=real(0, 1), metavar='F', help='fraction of the rate that the warm-up begins at'
    )
    group.add_argument(
        '--linear-decay', action='store_true',
        help='multiply the rate by a factor that falls linearly, per update, from 1 to 0 over the run',
    )


def _add_optimizer_args(parser: Parser) -> None:
    group = parser.add_argument_group('optimizer')
    group.add_argument(
        '--regime', type=regime_literal, metavar='DICT|FILE',
        help='settings by epoch in place of the model\'s, as "{0: {\'lr\': 0.1}, 30: {\'lr\': 0.01}}"',
    )
    group.add_argument(
        '--optimizer', type=one_of('optimizer', OPTIMIZERS), metavar='NAME',
        help=f'class of optimizer in place of the regime\'s: {", ".join(OPTIMIZERS)}',
    )
    group.add_argument(
        '--lr', '--learning_rate', type=real(0, above=True), metavar='RATE',
        help='rescale the regime so that it starts at this rate (before --lr_bb_fix)',
    )
    group.add_argument(
        '--momentum', type=real(0, 1, below=True), metavar='M',
        help='momentum in place of the regime\'s, at every epoch',
    )
    group.add_argument(
        '--weight-decay', '--wd', type=real(0), metavar='W',
        help='weight decay in place of the regime\'s, at every epoch',
    )
    group.add_argument(
        '--reset-momentum', action='store_true', help='empty the momentum at the start of each epoch, as published'
    )
    group.add_argument(
        '--clip-grad', type=real(0), default=5.0, metavar='NORM',
        help='clip the global L2 norm of the gradient; 0 is off',
    )


def _add_speed_args(parser: Parser) -> None:
    group = parser.add_argument_group('speed')
    group.add_argument(
        '--amp', choices=('off', 'bf16', 'fp16'), default='off',
        help='compute products and convolutions in half precision; statistics and weights stay float32',
    )
    group.add_argument(
        '--compile', choices=('off', 'default', 'reduce-overhead'), default='off',
        help='compile the training passes, which takes a minute at first; reduce-overhead: into CUDA graphs',
    )
    group.add_argument(
        '--channels-last', action=BooleanOptionalAction,
        help='keep the channels of images last in memory; by default for convolutions in float32 on a CPU',
    )


def _add_run_args(parser: Parser) -> None:
    group = parser.add_argument_group('the run')
    group.add_argument('--epochs', type=whole(1), default=200, metavar='E', help='epochs, before they are stretched')
    group.add_argument('--start-epoch', type=whole(0), default=0, metavar='E', help='first epoch, counted from 0')
    add_device_args(group)
    group.add_argument('--resume', default='', metavar='RUN', help='go on with a run: its folder or a checkpoint in it')
    group.add_argument('-e', '--evaluate', default='', metavar='CKPT', help='score a checkpoint on the validation set')
    group.add_argument('--dry-run', action='store_true', help='print the plan and touch nothing')


def add_device_args(group) -> None:
    """Add the flags for the seed, the device and the precision."""
    group.add_argument('--seed', type=whole(0, 2**63 - 1), default=123, metavar='S', help='seed of everything random')
    group.add_argument('--device', metavar='DEVICE', help='auto, cpu, cuda or cuda:i; refused where it is missing')
    group.add_argument(
        '--type', type=one_of('tensor type', TENSOR_TYPES), metavar='TYPE',
        help='published form of device and precision, such as torch.FloatTensor; falls back where there is no GPU',
    )
    group.add_argument('--gpus', metavar='I', help='published form of --device cuda:I; falls back likewise')
    group.add_argument(
        '--deterministic', action='store_true',
        help='ask for deterministic kernels; an operation without one is refused',
    )
