"""The rules of the house, read from the source: who imports whom, what happens at import, how long things are."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT

PACKAGES = ('bigbatch', 'models', 'utils', 'analysis', 'data_sets')
LIBRARIES = ('data.py', 'preprocess.py')  # the top-level files that are no scripts
MAX_FILE, MAX_FUNCTION, MAX_ENTRY, MAX_SCRIPT = 400, 60, 40, 70
COMPOSER = 'utils/engine/experiment.py'  # the only place that knows networks, data and training
# package or file -> what of the project it may import
MAY_IMPORT = {
    'bigbatch': {'bigbatch'},
    'models': {'bigbatch', 'models'},
    'utils': {'bigbatch', 'utils'},
    'analysis': {'analysis', 'bigbatch', 'utils'},
    'data_sets': {'bigbatch', 'data_sets', 'utils'},
    'preprocess.py': {'bigbatch', 'data_sets', 'utils'},
    'data.py': {'bigbatch', 'data_sets', 'preprocess', 'utils'},
}
# What a script may import of the project.
MAY_SCRIPTS_IMPORT = {
    'analysis', 'bigbatch', 'utils', 'data', 'models', 'data.get_dataset', 'data.list_datasets', 'models.list_models',
}  # fmt: skip
# Calls that make a constant; at import nothing else is called, but for classes of values that the file itself defines.
CONSTANT_CALLS = {
    're.compile', 'frozenset', 'tuple', 'dict', 'logging.getLogger', 'Path', 'Path(__file__).resolve',
    'LineStyle', 'Preset', 'TypeVar', 'field', 'Decimal', 'dataclasses.field', 'Path(__file__).absolute',
}  # fmt: skip
CONSTANT_METHODS = {'items', 'keys', 'values', 'join'}
VALUE_BASES = {'NamedTuple', 'Enum', 'IntEnum', 'StrEnum'}
# Methods that a base class of torch or of the standard library documents.
OVERRIDES = {
    'forward', 'backward', 'setup_context', 'extra_repr', 'emit', 'error', 'parse_args', 'parse_known_args', 'format',
}  # fmt: skip
HEAVY = ('torch', 'torchvision', 'pandas', 'bokeh', 'scipy', 'sklearn', 'matplotlib')


# What is read


def sources(*, benchmarks: bool = False) -> list[str]:
    """List the Python files of the project, without its tests, relative to it."""
    folders = (*PACKAGES, 'benchmarks') if benchmarks else PACKAGES
    inside = [path for folder in folders for path in (PROJECT / folder).rglob('*.py')]
    return sorted(path.relative_to(PROJECT).as_posix() for path in [*PROJECT.glob('*.py'), *inside])


def scripts() -> list[str]:
    return [path for path in sources() if '/' not in path and path not in LIBRARIES]


@functools.cache
def text_of(path: str) -> str:
    return (PROJECT / path).read_text(encoding='utf-8')


@functools.cache
def tree_of(path: str) -> ast.Module:
    return ast.parse(text_of(path), path)


def module_of(path: str) -> str:
    return path.removesuffix('.py').replace('/', '.').removesuffix('.__init__')


@functools.cache
def modules() -> frozenset[str]:
    return frozenset(module_of(path) for path in sources())


def imported(path: str, node: ast.AST) -> Iterator[str]:
    """Yield the modules of the project that one import statement loads."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        package = module_of(path).split('.')
        package = package if path.endswith('__init__.py') else package[:-1]
        above = package[: len(package) + 1 - node.level] if node.level else []
        base = '.'.join([*above, *([node.module] if node.module else [])])
        names = [full if (full := f'{base}.{alias.name}') in modules() else base for alias in node.names]
    else:
        names = []
    tops = {name.partition('.')[0] for name in modules()}
    yield from (name for name in names if name.partition('.')[0] in tops)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ('TYPE_CHECKING', 'typing.TYPE_CHECKING')


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs when a module is imported: no bodies of functions, nothing for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or is_type_checking(node):
            continue
        yield node
        yield from at_import(node)


def when_run(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk everything but what is for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if not is_type_checking(node):
            yield node
            yield from when_run(node)


def places(path: str, *kinds: type) -> list[str]:
    """List where nodes of these kinds stand."""
    return [f'{path}:{node.lineno}' for node in ast.walk(tree_of(path)) if isinstance(node, kinds)]


# Who imports whom


def test_the_packages_are_found():
    assert {'models', 'utils', 'data_sets'} <= {path.partition('/')[0] for path in sources()}
    assert {'main_normal.py', 'main_gbn.py'} <= set(scripts())


@pytest.mark.parametrize(('path', 'line', 'names'), [
    ('utils/a.py', 'from utils import suite, nothing', ['utils.sweeps.suite', 'utils']),
    ('utils/pages/a.py', 'from ..suite import x', ['utils.sweeps.suite']),
    ('utils/reports/pages/__init__.py', 'from .html import x', ['utils.reports.pages.html']),
    ('utils/a.py', 'import torch, models.resnet', ['models.resnet']),
    ('utils/a.py', 'from dataclasses import field', []),
])  # fmt: skip
def test_the_reading_of_imports_sees_what_it_should(path, line, names):
    assert list(imported(path, ast.parse(line).body[0])) == names


@pytest.mark.parametrize('path', [path for path in sources() if path.partition('/')[0] in MAY_IMPORT])
def test_imports_follow_the_direction_of_the_data(path):
    if path == COMPOSER:
        pytest.skip('composes all of them')
    allowed = MAY_IMPORT[path.partition('/')[0]]
    wrong = [
        f'{path}:{node.lineno} imports {name}' for node in when_run(tree_of(path)) for name in imported(path, node)
        if name.partition('.')[0] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize('path', sources(benchmarks=True))
def test_no_library_imports_a_script(path):
    known = {module_of(script) for script in scripts()}
    wrong = [
        f'{path}:{node.lineno} imports {name}' for node in ast.walk(tree_of(path)) for name in imported(path, node)
        if name in known
    ]
    assert wrong == []


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {}
    for path in sources():
        own = module_of(path)
        loaded = {name for node in at_import(tree_of(path)) for name in imported(path, node)}
        for name in list(loaded):  # importing a.b.c runs a and a.b first
            parts = name.split('.')
            parents = {'.'.join(parts[:end]) for end in range(1, len(parts))}
            loaded |= {parent for parent in parents if not f'{own}.'.startswith(f'{parent}.')}
        graph[own] = loaded
    assert {'utils.command', 'utils.logs'} <= graph['utils.command'] | graph['utils.sweeps.__main__']
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError and names the circle
    assert set(order) >= modules()


@pytest.mark.parametrize('path', scripts())
def test_scripts_compose_and_no_more(path):
    froms = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)]
    names = {
        f'{node.module}.{alias.name}' for node in froms for alias in node.names if node.module in ('data', 'models')
    }
    tops = {name.partition('.')[0] for node in ast.walk(tree_of(path)) for name in imported(path, node)}
    assert names | tops <= MAY_SCRIPTS_IMPORT


# What is not written here


@pytest.mark.parametrize('path', sources(benchmarks=True))
def test_no_global_no_star_import_no_bare_except(path):
    tree = tree_of(path)
    stars = [
        f'{path}:{node.lineno}: import *' for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(alias.name == '*' for alias in node.names)
    ]
    bare = [
        f'{path}:{node.lineno}: bare except' for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert stars + bare + places(path, ast.Global) == []


@pytest.mark.parametrize('path', sources(benchmarks=True))
def test_files_are_loaded_as_tensors_and_plain_types_only(path):
    wrong = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == 'torch.load':
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            wrong += [] if given.get('weights_only') == 'True' else [f'{path}:{node.lineno}']
        if isinstance(node, ast.ImportFrom) and node.module == 'torch':
            wrong += [f'{path}:{node.lineno}: import load' for alias in node.names if alias.name == 'load']
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ('pickle.load', 'pickle.loads', 'pickle.Unpickler'):
            wrong += [f'{path}:{node.lineno}: {ast.unparse(node)}']
    assert wrong == []


def test_checkpoints_are_loaded_somewhere():
    assert any('torch.load(' in text_of(path) for path in sources())


@pytest.mark.parametrize('path', sources(benchmarks=True))
def test_nothing_happens_at_import(path):
    tree = tree_of(path)
    own_values = {
        node.name for node in tree.body if isinstance(node, ast.ClassDef)
        and (VALUE_BASES & {ast.unparse(base) for base in node.bases}
             or any('dataclass' in ast.unparse(decorator) for decorator in node.decorator_list))
    }  # fmt: skip
    acting = {f'{path}:{node.lineno}': ast.unparse(node) for node in _acting(tree.body, own_values)}
    if path.startswith('benchmarks/'):  # a script in a folder of its own has to find the project
        acting = {place: line for place, line in acting.items() if line != 'sys.path.insert(0, str(PROJECT))'}
    assert acting == {}


def _acting(body: list[ast.stmt], own_values: set[str]) -> Iterator[ast.AST]:
    """Yield the statements of a module or class body that do something."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _acting(node.body, own_values)
        elif isinstance(node, ast.FunctionDef):
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            yield from (default for default in defaults if not _is_constant(default, own_values))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            plain = all(isinstance(name, ast.Name) for target in targets for name in getattr(target, 'elts', [target]))
            if not plain or not (node.value is None or _is_constant(node.value, own_values)):
                yield node
        elif not (isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass)) or _is_quiet(node)):
            yield node


def _is_quiet(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return is_type_checking(node) or ast.unparse(node.test) == "__name__ == '__main__'"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_constant(value: ast.expr, own_values: set[str]) -> bool:
    calls = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
    return all(
        ast.unparse(call) in CONSTANT_CALLS | own_values
        or (isinstance(call, ast.Attribute) and call.attr in CONSTANT_METHODS) for call in calls
    )


@pytest.mark.parametrize(('source', 'acts'), [
    ('import torch\nX = {1: (2, 3)}\nY = re.compile("a")\nROOT = Path(__file__).resolve().parent', 0),
    ('class P(NamedTuple):\n    x: int = 1\nT = {"a": P(2)}', 0),
    ('torch.manual_seed(0)', 1),
    ('X = torch.zeros(3)', 1),
    ('os.environ["A"] = "b"', 1),
    ('class A:\n    cache = load()', 1),
    ('def f(x=load()):\n    return x', 1),
    ('for x in range(3):\n    pass', 1),
    ('if torch:\n    pass', 1),
])  # fmt: skip
def test_the_check_of_imports_sees_what_it_should(source, acts):
    assert len(list(_acting(ast.parse(source).body, {'P'}))) == acts


# How long things are


def num_lines(path: str) -> int:
    return len(text_of(path).splitlines())


def test_scripts_are_short():
    limits = {path: MAX_ENTRY if path.startswith('main_') else MAX_SCRIPT for path in scripts()}
    assert {path: num_lines(path) for path, limit in limits.items() if num_lines(path) > limit} == {}


def test_files_are_short():
    assert {path: num_lines(path) for path in sources(benchmarks=True) if num_lines(path) >= MAX_FILE} == {}


def test_functions_are_short():
    lengths = {
        f'{path}:{node.lineno} {node.name}': node.end_lineno - node.lineno + 1
        for path in sources(benchmarks=True) for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert len(lengths) > 100
    assert {place: length for place, length in lengths.items() if length > MAX_FUNCTION} == {}


# What is said about it


def documented(path: str, tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Yield the public functions, classes and methods that say nothing about themselves."""
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith('_'):
            continue
        inherited = isinstance(tree, ast.ClassDef) and node.name in OVERRIDES
        entry = node.name == 'main' and path.startswith('main_')  # the module's docstring is its own
        if not (ast.get_docstring(node) or inherited or entry):
            yield f'{path}:{node.lineno} {node.name}'
        if isinstance(node, ast.ClassDef):
            yield from documented(path, node)


@pytest.mark.parametrize('path', sources(benchmarks=True))
def test_what_is_public_has_a_docstring(path):
    silent = [] if ast.get_docstring(tree_of(path)) else [f'{path}: the module']
    assert [*silent, *documented(path, tree_of(path))] == []


@pytest.mark.parametrize('path', scripts())
def test_a_script_shows_two_commands_that_run_it(path):
    lines = (ast.get_docstring(tree_of(path)) or '').splitlines()
    assert sum(line.strip().startswith((f'python {path} ', f'./{path} ')) for line in lines) >= 2


def test_everything_is_ascii():
    folders = (*PACKAGES, 'benchmarks', 'experiments', 'tests', 'docs')
    files = [path for folder in folders for path in (PROJECT / folder).rglob('*') if path.is_file()]
    files += [path for path in PROJECT.iterdir() if path.is_file()]
    texts = [path for path in files if path.suffix in ('.py', '.sh', '.md', '.toml', '.txt') or path.name == 'Makefile']
    assert len(texts) > 30
    assert [str(path.relative_to(PROJECT)) for path in texts if not path.read_bytes().isascii()] == []


# What --help costs


ASK_FOR_HELP = """
import contextlib, importlib, io, sys
for name in sys.argv[1:]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        status = importlib.import_module(name).main(['--help'])
    print(name, status, 'usage:' in shown.getvalue(), *[heavy for heavy in {heavy} if heavy in sys.modules])
"""


def test_help_loads_nothing_heavy():
    names = [*(module_of(path) for path in scripts()), 'utils.sweeps.__main__']
    code = ASK_FOR_HELP.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, '-c', code, *names], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f'{name} 0 True' for name in names]
