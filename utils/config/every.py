"""Every setting that a training run may have, for those who ask what settings mean and read no run's own."""

from __future__ import annotations

import functools

from utils.config.swap import SwapConfig
from utils.settings import Means, Setting, declared, fields_that_mean, names, values_before


@functools.cache
def every_setting() -> dict[str, Setting]:
    """Return the declarations by name, in the order in which people read them."""
    return declared(SwapConfig)


@functools.cache
def names_of(means: Means) -> tuple[str, ...]:
    """Return the names of the settings that mean any of this, and of the values of their flags, in order."""
    return names(SwapConfig, means)


def fields_of(means: Means) -> tuple[str, ...]:
    """Return the names of the settings that mean all of this, without those of flags, in order."""
    return fields_that_mean(SwapConfig, means)


def label_of(name: str) -> str:
    """Return what people call a setting."""
    found = every_setting().get(name)
    return (found and found.label) or name.replace('_', ' ')


@functools.cache
def before_flags() -> dict[str, object]:
    """Return the values of settings in runs that are older than their flags."""
    return values_before(SwapConfig)
