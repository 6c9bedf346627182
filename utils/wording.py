"""Numbers in sentences."""

from __future__ import annotations


def all_epochs_done(number: int) -> str:
    """Say that a run has nothing left to do."""
    return f'all {number:,} epochs are done' if number > 1 else 'its only epoch is done'
