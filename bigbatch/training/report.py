"""What an epoch comes to: scores, the reports that training yields, and a part of an epoch as a checkpoint holds it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Scores:
    """Mean loss and errors over examples; error1 and error5 in percent, 0 to 100."""

    loss: float
    error1: float
    error5: float  # top min(5, classes)


@dataclass(frozen=True)
class DistancePoint:
    """Weight distance after an update, and the training loss of that update's batch (before the update)."""

    step: int
    weight_distance: float
    train_loss: float


@dataclass(frozen=True)
class EpochReport:
    """What an epoch came to."""

    epoch: int  # finished epochs, from 1
    step: int  # updates made so far
    lr: float  # of the last update
    train: Scores  # while training, in train mode
    val: Scores
    grad_norm: float  # mean over the epoch's updates, before clipping
    weight_distance: float  # L2, from step 0
    epoch_seconds: float  # training and scoring
    images_per_second: float  # training alone
    distances: tuple[DistancePoint, ...]  # at the log-spaced steps of this epoch


@dataclass(frozen=True)
class PartialEpoch:
    """What an epoch has come to after some of its updates, or after all of them but before it is scored."""

    num_steps: int  # its updates so far
    seconds: float
    score_sums: dict  # see scoring.ScoreSums.state_dict
    norm_sum: float  # of the gradient norms of the updates that were made
    num_norms: int  # those updates; float16 may lose some
    num_skipped: int  # updates lost in a row, up to now
    last_grad_norm: float
    distances: tuple[DistancePoint, ...]

    def state_dict(self) -> dict:
        """Return plain values, as a checkpoint holds them."""
        return asdict(self)

    @classmethod
    def is_state_dict(cls, state: dict) -> bool:
        """Tell whether these are the values that state_dict names, here or in an older version."""
        return 'num_steps' in state and _of_today(state).keys() == {each.name for each in fields(cls)}

    @classmethod
    def from_state_dict(cls, state: dict) -> PartialEpoch:
        """Return what state_dict described."""
        state = _of_today(state)
        return cls(**{**state, 'distances': tuple(DistancePoint(**point) for point in state['distances'])})


def _of_today(state: dict) -> dict:
    """Add what a PartialEpoch of an older version left to be understood."""
    return {'num_norms': state['num_steps'], 'num_skipped': 0, **state}
