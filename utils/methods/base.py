"""What a method is: its settings, and what it does at each place of a run.

A method is a group of settings that overrides those hooks that it needs; the others do nothing. All but `check` are
asked of the methods that are on alone. To add one, write its gradient in bigbatch/training/gradients and its
declaration in a file of this folder, and name it in METHODS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from utils.runs.columns import Column
from utils.settings import changed, declared

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bigbatch.distributed import Ranks
    from bigbatch.training.gradients.base import Estimator
    from bigbatch.training.report import EpochReport
    from data_sets.loader import Loader


class RunSettings(Protocol):
    """A run as methods see it, besides their own settings."""

    @property
    def batch_size(self) -> int: ...  # examples per update
    @property
    def base_batch_size(self) -> int: ...
    @property
    def ghost_batch_size(self) -> int | None: ...
    @property
    def num_images(self) -> int: ...  # examples per update, every copy counted
    @property
    def fixed_micro_batch_size(self) -> int | None: ...
    @property
    def lr_scaling(self) -> str: ...
    @property
    def base_lr_per_example(self) -> float | None: ...
    @property
    def amp(self) -> str: ...
    @property
    def compile(self) -> str: ...
    @property
    def augment(self) -> bool | None: ...
    @property
    def dataset(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def methods_on(self) -> tuple[Method, ...]: ...


class Loaders(Protocol):
    """What a run is fed by."""

    @property
    def train(self) -> Loader: ...
    @property
    def val(self) -> Loader: ...


class Training(Protocol):
    """A run that goes on, as its followers see it."""

    @property
    def model(self) -> nn.Module: ...
    @property
    def criterion(self) -> nn.Module: ...
    @property
    def estimator(self) -> Estimator: ...
    @property
    def data(self) -> Loaders: ...


class Follower:
    """What a method does as the epochs of a run go by, and what it keeps for that; by default nothing.

    Attributes:
        ends_run: whether the epoch seen last ends the run.
        message: what there is to say about it at the end, in a line.
    """

    ends_run = False
    message = ''

    def on_epoch(self, report: EpochReport, training: Training) -> Sequence[float | None]:
        """Take note of a finished epoch and return a value for each column of the method."""
        return ()

    def to_checkpoint(self) -> dict[str, dict]:
        """Return what a resumed run needs, as parts of a checkpoint: tensors and plain values."""
        return {}

    def go_on(self, checkpoint: Mapping[str, Any], row: Mapping[str, str]) -> None:
        """Go on from a checkpoint and the row of its epoch in results.csv, which may have nothing for it."""

    def scored_at_end(self) -> dict[str, nn.Module]:
        """Return further networks to score once on the test set, by their names in config.json.

        The name is PREFIX_test, where the column of the validation error is PREFIX_val_error1.
        """
        return {}

    def save(self, folder: Path, settings: dict) -> None:
        """Write files of its own at the end of the run."""


class Method:
    """The settings of a method, the first of which turns it on, and its hooks.

    Those that refuse something say in one line what is wrong and what would be right: `check` and `check_phases` by a
    UserError, the others, which come once there is a network, by a ValueError.
    """

    LABEL: ClassVar[str] = ''  # of its line in a plan, at most 13 letters; methods of one label share a line
    COLUMNS: ClassVar[tuple[Column, ...]] = ()  # of results.csv, which its follower has values for
    FILES: ClassVar[tuple[str, ...]] = ()  # that its follower writes
    CHANGES_GRADIENT: ClassVar[bool] = False  # by noise of its own

    @property
    def is_on(self) -> bool:
        """Whether a run has it: its first setting is not as by default."""
        return next(iter(declared(type(self)))) in changed(self)

    @property
    def num_copies(self) -> int:
        """Examples that a batch holds for each one of the training set."""
        return 1

    @property
    def num_copies_in_pass(self) -> int:
        """Those of them that each pass holds."""
        return self.num_copies

    @property
    def tells_copies_apart(self) -> bool:
        """Whether it changes images or activations at random, so that no copy of an image is like another."""
        return False

    def check(self, run: RunSettings) -> None:
        """Refuse settings that mean nothing together, also where it is off."""

    def check_phases(self) -> None:
        """Refuse to be in the first phase of SWAP, or in that of its workers."""

    def check_data(self, run: RunSettings, model: nn.Module, dataset) -> None:
        """Refuse what cannot be done to the training set, and warn of what has no effect.

        Args:
            run: with its augmentation resolved.
        """

    def check_ranks(self, run: RunSettings, ranks: Ranks, *, plain: bool) -> None:
        """Refuse what several ranks, with ordinary batch norm where they are plain, would not compute as one does."""

    def check_network(
        self, run: RunSettings, model: nn.Module, criterion: nn.Module, examples: tuple[Tensor, Tensor]
    ) -> None:
        """Refuse a network that gives it nothing to work on, given a few examples: (inputs, targets)."""

    def shaped_by_length(self) -> str:
        """Return the flag of it that goes by the length of a run, which then cannot change; empty for none."""
        return ''

    def describe(self, run: RunSettings) -> str:
        """Say what is done, in words."""
        return ''

    def describe_images(self) -> str:
        """Say what is done to images at random, in words."""
        return ''

    def pass_size(self, run: RunSettings) -> int | None:
        """Return the examples of each pass, where the method decides about them; one at most may."""
        return None

    def loading(self) -> dict[str, object]:
        """Return further settings of the loader of the training set."""
        return {}

    def transform(self) -> dict[str, object]:
        """Return further settings of the transform of the training set."""
        return {}

    def fit(self, model: nn.Module) -> None:
        """Change the layers of a network; refuse one that has none of them."""

    def compute(self, run: RunSettings, *, steps_per_epoch: int) -> Estimator | None:
        """Return what computes the gradient in place of the plain estimator; one method at most may."""
        return None

    def wrap(self, run: RunSettings, inner: Estimator, model: nn.Module, *, num_steps: int) -> Estimator:
        """Return an estimator around another one, whose conditions it sets, for a run of so many updates."""
        return inner

    def follow(self, model: nn.Module, num_epochs: int) -> Follower | None:
        """Return what goes along with the epochs of a run; refuse a run of this length if it cannot be in it."""
        return None
