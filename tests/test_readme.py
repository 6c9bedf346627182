"""README: its flag table is that of the parsers, and what it says to type is right.

python -m tests.test_readme    # write the flag table into README.md again
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys

import pytest

from data import list_datasets
from models import list_models, model_options
from tests.conftest import PROJECT
from tests.fake_runs import write_run
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser
from utils.config.swap import add_swap_args
from utils.parser import Parser

README = PROJECT / 'README.md'
DATA_SETS = ['a name that `--help` lists']  # in place of the names, so that one more changes nothing here
FLAG_MARKS = ('<!-- flags -->\n', '<!-- /flags -->')


def flag_table() -> str:
    """Return the flags of the training scripts as a Markdown table."""
    ghost = build_parser('', list_models(), DATA_SETS, prog='main_gbn.py')
    add_ghost_args(ghost, default=128)
    add_swap_args(ghost)
    normal = build_parser('', list_models(), DATA_SETS, prog='main_normal.py', batch_size=256)
    defaults = {action.dest: action.default for action in normal.actions()}
    lines = ['| flag | what | default |', '|---|---|---|']
    for title, declared in ghost.groups().items():
        lines += [f'| **{title}** | | |']
        lines += [_row(action, defaults.get(action.dest, action.default)) for action in declared]
    return '\n'.join(lines) + '\n'


def _row(action, normal_default) -> str:
    spellings = ' '.join(f'`{flag}`' for flag in action.option_strings)
    value = f' {action.metavar}' if action.metavar else ''
    default, only = _word(action.default), action.dest == 'mini_batch_size'
    if normal_default != action.default and not only:
        default = f'{default}; main_normal.py {_word(normal_default)}'
    text = (action.help or '').removesuffix(' (default: %(default)s)').replace('|', '\\|')
    return f'| {spellings}{value.replace("|", " or ")} | {text}{" (main_gbn.py only)" if only else ""} | {default} |'


def _word(default) -> str:
    if isinstance(default, bool):
        return 'on' if default else 'off'
    return '' if default is None or default in ('', {}) else str(default)


def commands() -> list[str]:
    """Return the commands of README's bash blocks, comments and continuations taken out."""
    blocks = re.findall(r'```bash\n(.*?)```', README.read_text(), flags=re.DOTALL)
    lines = [line.split('  #')[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith('#')]


def write_flag_table() -> None:
    """Put the table into README.md."""
    text = README.read_text()
    start, end = text.index(FLAG_MARKS[0]) + len(FLAG_MARKS[0]), text.index(FLAG_MARKS[1])
    README.write_text(text[:start] + flag_table() + text[end:])


def test_the_flag_table_is_that_of_the_parsers():
    assert flag_table() in README.read_text()


def test_the_network_table_has_every_network_and_option():
    listed, section = {}, README.read_text().split('## Networks')[1]
    for names, options in re.findall(r'^\| (`.*?) \|.*\| (.*)\|$', section, flags=re.MULTILINE):
        for name in re.findall(r'`(\w+)`', names):
            listed[name] = set(re.findall(r'`(\w+)`', options))
    from_the_data = {'num_classes', 'input_shape', 'input_size', 'dataset'}
    known = {name: model_options(name) - from_the_data for name in list_models()}
    assert {name: listed.get(name) for name in known} == known


def test_every_training_command_is_accepted(tmp_path, monkeypatch):
    """Each is parsed; data and runs that are not here come later in the checks, so only the parser is asked."""
    training = [shlex.split(line) for line in commands() if line.startswith('python main_')]
    assert len(training) >= 6
    for _, script, *flags in training:
        parser = build_parser('', list_models(), list_datasets(), prog=script)
        if script != 'main_normal.py':
            add_ghost_args(parser, default=128)
        if script == 'main_swap.py':
            add_swap_args(parser)
        Parser.parse_args(parser, flags)


@pytest.mark.slow
def test_the_dry_run_and_the_runs_of_readme(tmp_path, monkeypatch, capsys):
    """The commands on the digits, in order, in an empty folder, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    lines = [shlex.split(line) for line in commands() if 'digits' in line or 'TrainingResults/first' in line]
    slow = ('plot_parametric_plot.py', 'main_swap.py')  # up to a minute; pages of docs/ run them
    quick = [line for line in lines if line[0] == 'python' and line[1] not in slow]
    assert len(quick) == 11
    for _, script, *flags in quick:
        assert importlib.import_module(script.removesuffix('.py')).main(flags) == 0, capsys.readouterr().err
    assert len((tmp_path / 'TrainingResults' / 'first' / 'results.csv').read_text().splitlines()) == 7
    assert 'page: ' in capsys.readouterr().out


@pytest.mark.slow
def test_the_ranks_of_readme_train_together(tmp_path):
    (line,) = (shlex.split(line) for line in commands() if line.startswith('torchrun'))
    script = line.index('main_gbn.py')
    command = [sys.executable, '-m', 'torch.distributed.run', *line[1:script], str(PROJECT / line[script])]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    subprocess.run([*command, *line[script + 1 :]], cwd=tmp_path, env=environment, check=True)
    assert len((tmp_path / 'TrainingResults' / 'two' / 'results.csv').read_text().splitlines()) == 4


@pytest.mark.slow
def test_the_quickstart_is_compared_as_readme_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for row, batch_size in (('small_batch', 32), ('large_batch', 640)):
        for seed in range(2):
            folder = tmp_path / 'TrainingResults' / 'quickstart' / f'{row}_seed{seed}'
            write_run(folder, batch_size=batch_size, seed=seed)
    lines = [shlex.split(line) for line in commands() if 'TrainingResults/quickstart' in line]
    assert len(lines) == 4
    for _, script, *flags in lines:
        assert importlib.import_module(script.removesuffix('.py')).main(flags) == 0, capsys.readouterr().err
    assert list((tmp_path / 'figures').glob('*.pdf'))


def test_make_targets_exist():
    targets = re.findall(r'^([\w-]+):', (PROJECT / 'Makefile').read_text(), flags=re.MULTILINE)
    asked = [line.split()[1] for line in commands() if line.startswith('make ')]
    assert asked
    assert set(asked) <= set(targets)


def test_links_lead_somewhere():
    paths = [path for path in re.findall(r'\]\(([^)]*)\)', README.read_text()) if not path.startswith('http')]
    assert len(paths) >= 4
    assert [path for path in paths if not (PROJECT / path).exists()] == []


if __name__ == '__main__':
    write_flag_table()
    sys.exit(0)
