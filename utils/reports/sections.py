"""The tables that every comparison has besides its summary and its heat maps, which flags decide about.

A table of your own is one more file beside this one and one more entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from utils.reports.diffusion import diffusion_section
from utils.reports.groups import Group
from utils.reports.noise_scale import noise_scale_section
from utils.reports.point_plots import sharpness_section
from utils.reports.tables import Section

# Each makes of groups one more table, or None where there is nothing to tell.
SECTIONS: tuple[Callable[[Sequence[Group]], Section | None], ...] = (
    sharpness_section, diffusion_section, noise_scale_section,
)  # fmt: skip


def make_sections(groups: Sequence[Group]) -> list[Section]:
    """Return the tables that the groups have something for."""
    return [section for make in SECTIONS if (section := make(groups)) is not None]
