"""The settings that name a network, its data and its device."""

from __future__ import annotations

import functools
import logging
import os
import sys
from argparse import BooleanOptionalAction
from dataclasses import dataclass
from typing import ClassVar

from bigbatch.errors import UserError
from utils.parser import one_of, options_literal, real, whole
from utils.settings import Means, Setting, asked, setting

DATASET = 'cifar10'  # unless --dataset names another
TENSOR_TYPES = {
    'torch.FloatTensor': ('cpu', 'float32'),
    'torch.DoubleTensor': ('cpu', 'float64'),
    'torch.cuda.FloatTensor': ('cuda', 'float32'),
    'torch.cuda.DoubleTensor': ('cuda', 'float64'),
}
PLACE = Means.FREE | Means.PLACE  # of a run, and free to change
DESCRIBING = Means.NETWORK | Means.CONDITION | Means.MEASURING  # a network or its data, to whoever opens it

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Model."""

    model: str = setting(
        '-a', '--model', default='resnet', choose=functools.partial(one_of, 'model'), metavar='NAME',
        means=DESCRIBING | Means.SHAPE | Means.KEY, help='network: {known}',
    )  # fmt: skip
    model_config: dict = setting(
        '--model_config', type=options_literal, default={}, metavar='DICT',
        means=DESCRIBING | Means.SHAPE | Means.KEY, help='options, as "{\'depth\': 44}"',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Data."""

    dataset: str = setting(
        '--dataset', default=DATASET, metavar='NAME', means=DESCRIBING | Means.SHAPE | Means.KEY,
        help='data set: {known}, a .npz file or a folder of class folders',
    )  # fmt: skip
    datasets_dir: str | None = setting(
        '--datasets-dir', metavar='DIR', means=PLACE | Means.FOLDER | Means.NETWORK | Means.MEASURING,
        help='folder of the data sets; $DATASETS_DIR, else ~/Datasets, if not given',
    )  # fmt: skip
    download: bool = setting(
        '--download', action='store_true', means=PLACE | Means.SCORING, help='fetch the data set if it is not there'
    )
    val_fraction: float = setting(
        '--val-fraction', type=real(0, 1, below=True), default=0.0, metavar='F', means=Means.NETWORK | Means.CONDITION,
        help='share of the training set held out for validation; the test set is then scored once, at the end',
    )  # fmt: skip
    val_seed: int | None = setting(
        '--val-seed', type=whole(0, 2**63 - 1), metavar='S', means=Means.NETWORK | Means.LARGE, before=None,
        help='seed that chooses the examples held out; that of --seed if not given',
    )  # fmt: skip
    input_size: int | None = setting(
        '--input_size', type=whole(1), metavar='PIXELS', means=DESCRIBING | Means.SHAPE,
        help='side of the crop that the network sees',
    )  # fmt: skip
    pixels: str = setting(
        '--pixels', choices=('normalized', 'unit'), default='normalized', before='normalized',
        means=DESCRIBING,
        help='normalized: by mean and deviation of the data set; unit: from 0 to 1, as Keskar et al.',
    )  # fmt: skip
    augment: bool | None = setting(
        '--augment', action=BooleanOptionalAction, means=Means.OPEN | Means.CONDITION,
        help='crop training images at random; by default as is usual for the data set',
    )  # fmt: skip
    flip: bool | None = setting(
        '--flip', action=BooleanOptionalAction, means=Means.OPEN,
        help='mirror training images at random; by default for photographs, not for digits',
    )  # fmt: skip
    workers: int | None = setting(
        '-j', '--workers', type=whole(0), metavar='N', means=PLACE | Means.SCORING | Means.MEASURING,
        help='loader processes, for data that is transformed image by image; 2 if not given',
    )  # fmt: skip
    eval_batch_size: int = setting(
        '--eval-batch-size', type=whole(1), default=2048, metavar='N', means=PLACE | Means.SCORING,
        help='examples per forward pass when scoring',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Seed and device."""

    seed: int = setting(
        '--seed', type=whole(0, 2**63 - 1), default=123, metavar='S',
        means=Means.NETWORK | Means.LARGE | Means.KEY, help='seed of everything random',
    )  # fmt: skip
    device: str = setting(
        '--device', metavar='DEVICE', means=PLACE | Means.SCORING | Means.MEASURING,
        help='auto, cpu, cuda or cuda:i; refused where it is missing',
    )  # fmt: skip
    strict_device: bool = setting(means=PLACE | Means.ASKED, default=False)  # else it falls back with a warning
    type: ClassVar[Setting] = asked(
        '--type', type=one_of('tensor type', TENSOR_TYPES), metavar='TYPE', means=Means.SCORING | Means.MEASURING,
        help='published form of device and precision, such as torch.FloatTensor; falls back where there is no GPU',
    )  # fmt: skip
    gpus: ClassVar[Setting] = asked(
        '--gpus', metavar='I', means=PLACE | Means.SCORING | Means.MEASURING,
        help='published form of --device cuda:I; falls back likewise',
    )  # fmt: skip
    deterministic: bool = setting(
        '--deterministic', action='store_true', means=PLACE | Means.SCORING | Means.MEASURING,
        help='ask for deterministic kernels; an operation without one is refused',
    )  # fmt: skip
    dtype: str = setting(means=Means.CONDITION, default='float32')


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(DeviceConfig, DataConfig, ModelConfig):
    """What names a network, its data and its device: enough to build it and to feed it."""


def device_and_dtype(flags) -> tuple[str, bool, str]:
    """Resolve --device, --type and --gpus to a device, whether it must be there, and a dtype, or a UserError."""
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
