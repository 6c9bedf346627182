"""The settings that name a network, its data and its device."""

from __future__ import annotations

import logging
import os
import sys
from argparse import BooleanOptionalAction
from dataclasses import dataclass

from bigbatch.errors import UserError
from utils.parser import Parser, one_of, options_literal, real, whole

DATASET = 'cifar10'  # unless --dataset names another
TENSOR_TYPES = {
    'torch.FloatTensor': ('cpu', 'float32'),
    'torch.DoubleTensor': ('cpu', 'float64'),
    'torch.cuda.FloatTensor': ('cuda', 'float32'),
    'torch.cuda.DoubleTensor': ('cuda', 'float64'),
}

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What names a network, its data and its device: enough to build it and to feed it."""

    dataset: str
    datasets_dir: str | None
    download: bool
    model: str
    model_config: dict
    input_size: int | None
    pixels: str  # normalized: by mean and deviation of the data set; unit: from 0 to 1
    augment: bool | None  # None: as is usual for the data set
    flip: bool | None
    val_fraction: float
    val_seed: int | None  # of the choice of those; None: seed
    workers: int | None
    eval_batch_size: int
    device: str  # auto, cpu, cuda or cuda:i
    strict_device: bool  # False: fall back with a warning where the device is missing
    dtype: str
    deterministic: bool
    seed: int


def add_data_args(parser: Parser, datasets: list[str]) -> None:
    """Add the flags of the data set and of what the network sees of it."""
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


def add_model_args(parser: Parser, models: list[str]) -> None:
    """Add the flags of the network."""
    group = parser.add_argument_group('model')
    group.add_argument(
        '-a', '--model', type=one_of('model', models), default='resnet', metavar='NAME',
        help=f'network: {", ".join(models)}',
    )
    group.add_argument(
        '--model_config', type=options_literal, default={}, metavar='DICT', help='options, as "{\'depth\': 44}"'
    )
    group.add_argument('--init-from', default='', metavar='CKPT', help='start from the weights of a checkpoint')


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


def device_and_dtype(flags) -> tuple[str, bool, str]:
    """Resolve --device, --type and --gpus to a device, whether it must be there, and a dtype.

    Raises:
        UserError: several GPUs, or no name of a device.
    """
    device, dtype = TENSOR_TYPES[flags.type] if flags.type else ('auto', 'float32')
    if flags.gpus is not None:
        if not flags.gpus.isdecimal():
            raise UserError(
                f'--gpus {flags.gpus}: one process uses one device, so one index such as 0 is needed; several GPUs: '
                f'torchrun --nproc-per-node {len(flags.gpus.split(","))} {os.path.basename(sys.argv[0])} ...'
            )
        device = device if device == 'cpu' else f'cuda:{flags.gpus}'
    if flags.device is not None:
        kind, colon, index = flags.device.partition(':')
        if flags.device not in ('auto', 'cpu', 'cuda') and not (kind == 'cuda' and colon and index.isdecimal()):
            raise UserError(f'--device {flags.device}: one of auto, cpu, cuda, cuda:0, cuda:1, ... is needed')
        return flags.device, True, dtype
    return device, False, dtype


def warn_about_device(flags) -> None:
    """Say which flags have no effect beside others."""
    type_device = TENSOR_TYPES[flags.type][0] if flags.type else None
    if flags.gpus is not None and type_device == 'cpu':
        log.warning('--gpus %s has no effect with --type %s', flags.gpus, flags.type)
    for flag, device in (('--type', type_device), ('--gpus', flags.gpus and f'cuda:{flags.gpus}')):
        if flags.device and device and not flags.device.startswith(device):
            log.warning('%s has no say about the device: --device %s wins', flag, flags.device)
