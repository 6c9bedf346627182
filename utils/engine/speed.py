"""Fit a network to the settings of speed, with defaults that were measured for each device."""

from __future__ import annotations

import dataclasses
import logging

import torch
from torch import nn

from bigbatch.device import cpu_has_units
from bigbatch.distributed import Ranks
from bigbatch.errors import UserError
from bigbatch.training.fast_paths import (
    check_compiler,
    compile_passes,
    convolutions,
    use_channels_last,
    use_half_precision,
)
from utils.config.run import RunConfig
from utils.engine.methods import pass_size

COST_WITHOUT_UNITS = {'bf16': '2 times as long as float32', 'fp16': '15 to 25 times as long as float32'}

log = logging.getLogger('bigbatch')


def fit_layout(config: RunConfig, model: nn.Module, device: torch.device, stored: dict | None) -> RunConfig:
    """Bring a network into the layout and the precision of a run, and return the settings with the layout resolved.

    A resumed run, whose config.json is `stored`, keeps its layout.

    Raises:
        ValueError: the device does not have that precision.
    """
    has_bf16 = device.type == 'cpu' or torch.cuda.is_bf16_supported(including_emulation=False)
    if config.amp == 'bf16' and not has_bf16:
        raise ValueError(f'--amp bf16: {torch.cuda.get_device_name(device)} does not compute in it: take fp16 or off')
    is_last = config.channels_last
    if is_last is None and stored:
        is_last = bool(stored['settings'].get('channels_last'))  # runs that are older than the flag were not
    if is_last is None:
        is_last = default_channels_last(config, model, device)
    if config.channels_last is not None and not convolutions(model):
        flag = '--channels-last' if is_last else '--no-channels-last'
        log.warning('%s has no effect: %s has no convolutions of images', flag, config.model)
    if is_last:
        use_channels_last(model)
    if config.amp != 'off':
        if device.type == 'cpu' and cpu_has_units(config.amp) is False:
            cost = COST_WITHOUT_UNITS[config.amp]
            log.warning('--amp %s: this processor has no units for it; without them it took %s', config.amp, cost)
        use_half_precision(model, config.amp)
    return dataclasses.replace(config, channels_last=is_last)


def default_channels_last(config: RunConfig, model: nn.Module, device: torch.device) -> bool:
    """Tell whether channels last is the faster layout: on CPUs in float32, where a 5x5 convolution took half."""
    # Not measured on GPUs, so off there.
    return device.type == 'cpu' and config.dtype == 'float32' and bool(convolutions(model))


def fit_compiler(config: RunConfig, model: nn.Module, device: torch.device, ranks: Ranks) -> None:
    """Have the training passes of a run compiled, if it asks for that; a UserError where that cannot work."""
    mode = config.compile
    if mode == 'off' or config.evaluate:
        return
    if mode == 'reduce-overhead' and device.type == 'cpu':
        raise UserError(f'--compile {mode} makes CUDA graphs, and the device is {device}: take --compile default')
    if mode == 'reduce-overhead' and ranks.size > 1:
        raise UserError(f'--compile {mode} makes CUDA graphs, in which {ranks.size} ranks cannot meet: take default')
    if config.dry_run:
        return
    try:
        check_compiler(device)
    except ValueError as error:
        raise UserError(f'--compile {mode}: {error}, or leave the flag out') from error
    compile_passes(model, mode, pass_size(config, config.num_images // ranks.size))


def describe_speed(config: RunConfig, model: nn.Module, device: torch.device) -> str:
    """Say how the steps of a run are computed, and which of it is the default on its device."""
    layout = 'channels last' if config.channels_last else 'channels first'
    rows = [
        (layout, config.channels_last == default_channels_last(config, model, device)),
        (f'amp {config.amp}', config.amp == 'off'),
        (f'compile {config.compile}', config.compile == 'off'),
    ]
    rows = rows if convolutions(model) else rows[1:]
    text = ', '.join(f'{text} (default)' if is_default else text for text, is_default in rows)
    could_be_half = device.type == 'cpu' and config.amp == 'off' and config.dtype == 'float32'
    return f'{text}; this processor has units for --amp bf16' if could_be_half and cpu_has_units('bf16') else text
