"""The optimizer that a regime drives: built once, changed in place, so that momentum survives a drop of the rate.

The published code replays the regime at every epoch and builds a new optimizer each time, which empties the momentum
without saying so; `reset_momentum` does that on purpose, for comparison.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

import torch
from torch import nn

from bigbatch.messages import suggest
from bigbatch.regime import SHARED_SETTINGS, Regime

_HIDDEN = ('add_param_group', 'load_state_dict', 'state_dict', 'zero_grad')  # which torch.optim hides from the compiler
_OTHER_INTERFACE = {'Optimizer', 'LBFGS', 'SparseAdam'}  # no class of its own, a closure, sparse gradients
_FUSED = {'SGD', 'Adam', 'AdamW'}  # on a GPU these make an update in one kernel, and skip one without a wait for it
_INTERNAL_OPTIONS = {'self', 'params', 'lr', 'foreach', 'fused', 'capturable', 'differentiable'}


def optimizer_options(name: str) -> set[str]:
    """Return the settings that an optimizer class of torch takes, 'lr' left out; a ValueError names an unknown one."""
    classes = inspect.getmembers(torch.optim, inspect.isclass)
    known = {key for key, value in classes if issubclass(value, torch.optim.Optimizer)} - _OTHER_INTERFACE
    if not isinstance(name, str) or name not in known:
        raise ValueError(f'unknown optimizer {name!r}: {suggest(str(name), known)}')
    return set(inspect.signature(getattr(torch.optim, name).__init__).parameters) - _INTERNAL_OPTIONS


def check_regime(regime: Regime, num_epochs: int) -> None:
    """Build the optimizer of every entry once, on a spare parameter, so that a bad one is a ValueError at the start."""
    for row in regime.table(num_epochs):
        epoch = row.pop('epoch')
        name = row.pop('optimizer')
        options = optimizer_options(name)
        for key in row:
            if key != 'lr' and key not in options:
                raise ValueError(f'regime option {key!r} at epoch {epoch} is none of {name}: {suggest(key, options)}')
        try:
            without_compiler(name)([nn.Parameter(torch.zeros(1))], **row)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ValueError(f'regime at epoch {epoch}: {name} refuses {row}: {error}') from error


def override_regime(
    regime: Regime, *, optimizer: str | None, lr: float | None, momentum: float | None, weight_decay: float | None
) -> Regime:
    """Return the regime with what the command line says in place of its own settings, at every epoch.

    Args:
        optimizer: class in place of the regime's; of the old settings only the rates and the weight decay stay.
        lr: rate of the first epoch; the others are rescaled with it.

    Raises:
        ValueError: another class of optimizer without a rate for it, or one that has no such setting.
    """
    start = regime.at(0)
    if optimizer:
        regime = regime.map(lambda settings: _with_optimizer(settings, optimizer, has_rate=lr is not None))
        regime.at(0)
    if lr is not None:
        regime = regime.scale_lr(lr / start['lr'])
    given = {'momentum': momentum, 'weight_decay': weight_decay}
    given = {key: value for key, value in given.items() if value is not None}
    name = optimizer or start['optimizer']
    for key in given.keys() - optimizer_options(name):
        raise ValueError(f'--{key.replace("_", "-")} {given[key]}: {name} has no such setting')
    return regime.map(lambda settings: {**settings, **given}) if given else regime


def _with_optimizer(settings: dict, optimizer: str, *, has_rate: bool) -> dict:
    if settings['optimizer'] == optimizer:
        return settings
    if not has_rate:
        raise ValueError(
            f'--optimizer {optimizer}: the rates of this regime were tuned for {settings["optimizer"]}; '
            'give --lr or --regime'
        )
    return {'optimizer': optimizer, **{key: settings[key] for key in SHARED_SETTINGS if key in settings}}


class RegimeOptimizer:
    """Drive a torch optimizer by a regime, with an optional linear warm-up and linear decay on top of it.

    Args:
        parameters: what to optimise.
        regime: settings by epoch, already adapted to the batch size.
        warmup_steps: updates over which the rate rises linearly from lr * warmup_start to lr; 0 is off.
        warmup_start: fraction of the rate that the first update takes: 1 / (factor of --lr_bb_fix).
        decay_steps: updates over which a factor on every rate falls linearly from 1, which update 0 takes, to 0, which
            none takes any more; 0 is off.
        reset_momentum: empty the optimizer's state at the start of each epoch.
        scaler: what scaled the gradients, of which update by update `unscale` is called before they are used; an update
            whose gradients are not finite is skipped, and their scale lowered.
    """

    _optimizer: torch.optim.Optimizer  # from the first start_epoch on

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        regime: Regime,
        *,
        warmup_steps: int = 0,
        warmup_start: float = 1.0,
        decay_steps: int = 0,
        reset_momentum: bool = False,
        scaler: torch.amp.GradScaler | None = None,
    ):
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.lr = float('nan')
        self._regime, self._scaler = regime, scaler
        self._warmup_steps, self._warmup_start = warmup_steps, warmup_start
        self._decay_steps, self._reset_momentum = decay_steps, reset_momentum
        self._name = ''
        self._settings: dict = {}
        self._defaults: dict = {}

    def start_epoch(self, epoch: int) -> None:
        """Bring the settings of an epoch into force; only another class of optimizer loses its state."""
        self._settings = self._regime.at(epoch)
        name = self._settings.pop('optimizer')
        if name != self._name:
            self._build(name)
        elif self._reset_momentum:
            self._optimizer.state.clear()
        for group in self._optimizer.param_groups:
            group.update({**self._defaults, **self._settings})

    def step(self, step: int) -> None:
        """Make update number `step`, counted from 0 over the whole run."""
        self.lr = self.lr_at(step)
        for group in self._optimizer.param_groups:
            group['lr'] = self.lr
        if self._scaler is None:
            make_update(self._optimizer)
        else:
            self._begin_momentum()
            self._scaler.step(self._optimizer)
            self._scaler.update()

    def lr_at(self, step: int) -> float:
        """Return the learning rate of an update of the current epoch."""
        lr = float(self._settings['lr'])
        if step < self._warmup_steps:
            lr *= self._warmup_start + (1.0 - self._warmup_start) * step / self._warmup_steps
        if self._decay_steps:
            lr *= 1.0 - step / self._decay_steps
        return lr

    @property
    def may_skip(self) -> bool:
        """Whether an update whose gradients are not finite is skipped."""
        return self._scaler is not None

    def unscale(self) -> None:
        """Take the scale out of the gradients, if they have one."""
        if self._scaler is not None:
            self._scaler.unscale_(self._optimizer)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict:
        """Return the optimizer's state, that of the scaler included: tensors and plain values."""
        scale = {'scaler': self._scaler.state_dict()} if self._scaler else {}
        return {**self._optimizer.state_dict(), **scale}

    def load_state_dict(self, state: dict, *, epoch: int) -> None:
        """Take over the state that was saved at the end of an epoch; a ValueError says that it is of another kind."""
        self.start_epoch(epoch)
        try:
            fused = {key: self._defaults[key] for key in ('fused',) if key in self._defaults}  # goes by the device
            groups = [{**group, **fused} for group in state['param_groups']]
            self._optimizer.load_state_dict({'state': state['state'], 'param_groups': groups})
            if self._scaler is not None:
                self._scaler.load_state_dict(state['scaler'])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            reason = f'{type(error).__name__}: {error}'
            raise ValueError(f'the checkpoint holds no state of {self._name} ({reason})') from error

    def _build(self, name: str) -> None:
        self._name = name
        fused = {'fused': True} if name in _FUSED and self.parameters[0].is_cuda else {}
        self._optimizer = without_compiler(name)(self.parameters, lr=self._settings['lr'], **fused)
        self._defaults = dict(self._optimizer.defaults)

    def _begin_momentum(self) -> None:
        """Have a fused SGD begin with a momentum of 0: where its first update is skipped, torch leaves it unset."""
        groups = [group for group in self._optimizer.param_groups if group.get('fused') and group.get('momentum')]
        for parameter in [parameter for group in groups for parameter in group['params']]:
            state = self._optimizer.state[parameter]
            if state.get('momentum_buffer') is None:
                state['momentum_buffer'] = torch.zeros_like(parameter)


def without_compiler(name: str) -> Callable[..., torch.optim.Optimizer]:
    """Return an optimizer class of torch whose objects do not import the compiler; they cannot be compiled or pickled.

    torch hides some methods from its compiler by a wrapper that imports it in order to say so, which takes half of the
    time from a command to its first update. Here they have no wrapper. Where another version of torch wraps them in
    another way, this has no effect.
    """
    kind = getattr(torch.optim, name)
    plain = {hidden: inspect.unwrap(getattr(kind, hidden)) for hidden in _HIDDEN}
    return type(name, (kind,), {**plain, '__module__': kind.__module__})


@torch.no_grad()
def make_update(optimizer: torch.optim.Optimizer) -> None:
    """Do what optimizer.step() does, for one that has neither hooks nor a closure."""
    inspect.unwrap(type(optimizer).step)(optimizer)
