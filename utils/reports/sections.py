"""The tables that every comparison has besides its summary, on the page and as text, of a suite as of chosen runs.

A table of your own is one more file beside this one and one more line here. Heat maps come before these tables and are
no part of the list, as flags say what they are drawn over.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from utils.reports.groups import Group
from utils.reports.tables import Section

# A module beside this one and its function that makes of groups a Section, or None where there is nothing to tell.
SECTIONS = (
    'point_plots.sharpness_section',
    'diffusion.diffusion_section',
    'noise_scale.noise_scale_section',
)


def make_sections(groups: Sequence[Group]) -> list[Section]:
    """Return the tables that the groups have something for."""
    found = []
    for entry in SECTIONS:
        module, _, name = entry.partition('.')
        found.append(getattr(importlib.import_module(f'utils.reports.{module}'), name)(groups))
    return [section for section in found if section is not None]
