"""What the optimizer is told at each epoch: learning rate, momentum, weight decay, its class.

A regime is a pure function of the epoch. Adapting one to a large batch (Hoffer et al. 2017, arXiv 1705.08741) gives a
new one; the published code edited the model's own dict in place, so that adapting twice scaled twice.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence

DEFAULT_OPTIMIZER = 'SGD'
# What survives when an entry names another class of optimizer; its other options mean something else there.
SHARED_SETTINGS = ('lr', 'weight_decay')
EXAMPLE = "{0: {'lr': 0.1}, 30: {'lr': 0.01}}"


class Regime:
    """Hold optimizer settings as a function of the epoch, counted from 0; immutable.

    Args:
        settings: `{epoch: {'optimizer': ..., 'lr': ..., ...}}`, each entry in force until a later one changes it; or a
            list of such dicts with the key 'epoch'; or a function of the epoch that returns all settings in force.
            Never changed.
        changes: where that is a function, the epochs at which what it returns may change; None: any.

    Raises:
        ValueError: an epoch that is not a whole number from 0, an entry that is no dict, a rate that is not positive.
    """

    __slots__ = ('_at', '_changes')
    _at: Callable[[int], Mapping]
    _changes: Sequence[int] | None

    def __init__(
        self, settings: Mapping | Sequence | Callable[[int], Mapping], *, changes: Sequence[int] | None = None
    ):
        if callable(settings):
            lookup = settings
        else:
            entries = _entries(settings)
            lookup, changes = _sticky_lookup(entries), [epoch for epoch, _ in entries]
        object.__setattr__(self, '_at', lookup)
        object.__setattr__(self, '_changes', changes)
        if not callable(settings):
            self.at(0)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f'a Regime is immutable: cannot set {name}')

    def at(self, epoch: int) -> dict:
        """Return all settings in force at an epoch, among them 'optimizer' and 'lr'."""
        if epoch < 0:
            raise ValueError(f'epoch {epoch} of a regime: epochs count from 0')
        found = self._at(epoch)
        if not isinstance(found, Mapping):
            raise ValueError(f'regime gives {found!r} at epoch {epoch}: a dict of optimizer settings is needed')
        settings = {'optimizer': DEFAULT_OPTIMIZER, **found}
        _check_entry(epoch, settings)
        if 'lr' not in settings:
            raise ValueError(f"regime has no 'lr' at epoch {epoch}: its entry for epoch 0 must name one")
        return settings

    def map(self, change: Callable[[dict], dict]) -> Regime:
        """Return the regime whose settings are `change(settings)` at every epoch."""
        return Regime(lambda epoch: change(self.at(epoch)), changes=self._changes)

    def scale_lr(self, factor: float) -> Regime:
        """Return the regime with every learning rate multiplied by a factor."""
        return self.map(lambda settings: {**settings, 'lr': settings['lr'] * factor})

    def stretch(self, factor: int) -> Regime:
        """Return the regime in which every phase of e epochs lasts factor * e epochs."""
        if factor < 1 or factor != int(factor):
            raise ValueError(f'stretch factor {factor}: a whole number from 1 is needed')
        changes = None if self._changes is None else [epoch * int(factor) for epoch in self._changes]
        return Regime(lambda epoch: self.at(epoch // int(factor)), changes=changes)

    def table(self, num_epochs: int) -> list[dict]:
        """List the settings in force from 'epoch' on, an entry for each change within num_epochs."""
        rows: list[dict] = []
        epochs = range(num_epochs) if self._changes is None else self._changes
        for epoch in (epoch for epoch in epochs if epoch < num_epochs):
            settings = self.at(epoch)
            if not rows or settings != {key: value for key, value in rows[-1].items() if key != 'epoch'}:
                rows.append({'epoch': epoch, **settings})
        return rows


def _sticky_lookup(entries: Sequence[tuple[int, dict]]) -> Callable[[int], dict]:
    def lookup(epoch: int) -> dict:
        merged: dict = {}
        for start, entry in entries:
            if start > epoch:
                break
            optimizer = merged.get('optimizer', DEFAULT_OPTIMIZER)
            if entry.get('optimizer', optimizer) != optimizer:
                merged = {key: merged[key] for key in SHARED_SETTINGS if key in merged}
            merged.update(entry)
        return merged

    return lookup


def _entries(settings: Mapping | Sequence) -> list[tuple[int, dict]]:
    if isinstance(settings, Mapping):
        pairs = list(settings.items())
    elif isinstance(settings, Sequence) and not isinstance(settings, str):
        pairs = [_split_entry(entry) for entry in settings]
    else:
        raise ValueError(f'regime {settings!r}: a dict, a list of dicts or a function of the epoch is needed')
    for epoch, entry in pairs:
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            raise ValueError(f'regime epoch {epoch!r}: a whole number from 0 is needed, as in {EXAMPLE}')
        _check_entry(epoch, entry)
    epochs = [epoch for epoch, _ in pairs]
    if len(set(epochs)) < len(epochs):
        raise ValueError(f'regime names an epoch twice: {epochs}')
    if 0 not in epochs:
        start = f'starts at epoch {min(epochs)}' if epochs else 'is empty'
        raise ValueError(f'regime {start}: an entry for epoch 0 is needed, as in {EXAMPLE}')
    return sorted((epoch, copy.deepcopy(dict(entry))) for epoch, entry in pairs)


def _split_entry(entry: object) -> tuple[int, dict]:
    if not isinstance(entry, Mapping) or 'epoch' not in entry:
        raise ValueError(f"regime entry {entry!r}: a dict with the key 'epoch' is needed, as {{'epoch': 0, 'lr': 0.1}}")
    return entry['epoch'], {key: value for key, value in entry.items() if key != 'epoch'}


def _check_entry(epoch: int, entry: object) -> None:
    if not isinstance(entry, Mapping) or not all(isinstance(key, str) for key in entry):
        raise ValueError(f"regime entry {entry!r} at epoch {epoch}: a dict such as {{'lr': 0.1}} is needed")
    for key, value in entry.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f'{key} {value!r} at epoch {epoch} of the regime: a finite number is needed')
    lr = entry.get('lr', 1)
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not (0 < lr < math.inf):
        raise ValueError(f'lr {lr!r} at epoch {epoch} of the regime: a finite number above 0 is needed')


def lr_factor(batch_size: int, base_batch_size: int, scaling: str) -> float:
    """Return the factor on every learning rate of a regime tuned at base_batch_size.

    sqrt: (B / B_base)**0.5 keeps the covariance of the weight increment (Hoffer et al. 2017, section 4);
    linear: B / B_base. Neither has a floor: a batch below the base lowers the rate, as published.
    """
    ratio = batch_size / base_batch_size
    return {'none': 1.0, 'sqrt': ratio**0.5, 'linear': ratio}[scaling]


def epoch_factor(batch_size: int, base_batch_size: int) -> int:
    """Return the factor on epochs and drop points that keeps the number of updates (regime adaptation)."""
    return max(1, math.ceil(batch_size / base_batch_size))
