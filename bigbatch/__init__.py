"""Training with large batches: ghost batch norm, regimes and scaling rules, methods, and what is measured on networks.

The names that others use come straight from here. They are loaded when they are asked for: what each of them is and
where it lives is said in __init__.pyi, which type checkers read as well.
"""

import functools

__version__ = '1.0.0'


@functools.cache
def _homes() -> dict[str, str]:
    """Return the module of each name that __init__.pyi imports."""
    import ast
    from importlib import resources

    tree = ast.parse(resources.files(__name__).joinpath('__init__.pyi').read_text(encoding='utf-8'))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names}


def __getattr__(name: str):
    import importlib

    homes = _homes()
    if name == '__all__':
        return sorted(homes)
    if name not in homes:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    home = importlib.import_module(homes[name])
    value = importlib.import_module(f'{__name__}.{name}') if home.__name__ == __name__ else getattr(home, name)
    globals()[name] = value  # so that it is asked for once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes()})
