"""The settings of how fast a step is computed, and which of them go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbatch.errors import UserError

if TYPE_CHECKING:
    from utils.config import RunConfig


AUTO = 'auto'  # --micro-batch-size: the fewest passes that fit into memory


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """What changes how a step is computed, and its last digits or, with half precision, more of them."""

    amp: str  # off, bf16 or fp16: of products of matrices and convolutions
    compile: str  # off, default or reduce-overhead: of the training passes
    channels_last: bool | None  # None: by the device and the network


def check_speed(config: RunConfig) -> None:
    """Refuse ways of computing that do not go with the precision or the methods of a run.

    Raises:
        UserError: in one line, what is wrong and what would be right.
    """
    if config.amp != 'off' and config.dtype != 'float32':
        raise UserError(
            f'--amp {config.amp} computes parts of a float32 network in half precision, but --type makes it '
            f'{config.dtype}: leave out one'
        )
    measuring = [('--noise-scale', config.noise_scale), ('--adapt-grad-norm', config.adapt_grad_norm)]
    for flag, is_on in measuring:
        if config.amp == 'fp16' and is_on:
            raise UserError(f'{flag} measures gradients, which --amp fp16 scales and may lose: take bf16 or off')
    if config.compile != 'off' and config.relu_noise:
        raise UserError(
            f'--compile {config.compile} computes ReLUs together with what is around them, so that --relu_noise '
            f'{config.relu_noise:g} finds none: leave out one'
        )
