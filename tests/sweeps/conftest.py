"""Fixtures of the tests of sweeps."""

import pytest

from tests.sweep_helpers import results, run, started, write  # noqa: F401


@pytest.fixture
def sweep(run, started):  # noqa: F811 - it is a fixture
    """Sweep over a suite file, and assert how it ends; returns standard output and standard error.

    What it started is in the list `started`, without what an earlier one did.
    """

    def call(path: str, *flags: str, status: int = 0) -> tuple[str, str]:
        started.clear()
        found, out, err = run(path, *flags)
        assert found == status, (out, err)
        return out, err

    return call
