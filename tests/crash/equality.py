"""What must hold of a run's files after a kill, and at its end."""

from collections.abc import Iterator
from pathlib import Path

from tests.conftest import read_json, read_rows
from tests.goldens.compare import described, stable_table
from utils.methods.weight_average import FILE as AVERAGED
from utils.runs.checkpoint import load_checkpoint, load_file
from utils.runs.layout import BEST, CONFIG, DISTANCES, INITIAL, LATEST, PAGE, PREVIOUS, RESULTS

COMPARED = ('status', 'regime', 'settings', 'test', 'averaged_test', 'num_epochs', 'data', 'message')  # of config.json
PLACES = ('.config', '.settings.results_dir', '.settings.init_from')  # how it was asked for


def check_after_kill(run: Path) -> None:
    """Assert that a run is whole enough to go on: every checkpoint reads, and no finished epoch has gone."""
    status = read_json(run / CONFIG)['status']
    assert status in ('running', 'failed', 'interrupted', 'done'), status
    for path in run.glob('*.pth.tar'):
        load_file(path)
    epochs = [int(row['epoch']) for row in read_rows(run / RESULTS) if (row['epoch'] or '').isdecimal()]
    assert len({*epochs}) == len(epochs), f'a row twice in {RESULTS}'
    for name in (LATEST, PREVIOUS):
        if name == LATEST or (run / name).exists():
            epoch = load_checkpoint(run / name)['epoch']
            assert {*range(1, epoch + 1)} <= {*epochs}, f'{name} has {epoch} epochs, {RESULTS} has {sorted(epochs)}'


def differences(run: Path, expected: Path, *, page: bool = True) -> list[str]:
    """List what two finished runs differ in, time apart.

    Args:
        page: whether there has to be a page that was drawn after the end.
    """
    lines, others = (list(_lines(folder, expected)) for folder in (run, expected))
    found = [line for line in lines if line not in {*others}] + [
        f'lacks {each}' for each in others if each not in {*lines}
    ]
    found += [f'{name}: other rows' for name in (RESULTS, DISTANCES) if _table(run, name) != _table(expected, name)]
    if page and (run / PAGE).stat().st_mtime_ns < (run / CONFIG).stat().st_mtime_ns:
        found.append(f'{PAGE} is out of date')
    return found + [f'left over: {path.name}' for path in run.rglob('*.partial') if page or PAGE not in path.name]


def _lines(folder: Path, expected: Path) -> Iterator[str]:
    """Yield a line for each thing in the checkpoints and in config.json, of those that are expected."""
    config = read_json(folder / CONFIG)
    contents = {CONFIG: {name: config.get(name) for name in COMPARED}}
    names = [name for name in (LATEST, BEST, INITIAL, AVERAGED) if (expected / name).exists()]
    names += [path.name for path in expected.glob('checkpoint_epoch_*')]
    contents |= {name: load_file(folder / name) for name in names}
    for name, content in contents.items():
        yield from (f'{name}: {line}' for line in described('', content) if not line.startswith(PLACES))


def _table(folder: Path, name: str) -> str:
    return stable_table((folder / name).read_text())
