"""Every setting of a training run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import ClassVar, TypeVar

from utils.config.batch import BatchConfig
from utils.config.network import NetworkConfig
from utils.config.output import OutputConfig
from utils.config.schedule import ScheduleConfig
from utils.config.speed import SpeedConfig
from utils.methods import METHODS
from utils.methods.base import Method
from utils.settings import Means, declared

Kind = TypeVar('Kind', bound=Method)


# Fields stand in the reverse order of the bases, which is the order in which people read them.
@dataclass(frozen=True, kw_only=True)
class RunConfig(OutputConfig, SpeedConfig, ScheduleConfig, BatchConfig, NetworkConfig):
    """Every setting of one training run, resolved from its flags."""

    PARTS: ClassVar[tuple[type, ...]] = METHODS

    methods: tuple[Method, ...]  # one of each kind, most of them off

    def of(self, kind: type[Kind]) -> Kind:
        """Return the settings of a method."""
        return next(method for method in self.methods if isinstance(method, kind))

    @property
    def methods_on(self) -> tuple[Method, ...]:
        """The methods that the run has."""
        return tuple(method for method in self.methods if method.is_on)

    @property
    def num_copies(self) -> int:
        """Examples that a batch holds for each one of the training set."""
        return math.prod(method.num_copies for method in self.methods_on)

    @property
    def num_images(self) -> int:
        """Examples per update, every copy counted."""
        return self.batch_size * self.num_copies

    def settings(self) -> dict:
        """Return all settings of the run as plain values, as config.json and checkpoints hold them."""
        values = asdict(self)
        for method in values.pop('methods'):
            values |= method
        left_out = {name for name, each in declared(type(self)).items() if each.means & Means.ASKED}
        return {name: value for name, value in values.items() if name not in left_out}
