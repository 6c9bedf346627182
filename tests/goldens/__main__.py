"""Write down what users see and get, or compare it with that of another checkout.

python -m tests.goldens record               # tests/goldens/*.txt anew, from this checkout
python -m tests.goldens compare OLD          # OLD: a checkout of the code as it was; prints what differs
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ['OMP_NUM_THREADS'] = '1'  # before torch is imported; it also fixes the order in which sums are added up

from tests.goldens import text
from tests.goldens.compare import compare


def main() -> int:
    """Record, or compare and return 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    commands.add_parser('record', help='write the text goldens')
    comparison = commands.add_parser('compare', help='compare with another checkout')
    comparison.add_argument('old', type=Path, metavar='OLD', help='a checkout of the code as it was')
    comparison.add_argument('--jobs', type=int, default=2, metavar='N', help='cases at a time (default: 2)')
    comparison.add_argument('--only', default='', metavar='NAME', help='the cases with this text in their name')
    flags = parser.parse_args()
    if flags.command == 'compare':
        return int(not compare(flags.old, jobs=flags.jobs, only=flags.only))
    text.record()
    return 0


if __name__ == '__main__':
    sys.exit(main())
