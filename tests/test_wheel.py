"""The library alone: what its wheel holds, and the program of docs/use_the_library.md where nothing else is."""

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import bigbatch
from tests.conftest import PROJECT

PAGE = PROJECT / 'docs' / 'use_the_library.md'
LOOK_ELSEWHERE = """
import importlib.util, sys
import bigbatch
assert {'torch', 'numpy', 'scipy'}.isdisjoint(sys.modules), 'the import is not light'
places = {name: importlib.util.find_spec(name) for name in sys.argv[2:]}
found = [name for name, spec in places.items() if spec and (spec.origin or '').startswith(sys.argv[1])]
assert not found, found
print(bigbatch.__file__, bigbatch.__version__)
"""


def run(*command, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """Build the wheel from a copy, so that nothing is left in the checkout."""
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in ('pyproject.toml', 'README.md', 'LICENSE', 'data.py'):
        shutil.copy2(PROJECT / name, source)
    for name in ('bigbatch', 'utils', 'models', 'data_sets'):  # what must stay out as well
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    build = ('-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation', '--disable-pip-version-check')
    run(sys.executable, *build, '--wheel-dir', out, source, cwd=out)
    [path] = out.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def python(wheel, tmp_path_factory) -> Path:
    """Make an environment with the wheel and nothing else, whose torch, numpy and scipy are those of this one."""
    folder = tmp_path_factory.mktemp('venv')
    run(sys.executable, '-m', 'venv', '--without-pip', folder, cwd=folder)
    python = folder / 'bin' / 'python'
    install = ('install', '--quiet', '--no-deps', '--no-index', '--disable-pip-version-check')
    run(sys.executable, '-m', 'pip', '--python', python, *install, wheel, cwd=folder)
    here = run(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=folder).strip()
    Path(here, 'existing.pth').write_text(sysconfig.get_path('purelib') + '\n')
    return python


@pytest.mark.slow
def test_the_wheel_holds_the_library_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    ours = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / 'bigbatch').rglob('*')
        if path.suffix in ('.py', '.pyi')
    }
    kept = {name for name in names if '.dist-info/' not in name}
    assert kept == {*ours, 'bigbatch/py.typed'}
    assert any(name.endswith('licenses/LICENSE') for name in names)


@pytest.mark.slow
def test_the_program_of_the_page_runs_beside_the_wheel_alone(python, tmp_path):
    others = sorted(
        {path.stem for path in PROJECT.iterdir() if path.suffix == '.py' or (path / '__init__.py').exists()}
    )
    others.remove('bigbatch')
    out = run(python, '-c', LOOK_ELSEWHERE, PROJECT, *others, cwd=tmp_path)
    assert str(python.parent.parent) in out and out.strip().endswith(bigbatch.__version__)
    (tmp_path / 'program.py').write_text('\n'.join(re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)))
    lines = run(python, 'program.py', cwd=tmp_path)
    labels = ('weight distance', 'noise scale', 'loss', 'top eigenvalue', 'trace', 'from the first weights', 'at least')
    assert [line.startswith(label) for line, label in zip(lines.splitlines(), labels, strict=True)] == [True] * 7, lines
    assert 'nan' not in lines


def test_the_page_names_what_the_library_offers():
    table = PAGE.read_text().partition('## All names')[2]
    named = {name.strip('`') for row in re.findall(r'(?m)^\| (`.*?) \|', table) for name in row.split(', ')}
    named = {f'GhostBatchNorm{name}' if name in ('2d', '3d') else name for name in named}
    assert named == {*bigbatch.__all__, '__version__'}
    assert [name for name in bigbatch.__all__ if not hasattr(bigbatch, name)] == []


def test_requirements_say_what_the_wheel_asks_for():
    project = (PROJECT / 'pyproject.toml').read_text().partition('[project]')[2].partition('[tool.')[0]
    stated = re.findall(r'"([\w-]+>=[\d.]+)"', project)
    assert sorted(stated) == sorted((PROJECT / 'requirements.txt').read_text().split())
