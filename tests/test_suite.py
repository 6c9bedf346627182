"""Suites of experiments: how their files are read, and that every command in them can run."""

from __future__ import annotations

import ast
import shlex

import pytest

from data import get_dataset, list_datasets
from tests.conftest import PROJECT, main_gbn, main_normal
from utils.errors import UserError
from utils.suite import SUITES, find_suite, list_suites, read_suite

SCRIPTS = {'main_normal.py': main_normal, 'main_gbn.py': main_gbn}


@pytest.fixture
def write(tmp_path):
    """Write a suite file."""

    def write_file(*lines: str):
        path = tmp_path / 'mine.sh'
        path.write_text('\n'.join(lines) + '\n')
        return path

    return write_file


def value_of(flag: str, command: tuple[str, ...], default: str = '') -> str:
    return command[command.index(flag) + 1] if flag in command else default


# What is read


def test_a_suite_is_read_as_a_shell_would(write):
    suite = read_suite(write(
        '# What it shows',
        '# and more of it',
        '# seeds: 3',
        '',
        'python main_normal.py --save plain --b 32;',
        '  # an indented comment',
        'python3 main_gbn.py --save ghosts \\',
        '  --b 640 \\',
        "  --model_config \"{'width': 128, 'depth': 2}\"   # why",
        'python main_gbn.py --save "two words" ;',
    ))  # fmt: skip
    assert (suite.name, suite.description, suite.num_seeds) == ('mine', 'What it shows', 3)
    assert suite.commands == (
        ('main_normal.py', '--save', 'plain', '--b', '32'),
        ('main_gbn.py', '--save', 'ghosts', '--b', '640', '--model_config', "{'width': 128, 'depth': 2}"),
        ('main_gbn.py', '--save', 'two words'),
    )


def test_an_empty_value_stays_one(write):
    suite = read_suite(write("python main_gbn.py --model_config '' --save a --init-from '' ;"))
    assert suite.commands == (('main_gbn.py', '--model_config', '', '--save', 'a', '--init-from', ''),)


def test_what_a_suite_need_not_have(write):
    suite = read_suite(write('python main_gbn.py --save a'))
    assert (suite.description, suite.num_seeds) == ('', None)
    last = read_suite(write('python main_gbn.py --save a \\', '--b 32 \\'))  # the file ends within a command
    assert last.commands == (('main_gbn.py', '--save', 'a', '--b', '32'),)


def test_a_backslash_at_the_end_of_a_comment_continues_nothing(write):
    suite = read_suite(write('# C:\\', 'python main_gbn.py --save a'))
    assert suite.description == 'C:\\'
    assert len(suite.commands) == 1


def test_the_line_for_the_shell_is_no_description(write):
    assert read_suite(write('#!/usr/bin/env bash', '# What it shows', 'python main_gbn.py --save a')).description == (
        'What it shows'
    )


# (lines, number of the line that is named, words of the message)
WRONG = {
    'quotes': (['# a', '', 'python main_gbn.py --save a --model_config "{}'], 3, ['does not parse', 'quot']),
    'within': (['python main_gbn.py \\', '  --save "a \\', '  --b 3'], 1, ['does not parse']),
    'no save': (['python main_gbn.py --b 32'], 1, ['--save NAME']),
    'save last': (['python main_gbn.py --b 32 --save'], 1, ['--save NAME']),
    'save twice': (['python main_gbn.py --save a --save b'], 1, ['--save NAME']),
    'name twice': (['python main_gbn.py --save a', '', 'python main_normal.py --save a'], 3, ['--save a', 'two rows']),
    'after one': (['python main_gbn.py --save a \\', '  --b 3', 'python main_normal.py --save a'], 3, ['--save a']),
    'no command': (['python main_gbn.py --save a', 'rm -rf /'], 2, ['rm -rf', 'main_gbn.py']),
    'no script': (['python main_ghost.py --save a'], 1, ['main_ghost.py']),
    'a script alone': (['python'], 1, ['python']),
    'semicolon': ([';'], 1, ['of this project']),
    'shell': (['for seed in 1 2; do'], 1, ['of this project', 'for seed']),
}


@pytest.mark.parametrize('fault', WRONG)
def test_a_fault_is_named_with_file_and_line(write, fault):
    lines, number, words = WRONG[fault]
    path = write(*lines)
    with pytest.raises(UserError) as caught:
        read_suite(path)
    message = str(caught.value)
    assert message.startswith(f'{path}:{number}: ')
    assert '\n' not in message
    assert [word for word in words if word not in message] == []


def test_a_suite_without_a_command_is_refused(write):
    for lines in ([''], ['# only words', '# seeds: 2']):
        with pytest.raises(UserError, match=r'mine\.sh: no command in it'):
            read_suite(write(*lines))


@pytest.mark.parametrize('content', [b'python main_gbn.py --save \xff\xfe', None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / 'broken.sh'
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=r'broken\.sh: not a readable suite file'):
        read_suite(path)


@pytest.mark.parametrize('line', ['# seeds: three', '# seeds: -1', '# seeds: 0'])
def test_a_number_of_seeds_that_is_none_is_refused(write, line):
    with pytest.raises(UserError, match=r'mine\.sh:2: .*seeds'):
        read_suite(write('# What it shows', line, 'python main_gbn.py --save a'))


# The runs of a suite


@pytest.fixture
def suite(write):
    """Two rows."""
    return read_suite(write('python main_normal.py --b 4 --save one', 'python main_gbn.py --save two --b 8'))


def test_without_seeds_the_commands_run_as_printed(suite):
    runs = suite.runs()
    assert [(run.name, run.script, run.argv) for run in runs] == [
        ('one', 'main_normal.py', ('--b', '4', '--save', 'one')),
        ('two', 'main_gbn.py', ('--save', 'two', '--b', '8')),
    ]


def test_every_row_has_each_seed_and_one_seed_comes_before_the_next(suite):
    runs = suite.runs(num_seeds=2, extra=('--device', 'cpu'))
    assert [run.name for run in runs] == ['one_seed0', 'two_seed0', 'one_seed1', 'two_seed1']
    assert runs[3].argv == ('--save', 'two_seed1', '--b', '8', '--device', 'cpu', '--seed', '1')
    assert len({run.argv for run in runs}) == 4


def test_seeds_of_the_file_hold_unless_others_are_asked_for(write):
    suite = read_suite(write('# seeds: 3', 'python main_gbn.py --save a'))
    assert [run.name for run in suite.runs()] == ['a_seed0', 'a_seed1', 'a_seed2']
    assert [run.name for run in suite.runs(num_seeds=1)] == ['a_seed0']


def test_a_filter_keeps_the_runs_with_the_text_in_their_name(suite):
    assert [run.name for run in suite.runs(num_seeds=2, pattern='two')] == ['two_seed0', 'two_seed1']
    assert [run.name for run in suite.runs(num_seeds=2, pattern='seed1')] == ['one_seed1', 'two_seed1']
    assert suite.runs(pattern='three') == []


def test_a_suite_is_found_by_name_and_by_file(write):
    path = write('python main_gbn.py --save a')
    assert find_suite(str(path)) == read_suite(path)
    assert find_suite('quickstart') in list_suites()
    with pytest.raises(UserError, match=r"unknown suite 'quikstart'.*did you mean quickstart\?"):
        find_suite('quikstart')


# The suites that come with the project

SHIPPED = [
    pytest.param(script, tuple(flags), id=f'{suite.name}-{value_of("--save", flags)}')
    for suite in list_suites() for script, *flags in suite.commands
]  # fmt: skip


def test_every_suite_says_what_it_shows():
    assert 'quickstart' in [suite.name for suite in list_suites()]
    assert len(list_suites()) == len(list(SUITES.glob('*.sh'))) > 0
    for suite in list_suites():
        assert suite.description, suite.name


def check_plan(script: str, flags: tuple[str, ...], capsys, tmp_path) -> str:
    """Assert that a command passes --dry-run and creates nothing; skip it where its data is not there."""
    dataset = value_of('--dataset', flags, 'cifar10')
    assert dataset in list_datasets() or dataset.startswith('fake')
    missing = ''
    try:
        get_dataset(dataset)
    except ValueError as error:
        missing = str(error)
    capsys.readouterr()
    status = SCRIPTS[script].main([*flags, '--results_dir', str(tmp_path / 'results'), '--dry-run'])
    shown = capsys.readouterr()
    assert list(tmp_path.iterdir()) == []
    if missing:  # its flags are right all the same: nothing else is complained about
        assert (status, missing.split()[:3]) == (2, shown.err.rpartition('error: ')[2].split()[:3])
        pytest.skip(missing)
    assert status == 0, shown.err
    return shown.out


@pytest.mark.parametrize(('script', 'flags'), SHIPPED)
def test_every_command_of_a_suite_passes_a_dry_run(script, flags, capsys, tmp_path):
    plan = check_plan(script, flags, capsys, tmp_path)
    for word in ('model', 'batch', 'regime', f'{tmp_path}/results/{value_of("--save", flags)}/'):
        assert word in plan


def shown_in_docstrings() -> list:
    cases = []
    for path in SCRIPTS:
        docstring = ast.get_docstring(ast.parse((PROJECT / path).read_text()))
        lines = [line.strip() for line in docstring.splitlines() if line.strip().startswith('python ')]
        cases += [(script, tuple(flags)) for _, script, *flags in map(shlex.split, lines)]
    return cases


@pytest.mark.parametrize(('script', 'flags'), shown_in_docstrings())
def test_every_command_in_a_docstring_passes_a_dry_run(script, flags, capsys, tmp_path):
    assert 'regime' in check_plan(script, flags, capsys, tmp_path)


def test_the_quickstart_trains_on_real_data_without_a_download():
    suite = find_suite('quickstart')
    assert {value_of('--dataset', command) for command in suite.commands} == {'digits'}
    for flag in ('--base-batch-size', '--regime'):  # else the rows of its table could not be compared
        assert len({value_of(flag, command) for command in suite.commands}) == 1
    assert suite.num_seeds >= 3
