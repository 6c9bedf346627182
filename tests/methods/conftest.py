"""What the tests of methods, of run folders and of flags share."""

import pytest


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """Leave out the drawing of pages, which takes longer than these runs."""
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
