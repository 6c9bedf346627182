"""Compare runs from their files: the table, the page and the figures that were asked for, once or as runs go on."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bigbatch.errors import UserError
from utils.logs import print_notes
from utils.reports.columns import known_columns
from utils.reports.groups import Group, group_runs, rename_groups, unasked, varying_between
from utils.reports.heat_maps import MARGIN, HeatMap, find_heat_maps, heat_map_sections
from utils.reports.pages.comparison_page import check_colors, write_comparison_page
from utils.reports.sections import make_sections
from utils.reports.summary import check_columns, find_reference, summarise
from utils.reports.tables import Section, format_summary
from utils.reports.watch import watch
from utils.runs.columns import COMPARED
from utils.runs.reader import Run, find_run_folders, has_results, load_runs

log = logging.getLogger('bigbatch')


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is compared, and how it is shown."""

    experiments: Sequence[str | Path]  # run folders, or folders that hold some
    style: str = 'text'  # of the table, one of utils.reports.tables.FORMATS
    legend: Sequence[str] | None = None  # labels of the rows; None: the names of their runs
    group_by: Sequence[str] | None = None  # settings that the runs of a row agree in; None: all but the seed
    reference: str | None = None  # label of the row that gaps are taken from, or a run in it; None: the smallest batch
    x_axis: str = 'epoch'  # or step, seconds
    columns: Sequence[str] | None = None  # of results.csv, a chart each; None: the usual ones
    colors: Sequence[str] = ()  # of the rows, cycled; a colour-blind-safe set if empty
    output: Path | None = None  # the page; None: comparison.html in the first folder
    figures: Path | None = None  # folder for PDFs; None: no figures
    heat_map: Sequence[str] | None = None  # settings for its axes; None: the usual ones where the rows are such a grid
    margin: float | None = None  # points over the best error up to which a heat map calls a setting usable

    def load(self) -> list[Group]:
        """Read the runs and put them into rows.

        Raises:
            UserError: none of them has results, or one of the arguments fits none.
        """
        return self._groups(load_runs(self.experiments))

    def report(self, groups: Sequence[Group] | None = None) -> None:
        """Write the page and the figures, and print the table.

        Args:
            groups: from load; None: they are loaded now.

        Raises:
            UserError: bad input; nothing is written or printed then.
        """
        groups = self.load() if groups is None else groups
        summary, heat_maps = summarise(groups, self.reference), self._heat_maps(groups)
        sections = make_sections(groups)
        path, folder = self._page_path(), self._figures_folder()
        self._warn(groups, summary)
        with _writing('page', path, '--output'):
            self._write_page(groups, summary, sections, path)
        made = self._write_figures(groups, summary, folder) if folder else ()
        print_notes()
        tables = [*heat_map_sections(groups, heat_maps), *sections]
        print(format_summary(summary, varying_between(groups), self.style, tables))
        self._say(f'\npage: {path}')
        if made:
            self._say(f'figures: {", ".join(map(str, made))}')

    def watch(self) -> None:
        """Keep the page fresh until all runs have ended or Ctrl-C, then report."""
        find_run_folders(self.experiments)  # what is wrong now is better known now than when the runs have ended
        self._page_path(), self._figures_folder()
        check_colors(self.colors)
        self._columns(self._groups(load_runs(self.experiments, need_results=False)), live=True)
        print_notes()
        self._say(f'watching {", ".join(map(str, self.experiments))}; Ctrl-C ends it')
        said = ''

        def draw(runs: list[Run]) -> None:
            nonlocal said
            path = self._draw_live(runs, reloads=True)
            counts = Counter(run.status for run in runs)
            says = f'{", ".join(f"{count} {status}" for status, count in sorted(counts.items()))}; page: {path}'
            if says != said:
                self._say(says)
            said = says

        watch(self.experiments, draw)
        runs = load_runs(self.experiments, need_results=False)
        if has_results(runs):
            self._report_at_least(runs)
        elif runs:
            self._draw_live(runs, reloads=False)
            self._say('no run has finished an epoch')

    def _report_at_least(self, runs: list[Run]) -> None:
        """Report; without the row to compare with where it never came, and then say so."""
        try:
            _ = self.reference and find_reference(self._groups(runs), self.reference)
        except UserError:
            replace(self, reference=None).report()
            raise
        self.report()

    def _draw_live(self, runs: list[Run], *, reloads: bool) -> Path:
        """Write the page while runs go on: the row to compare with may still be missing."""
        groups = self._groups(runs)
        reference = None
        with contextlib.suppress(UserError):
            reference = self.reference and find_reference(groups, self.reference)
        path = self._page_path()
        with _writing('page', path, '--output'):
            summary = summarise(groups, reference)
            self._write_page(groups, summary, make_sections(groups), path, reloads=reloads, live=True)
        return path

    def _groups(self, runs: list[Run]) -> list[Group]:
        groups = group_runs(runs, self.group_by)
        return rename_groups(groups, self.legend) if self.legend else groups

    def _heat_maps(self, groups: Sequence[Group]) -> list[HeatMap]:
        return find_heat_maps(groups, self.heat_map, MARGIN if self.margin is None else self.margin)

    def _warn(self, groups: Sequence[Group], summary: pd.DataFrame) -> None:
        """Say what makes rows less than they seem."""
        for group in groups:
            if group.mixed:
                log.warning('row %r: its runs differ in %s', group.label, ', '.join(group.mixed))
        for flag, values in unasked(groups).items():
            log.warning(
                'rows differ in %s (%s), which not every command gives: what is scaled by it differs too', flag, values
            )
        base = summary[summary['is_reference']].iloc[0]
        if self.margin is not None and not self._heat_maps(groups):
            log.warning('--margin %g has no effect: the rows are no grid for a heat map; see --heat-map', self.margin)
        if self.reference and not base['n']:
            why = 'all of its runs diverged' if base['num_diverged'] == base['num_runs'] else 'it has no results'
            log.warning('--reference %s: %s, so there are no gaps: give a row with results', self.reference, why)

    def _columns(self, groups: Sequence[Group], *, live: bool = False) -> Sequence[str]:
        expected = known_columns(()) if live else ()  # a run that has them may still start
        return check_columns(groups, self.columns, expected) if self.columns else COMPARED

    def _write_page(
        self, groups: Sequence[Group], summary: pd.DataFrame, sections: Sequence[Section], path: Path, *,
        reloads: bool = False, live: bool = False,
    ) -> None:  # fmt: skip
        columns, heat_maps = self._columns(groups, live=live), []
        with contextlib.suppress(UserError) if live else contextlib.nullcontext():  # more rows may come
            heat_maps = self._heat_maps(groups)
        write_comparison_page(
            groups, path, summary, x_axis=self.x_axis, columns=columns, colors=self.colors,
            sections=sections, heat_maps=heat_maps, reloads=reloads,
        )  # fmt: skip

    def _write_figures(self, groups: Sequence[Group], summary: pd.DataFrame, folder: Path) -> list[Path]:
        from utils.reports.figures.comparison import write_figures  # matplotlib takes a second to load
        from utils.reports.figures.heat_map import write_heat_map_figures

        with _writing('figures', folder, '--figures'):
            made = write_figures(
                groups, summary, folder, columns=self._columns(groups), x_axis=self.x_axis, colors=self.colors
            )
            return [*made, *write_heat_map_figures(self._heat_maps(groups), folder)]

    def _page_path(self) -> Path:
        """Return where the page goes: the first folder given, so that a run's page leaves its suite's alone."""
        path = self.output or Path(self.experiments[0]) / 'comparison.html'
        if path.is_dir() or not path.parent.is_dir():
            raise UserError(f'cannot write the page {str(path)!r}: give a file in a folder that exists')
        return path

    def _figures_folder(self) -> Path | None:
        folder = self.figures
        if folder and not (folder.is_dir() or (folder.parent.is_dir() and not folder.exists())):
            raise UserError(f'cannot write figures to {str(folder)!r}: give a folder, or a new one in one that exists')
        return folder

    def _say(self, text: str) -> None:
        """Print a line for people; standard output is the table's alone where a program reads it."""
        print(text, file=sys.stdout if self.style == 'text' else sys.stderr, flush=True)


@contextlib.contextmanager
def _writing(what: str, path: Path, flag: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f'cannot write the {what} {str(path)!r} ({error.strerror}): see {flag}') from error
