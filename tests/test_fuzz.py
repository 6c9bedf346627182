"""Random command lines of every script: a plan, or one line and status 2; see tests/fuzz.py for many more of them."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

from tests import fuzz
from utils.parser import regime_literal

EXAMPLES = 200


@pytest.fixture(scope='module')
def place():
    """A folder that the command lines run in."""
    with fuzz.in_a_place() as folder:
        yield folder


@pytest.mark.slow
def test_random_command_lines(place):
    plans = 0

    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(fuzz.all_command_lines())
    def attempt(pair):
        nonlocal plans
        script, argv = pair
        outcome = fuzz.run_here(script, argv)
        if outcome.fault:
            pytest.fail(f'{script.name} {argv}: {outcome.fault}\n{outcome.errors}')
        plans += outcome.status == 0 and 'regime\n' in outcome.output

    attempt()
    assert plans > EXAMPLES / 6  # not all of them are refused at the first word


# What was found so: each once.
@pytest.mark.parametrize(
    ('script', 'words', 'status'),
    [
        ('main_gbn', ('--epochs', '1000000000000', '--regime_bb_fix'), 0),
        ('main_gbn', ('--b', '1000000000000', '-mb', '7'), 2),
        ('main_swap', ('--swap-workers', '1000000000000'), 2),
        ('utils.sweeps.__main__', ('quickstart', '--seeds', '1000000000000'), 2),
    ],
)
def test_numbers_that_no_machine_counts_up_to(place, script, words, status):
    script = next(each for each in fuzz.SCRIPTS if each.name == script)
    outcome = fuzz.run_here(script, [*script.base, *words, '--dry-run'])
    assert not outcome.fault and outcome.status == status, outcome


@pytest.mark.slow
@pytest.mark.parametrize('script', fuzz.SCRIPTS, ids=lambda script: script.name)
def test_words_that_are_no_names(place, script):
    """Each flag that takes any text, with each word that no file can be called by, or hardly."""
    actions = [action for action in script.parser().actions() if action.nargs != 0 and not action.choices]
    for action in (action for action in actions if action.type in (None, Path, regime_literal)):
        for word in ('x' * 300, 'y/' * 3000, '\udcff', 'two\nlines', '\u202e'):
            words = [word] * (action.nargs if isinstance(action.nargs, int) else 1)
            argv = [*script.base, *action.option_strings[-1:], *words, *script.always]
            assert not fuzz.run_here(script, argv).fault, argv


@pytest.mark.parametrize('script', fuzz.SCRIPTS, ids=lambda script: script.name)
def test_the_parser_is_that_of_the_script(script):
    assert script.parser().flags() >= {'-h', '--help'}
    base = [*script.base, *(['no/such'] if script.name == 'compare_experiments' else [])]
    assert script.parser().parse_args(base)


def test_what_is_wrong_is_seen(place):
    def main(ending):
        return fuzz.Script(lambda argv: eval(ending, {'Path': Path, 'print': print, 'sys': fuzz.sys}))

    for ending, fault in (
        ('1 / 0', 'ZeroDivisionError'),
        ('0', 'without a plan'),
        ('2', 'one line'),
        ('5', 'status 5'),
        ('print("x", file=sys.stderr) or 2', 'one line'),
        ('Path("new").touch() or 2', 'files'),
        ('print(chr(0xdcff))', 'UnicodeEncodeError'),
    ):
        assert fault in fuzz.run_here(main(ending), []).fault, ending
