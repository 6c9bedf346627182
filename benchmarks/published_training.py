"""Train as the published main_gbn.py does, with none of our code for a step, and print the accuracy of each epoch.

    python benchmarks/published_training.py --epochs 25 --seed 0

Its oddities are there: an optimizer built anew in each epoch, so momentum that starts from nothing; the rate times
the root of batch over ghost size; a last incomplete batch cut into chunks of other sizes, which weigh the same;
mirrored digits. benchmarks/published.py describes the rest; the regime is that of the network here, so C1 and C3 have
a momentum of 0.9 and the published ones none. What a run of ours is to be held against where its figures differ from
those of the public code.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

import data  # noqa: E402
from benchmarks.published import SETTINGS, PublishedRun  # noqa: E402
from benchmarks.workload import add_workload_args  # noqa: E402
from bigbatch.device import choose_device, keep_freed_memory  # noqa: E402
from bigbatch.errors import UserError  # noqa: E402
from utils.command import command, user_errors  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402


@command
def main(argv: list[str] | None = None) -> int:
    """Train for the epochs that the flags say."""
    parser = Parser(description=__doc__)
    add_workload_args(parser)
    parser.add_argument('--epochs', type=whole(1), default=25, help='number of epochs')
    parser.add_argument('--seed', type=whole(0), default=0, help='of weights, order and transforms')
    flags = parser.parse_args(argv)
    keep_freed_memory()
    with user_errors():
        device = choose_device(flags.device, strict=True)
        run = PublishedRun(flags, device, flags.seed)
        test = data.get_dataset(flags.dataset, 'val', datasets_path=flags.datasets_dir)
    factor, settings = math.sqrt(flags.b / flags.mb), dict(SETTINGS)
    for epoch in range(flags.epochs):
        settings |= run.regime.get(epoch, {})
        if settings.pop('optimizer', 'SGD') != 'SGD':
            raise UserError(f'--model {flags.model}: its regime names another optimizer than SGD, the only one here')
        run.train_epoch({**settings, 'lr': settings['lr'] * factor})
        print(f'epoch {epoch + 1} of {flags.epochs}   lr {settings["lr"] * factor:.4g}   accuracy '
              f'{run.accuracy(test):.2f} %', flush=True)  # fmt: skip
    return 0


if __name__ == '__main__':
    sys.exit(main())
