"""Fixtures of the tests of sweeps."""

from tests.sweep_helpers import results, run, started, write  # noqa: F401
