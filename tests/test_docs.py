"""README and docs/: every command runs, page after page, as a reader would type it in one copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from tests.conftest import PROJECT
from tests.official_files import write_all

DOCS = PROJECT / 'docs'
PAGES = {path.relative_to(PROJECT).as_posix(): path for path in (*PROJECT.glob('*.md'), *DOCS.glob('*.md'))}
RUN = [name for name, path in PAGES.items() if name != 'CHANGELOG.md' and '```bash\n' in path.read_text()]
BLOCK = re.compile(r'(?P<lead>[^\n]*)\n\n```(?P<language>\w+)\n(?P<code>.*?)```', re.DOTALL)
WRITTEN = re.compile(r"""(?:--(?:results_dir|output|figures|results)\s+|savez\(['"])([A-Za-z][\w./-]*)""")
COPIED = ('*.py', '*.sh', 'benchmarks', 'bigbatch', 'data_sets', 'experiments', 'models', 'utils')
COMMAND_SECONDS = 300


def copy_project(folder: Path) -> None:
    for pattern in COPIED:
        for path in PROJECT.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy2(path, folder / path.name)


def apply(block: re.Match, folder: Path, page: str) -> None:
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
        run_commands(code, folder, page)


def run_commands(code: str, folder: Path, page: str) -> None:
    """Run a block in bash, with this Python as `python` and `python3`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    environment = {**os.environ, 'PATH': path, 'PYTHON': sys.executable, 'DATASETS_DIR': str(folder / 'Datasets')}
    settings = {'env': environment, 'stdin': subprocess.DEVNULL, 'capture_output': True, 'text': True}
    command = ['bash', '-euo', 'pipefail', '-c', code]
    done = subprocess.run(command, cwd=folder, timeout=COMMAND_SECONDS, **settings)
    assert done.returncode == 0, f'{page}: {code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}'


def set_up_lines() -> list[str]:
    """Return the lines of all `sh` blocks, comments taken out."""
    blocks = [block for path in PAGES.values() for block in re.findall(r'```sh\n(.*?)```', path.read_text(), re.DOTALL)]
    return [line.split('#')[0].strip() for block in blocks for line in block.splitlines()]


@pytest.mark.slow
def test_every_command_runs_page_after_page_in_one_folder(tmp_path):
    copy_project(tmp_path)
    write_all(tmp_path / 'Datasets', 'mnist', num_train=4096, num_test=64)
    index = PAGES['docs/README.md'].read_text()
    pages = dict.fromkeys(['README.md', *(f'docs/{name}' for name in re.findall(r'\]\(([\w.]+md)\)', index)), *RUN])
    assert set(pages) >= {*RUN}
    for page in pages:
        for block in BLOCK.finditer(PAGES[page].read_text()):
            apply(block, tmp_path, page)


def test_figures_that_two_pages_show_have_one_source():
    figure, sources = re.compile(r'\d+\.\d+ \+- \d+\.\d+'), ('docs/results.md', 'docs/reproduction.md')
    measured = {each for name in sources for each in figure.findall(PAGES[name].read_text())}
    strange = []
    for name in PAGES.keys() - {*sources, 'docs/speed.md', 'README.md', 'CHANGELOG.md'}:  # which measure themselves
        cells = [cell for line in PAGES[name].read_text().splitlines() for cell in line.split('|')]
        shown = [each for cell in cells if '(r)' not in cell for each in figure.findall(cell)]  # (r): of a paper
        strange += [f'{name}: {each}' for each in shown if each not in measured]
    assert strange == [] and len(measured) > 50


def test_the_library_is_used_as_readme_says():
    (code,) = re.findall(r'```python\n(.*?)```', PAGES['README.md'].read_text(), flags=re.DOTALL)
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    exec(code, {'model': model})
    assert model[1].ghost_batch_size == 32


def test_what_sets_up_is_there():
    targets = re.findall(r'^([\w-]+):', (PROJECT / 'Makefile').read_text(), flags=re.MULTILINE)
    make = {line.split()[1] for line in set_up_lines() if line.startswith('make ')}
    files = {file for line in set_up_lines() for file in re.findall(r'-[rc] (\S+)', line)}
    assert {'demo', 'test'} <= make <= set(targets)
    assert [file for file in files if not (PROJECT / file).is_file()] == []


def test_every_page_is_in_the_index():
    assert {'README.md', 'docs/train.md', 'docs/speed.md'} <= set(RUN)
    index = PAGES['docs/README.md'].read_text()
    assert [
        path.name for path in DOCS.glob('*.md') if path.name != 'README.md' and f']({path.name})' not in index
    ] == []


def test_links_lead_somewhere():
    dead = []
    for name, path in PAGES.items():
        links = [link for link in re.findall(r'\]\(([^)#]+)', path.read_text()) if not link.startswith('http')]
        dead += [f'{name}: {link}' for link in links if not (path.parent / link).exists()]
    assert dead == []


def test_what_commands_write_into_a_checkout_is_ignored_by_git(tmp_path):
    texts = [path.read_text() for path in (*PAGES.values(), *PROJECT.glob('*.py'))]
    written = sorted({path for text in texts for path in WRITTEN.findall(text)} - {'DIR'})
    assert {'Diffusion', 'figures', 'figures.csv', 'comparison.html', 'page.html', 'blobs.npz'} <= set(written)
    subprocess.run(['git', 'init', '-q', str(tmp_path)], check=True)
    shutil.copy(PROJECT / '.gitignore', tmp_path)
    paths = [path if '.' in path else f'{path}/a' for path in (*written, 'TrainingResults', 'Figures')]
    checked = subprocess.run(['git', '-C', str(tmp_path), 'check-ignore', *paths], capture_output=True, text=True)
    assert checked.stdout.split() == paths
