"""What the tests of sweeps share: rows of a tiny network, and training scripts that run in the test's own process."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import traceback
import types
from pathlib import Path

import pytest

from tests.conftest import PROJECT, TINY, main_gbn, main_normal, read_json
from utils.sweeps import __main__ as sweep
from utils.sweeps import execution as sweep_runs

SCRIPTS = {'main_normal.py': main_normal, 'main_gbn.py': main_gbn}
SETTINGS = shlex.join([*TINY[: TINY.index('--seed')], '--epochs', '2'])
NORMAL = f'python main_normal.py --save ok_small {SETTINGS}'
GHOST = f'python main_gbn.py --save ok_ghost {SETTINGS} -mb 4'
NAMES = ('ok_small', 'ok_ghost')
# One epoch, then a rate that no network survives; nothing is clipped.
WILD = NORMAL.replace('ok_small', 'ok_wild') + " --clip-grad 0 --regime \"{0: {'lr': 0.05}, 1: {'lr': 1e30}}\""
AT_ONCE = NORMAL.replace('ok_small', 'at_once') + ' --clip-grad 0 --no-lr_bb_fix --regime "{0: {\'lr\': 1e30}}"'
LONG = GHOST.replace('--epochs 2', '--epochs 150').replace('ok_ghost', 'long')
BAD = f'python main_normal.py --save bad {SETTINGS} --b 4096'  # more than there is


class InThisProcess:
    """Stands for a process: the script runs here and has ended when it is started."""

    started: list[list[str]] = []  # noqa: RUF012 - one list a test, see `started`
    looks = 0  # how often it is said to go on

    def __init__(self, script, argv, _, output):
        self.started.append([script, *argv])
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                self.returncode = SCRIPTS[script].main(argv)
            except Exception:  # as Python ends a process
                traceback.print_exc()
                self.returncode = 1

    def poll(self) -> int | None:
        self.looks -= 1
        return self.returncode if self.looks < 0 else None

    def terminate(self) -> None:
        assert False, 'it has ended'  # noqa: B011

    def wait(self) -> int:
        return self.returncode


@pytest.fixture
def write(tmp_path):
    """Write a suite file; a suite's folder of results bears the name of its file."""

    def write_file(*lines: str, name: str = 'mine') -> str:
        path = tmp_path / f'{name}.sh'
        path.write_text('\n'.join(['# Rows of a tiny network', *lines]) + '\n')
        return str(path)

    return write_file


def run_scripts_here(patch: pytest.MonkeyPatch) -> None:
    """Have sweeps run scripts in this process, without the pages of runs."""
    starter = types.SimpleNamespace(is_ready=lambda: True, is_warm=False, start=InThisProcess)
    patch.setattr(sweep_runs, 'Starter', lambda *_, **__: starter)
    patch.setattr(sweep_runs, 'SECONDS_BETWEEN_LOOKS', 0.0)
    patch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
    patch.setattr(InThisProcess, 'started', [])


@pytest.fixture
def started(monkeypatch):
    run_scripts_here(monkeypatch)
    return InThisProcess.started


@pytest.fixture
def run(tmp_path, capsys):
    """Sweep over a suite file; returns status, standard output and standard error."""

    def call(path: str, *flags: str):
        capsys.readouterr()
        status = sweep.main([path, '--results_dir', str(tmp_path / 'results'), *flags])
        return (status, *capsys.readouterr())

    return call


@pytest.fixture
def results(tmp_path) -> Path:
    return tmp_path / 'results' / 'mine'


def saved(started: list[list[str]]) -> list[str]:
    return [words[words.index('--save') + 1] for words in started if '--save' in words]


def table_rows(out: str) -> list[str]:
    lines = out.splitlines()
    below = lines[next(number for number, line in enumerate(lines) if set(line) == {'-'}) + 1 :]
    return [line.split()[0] for line in below[: below.index('')] if not line.startswith('  ')]


def stop_after_one_epoch(folder: Path, status: str) -> None:
    """Make a run that kept the checkpoint of its first epoch look as if it had been stopped there, a row later."""
    config = read_json(folder / 'config.json')
    (folder / 'config.json').write_text(json.dumps({**config, 'status': status}))
    shutil.copyfile(folder / 'checkpoint_epoch_1.pth.tar', folder / 'checkpoint.pth.tar')
    text = (folder / 'results.csv').read_text()
    (folder / 'results.csv').write_text(text[:-10])


def other_process(*arguments: str, threads: int | None = None, **settings) -> subprocess.Popen:
    """Start ./run_experiments.sh in a process group of its own, by default as if nothing were said about threads.

    Ctrl-C acts on it as in a terminal, though the processes of a parallel test run ignore it, which is inherited.
    """
    environment = {key: value for key, value in os.environ.items() if key != 'OMP_NUM_THREADS'}
    environment |= {'PYTHON': sys.executable} | ({} if threads is None else {'OMP_NUM_THREADS': str(threads)})
    return subprocess.Popen(
        [str(PROJECT / 'run_experiments.sh'), *arguments], env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **settings,
    )  # fmt: skip
