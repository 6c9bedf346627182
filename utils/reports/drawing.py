"""Draw the page of a run when it has changed: where, and what becomes of one that cannot be drawn."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from bigbatch.errors import UserError
from utils.runs.config_json import stored_settings
from utils.runs.layout import PAGES_VARIABLE, has_old_page

log = logging.getLogger('bigbatch')


def draw_page(folder: Path) -> bool:
    """Draw the page of a run, unless its suite does so or it is to leave none; tell whether it is drawn.

    One that cannot be drawn is a warning: it must not end the training, or the measurement, that it shows.
    """
    if PAGES_VARIABLE in os.environ or stored_settings(folder).get('keep') == 'results':
        return False
    try:
        from utils.reports.pages.run_page import write_run_page  # loads the plotting library, as late as can be

        write_run_page(folder)
    except UserError as error:  # such as a full disk
        log.warning('%s', error)
    except Exception:
        log.warning('the page of %s could not be written', folder, exc_info=True)
    else:
        return True
    return False


def draw_old_pages(folders: Iterable[Path]) -> None:
    """Draw the pages of runs that lack one, or have changed since, such as those of a suite that was killed."""
    for folder in folders:
        if has_old_page(folder):
            draw_page(folder)
