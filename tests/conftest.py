"""What the tests share: a tiny experiment, and ways to run it in this process."""

import csv
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
# These networks are so small that a second thread only waits; it also fixes the order in which sums are added up.
os.environ.setdefault('OMP_NUM_THREADS', '1')

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has ignored

import main_gbn  # noqa: E402
import main_normal  # noqa: E402

# 64 training and 16 validation images of 8x8 pixels in 4 classes, and a network that learns them in no time.
TINY = (
    '--dataset', 'fake:64:1x8x8:4', '--model', 'mnist_f1', '--model_config', "{'width': 8, 'depth': 2}",
    '--regime', "{0: {'optimizer': 'SGD', 'lr': 0.05, 'momentum': 0.9, 'weight_decay': 1e-4}, 2: {'lr': 0.005}}",
    '--b', '16', '--base-batch-size', '16', '--device', 'cpu', '--seed', '7',
)  # fmt: skip
TINY_NORMAL = (*TINY, '--epochs', '3')
TINY_GBN = (*TINY, '--epochs', '3', '-mb', '4')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the test that takes minutes, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: 'page_after_page' not in item.name)


@pytest.fixture
def project() -> Path:
    return PROJECT


@pytest.fixture
def train(tmp_path):
    """Run a training script in this process; returns its run folder, or its exit status where that is not 0."""

    def run(*flags: str, script=main_gbn, save: str = 'run') -> Path | int:
        status = script.main([*flags, '--results_dir', str(tmp_path / 'results'), '--save', save])
        return status or tmp_path / 'results' / save

    return run


@pytest.fixture(scope='session')
def finished(tmp_path_factory) -> Path:
    """A finished run of two epochs, not to be changed."""
    folder = tmp_path_factory.mktemp('finished')
    assert main_gbn.main([*TINY, '-mb', '4', '--epochs', '2', '--results_dir', str(folder), '--save', 'run']) == 0
    return folder / 'run'


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return shutil.copytree(finished, tmp_path / 'results' / 'run')


@pytest.fixture
def refused(capsys, tmp_path):
    """Assert that a command line ends with status 2, one line that holds the words, and nothing created."""

    def check(*flags: str, words: tuple[str, ...], script=main_gbn) -> str:
        before = sorted(tmp_path.rglob('*'))
        capsys.readouterr()
        place = () if '--resume' in flags else ('--results_dir', tmp_path / 'results')
        status = script.main([*map(str, (*place, *flags))])
        lines = capsys.readouterr().err.splitlines()
        assert (status, len(lines)) == (2, 1) and 'error: ' in lines[0], (flags, status, lines)
        assert [word for word in words if word not in lines[0]] == [], (flags, lines)
        assert sorted(tmp_path.rglob('*')) == before, flags
        return lines[0]

    return check


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Write a module that can be imported by its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / f'{name}.py').write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def stable_rows(run: Path) -> list[dict[str, str]]:
    """Read results.csv without the columns that measure time."""
    return [
        {key: value for key, value in row.items() if key not in ('epoch_seconds', 'images_per_second')}
        for row in read_rows(run / 'results.csv')
    ]


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())


__all__ = ['TINY', 'TINY_GBN', 'TINY_NORMAL', 'main_gbn', 'main_normal', 'read_json', 'read_rows', 'stable_rows']
