"""docs/flags.md is written from the parsers, docs/networks.md lists what there is, README is short.

python -m tests.test_readme    # write docs/flags.md again
"""

import re
import sys

from models import list_models, model_options
from tests.conftest import PROJECT
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser
from utils.config.swap import add_swap_args

FLAGS = PROJECT / 'docs' / 'flags.md'
TABLE_HEAD = '| flag | what | default |\n'
DATA_SETS = ['a name that `--help` lists']  # in place of the names, so that one more changes nothing here
README_LINES = 250


def flag_table() -> str:
    """Return the flags of the training scripts as a Markdown table."""
    ghost = build_parser('', list_models(), DATA_SETS, prog='main_gbn.py')
    add_ghost_args(ghost, default=128)
    add_swap_args(ghost)
    normal = build_parser('', list_models(), DATA_SETS, prog='main_normal.py', batch_size=256)
    defaults = {action.dest: action.default for action in normal.actions()}
    lines = [TABLE_HEAD.strip(), '|---|---|---|']
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


def write_flag_table() -> None:
    text = FLAGS.read_text()
    FLAGS.write_text(text[: text.index(TABLE_HEAD)] + flag_table())


def test_the_flag_table_is_that_of_the_parsers():
    assert FLAGS.read_text().endswith(f'\n\n{flag_table()}'), 'run: python -m tests.test_readme'


def test_the_network_table_has_every_network_and_option():
    listed, text = {}, (PROJECT / 'docs' / 'networks.md').read_text()
    for names, options in re.findall(r'^\| (`.*?) \|.*\| (.*)\|$', text, flags=re.MULTILINE):
        for name in re.findall(r'`(\w+)`', names):
            listed[name] = set(re.findall(r'`(\w+)`', options))
    from_the_data = {'num_classes', 'input_shape', 'input_size', 'dataset'}
    known = {name: model_options(name) - from_the_data for name in list_models()}
    assert {name: listed.get(name) for name in known} == known


def test_readme_is_short():
    assert len((PROJECT / 'README.md').read_text().splitlines()) <= README_LINES


if __name__ == '__main__':
    write_flag_table()
    sys.exit(0)
