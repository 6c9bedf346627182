"""Numbers in sentences, and where they are printed."""

# ruff: noqa: F811 - fixtures are imported by name
from __future__ import annotations

import re

import pytest

from bigbatch.messages import counted
from tests.conftest import TINY, main_gbn
from tests.sweeps import NORMAL, results, run, started, write  # noqa: F401
from utils.wording import all_epochs_done

PLURAL_OF_ONE = re.compile(r'(?<![\d.,])1 (runs|epochs|ghosts|updates|examples|pixels|threads)\b')


@pytest.mark.parametrize(('number', 'text'), [
    (0, '0 runs'), (1, '1 run'), (1.0, '1 run'), (2, '2 runs'), (0.5, '0.5 runs'), (12000, '12,000 runs'),
])  # fmt: skip
def test_a_number_stands_with_its_noun(number, text):
    assert counted(number, 'run') == text


def test_the_end_of_a_run_is_said():
    assert [all_epochs_done(number) for number in (1, 2000)] == ['its only epoch is done', 'all 2,000 epochs are done']


def test_the_plan_of_one_of_everything(capsys):
    flags = ('--epochs', '1', '--warmup-epochs', '1', '--cutout', '1', '--adapt-grad-norm', '1')
    flags = (*flags, '--duplicates', '2', '--copies', 'together', '--no-lr_bb_fix', '--warmup-start', '0.1')
    assert main_gbn.main([*TINY, *flags, '-mb', '32', '--dry-run']) == 0
    plan = capsys.readouterr().out
    expected = ('1 ghost of 32', '4 an epoch, 1 epoch:', 'over 1 epoch', '1 pixel', 'measured at every update')
    assert [words for words in expected if words not in plan] == []
    assert not PLURAL_OF_ONE.search(plan), plan


def test_a_suite_of_one_run(write, run, started):
    path = write(NORMAL)
    for flags in (('--dry-run',), (), ()):
        status, out, err = run(path, *flags)
        assert status == 0, err
        assert not PLURAL_OF_ONE.search(out), out
    assert '1 of 1 run is done already\n' in out
