"""What methods read of a run, and how their flags are written in messages."""

from __future__ import annotations

from typing import Protocol

from bigbatch.errors import UserError


class RunSettings(Protocol):
    """A run as methods see it, besides their own settings."""

    batch_size: int  # examples per update
    base_batch_size: int
    ghost_batch_size: int | None
    num_images: int  # examples per update, every copy counted
    fixed_micro_batch_size: int | None
    lr_scaling: str
    base_lr_per_example: float | None
    seed: int
    model: str
    noise_scale: bool


def as_flag(name: str, value: object) -> str:
    """Return a setting as it is written on a command line: `--anneal-index 0.5`, `--no-denoise`."""
    flag = name if name == 'relu_noise' else name.replace('_', '-')
    value = f'{value:g}' if isinstance(value, float) else value
    return f'--no-{flag}' if value is False else f'--{flag} {value}'


def refuse_with_noise_scale(name: str, value: object, run: RunSettings) -> None:
    """Refuse a method that changes the gradient where --noise-scale measures its own noise.

    Raises:
        UserError: in one line.
    """
    if run.noise_scale and value:
        raise UserError(
            f'{as_flag(name, value)} changes the gradient whose own noise --noise-scale measures: leave out one'
        )
