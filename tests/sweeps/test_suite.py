"""How the files of suites are read, and which runs come of them."""

import pytest

from bigbatch.errors import UserError
from utils.sweeps.suite import find_suite, list_suites, read_suite


@pytest.fixture
def write(tmp_path):
    def write_file(*lines: str):
        path = tmp_path / 'mine.sh'
        path.write_text('\n'.join(lines) + '\n')
        return path

    return write_file


def test_a_suite_is_read_as_a_shell_would(write):
    suite = read_suite(write(
        '#!/usr/bin/env bash',
        '# What it shows \\',  # a backslash at the end of a comment continues nothing
        '# and more of it',
        '# seeds: 3',
        '',
        'python main_normal.py --save plain --b 32;',
        '  # an indented comment',
        'python3 main_gbn.py --save ghosts \\',
        '  --b 640 \\',
        "  --model_config \"{'width': 128, 'depth': 2}\"   # why",
        'python main_gbn.py --save "two words" ;',
        'python main_gbn.py --save=b --b=32',
        "python main_gbn.py --model_config '' --save a ;",
        'python evaluate.py -e TrainingResults/b --save=c \\',  # the file ends within a command
    ))  # fmt: skip
    assert (suite.name, suite.description, suite.num_seeds) == ('mine', 'What it shows \\', 3)
    assert suite.commands == (
        ('main_normal.py', '--save', 'plain', '--b', '32'),
        ('main_gbn.py', '--save', 'ghosts', '--b', '640', '--model_config', "{'width': 128, 'depth': 2}"),
        ('main_gbn.py', '--save', 'two words'),
        ('main_gbn.py', '--save', 'b', '--b=32'),
        ('main_gbn.py', '--model_config', '', '--save', 'a'),
        ('evaluate.py', '-e', 'TrainingResults/b', '--save', 'c'),
    )
    bare = read_suite(write('python main_gbn.py --save a'))
    assert (bare.description, bare.num_seeds) == ('', None)


# (lines, number of the line that is named, words of the message)
WRONG = {
    'quotes': (['# a', '', 'python main_gbn.py --save a --model_config "{}'], 3, ['does not parse', 'quot']),
    'within': (['python main_gbn.py \\', '  --save "a \\', '  --b 3'], 1, ['does not parse']),
    'no save': (['python main_gbn.py --b 32'], 1, ['--save NAME']),
    'save last': (['python main_gbn.py --b 32 --save'], 1, ['--save NAME']),
    'save twice': (['python main_gbn.py --save a --save b'], 1, ['--save NAME']),
    'after one': (['python main_gbn.py --save a \\', '  --b 3', 'python main_normal.py --save=a'], 3, ['--save a']),
    'no command': (['python main_gbn.py --save a', 'rm -rf /'], 2, ['rm -rf', 'main_gbn.py']),
    'semicolon': ([';'], 1, ['of this project']),
    'flag of another script': (['python main_normal.py --save a -mb 5'], 1, ['-mb']),
    'value': (['# a', 'python main_gbn.py --save a \\', ' --b five'], 2, ["'five'", 'whole number']),
    'a word too many': (['python main_gbn.py --save a extra'], 1, ["'extra'"]),
    'help': (['python main_gbn.py --save a --help'], 1, ['--help']),
    'results': (['python main_gbn.py --save a --results-dir=x'], 1, ['--results_dir']),
    'resume': (['python main_gbn.py --save a --resume x'], 1, ['--resume']),
    'empty name': (["python main_gbn.py --save ''"], 1, ["--save ''"]),
    'name of a path': (['python main_gbn.py --save a/b'], 1, ["'a/b'", 'folder']),
    'variable': (['python main_gbn.py --save a', 'python main_gbn.py --save b --b $SIZE'], 2, ['$SIZE', 'write out']),
    'backtick': (['python main_gbn.py --save a --datasets-dir `pwd`/x'], 1, ['`pwd`/x', 'write out']),
}


def test_a_fault_is_named_with_file_and_line(write):
    failures = []
    for fault, (lines, number, words) in WRONG.items():
        path = write(*lines)
        with pytest.raises(UserError) as caught:
            read_suite(path)
        message = str(caught.value)
        missing = [word for word in words if word not in message]
        if missing or '\n' in message or not message.startswith(f'{path}:{number}: '):
            failures.append((fault, message))
    assert not failures


def test_what_is_no_suite_is_refused(write, tmp_path):
    for lines in ([''], ['# only words', '# seeds: 2']):
        with pytest.raises(UserError, match=r'mine\.sh: no command in it'):
            read_suite(write(*lines))
    for line in ('# seeds: three', '# seeds: -1', '# seeds: 0'):
        with pytest.raises(UserError, match=r'mine\.sh:2: .*seeds'):
            read_suite(write('# What it shows', line, 'python main_gbn.py --save a'))
    path = tmp_path / 'broken.sh'
    path.write_bytes(b'python main_gbn.py --save \xff\xfe')
    for broken in (path, tmp_path):
        with pytest.raises(UserError, match=rf'{broken.name}: not a readable suite file'):
            read_suite(broken)


def test_every_row_has_each_seed_and_one_seed_comes_before_the_next(write):
    suite = read_suite(write('python main_normal.py --b 4 --save one', 'python main_gbn.py --save two --b 8'))
    assert [(run.name, run.row, run.script, run.argv, run.extra) for run in suite.runs()] == [
        ('one', 'one', 'main_normal.py', ('--b', '4', '--save', 'one'), ()),
        ('two', 'two', 'main_gbn.py', ('--save', 'two', '--b', '8'), ()),
    ]
    extra = ('--device', 'cpu', '--epochs', '5')
    runs = suite.runs(num_seeds=2, extra=extra)
    names = ['one_epochs5_seed0', 'two_epochs5_seed0', 'one_epochs5_seed1', 'two_epochs5_seed1']
    assert [run.name for run in runs] == names
    assert [run.row for run in runs] == ['one_epochs5', 'two_epochs5'] * 2
    assert runs[3].argv == ('--save', 'two_epochs5_seed1', '--b', '8', *extra, '--seed', '1')
    assert {run.extra for run in runs} == {extra}
    assert len({run.argv for run in runs}) == 4
    assert [run.name for run in suite.runs(num_seeds=2, pattern='two')] == ['two_seed0', 'two_seed1']
    assert [run.name for run in suite.runs(num_seeds=2, pattern='seed1')] == ['one_seed1', 'two_seed1']
    assert suite.runs(pattern='three') == []


def test_seeds_of_the_file_hold_unless_others_are_asked_for(write):
    suite = read_suite(write('# seeds: 3', 'python main_gbn.py --save a'))
    assert [run.name for run in suite.runs()] == ['a_seed0', 'a_seed1', 'a_seed2']
    assert [run.name for run in suite.runs(num_seeds=1)] == ['a_seed0']
    suite = read_suite(write('python main_gbn.py --save a --seed 7'))
    assert suite.runs()[0].name == 'a'
    with pytest.raises(UserError, match='a: --seed'):
        suite.runs(num_seeds=2)


def test_a_suite_is_found_by_name_and_by_file(write):
    path = write('python main_gbn.py --save a')
    assert find_suite(str(path)) == read_suite(path)
    assert find_suite('quickstart') in list_suites()


def test_flags_for_all_commands_are_given_to_a_run_that_goes_on_as_well(write, tmp_path):
    [run] = read_suite(write('python main_gbn.py --save a')).runs(extra=('--device', 'cpu'))
    assert run.flags(tmp_path)[-4:] == ['--device', 'cpu', '--results_dir', str(tmp_path)]
    assert run.flags(tmp_path, begins=False) == ['--resume', str(tmp_path / run.name), '--device', 'cpu']
