"""Fail unless dist/ holds one wheel and one sdist of the library, with all of it, nothing else, and sound metadata."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

PROJECT = Path(__file__).resolve().parent.parent
BESIDE = {'LICENSE', 'PKG-INFO', 'README.md', 'pyproject.toml', 'setup.cfg'}  # in the sdist
FILES = [path.relative_to(PROJECT).as_posix() for path in PROJECT.glob('bigbatch/**/*') if path.is_file()]
LIBRARY = {name for name in FILES if '__pycache__' not in name}
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import bigbatch
assert bigbatch.__file__.startswith(sys.argv[1]), bigbatch.__file__
for module in pkgutil.walk_packages(bigbatch.__path__, 'bigbatch.'):
    importlib.import_module(module.name)
assert all(hasattr(bigbatch, name) for name in bigbatch.__all__)
print(bigbatch.__version__)
"""


def wrong_files(archive: Path, names: set[str], beside: set[str], info: str) -> list[str]:
    """Return what an archive lacks and what it should not hold; info: where its format keeps the metadata."""
    lacking = sorted((LIBRARY | beside) - names)
    others = sorted(name for name in names - LIBRARY - beside if not name.startswith(info))
    return [f'{archive.name} lacks {name}' for name in lacking] + [f'{archive.name} holds {name}' for name in others]


def wrong_metadata(archive: Path, text: bytes, version: str) -> list[str]:
    """Return what is wrong with the metadata; fields that break their standard raise."""
    metadata = Metadata.from_email(text, validate=True)
    said = (metadata.name, str(metadata.version), metadata.description_content_type)
    asked = ('bigbatch', version, 'text/markdown')
    return [] if said == asked else [f'{archive.name} says {said}, not {asked}']


def main(folder: str) -> int:
    """Check the archives of a folder and return 0 if both are right."""
    (wheel,), (sdist,) = (Path(folder).resolve().glob(pattern) for pattern in ('*.whl', '*.tar.gz'))
    command = [sys.executable, '-I', '-c', IMPORT_ALL, str(wheel)]
    version = subprocess.check_output(command, cwd=folder, text=True).strip()
    info = f'bigbatch-{version}.dist-info/'
    with zipfile.ZipFile(wheel) as opened:
        problems = wrong_files(wheel, set(opened.namelist()), set(), info)
        problems += wrong_metadata(wheel, opened.read(f'{info}METADATA'), version)
    with tarfile.open(sdist) as opened:
        names = {member.name.split('/', 1)[1] for member in opened if member.isfile()}
        problems += wrong_files(sdist, names, BESIDE, 'bigbatch.egg-info/')
        problems += wrong_metadata(sdist, opened.extractfile(f'bigbatch-{version}/PKG-INFO').read(), version)
    print('\n'.join(problems) or f'{wheel.name}, {sdist.name}: the library, all of it and nothing else')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
