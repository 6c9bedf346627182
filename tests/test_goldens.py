"""What users see is what tests/goldens/ has written down; `python -m tests.goldens record` writes it anew."""

from __future__ import annotations

import difflib
import sys

import pytest

from tests.goldens import text


def written(name: str) -> str:
    return (text.FOLDER / f'{name}.txt').read_text()


@pytest.fixture(scope='module')
def runner():
    """What runs command lines, in a folder that they may name things of."""
    with text.place() as folder:
        runner = text.Runner()
        text.fill(runner, folder)
        yield runner


def assert_same(expected: str, found: str) -> None:
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), 'written down', 'found', lineterm='', n=1)
    if differences := '\n'.join(lines):
        pytest.fail(f'{differences}\n\nif that is meant: python -m tests.goldens record', pytrace=False)


def test_help(runner):
    expected = written('help')
    found = text.helps(runner, expected)
    if expected.splitlines()[0] != found.splitlines()[0]:
        pytest.skip(f'written down with {expected.splitlines()[0][2:]}, and this is {sys.version.split()[0]}')
    assert_same(expected, found)


@pytest.mark.parametrize('section', text.sections(written('commands')), ids=lambda section: section.split('\n')[0][3:])
def test_command_lines(runner, section):
    assert_same(section.rstrip(), text.group(runner, section).rstrip())


def test_plans_of_suites(runner):
    assert_same(written('suites'), text.suites(runner, written('suites')))


@pytest.mark.slow
def test_files_of_runs(runner):
    assert_same(written('runs'), text.runs(runner, written('runs')))
