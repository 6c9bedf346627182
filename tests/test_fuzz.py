"""Random command lines of every script: a plan, or one line and status 2; see tests/fuzz.py for many more of them."""

from pathlib import Path

import pytest

from tests import fuzz
from utils.parser import regime_literal

EXAMPLES = 200
# What was found so, once: numbers that no machine counts up to.
HUGE = (
    ('main_gbn', ('--epochs', '1000000000000', '--regime_bb_fix'), 0),
    ('main_gbn', ('--b', '1000000000000', '-mb', '7'), 2),
    ('main_swap', ('--swap-workers', '1000000000000'), 2),
    ('utils.sweeps.__main__', ('quickstart', '--seeds', '1000000000000'), 2),
)


@pytest.fixture(scope='module', autouse=True)
def place():
    with fuzz.in_a_place():
        yield


@pytest.mark.slow
def test_random_command_lines():
    counts, faults = fuzz.try_many(EXAMPLES, seed=0)
    assert not faults, faults
    plans = sum(number for (*_, is_plan), number in counts.items() if is_plan)
    assert plans > EXAMPLES / 6  # not all of them are refused at the first word


def test_numbers_that_no_machine_counts_up_to():
    scripts = {script.name: script for script in fuzz.SCRIPTS}
    for name, words, status in HUGE:
        outcome = fuzz.run_here(scripts[name], [*scripts[name].base, *words, '--dry-run'])
        assert not outcome.fault and outcome.status == status, outcome


@pytest.mark.slow
@pytest.mark.parametrize('script', fuzz.SCRIPTS, ids=lambda script: script.name)
def test_words_that_are_no_names(script):
    """Each flag that takes any text, with each word that no file can be called by, or hardly."""
    actions = [action for action in script.parser().actions() if action.nargs != 0 and not action.choices]
    for action in (action for action in actions if action.type in (None, Path, regime_literal)):
        for word in ('x' * 300, 'y/' * 3000, '\udcff', 'two\nlines', '\u202e'):
            words = [word] * (action.nargs if isinstance(action.nargs, int) else 1)
            argv = [*script.base, *action.option_strings[-1:], *words, *script.always]
            assert not fuzz.run_here(script, argv).fault, argv


def test_what_is_wrong_is_seen():
    for ending, fault in (
        ('1 / 0', 'ZeroDivisionError'),
        ('0', 'without a plan'),
        ('2', 'one line'),
        ('5', 'status 5'),
        ('print("x", file=sys.stderr) or 2', 'one line'),
        ('Path("new").touch() or 2', 'files'),
        ('print(chr(0xdcff))', 'UnicodeEncodeError'),
    ):
        script = fuzz.Script(lambda argv, ending=ending: eval(ending, vars(fuzz)))
        assert fault in fuzz.run_here(script, []).fault, ending
