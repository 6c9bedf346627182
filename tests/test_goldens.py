"""What users see is what tests/goldens/ has written down; `python -m tests.goldens record` writes it anew."""

import difflib
import sys

import pytest

from tests.goldens import text


def written(name: str) -> str:
    return (text.FOLDER / f'{name}.txt').read_text()


@pytest.fixture(scope='module')
def runner():
    runner = text.Runner()
    with text.place(runner):
        yield runner


def assert_same(expected: str, found: str) -> None:
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), 'written down', 'found', lineterm='', n=1)
    if differences := '\n'.join(lines):
        pytest.fail(f'{differences}\n\nif that is meant: python -m tests.goldens record', pytrace=False)


@pytest.mark.parametrize('section', text.sections(written('commands')), ids=lambda section: section.split('\n')[0][3:])
def test_command_lines(runner, section):
    assert_same(section.rstrip(), text.group(runner, section).rstrip())


@pytest.mark.parametrize('name', ['help', 'suites', pytest.param('runs', marks=pytest.mark.slow)])
def test_what_is_written_down(runner, name):
    expected, version = written(name), f'# Python {sys.version_info[0]}.{sys.version_info[1]}'
    if name == 'help' and expected.splitlines()[0] != version:
        pytest.skip(f'written down with {expected.splitlines()[0][2:]}, and this is {sys.version.split()[0]}')
    assert_same(expected, text.TEXTS[name](runner, expected))
