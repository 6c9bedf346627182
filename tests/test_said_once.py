"""What is declared is declared once: settings, methods and columns are named by their declarations alone."""

from __future__ import annotations

import ast
import re
import typing
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import main_gbn
import main_normal
import main_swap
from tests.test_architecture import sources, tree_of
from utils.config.every import every_setting
from utils.config.measure import MeasureConfig
from utils.config.parse import GROUPS, build_given_parser
from utils.config.run import RunConfig
from utils.config.swap import SwapConfig
from utils.methods import METHODS
from utils.runs.columns import COLUMNS, COMPARED, PANELS, RESULT_COLUMNS
from utils.runs.config_json import FIELDS
from utils.settings import Means, declared, names, own_settings

BELOW = ('bigbatch/', 'models/', 'data_sets/', 'preprocess.py', 'benchmarks/')  # what knows plain values alone
# Where three names of settings stand together and are something else: columns of a file, fields of config.json.
OTHER_LISTS = {'utils/measures/evaluation.py': 'KEY', 'utils/runs/config_json.py': 'NEEDED'}
# What tells of one method by its nature: a table of what it measured, and the noise and copies that evaluate.py has of
# its own, under the same flags as published.
ABOUT_ONE_METHOD = {
    'utils/reports/noise_scale.py', 'utils/reports/sections.py', 'utils/measures/evaluation.py', 'evaluate.py',
}  # fmt: skip


def outside(*declaring: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the nodes of the sources of the bench that are not in these folders, docstrings left out."""
    for path in sources():
        if not path.startswith((*BELOW, *declaring)):
            nodes = [*ast.walk(tree_of(path))]
            described = [node for node in nodes if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
            docs = {id(node.body[0].value) for node in described if isinstance(node.body[0], ast.Expr)}
            yield from ((path, node) for node in nodes if id(node) not in docs)


def test_no_other_file_lists_names_of_settings():
    known = {*every_setting(), *(each.dest for each in every_setting().values() if each.flags)}
    lists = {
        path for path, node in outside('utils/config/', 'utils/methods/')
        if isinstance(node, (ast.Tuple, ast.List, ast.Set))
        and len({getattr(each, 'value', None) for each in node.elts if isinstance(each, ast.Constant)} & known) > 2
    }  # fmt: skip
    assert lists == {*OTHER_LISTS}


def test_no_other_file_names_a_method():
    known = {method.__module__.rpartition('.')[2] for method in METHODS} | {method.__name__ for method in METHODS}
    for method in METHODS:
        known |= {*declared(method)} | {flag for each in declared(method).values() for flag in each.flags}
        known |= {column.name for column in method.COLUMNS} | {*method.FILES}
    flags = re.compile('|'.join(rf'(?<![\w-]){re.escape(flag)}(?![\w-])' for flag in known if flag.startswith('-')))

    def words(node: ast.AST) -> list[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [node.value, *flags.findall(node.value)]
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            whole = [getattr(node, 'module', None) or '', *(alias.name for alias in node.names)]
            return [part for name in whole for part in name.split('.')]
        return [getattr(node, 'attr', ''), getattr(node, 'id', '')]

    found = {path for path, node in outside('utils/methods/') if known & {*words(node)}}
    assert found <= ABOUT_ONE_METHOD, found - ABOUT_ONE_METHOD


def test_each_setting_belongs_to_one_group():
    groups = [each for each in SwapConfig.__mro__ if is_dataclass(each)] + list(METHODS)
    counts = Counter(name for group in groups for name, _ in own_settings(group))
    assert [name for name, count in counts.items() if count > 1] == []
    own_fields = {field.name for field in fields(SwapConfig)} - {'methods'}
    kept = {name for name, each in declared(SwapConfig).items() if each.is_kept}
    assert kept == own_fields | {field.name for method in METHODS for field in fields(method)}
    flags = Counter(flag for each in every_setting().values() for flag in each.flags)
    assert set(flags.values()) == {1}


def test_every_flag_is_in_the_parsers(capsys):
    for script, kind, lacks in (
        (main_normal, RunConfig, {'ghost_batch_size'}), (main_gbn, RunConfig, set()), (main_swap, SwapConfig, set()),
    ):  # fmt: skip
        assert script.main(['--help']) == 0
        shown = capsys.readouterr().out
        wanted = {each.flag for name, each in declared(kind).items() if each.flags and name not in lacks}
        assert {flag for flag in wanted if flag not in shown} == set(), script


def test_what_is_given_is_all_that_a_parser_of_given_flags_returns():
    parser = build_given_parser('main_swap.py', ghosts=True, phases=True)
    assert vars(parser.parse_args([])) == {}
    given = vars(parser.parse_args(['--no-denoise', '--mini-batch-size', '4', '--model', 'any', '--download']))
    assert given == {'denoise': False, 'mini_batch_size': 4, 'model': 'any', 'download': True}


def test_groups_that_are_asked_for_have_settings():
    assert all(list(own_settings(group)) for group in GROUPS)
    assert all(names(SwapConfig, means) or names(MeasureConfig, means) for means in Means)


def test_kinds_of_stored_settings_are_those_of_their_declarations():
    hints = typing.get_type_hints(SwapConfig)
    for field, kind in FIELDS.items():
        room, _, name = field.rpartition('.')
        if room == 'settings':
            assert kind in (hints[name], *typing.get_args(hints[name])), field


def test_columns_have_one_name_and_what_shows_them_knows_them():
    every = [*COLUMNS, *(column for method in METHODS for column in method.COLUMNS)]
    assert len({column.name for column in every}) == len(every)
    assert {*PANELS} <= {column.panel for column in every}
    assert {*COMPARED} <= {*RESULT_COLUMNS}
    for column in every:
        assert column.name == f'{column.prefix}_{column.beside}' if column.beside else not column.prefix
        assert (column.of is None) == (column not in COLUMNS)
