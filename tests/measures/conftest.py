"""Fixtures of the tests of measuring: those of runs."""

from tests.engine.conftest import no_page, train_once  # noqa: F401
