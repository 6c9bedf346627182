"""docs/: every command runs, page by page, as a reader would type it in a copy of the project.

A page may also write files: below a line that is a path and a colon, such as "`models/bottle.py`:", the block is that
file, and below one that ends in "to the table in `models/__init__.py`:" its lines go into that file's table.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.official_files import write_mnist

DOCS = PROJECT / 'docs'
TASKS = (
    'add_a_data_set.md', 'add_a_network.md', 'augment_a_batch.md', 'average_workers.md', 'cluster.md', 'diffusion.md',
    'draw_a_line.md', 'measure_sharpness.md', 'read_the_page.md', 'reproduce_a_row.md', 'run_a_suite.md',
    'smooth_a_minimum.md', 'speed.md', 'study_small_batches.md',
)  # fmt: skip
BLOCK = re.compile(r'(?P<lead>[^\n]*)\n\n```(?P<language>\w+)\n(?P<code>.*?)```', re.DOTALL)
WRITTEN = re.compile(r"""(?:--(?:results_dir|output|figures|results)\s+|savez\(['"])([A-Za-z][\w./-]*)""")
COPIED = ('*.py', '*.sh', 'benchmarks', 'bigbatch', 'data_sets', 'experiments', 'models', 'utils')
COMMAND_SECONDS = 300


def copy_project(folder: Path) -> None:
    """Copy what runs, so that a page can change it."""
    for pattern in COPIED:
        for path in PROJECT.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy2(path, folder / path.name)


def apply(block: re.Match, folder: Path) -> None:
    """Do what a block of a page asks for."""
    lead, code = block['lead'].strip(), block['code']
    if written := re.fullmatch(r'`([\w./-]+)`:', lead):
        (folder / written[1]).write_text(code)
    elif table := re.search(r'to the table in `([\w./-]+)`:$', lead):
        path = folder / table[1]
        opening = r'(?m)^(\w+(?:: [^\n]*)? = \{\n)'
        text, count = re.subn(opening, lambda match: match[0] + code, path.read_text(), count=1)
        assert count == 1, path
        path.write_text(text)
    elif block['language'] == 'bash':
        run_commands(code, folder)


def run_commands(code: str, folder: Path) -> None:
    """Run a block in bash, with this Python as `python` and `python3`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    environment = {**os.environ, 'PATH': path, 'PYTHON': sys.executable, 'DATASETS_DIR': str(folder / 'Datasets')}
    done = subprocess.run(
        ['bash', '-euo', 'pipefail', '-c', code],
        cwd=folder,
        env=environment,
        text=True,
        timeout=COMMAND_SECONDS,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f'{code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}'


@pytest.mark.slow
@pytest.mark.parametrize('page', TASKS)
def test_every_command_runs(page, tmp_path):
    copy_project(tmp_path)
    write_mnist(tmp_path / 'Datasets' / 'mnist', num_train=4096, num_test=64)
    blocks = list(BLOCK.finditer((DOCS / page).read_text()))
    assert any(block['language'] == 'bash' for block in blocks)
    for block in blocks:
        apply(block, tmp_path)


def test_every_page_of_a_task_is_run_and_linked():
    not_run = {'reliability.md', 'reproduction.md', 'results.md', 'what_is_known.md'}
    assert {path.name for path in DOCS.glob('*.md')} == {*TASKS, *not_run}
    readme = (PROJECT / 'README.md').read_text()
    assert [page for page in TASKS if f'docs/{page}' not in readme] == []


def test_links_lead_somewhere():
    for page in DOCS.glob('*.md'):
        paths = [path for path in re.findall(r'\]\(([^)#]+)', page.read_text()) if not path.startswith('http')]
        assert [path for path in paths if not (DOCS / path).exists()] == [], page.name


def test_what_commands_write_into_a_checkout_is_ignored_by_git(tmp_path):
    texts = [path.read_text() for path in (PROJECT / 'README.md', *DOCS.glob('*.md'), *PROJECT.glob('*.py'))]
    written = sorted({path for text in texts for path in WRITTEN.findall(text)} - {'DIR'})
    assert {'Diffusion', 'figures', 'figures.csv', 'comparison.html', 'page.html', 'blobs.npz'} <= set(written)
    subprocess.run(['git', 'init', '-q', str(tmp_path)], check=True)
    shutil.copy(PROJECT / '.gitignore', tmp_path)
    paths = [path if '.' in path else f'{path}/a' for path in (*written, 'TrainingResults', 'Figures')]
    checked = subprocess.run(['git', '-C', str(tmp_path), 'check-ignore', *paths], capture_output=True, text=True)
    assert checked.stdout.split() == paths
