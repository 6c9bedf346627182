"""The parser knows what is declared and says how a value that begins with a hyphen is given."""

import argparse
import importlib

import pytest

from bigbatch import __version__
from tests.test_architecture import module_of, scripts
from utils.parser import Parser, UsageError, real, whole

REMARK = 'one that begins with "-" is joined to it by "="'
WITHOUT_VALUE = {
    '--rate': '--lr', '-r --flip': '--lr', '--lr -x': '--lr', '--lr -- 3': '--lr', 'a --bn --lr x': '--bn',
    '--lr 3 --bn': '--bn',
}  # fmt: skip
OTHERS = (
    '--lr x', '--lr x --lr', '--bn x --bn', '--lr= --bn', '--lr expected\xa0one\xa0argument', '--count', '--count --lr',
    '--flip=1', '--unknown -1',
)  # fmt: skip


def build_parser() -> Parser:
    parser = Parser(prog='script.py')
    parser.add_argument('names', nargs='*')
    group = parser.add_argument_group('numbers')
    group.add_argument('-r', '--rate', '--lr', type=real(), default=0.1)
    group.add_argument('--count', type=whole(1), nargs='+')
    group.add_argument('--cutout', nargs='?', const=16)
    parser.add_argument('--bn', choices=('fixed', 'batch'))
    parser.add_argument('--flip', action=argparse.BooleanOptionalAction)
    return parser


def message(words: str) -> str:
    with pytest.raises(UsageError) as caught:
        build_parser().parse_args([word.replace('\xa0', ' ') for word in words.split(' ')])
    return str(caught.value)


def test_everything_declared_is_kept_in_its_order():
    parser = build_parser()
    assert [action.dest for action in parser.actions()] == ['names', 'rate', 'count', 'cutout', 'bn', 'flip']
    groups = {title: [action.dest for action in actions] for title, actions in parser.groups().items()}
    assert groups == {'': ['names', 'bn', 'flip'], 'numbers': ['rate', 'count', 'cutout']}
    assert parser.flags() == {
        '-h', '--help', '--version', '-r', '--rate', '--lr', '--count', '--cutout', '--bn', '--flip', '--no-flip',
    }  # fmt: skip
    assert Parser(prog='script.py', add_help=False).flags() == set()
    with pytest.raises(argparse.ArgumentError):
        parser.add_argument('--lr')
    assert len(parser.actions()) == 6
    parser.add_argument_group('others').set_defaults(rate=0.5)
    assert {action.dest: action.default for action in parser.actions()}['rate'] == parser.parse_args([]).rate == 0.5


def test_a_flag_without_its_value_and_no_other_is_told_how_to_get_one():
    for words, flag in WITHOUT_VALUE.items():
        known = 'known: fixed, batch' if flag == '--bn' else f'{REMARK}: {flag}=-1'
        assert message(words).endswith(known), words
    assert {words for words in OTHERS if REMARK in message(words)} == set()
    assert build_parser().parse_args(['--lr', '-1']).rate == build_parser().parse_args(['--lr=-1']).rate == -1


def test_an_empty_value_is_refused_rather_than_taken_for_none():
    for words, said in {
        '--cutout ': 'of --cutout is empty', '--cutout=': 'of --cutout is empty', 'a ': 'the value is empty',
        '--count ': 'not a whole number', '--cutout=--': '--cutout cannot be --',
    }.items():  # fmt: skip
        assert said in message(words), words


def test_every_script_says_its_version(capsys):
    names = [*map(module_of, scripts()), 'utils.sweeps.__main__']
    assert [importlib.import_module(name).main(['--version']) for name in names] == [0] * len(names)
    assert capsys.readouterr().out.splitlines() == [f'bigbatch {__version__}'] * len(names)
