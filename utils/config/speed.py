"""The settings of how fast a step is computed."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from dataclasses import dataclass

from utils.settings import Means, setting


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """Speed.

    What changes how a step is computed, and its last digits or, with half precision, more of them.
    """

    amp: str = setting(  # of products of matrices and convolutions
        '--amp', choices=('off', 'bf16', 'fp16'), default='off', before='off', means=Means.SCORING,
        help='compute products and convolutions in half precision; statistics and weights stay float32',
    )  # fmt: skip
    compile: str = setting(  # of the training passes
        '--compile', choices=('off', 'default', 'reduce-overhead'), default='off', means=Means.PLACE,
        help='compile the training passes, which takes a minute at first; reduce-overhead: into CUDA graphs',
    )  # fmt: skip
    channels_last: bool | None = setting(  # runs that are older than the flag were not, whatever their device
        '--channels-last', action=BooleanOptionalAction, before=False,
        means=Means.PLACE | Means.SCORING | Means.OPEN,
        help='keep the channels of images last in memory; by default for convolutions in float32 on a CPU',
    )  # fmt: skip
