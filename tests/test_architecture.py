"""The rules of the house, read from the source: who imports whom, what happens at import, how long things are.

The line: a room imports only rooms that stand before it. Imports inside functions and those for type checkers count.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator

from data import list_datasets
from tests.conftest import PROJECT

ORDER = (
    'bigbatch < utils/*.py < models < data_sets < preprocess.py < data.py < utils/runs < utils/methods < '
    'utils/config < utils/reports < utils/engine < utils/measures < utils/sweeps < scripts < benchmarks'
)
LINE = ORDER.split(' < ')
# Rooms that stand before these, but are none of their business.
CLOSED = {'models': {'utils/*.py'}}
FOLDERS = ('bigbatch', 'models', 'data_sets', 'utils', 'benchmarks')
FACES = ('data.py', 'preprocess.py')  # the top-level files that are no scripts
# Rooms whose files may name the settings of a run; all others take plain values.
KNOW_SETTINGS = {'utils/config', 'utils/engine', 'utils/sweeps', 'scripts'}
SETTINGS = {
    'RunConfig', 'NetworkConfig', 'BatchConfig', 'ScheduleConfig', 'SpeedConfig', 'OutputConfig', 'MeasureConfig',
    'SwapConfig',
}  # fmt: skip
# The default of --dataset, and what Keskar's networks were trained on.
NAME_DATA_SETS = {
    ('utils/config/network.py', 'cifar10'), ('utils/measures/parametric.py', 'mnist'),
    ('utils/measures/parametric.py', 'cifar10'), ('utils/measures/parametric.py', 'cifar100'),
}  # fmt: skip
# What a script may import of the project.
MAY_SCRIPTS_IMPORT = {'utils', 'data.get_dataset', 'data.list_datasets', 'models.list_models'}
# What --help and tables are answered with, without torch.
WITHOUT_TORCH = (
    'utils/*.py utils/methods utils/config utils/reports utils/runs/layout.py utils/runs/columns.py '
    'utils/runs/config_json.py utils/runs/reader.py data_sets/catalog.py data.py models/__init__.py scripts '
    'utils/sweeps/__main__.py'
)
MAX_FILE, MAX_FUNCTION, MAX_ENTRY, MAX_SCRIPT = 399, 60, 40, 70  # lines
# Calls that make a constant; at import nothing else is called, but for classes of values that the file itself defines.
CONSTANT_CALLS = {
    're.compile', 'frozenset', 'tuple', 'dict', 'logging.getLogger', 'Path', 'Path(__file__).resolve',
    'setting', 'asked', 'declared', 'names', 'fields_that_mean', 'whole', 'real', 'one_of', 'auto_or',
    'functools.partial', 'Column', 'enum.auto', 'object', 'Part', 'LineStyle', 'Preset', 'PhotoPreset', 'TypeVar',
    'field', 'Decimal', 'dataclasses.field', 'Path(__file__).absolute',
}  # fmt: skip
CONSTANT_METHODS = {'items', 'keys', 'values', 'join', 'removeprefix'}
VALUE_BASES = {'NamedTuple', 'Enum', 'IntEnum', 'StrEnum', 'enum.Flag'}
# Methods that a base class of torch or of the standard library documents.
OVERRIDES = {
    'forward', 'backward', 'setup_context', 'extra_repr', 'emit', 'error', 'parse_args', 'parse_known_args', 'format',
    'add_argument', 'add_argument_group',
}  # fmt: skip
HEAVY = ('torch', 'torchvision', 'pandas', 'bokeh', 'scipy', 'sklearn', 'matplotlib')


# What is read


@functools.cache
def sources() -> tuple[str, ...]:
    """List the Python files of the project, without its tests, relative to it."""
    inside = [path for folder in FOLDERS for path in (PROJECT / folder).rglob('*.py')]
    return tuple(sorted(path.relative_to(PROJECT).as_posix() for path in [*PROJECT.glob('*.py'), *inside]))


def scripts() -> list[str]:
    return [path for path in sources() if '/' not in path and path not in FACES]


def room_of(path: str) -> str:
    """Return the place in the line that a file belongs to."""
    top, _, inside = path.partition('/')
    if not inside:
        return top if top in FACES else 'scripts'
    if top != 'utils':
        return top
    return f'utils/{inside.partition("/")[0]}' if '/' in inside else 'utils/*.py'


@functools.cache
def text_of(path: str) -> str:
    return (PROJECT / path).read_text(encoding='utf-8')


@functools.cache
def tree_of(path: str) -> ast.Module:
    return ast.parse(text_of(path), path)


def module_of(path: str) -> str:
    return path.removesuffix('.py').replace('/', '.').removesuffix('.__init__')


@functools.cache
def modules() -> dict[str, str]:
    """Return the file of each module."""
    return {module_of(path): path for path in sources()}


def imported(path: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the modules of the project that one import statement loads; packages by their __init__."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        package = module_of(path).split('.')
        package = package if path.endswith('__init__.py') else package[:-1]
        above = package[: len(package) + 1 - node.level] if node.level else []
        base = '.'.join([*above, *([node.module] if node.module else [])])
        names = [full if (full := f'{base}.{alias.name}') in modules() else base for alias in node.names]
    yield from (name for name in names if name.partition('.')[0] in tops())


@functools.cache
def tops() -> set[str]:
    return {name.partition('.')[0] for name in modules()}


@functools.cache
def imports(path: str) -> tuple[tuple[int, str], ...]:
    """Return (line, module) of every import of a file, inside functions and for type checkers too."""
    found = [node for node in ast.walk(tree_of(path)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return tuple((node.lineno, name) for node in found for name in imported(path, node))


def nodes(*kinds: type, room: str = '') -> Iterator[tuple[str, ast.AST]]:
    """Yield (place, node) for every node of these kinds in a room, or in the project."""
    for path in sources():
        if room in ('', room_of(path)):
            yield from ((f'{path}:{node.lineno}', node) for node in ast.walk(tree_of(path)) if isinstance(node, kinds))


# Who imports whom


def test_the_reading_of_imports_sees_what_it_should():
    for path, line, names in (
        ('utils/a.py', 'from utils import command, nothing', ['utils.command', 'utils']),
        ('utils/reports/pages/a.py', 'from ..tables import x', ['utils.reports.tables']),
        ('utils/reports/__init__.py', 'from .tables import x', ['utils.reports.tables']),
        ('utils/a.py', 'import torch, models.resnet', ['models.resnet']),
        ('utils/a.py', 'from dataclasses import field', []),
    ):
        assert list(imported(path, ast.parse(line).body[0])) == names, line


def test_every_file_has_its_place_in_the_line():
    assert {room_of(path) for path in sources() if path != 'utils/__init__.py'} == set(LINE)


def test_a_room_imports_only_rooms_before_it():
    wrong = []
    for path in sources():
        room = room_of(path)
        for line, name in imports(path):
            other = room_of(modules().get(name, f'{name.replace(".", "/")}/__init__.py'))
            if LINE.index(other) > LINE.index(room) or other in CLOSED.get(room, ()):
                wrong.append(f'{path}:{line} imports {name}')
    assert wrong == []


def test_no_script_is_imported():
    known = {module_of(script) for script in scripts()}
    wrong = [f'{path}:{line}' for path in sources() for line, name in imports(path) if name in known]
    assert wrong == []


def test_the_library_needs_torch_numpy_and_scipy_alone():
    names = {alias.name for _, node in nodes(ast.Import, room='bigbatch') for alias in node.names}
    names |= {node.module for _, node in nodes(ast.ImportFrom, room='bigbatch')}
    found = {name.partition('.')[0] for name in names}
    assert {'torch', 'numpy'} <= found - set(sys.stdlib_module_names) <= {'bigbatch', 'torch', 'numpy', 'scipy'}


def test_scripts_compose_and_no_more():
    for path in scripts():
        froms = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)]
        faces = {f'{node.module}.{alias.name}' for node in froms for alias in node.names}
        faces = {name for name in faces if name.startswith(('data.', 'models.'))}
        tops = {name.partition('.')[0] for _, name in imports(path)} - {'data', 'models'}
        assert faces | tops <= MAY_SCRIPTS_IMPORT, path


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {}
    for path in sources():
        own, loaded = module_of(path), {name for _, name in imports(path)}
        for name in list(loaded):  # importing a.b.c runs a and a.b first
            parts = name.split('.')
            parents = {'.'.join(parts[:end]) for end in range(1, len(parts))}
            loaded |= {parent for parent in parents if not f'{own}.'.startswith(f'{parent}.')}
        graph[own] = loaded - {own}
    assert {'utils.parser', 'bigbatch.errors'} <= graph['utils.command'] & set(modules())
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError and names the circle
    assert set(order) >= set(modules())


def test_settings_stop_at_the_composer():
    knowing = {
        room_of(place.partition(':')[0]) for place, node in nodes(ast.Name, ast.Attribute, ast.alias, ast.Constant)
        if SETTINGS & {str(getattr(node, name, '')) for name in ('id', 'attr', 'name', 'value')}
    }  # fmt: skip
    assert {'utils/config', 'utils/engine'} <= knowing <= KNOW_SETTINGS


def test_data_sets_are_named_in_their_own_room_alone():
    """By their whole names, or followed by a colon; a docstring may, and so may networks and benchmarks."""
    rooms = {*LINE} - {'data_sets', 'models', 'benchmarks'}
    constants = ((place.partition(':')[0], node.value) for place, node in nodes(ast.Constant))
    found = {(path, value) for path, value in constants if str(value).partition(':')[0] in list_datasets()}
    assert {(path, value) for path, value in found if room_of(path) in rooms} == NAME_DATA_SETS


# What is written in one place


IN_ONE_PLACE = {
    r'\b[lr]just\b': {'utils/text_table.py'},
    r' \+- \{': {'utils/quantities.py', 'benchmarks/reproduction/published.py'},  # there as the papers print it
    r'\} (?:h|min)\b': set(),  # durations: utils/quantities.py has their units in a table
    r'\bdef duration\(': {'utils/quantities.py'},
    r'\bformat_summary\(': {'utils/reports/tables.py', 'utils/reports/comparison.py'},
    r'\bwrite_comparison_page\(': {'utils/reports/pages/comparison_page.py', 'utils/reports/comparison.py'},
}


def test_what_is_laid_out_in_one_place_is_laid_out_in_no_other():
    for pattern, places in IN_ONE_PLACE.items():
        assert {path for path in sources() if re.search(pattern, text_of(path))} == places, pattern


# What is not written here


def test_no_global_no_star_import_no_bare_except():
    stars = [place for place, node in nodes(ast.ImportFrom) if any(alias.name == '*' for alias in node.names)]
    bare = [place for place, node in nodes(ast.ExceptHandler) if node.type is None]
    assert stars + bare + [place for place, _ in nodes(ast.Global)] == []


def test_files_are_loaded_as_tensors_and_plain_types_only():
    loads, wrong = 0, []
    for place, node in nodes(ast.Call, ast.ImportFrom, ast.Attribute):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == 'torch.load':
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            wrong += [] if given.get('weights_only') == 'True' else [place]
            loads += 1
        if isinstance(node, ast.ImportFrom) and node.module == 'torch':
            wrong += [f'{place}: import load' for alias in node.names if alias.name == 'load']
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ('pickle.load', 'pickle.loads', 'pickle.Unpickler'):
            wrong += [f'{place}: {ast.unparse(node)}']
    assert wrong == []
    assert loads


def test_nothing_happens_at_import():
    acting = [(path, ast.unparse(node)) for path in sources() for node in acting_in(tree_of(path))]
    # a script has to find the project: from a folder of its own, or where PYTHONSAFEPATH takes its own folder away
    finding = {(path, 'sys.path.insert(0, str(PROJECT))') for path in sources() if path.startswith('benchmarks/')}
    own = 'sys.path.insert(0, str(Path(__file__).resolve().{}))'
    finding |= {(path, own.format('parent')) for path in sources() if '/' not in path and path not in FACES}
    finding |= {('utils/sweeps/__main__.py', own.format('parents[2]'))}
    assert [each for each in acting if each not in finding] == []


def acting_in(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the statements of a file that do something when it is imported."""
    own_values = {
        node.name for node in tree.body if isinstance(node, ast.ClassDef)
        and (VALUE_BASES & {ast.unparse(base) for base in node.bases}
             or any('dataclass' in ast.unparse(decorator) for decorator in node.decorator_list))
    }  # fmt: skip
    yield from _acting(tree.body, own_values)


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
        return ast.unparse(node.test) in ('TYPE_CHECKING', 'typing.TYPE_CHECKING', "__name__ == '__main__'")
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_constant(value: ast.expr, own_values: set[str]) -> bool:
    calls = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
    return all(
        ast.unparse(call) in CONSTANT_CALLS | own_values
        or (isinstance(call, ast.Attribute) and call.attr in CONSTANT_METHODS)
        for call in calls
    )


def test_the_check_of_imports_sees_what_it_should():
    quiet = (
        'import torch\nX = {1: (2, 3)}\nY = re.compile("a")\nROOT = Path(__file__).resolve().parent',
        'class P(NamedTuple):\n    x: int = 1\nT = {"a": P(2)}',
    )
    acting = (
        'torch.manual_seed(0)', 'X = torch.zeros(3)', 'os.environ["A"] = "b"', 'class A:\n    cache = load()',
        'def f(x=load()):\n    return x', 'for x in range(3):\n    pass', 'if torch:\n    pass',
    )  # fmt: skip
    for source in (*quiet, *acting):
        assert len(list(acting_in(ast.parse(source)))) == (source in acting), source


# How long things are


def test_files_are_short():
    limits = dict.fromkeys(sources(), MAX_FILE)
    limits |= {path: MAX_ENTRY if path.startswith('main_') else MAX_SCRIPT for path in scripts()}
    lengths = {path: len(text_of(path).splitlines()) for path in sources()}
    assert {path: length for path, length in lengths.items() if length > limits[path]} == {}


def test_functions_are_short():
    functions = list(nodes(ast.FunctionDef, ast.AsyncFunctionDef))
    lengths = {f'{place} {node.name}': node.end_lineno - node.lineno + 1 for place, node in functions}
    assert len(lengths) > 100
    assert {place: length for place, length in lengths.items() if length > MAX_FUNCTION} == {}


# What is said about it


def undocumented(path: str, tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Yield the public functions, classes and methods that say nothing about themselves."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith('_'):
            inherited = isinstance(tree, ast.ClassDef) and node.name in OVERRIDES
            entry = node.name == 'main' and path.startswith('main_')  # the module's docstring is its own
            declares = ast.unparse(node.body[-1]) == '...'  # an attribute of a Protocol, that can only be read
            if not (ast.get_docstring(node) or inherited or entry or declares):
                yield f'{path}:{node.lineno} {node.name}'
            yield from undocumented(path, node) if isinstance(node, ast.ClassDef) else ()


def test_what_is_public_has_a_docstring():
    assert [path for path in sources() if not ast.get_docstring(tree_of(path))] == []
    assert [place for path in sources() for place in undocumented(path, tree_of(path))] == []


def test_a_script_shows_two_commands_that_run_it():
    for path in scripts():
        lines = (ast.get_docstring(tree_of(path)) or '').splitlines()
        assert sum(line.strip().startswith((f'python {path} ', f'./{path} ')) for line in lines) >= 2, path


def test_everything_is_ascii():
    folders = (*FOLDERS, 'experiments', 'tests', 'docs')
    files = [path for folder in folders for path in (PROJECT / folder).rglob('*') if path.is_file()]
    files += [path for path in PROJECT.iterdir() if path.is_file()]
    texts = [path for path in files if path.suffix in ('.py', '.sh', '.md', '.toml', '.txt') or path.name == 'Makefile']
    assert len(texts) > 30
    assert [str(path.relative_to(PROJECT)) for path in texts if not path.read_bytes().isascii()] == []


# What --help costs


ASK_FOR_HELP = f"""
import contextlib, importlib, io, sys
for name in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        status = importlib.import_module(name).main(['--help'])
    print(name, status, 'usage:' in shown.getvalue(), *[heavy for heavy in {HEAVY} if heavy in sys.modules])
"""
IMPORT_WITHOUT_TORCH = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if 'torch' in sys.modules: sys.exit(f'{name} loads torch')
"""


def run_code(code: str, *words: str) -> list[str]:
    """Run code in a process of its own and return the lines that it prints."""
    call = [sys.executable, '-c', code, *words]
    done = subprocess.run(call, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_help_loads_nothing_heavy():
    names = [*(module_of(path) for path in scripts()), 'utils.sweeps.__main__']
    assert run_code(ASK_FOR_HELP, *names) == [f'{name} 0 True' for name in names]


def test_what_answers_without_torch_does_not_load_it():
    paths = [path for path in sources() if {path, room_of(path)} & set(WITHOUT_TORCH.split())]
    assert len(paths) > 60
    run_code(IMPORT_WITHOUT_TORCH, *map(module_of, paths))
