"""Many cases of one rule in one test, which names all of them that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest


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
