"""Write docs/reproduction.md, which figures of the papers reproduce, from the runs that are kept in docs/reproduction.

    python benchmarks/reproduction
    python benchmarks/reproduction TrainingResults/reproduction_f1 TrainingResults/reproduction_ra_digits

Without arguments the page and its plots are drawn anew from what is there: published.csv (the figures of the papers and
the row that answers each), plots.csv, findings.md (written by hand) and runs/SUITE/RUN. With folders of suites the
runs in them that have ended are kept there first, their settings and tables without checkpoints and without paths.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from bigbatch.errors import UserError  # noqa: E402
from bigbatch.messages import counted, suggest  # noqa: E402
from utils.command import command  # noqa: E402
from utils.parser import Parser  # noqa: E402
from utils.quantities import spread  # noqa: E402
from utils.wording import typed  # noqa: E402

DATA = {
    'mnist': 'MNIST', 'cifar10': 'CIFAR-10', 'cifar10_jpg': 'CIFAR-10 (JPEG)', 'cifar100': 'CIFAR-100',
    'imagenet': 'ImageNet', 'digits': 'digits',
}  # fmt: skip
INTRODUCTION = """\
# Which published figures reproduce

Written by `python benchmarks/reproduction` from the files in [reproduction/](reproduction/), which are what is to be
edited.

How to read it:

- **cell**: SB, a small batch; LB, a large one with the same settings; then, each on top of the one before, +LR, the
  rate scaled by the batch; +GBN, ghost batch norm; +RA, the adapted regime, which makes more updates.
- **published**: as in the paper, with its deviation where it gives one; (r): recalled, not seen in the source again.
- **ours**: the last epoch, mean +- sample deviation over seeds (number of runs). One run has no deviation.
- **verdict**: *reproduced*: within one point, or two of our deviations where that is more; for sharpness, which spans
  decades, within a factor of two. *ordering only*: not that, but it differs from the other measured cells of its line
  in the published direction: from one by two standard errors at least, from none in the other direction by more than
  two deviations of either. *not*: neither. *not run*: no run of ours answers it yet.
- **gap**: ours less published, in points; for sharpness ours over published. **epochs**: ours, and the paper's where
  they are known and more.

`python compare_experiments.py docs/reproduction/runs/SUITE` shows the kept runs of a suite with all their curves. To
add a row, run its suite by `./run_experiments.sh SUITE`, then
`python benchmarks/reproduction TrainingResults/SUITE`; the line of a figure in
[published.csv](reproduction/published.csv) names the row that answers it.
"""


@command
def main(argv: list[str] | None = None) -> int:
    """Keep runs, draw the page and return the exit status."""
    parser = Parser(prog='benchmarks/reproduction', description=__doc__)
    parser.add_argument('suites', nargs='*', type=Path, help='folders of suites whose runs are kept')
    flags = parser.parse_args(argv)
    docs = PROJECT / 'docs'
    for suite in flags.suites:
        print(f'{suite}: kept {counted(take_in(suite, docs), "run")}')
    for path in redraw(docs):
        print(f'wrote {path.relative_to(PROJECT)}')
    return 0


def take_in(source: Path, docs: Path) -> int:
    """Keep the ended runs of a suite and return how many there are."""
    from benchmarks.reproduction.archive import keep_suite  # pandas takes a second to load

    return len(keep_suite(source, docs / 'reproduction' / 'runs'))


def redraw(docs: Path) -> list[Path]:
    """Write reproduction.md and its plots below docs and return their paths; the same input gives the same bytes.

    Raises:
        UserError: a file of docs/reproduction cannot be read.
    """
    from benchmarks.reproduction.plots import draw, read_plots
    from benchmarks.reproduction.published import read_published, read_rows

    folder = docs / 'reproduction'
    cells, plots = read_published(folder / 'published.csv'), read_plots(folder / 'plots.csv')
    rows = read_rows(folder / 'runs')
    drawn = {plot: docs / 'images' / plot.file for plot in plots if any(plot.lines(rows))}
    text = '\n'.join([
        INTRODUCTION, *_tables(cells, rows), _read(folder / 'findings.md'), *_plots(plots, rows, cells),
    ])  # fmt: skip
    (docs / 'images').mkdir(exist_ok=True)
    for plot, path in drawn.items():
        draw(plot, rows, cells, path)
    page = docs / 'reproduction.md'
    page.write_text(text, encoding='utf-8')
    return [page, *drawn.values()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path} cannot be read ({error})') from error


# Tables of published figures


def _tables(cells: Sequence, rows: Mapping) -> Iterator[str]:
    """Yield the sections of the papers."""
    for paper, of_paper in groupby(cells, lambda cell: cell.paper):
        yield f'## {paper}\n'
        for table, of_table in groupby(of_paper, lambda cell: cell.table):
            inside = list(of_table)
            yield f'### {table}\n'
            lines = [_cell_row(cell, inside, rows) for cell in inside]
            if len({cell.quantity for cell in inside}) == 1:  # the heading names it
                lines = [{name: text for name, text in line.items() if name != 'quantity'} for line in lines]
            yield _markdown(lines)
            yield _about_runs(rows[name] for name in dict.fromkeys(cell.row for cell in inside) if name in rows)


def _cell_row(cell, table: Sequence, rows: Mapping) -> dict[str, str]:
    """Return a published figure and what answers it as text, by heading."""
    from benchmarks.reproduction.published import judge, measure

    ours = measure(cell, rows)
    others = [(other, measure(other, rows)) for other in table if other.line == cell.line and other is not cell]
    verdict = judge(cell, ours, others)
    return {
        'net': cell.net,
        'data': cell.data,
        'quantity': cell.quantity,
        'cell': cell.cell,
        'published': _published_text(cell),
        'ours': _ours_text(cell, ours),
        'gap': _gap_text(cell, ours),
        'epochs': _epochs_text(cell, ours),
        'verdict': f'**{verdict}**' if ours else verdict,
        'command': ', then '.join(f'`{command}`' for command in _commands_of(cell, rows)) or '-',
    }


def _published_text(cell) -> str:
    return cell.text + (' (r)' if cell.certainty == 'recalled' else '')


def _ours_text(cell, ours) -> str:
    if ours is None:
        return '-'
    diverged = f'{len(ours.group.diverged)} of {len(ours.group.runs)} diverged' if ours.group.diverged else ''
    if not ours.values:
        return diverged
    text = spread(ours.values, '.3g' if cell.is_sharpness else '.2f', has_count=True)
    data = _data_of(ours.group)
    notes = [diverged, f'on {data}' if data != cell.data else '']
    return '; '.join(filter(None, [text, *notes]))


def _data_of(group) -> str:
    name = str(group.runs[0].settings.get('dataset'))
    return DATA.get(name, name)


def _gap_text(cell, ours) -> str:
    if ours is None or not ours.values:
        return '-'
    return f'x {ours.mean / cell.published:.2g}' if cell.is_sharpness else f'{ours.mean - cell.published:+.2f}'


def _epochs_text(cell, ours) -> str:
    if ours is None:
        return '-'
    epochs = ours.group.runs[0].config.get('num_epochs') or 0
    return f'{epochs:,} of {cell.epochs:,}' if cell.epochs and epochs < cell.epochs else f'{epochs:,}'


def _commands_of(cell, rows: Mapping) -> Iterator[str]:
    """Yield the commands of a row as typed by hand, without a seed: those of its runs, or else the suite's."""
    from benchmarks.reproduction.published import sharpness_flags

    name = cell.row.partition('/')[2]
    if cell.row in rows:
        yield _command_of(rows[cell.row].runs[0], name)
    elif cell.row:
        yield typed(['python', *_suite_command(cell.row)])
    if cell.row in rows and cell.is_sharpness:
        flags = sharpness_flags(rows[cell.row].runs[0], cell.quantity)
        yield typed(['python', 'measure_sharpness.py', '--evaluate', f'TrainingResults/{name}', *flags])


def _command_of(run, name: str) -> str:
    words, kept = iter([run.config.get('script', ''), *(run.config.get('argv') or [])]), []
    for word in words:
        if word == '--seed':
            next(words, None)
        else:
            kept.append(name if word == run.folder.name else word)
    return typed(['python', *kept])


def _suite_command(row: str) -> tuple[str, ...]:
    """Return the command of SUITE/ROW.

    Raises:
        UserError: there is no such suite, or it has no such row.
    """
    from utils.sweeps.suite import find_suite

    suite, _, name = row.partition('/')
    commands = {words[words.index('--save') + 1]: words for words in find_suite(suite).commands}
    if name not in commands:
        raise UserError(f'published.csv: suite {suite} has no row {name!r}: {suggest(name, commands)}')
    return commands[name]


def _about_runs(groups: Iterable) -> str:
    """Say where and when the runs of a table were made, a line a machine, commit and version."""
    runs = [run for group in groups for run in group.runs]
    places: dict[tuple[str, ...], list] = {}
    for run in runs:
        places.setdefault(_place_of(run.config), []).append(run)
    lines = [_runs_line(place, alike) for place, alike in places.items()]
    return '\n'.join(['', *lines, '']) if lines else ''


def _place_of(config: Mapping) -> tuple[str, ...]:
    git, versions = config.get('git') or {}, config.get('versions') or {}
    commit = f'commit {str(git["commit"])[:7]}' if git.get('commit') else 'commit not recorded'
    changed = ' with changes' if git.get('dirty') else ''
    device = str(config.get('device')).replace(', 1 threads', ', 1 thread')  # as older files say it
    return device, f'torch {versions.get("torch")}', commit + changed


def _runs_line(place: Sequence[str], runs: Sequence) -> str:
    days = sorted({str(run.config.get('started'))[:10] for run in runs})
    suites = ', '.join(sorted({f'`{run.folder.parent.name}`' for run in runs}))
    days = days[0] if len(days) == 1 else f'{days[0]} to {days[-1]}'
    return f'{counted(len(runs), "run")} of {suites}: {days}; {"; ".join(place)}.'


# Plots


def _plots(plots: Sequence, rows: Mapping, cells: Sequence) -> Iterator[str]:
    """Yield a section a plot; of a plot without runs only its name."""
    from benchmarks.reproduction.plots import table_of

    yield '## Plots\n'
    for plot in plots:
        groups = [group for _, _, group in plot.lines(rows)]
        yield f'### {plot.title}\n'
        if not groups:
            yield f'No run of `./run_experiments.sh {plot.suite}` is kept yet.\n'
            continue
        yield f'![{plot.title}](images/{plot.file})\n'
        yield f'`./run_experiments.sh {plot.suite}`:\n'
        yield _markdown(table_of(plot, rows, cells))
        yield _about_runs(groups)


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Write a table of GitHub's Markdown; a cell that a row lacks is a dash."""
    heads = list(dict.fromkeys(name for row in rows for name in row))
    lines = [heads, ['---'] * len(heads), *([row.get(name, '-') for name in heads] for row in rows)]
    return '\n'.join(f'| {" | ".join(text.replace("|", chr(92) + "|") for text in line)} |' for line in lines)


if __name__ == '__main__':
    sys.exit(main())
