"""Compare finished or running runs: a table on the terminal and a page of curves, mean and deviation over seeds.

python compare_experiments.py TrainingResults
python compare_experiments.py TrainingResults --x_axis step --compare val_error1 train_loss --output page.html
python compare_experiments.py TrainingResults --group-by batch_size ghost_batch_size --format latex --figures pdf
python compare_experiments.py --watch TrainingResults
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which Python leaves out where PYTHONSAFEPATH asks for it

from utils.command import command
from utils.parser import Parser, real


def build_parser() -> Parser:
    """Return the parser of this script."""
    parser = Parser(prog='compare_experiments.py', description=__doc__)
    add = parser.add_argument
    add('experiments', nargs='+', help='run folders, or folders that hold run folders')
    add('--legend', nargs='+', metavar='NAME', help='names of the rows, one each, in their order')
    add('--x_axis', choices=['epoch', 'step', 'seconds'], default='epoch', help='x axis; distances are over updates')
    add('--compare', nargs='+', metavar='COLUMN', help='columns of results.csv, a chart each')
    add('--colors', nargs='+', metavar='COLOR', default=[], help='CSS names or #rrggbb, cycled')
    styles = ['text', 'csv', 'markdown', 'latex']
    add('--format', choices=styles, default='text', help='of the table on standard output')
    add('--group-by', nargs='+', metavar='NAME', help='settings that make a row; all but the seed if not given')
    add('--reference', metavar='ROW', help='row that gaps are taken from, or a run in it; else the smallest batch')
    add('--heat-map', nargs=2, metavar=('X', 'Y'), help='settings that error is mapped over, as lr')
    add('--margin', type=real(0), metavar='POINTS', help='usable in a map: error over the best; else 1')
    add('--output', type=Path, help='page to write; comparison.html in the first folder if not given')
    add('--figures', type=Path, metavar='DIR', help='folder for a PDF of every chart')
    add('--watch', action='store_true', help='write the page anew until all runs have ended, or Ctrl-C')
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Print the table, write the page and return the exit status."""
    parser = build_parser()
    flags = vars(parser.parse_args(argv))
    is_watching = flags.pop('watch')
    if is_watching and flags['legend']:
        parser.error('--legend with --watch: rows may still appear, so leave one of them out')
    # pandas and bokeh take a second to import: only now, so that --help answers at once.
    from utils.reports.comparison import Comparison

    comparison = Comparison(style=flags.pop('format'), columns=flags.pop('compare'), **flags)
    (comparison.watch if is_watching else comparison.report)()
    return 0


if __name__ == '__main__':
    sys.exit(main())
