"""Compare finished or running runs: a table on the terminal and a page of curves, mean and deviation over seeds.

    python compare_experiments.py TrainingResults
    python compare_experiments.py TrainingResults --x_axis step --compare val_error1 train_loss --output /tmp/page.html
"""

from __future__ import annotations

import sys
from pathlib import Path

from utils.errors import UserError, command
from utils.parser import Parser


def build_parser() -> Parser:
    """Return the parser of this script."""
    parser = Parser(prog='compare_experiments.py', description=__doc__)
    parser.add_argument('experiments', nargs='+', help='run folders, or folders that hold run folders')
    parser.add_argument('--legend', nargs='+', metavar='NAME', help='names of the rows, one each, in their order')
    parser.add_argument(
        '--x_axis', choices=['epoch', 'step', 'seconds'], default='epoch', help='x axis; distances are over updates'
    )
    parser.add_argument('--compare', nargs='+', metavar='COLUMN', help='columns of results.csv, a chart each')
    parser.add_argument('--colors', nargs='+', metavar='COLOR', default=[], help='CSS names or #rrggbb, cycled')
    parser.add_argument('--reference', metavar='LABEL', help='row that gaps are taken from; else the smallest batch')
    parser.add_argument('--output', type=Path, help='page to write; comparison.html beside the first run if not given')
    return parser


def page_path(first: str, output: Path | None) -> Path:
    """Return where the page goes: the first folder given, or the parent of a run folder."""
    is_run = any((Path(first) / name).is_file() for name in ('results.csv', 'config.json'))
    path = output or (Path(first).resolve().parent if is_run else Path(first)) / 'comparison.html'
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f'cannot write the page {str(path)!r}: give a file in a folder that exists')
    return path


@command
def main(argv: list[str] | None = None) -> int:
    """Print the table, write the page and return the exit status."""
    args = build_parser().parse_args(argv)
    # pandas and bokeh take a second to import: only now, so that --help answers at once.
    from utils import compare, plots

    groups = compare.group_runs(compare.load_runs(args.experiments))
    groups = compare.rename_groups(groups, args.legend) if args.legend else groups
    columns = compare.check_columns(groups, args.compare) if args.compare else plots.COLUMNS
    path = page_path(args.experiments[0], args.output)
    summary = compare.summarise(groups, args.reference)
    try:
        plots.write_comparison_page(groups, path, summary, x_axis=args.x_axis, columns=columns, colors=args.colors)
    except OSError as error:
        raise UserError(f'cannot write the page {str(path)!r} ({error.strerror}): see --output') from error
    print(compare.format_table(summary))
    print(f'\npage: {path}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
