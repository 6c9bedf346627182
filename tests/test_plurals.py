"""One of a thing is said in the singular, wherever a number stands with its noun."""

# ruff: noqa: F811 - fixtures are imported by name
import re

from tests.conftest import TINY, main_gbn
from tests.sweep_helpers import NORMAL, results, run, started, write  # noqa: F401

PLURAL_OF_ONE = re.compile(r'(?<![\d.,])1 (runs|epochs|ghosts|updates|examples|pixels|threads)\b')


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
