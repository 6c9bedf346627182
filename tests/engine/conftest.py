"""Fixtures of the tests of whole runs."""

import pytest

from tests.conftest import main_gbn


@pytest.fixture(autouse=True, scope='module')
def no_page(finished):  # asked for so that the one run that tests of other rooms share is made with its page
    """Leave out the drawing of pages, which takes longer than these runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
        yield


@pytest.fixture(scope='module')
def train_once(tmp_path_factory):
    """Train with main_gbn.py for all tests of a file, which leave the run as it is; returns its folder."""

    def train(*flags: str):
        folder = tmp_path_factory.mktemp('once')
        assert main_gbn.main([*flags, '--results_dir', str(folder), '--save', 'run']) == 0
        return folder / 'run'

    return train
