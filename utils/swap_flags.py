"""The flags of main_swap.py that training scripts do not have.

This file answers `--help`, so it imports nothing heavy.
"""

from __future__ import annotations

from utils.parser import Parser, real, whole


def add_swap_args(parser: Parser) -> None:
    """Add the flags of the second and the third phase."""
    group = parser.add_argument_group('SWAP, main_swap.py alone: workers that go on from where the large batch ends')
    group.add_argument(
        '--swap-workers', type=whole(2, 1000), default=8, metavar='W',
        help='runs of their own, whose weights are averaged',
    )
    group.add_argument(
        '--swap-batch-size', type=whole(1), metavar='B', help='examples per update of a worker; B0 if not given'
    )
    group.add_argument('--swap-epochs', type=whole(1), default=10, metavar='E', help='epochs of each worker')
    group.add_argument(
        '--swap-lr', type=real(0, above=True), metavar='RATE',
        help='rate of a worker at its start, from where it falls linearly to 0; the first one of the regime, '
        'unscaled, if not given',
    )
    group.add_argument('--jobs', type=whole(1), default=1, metavar='N', help='workers at a time; they share the cores')
    group.add_argument(
        '--skip-lost-workers', action='store_true',
        help='average the others where a worker failed, diverged or is damaged',
    )
