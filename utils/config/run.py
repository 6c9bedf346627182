"""Every setting of a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from utils.config.batch import BatchConfig
from utils.config.network import NetworkConfig
from utils.config.output import OutputConfig
from utils.config.schedule import ScheduleConfig
from utils.config.speed import SpeedConfig
from utils.methods import MethodConfig

# Fields that say what was asked for, not what the run is.
NOT_SETTINGS = frozenset(('script', 'command', 'argv', 'resume', 'evaluate', 'dry_run', 'strict_device'))


# Fields stand in the reverse order of the bases: config.json begins with those of speed.
@dataclass(frozen=True, kw_only=True)
class RunConfig(OutputConfig, ScheduleConfig, BatchConfig, NetworkConfig, MethodConfig, SpeedConfig):
    """Every setting of one training run, resolved from its flags."""

    @property
    def num_images(self) -> int:
        """Examples per update, every copy counted."""
        return self.batch_size * self.duplicates

    def settings(self) -> dict:
        """Return all settings of the run as plain values, as config.json and checkpoints hold them."""
        return {name: value for name, value in asdict(self).items() if name not in NOT_SETTINGS}
