"""Many cases of one rule in one test, which names all of them that fail."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

import pytest
import torch


def check_each(cases: Iterable[tuple], check: Callable) -> None:
    """Call a check with the parts of each case; fail with what each failing one says."""
    cases, failures = list(cases), []
    assert cases
    for case in cases:
        try:
            check(*case)
        except (Exception, pytest.fail.Exception) as error:
            failures.append(f'{case}: {type(error).__name__}: {error}')
    assert not failures, '\n'.join(failures)


def check_effects(table: Iterable[str], see: Callable) -> None:
    """Assert that each flag of a table changes what is seen.

    Args:
        table: a flag with its value each, behind a bar where flags before it are common to both sides.
        see: returns something comparable that flags lead to, given those and a name for a folder.
    """
    known = {(): see((), 'base')}
    assert see((), 'again') == known[()]

    def check(text):
        common, _, given = text.rpartition('|')
        without = tuple(shlex.split(common))
        if without not in known:
            known[without] = see(without, str(len(known)))
        assert see((*without, *shlex.split(given)), text.replace('/', '')) != known[without]

    check_each(((text,) for text in table), check)


def check_deterministic(call: Callable) -> None:
    """Assert that --deterministic, handed to a call, asks for deterministic kernels."""
    try:
        call()
        assert not torch.are_deterministic_algorithms_enabled()
        call('--deterministic')
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
