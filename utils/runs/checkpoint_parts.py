"""What a checkpoint holds that a run can go on from: PARTS, by which it is checked when it is made and when it is read.

All of it is tensors and plain values. The published one lacks the optimizer, the random state and the settings, so a
resumed run was another run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from bigbatch.training.report import PartialEpoch

RNG_STATE = {'torch': Tensor, 'cuda': list, 'numpy': tuple, 'python': tuple}  # of bigbatch.seeding.get_rng_state
RANK_STATE = {'rng', 'statistics', 'partial'}  # of bigbatch.training.rank_states.collect_rank_states


@dataclass(frozen=True)
class Part:
    """What one part of a checkpoint can be."""

    kind: type
    fits: Callable[[Any, Mapping], bool] = lambda value, checkpoint: True  # of this kind, is it what training writes?
    may_be_none: bool = False  # as where there is nothing to tell
    is_later: bool = False  # than the oldest checkpoints, which lack it; None stands for that as well

    def takes(self, checkpoint: Mapping, name: str) -> bool:
        """Tell whether a checkpoint, whose parts before this one are right, has this part under a name."""
        value = checkpoint.get(name)
        if value is None:
            return self.may_be_none or self.is_later
        return isinstance(value, self.kind) and not isinstance(value, bool) and self.fits(value, checkpoint)


def _is_count(number: int, _) -> bool:
    return 0 <= number < 2**63


def is_state_dict(value: object, _=None) -> bool:
    """Tell whether a value is a state dict: names with tensors, or with what layers keep as their extra state."""
    return isinstance(value, Mapping) and bool(value) and all(
        isinstance(name, str) and (isinstance(each, Tensor) or name.endswith('_extra_state'))
        for name, each in value.items()
    )  # fmt: skip


def _is_rng_state(state: Mapping, _) -> bool:
    return all(isinstance(state.get(name), kind) for name, kind in RNG_STATE.items())


def _is_best(best: Mapping, _) -> bool:
    return type(best.get('epoch')) is int and 'val_error1' in best


def _is_partial(partial: dict, checkpoint: Mapping) -> bool:
    num_steps = partial.get('num_steps')
    return PartialEpoch.is_state_dict(partial) and type(num_steps) is int and 0 < num_steps <= checkpoint['step']


def _are_rank_states(states: Sequence, checkpoint: Mapping) -> bool:
    return all(
        isinstance(state, dict) and state.keys() >= RANK_STATE and isinstance(state['rng'], dict)
        and _is_rng_state(state['rng'], checkpoint) for state in states
    )  # fmt: skip


PARTS = {
    'state_dict': Part(Mapping, is_state_dict),  # weights and buffers
    'optimizer': Part(dict),
    'epoch': Part(int, _is_count),  # finished ones
    'step': Part(int, _is_count),  # updates made
    'rng': Part(dict, _is_rng_state),
    'best': Part(dict, _is_best, may_be_none=True),  # the best epoch so far
    'config': Part(dict),  # the settings
    'version': Part(int, _is_count),  # of the format
    'estimator': Part(dict, is_later=True),  # of the gradient
    'partial': Part(dict, _is_partial, is_later=True),  # a PartialEpoch where it was saved within an epoch
    'ranks': Part(list, _are_rank_states, is_later=True),  # where there are several
}
OF_METHOD = Part(dict)  # what a method keeps, under a name of its own


def missing_parts(checkpoint: Mapping) -> list[str]:
    """Return the names of the parts without which no run can go on."""
    return [name for name, part in PARTS.items() if not part.is_later and name not in checkpoint]


def wrong_part(checkpoint: Mapping) -> str:
    """Say which part, of those that have to be there, is none that training writes; empty where all are right."""
    parts = {**PARTS, **{name: OF_METHOD for name in checkpoint if name not in PARTS}}
    wrong = (name for name, part in parts.items() if not part.takes(checkpoint, name))
    return next((f'its {name} is {str(checkpoint[name])[:40]!r}' for name in wrong), '')
