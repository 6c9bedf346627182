"""The networks, by name.

The table is literal and a network's module is imported when one is created, so that listing the names is instant. The
published code scanned its modules for lower-case functions, which hid the wide ResNet from its own command line.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from bigbatch.messages import suggest
from bigbatch.own_code import own_code

if TYPE_CHECKING:
    from torch import nn

SUGGESTION_CUTOFF = 0.7  # of difflib, higher than for other names: many networks are called alike
# name -> module; the module has a function of that name, which returns the network.
MODELS: dict[str, str | Callable] = {
    'alexnet': 'models.alexnet',
    'alexnet_small': 'models.alexnet',
    'alexnetv2': 'models.alexnet',
    'alexnetv3': 'models.alexnet',
    'alexnetvlr': 'models.alexnet',
    'cifar100_shallow': 'models.shallow',
    'cifar10_shallow': 'models.shallow',
    'keskar_c1': 'models.keskar',
    'keskar_c2': 'models.keskar',
    'keskar_c3': 'models.keskar',
    'keskar_c4': 'models.keskar',
    'keskar_f1': 'models.keskar',
    'keskar_f2': 'models.keskar',
    'mnist_f1': 'models.mnist_f1',
    'resnet': 'models.resnet',
    'vgg': 'models.vgg',
    'wide_WResNet': 'models.wide_resnet',
    'wide_resnet': 'models.wide_resnet',
    'wresnet16_4': 'models.wide_resnet',
}


def list_models() -> list[str]:
    """Return the names that create_model knows."""
    return sorted(MODELS)


def register_model(function: Callable) -> Callable:
    """Add a function that returns a network under the function's own name; a decorator. ValueError: it is taken."""
    name = function.__name__
    if name in MODELS:
        raise ValueError(f'model {name!r} is registered already: choose another name')
    MODELS[name] = function
    return function


def model_options(name: str) -> set[str] | None:
    """Return the options that a network takes, or None where it takes any (`**kwargs`)."""
    parameters = inspect.signature(_function(name)).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def create_model(name: str, **config) -> nn.Module:
    """Create a network.

    It has `.regime` (optimizer settings by epoch) and perhaps `.input_transform` ({'train', 'eval'}) and `.criterion`.

    Args:
        config: its options, see the function of that name; most take num_classes and input_shape (C, H, W).

    Raises:
        ValueError: an unknown name or option, or a value that the network refuses.
    """
    options = model_options(name)
    for key in config:
        if options is not None and key not in options:
            raise ValueError(f'model {name} has no option {key!r}: {suggest(key, options, cutoff=SUGGESTION_CUTOFF)}')
    if isinstance(config.get('num_classes'), int) and config['num_classes'] < 1:
        raise ValueError(f'model {name}: num_classes {config["num_classes"]} is not a whole number from 1')
    try:
        with own_code():
            model = _function(name)(**config)
    except ValueError as error:
        raise ValueError(f'model {name}: {error}') from error
    except (TypeError, RuntimeError) as error:
        reason = str(error).partition('\n')[0]  # torch goes on to list the signatures that it knows
        raise ValueError(f'model {name} cannot be built with {config}: {reason}; check the options given') from error
    if not callable(getattr(model, 'named_modules', None)):
        raise ValueError(f'model {name}: its function returns {type(model).__name__}; expected a torch.nn.Module')
    return model


def _function(name: str) -> Callable:
    if name not in MODELS:
        raise ValueError(f'unknown model {name!r}: {suggest(name, MODELS, cutoff=SUGGESTION_CUTOFF)}')
    entry = MODELS[name]
    if not isinstance(entry, str):
        return entry
    place = f"the table of models/__init__.py has '{name}': '{entry}'"
    try:
        with own_code():
            module = importlib.import_module(entry)
    except ModuleNotFoundError as error:
        if not f'{entry}.'.startswith(f'{error.name}.'):
            raise  # it is there, and fails to import another
        raise ValueError(f'{place}, but there is no {entry.replace(".", "/")}.py: add it, or mend that line') from error
    if not callable(function := getattr(module, name, None)):
        raise ValueError(f'{place}, but that file has no function {name}: add one, or mend that line')
    return function
