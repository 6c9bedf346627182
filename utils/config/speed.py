"""The settings of how fast a step is computed."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from dataclasses import dataclass

from utils.parser import Parser


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """What changes how a step is computed, and its last digits or, with half precision, more of them."""

    amp: str  # off, bf16 or fp16: of products of matrices and convolutions
    compile: str  # off, default or reduce-overhead: of the training passes
    channels_last: bool | None  # None: by the device and the network


def add_speed_args(parser: Parser) -> None:
    """Add the flags of speed."""
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
