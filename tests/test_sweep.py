"""Sweeps over a suite: what is run, skipped, gone on with, counted and refused.

Most tests let the training scripts run in this process, where a sweep would start another; those marked slow start it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import traceback
import types
from pathlib import Path

import pytest
import torch

from tests.conftest import PROJECT, TINY, main_gbn, main_normal, read_json, read_rows, stable_rows
from utils import sweep

SCRIPTS = {'main_normal.py': main_normal, 'main_gbn.py': main_gbn}
SETTINGS = shlex.join([*TINY, '--epochs', '2'])
NORMAL = f'python main_normal.py --save ok_small {SETTINGS}'
GHOST = f'python main_gbn.py --save ok_ghost {SETTINGS} -mb 4'
NAMES = ('ok_small', 'ok_ghost')
# One epoch, then a rate that no network survives; nothing is clipped.
WILD = NORMAL.replace('ok_small', 'ok_wild') + ' --clip-grad 0 --regime "{0: {\'lr\': 0.05}, 1: {\'lr\': 1e30}}"'
AT_ONCE = NORMAL.replace('ok_small', 'at_once') + ' --clip-grad 0 --no-lr_bb_fix --regime "{0: {\'lr\': 1e30}}"'
LONG = GHOST.replace('--epochs 2', '--epochs 150').replace('ok_ghost', 'long')
BAD = f'python main_normal.py --save bad {SETTINGS} --b 4096'  # more than there is


@pytest.fixture
def write(tmp_path):
    """Write a suite file; a suite's folder of results bears the name of its file."""

    def write_file(*lines: str, name: str = 'mine') -> str:
        path = tmp_path / f'{name}.sh'
        path.write_text('\n'.join(['# Rows of a tiny network', *lines]) + '\n')
        return str(path)

    return write_file


class InThisProcess:
    """Stands for subprocess.Popen: the script runs here and has ended when it is started."""

    started: list[list[str]] = []  # noqa: RUF012 - one list a test, see `started`

    def __init__(self, command, *, stdout, **_):
        self.started.append([Path(command[1]).name, *command[2:]])
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stdout):
            try:
                self.returncode = SCRIPTS[Path(command[1]).name].main(command[2:])
            except Exception:  # as Python ends a process
                traceback.print_exc()
                self.returncode = 1

    def poll(self) -> int:
        return self.returncode

    def terminate(self) -> None:
        assert False, 'it has ended'  # noqa: B011

    def wait(self) -> int:
        return self.returncode


def plan_here(command, *, check):
    """Stand for subprocess.run: the plan is printed by this process."""
    assert not check
    assert '--dry-run' in command
    return subprocess.CompletedProcess(command, SCRIPTS[Path(command[1]).name].main(command[2:]))


@pytest.fixture
def started(monkeypatch):
    """Run scripts in this process and list what was started."""
    constants = {'DEVNULL': subprocess.DEVNULL, 'STDOUT': subprocess.STDOUT}
    monkeypatch.setattr(sweep, 'subprocess', types.SimpleNamespace(Popen=InThisProcess, run=plan_here, **constants))
    monkeypatch.setattr(sweep, 'SECONDS_BETWEEN_LOOKS', 0.0)
    monkeypatch.setattr('utils.plots.write_run_page', lambda folder: None)
    monkeypatch.setattr(InThisProcess, 'started', [])
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
    """Where a suite named `mine` writes."""
    return tmp_path / 'results' / 'mine'


def table_rows(out: str) -> list[str]:
    """List the labels of the table's rows."""
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


# Running, and running again


def test_all_rows_run_and_stand_in_a_table(write, run, started, results):
    status, out, err = run(write('# seeds: 2', NORMAL, GHOST))
    assert status == 0, err
    assert sorted(path.name for path in results.iterdir()) == [
        'comparison.html', 'ok_ghost_seed0', 'ok_ghost_seed1', 'ok_small_seed0', 'ok_small_seed1',
    ]  # fmt: skip
    assert [read_json(results / f'ok_small_seed{seed}' / 'config.json')['seed'] for seed in (0, 1)] == [0, 1]
    assert len(started) == 4
    assert table_rows(out) == ['ok_small', 'ok_ghost']
    assert out.count('(2)') >= 2  # of two seeds each
    assert f'page: {results / "comparison.html"}' in out


def test_a_second_call_runs_nothing_and_prints_the_table_again(write, run, started):
    path = write(NORMAL, GHOST)
    first = run(path)
    started.clear()
    status, out, _ = run(path)
    assert (status, started) == (0, [])
    assert '2 of 2 runs are done already' in out
    assert out[out.index('run ') :] == first[1][first[1].index('run ', first[1].index('(2 of 2)')) :]


def test_more_seeds_run_only_those_that_are_missing(write, run, started):
    path = write(NORMAL)
    run(path, '--seeds', '1')
    started.clear()
    assert run(path, '--seeds', '2')[0] == 0
    assert [words[words.index('--save') + 1] for words in started] == ['ok_small_seed1']


@pytest.mark.parametrize('status', ['running', 'failed'])
def test_a_run_that_did_not_end_goes_on_and_equals_one_that_did(write, run, started, results, status):
    path = write(f'{NORMAL} --save_all', f'{GHOST} --save_all')
    run(path)
    straight = {name: stable_rows(results / name) for name in NAMES}
    distances = (results / 'ok_ghost' / 'weight_distance.csv').read_text()
    stop_after_one_epoch(results / 'ok_ghost', status)
    started.clear()
    code, out, err = run(path)
    assert code == 0, err
    assert started == [['main_gbn.py', '--resume', str(results / 'ok_ghost')]]
    assert 'resume   ok_ghost' in out
    assert {name: stable_rows(results / name) for name in straight} == straight
    assert (results / 'ok_ghost' / 'weight_distance.csv').read_text() == distances
    assert read_json(results / 'ok_ghost' / 'config.json')['status'] == 'done'
    started.clear()
    assert run(path)[0] == 0  # its stored command line has grown by --resume; it is known all the same
    assert started == []


def test_a_run_that_failed_within_training_is_repeated(write, run, started, results, monkeypatch):
    from utils.trainer import Trainer

    original = Trainer._train_step

    def fails(self, batch, watch):
        if len(started) == 1 and self.step == 5:  # in the first run's second epoch
            raise RuntimeError('no space left')
        return original(self, batch, watch)

    path = write(NORMAL, GHOST)
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, '_train_step', fails)
        status, _, err = run(path)
    assert status == 1
    assert 'no space left' in err
    assert [line for line in err.splitlines() if line.startswith('failed: ')] == ['failed: ok_small']
    assert [read_json(results / name / 'config.json')['status'] for name in NAMES] == ['failed', 'done']
    started.clear()
    assert run(path)[0] == 0
    assert started == [['main_normal.py', '--resume', str(results / 'ok_small')]]
    assert [read_json(results / name / 'config.json')['status'] for name in NAMES] == ['done', 'done']
    again = results.with_name('again')
    assert main_normal.main([*shlex.split(NORMAL)[2:], '--results_dir', str(again)]) == 0
    assert stable_rows(results / 'ok_small') == stable_rows(again / 'ok_small')


# Runs that diverge or fail


def test_a_diverged_run_is_a_result(write, run, started, results):
    path = write('# seeds: 2', WILD, NORMAL)
    status, out, err = run(path)
    assert status == 0, err
    assert 'diverged' in out
    assert table_rows(out)[:2] == ['ok_wild', 'ok_small']
    assert '2 of 2 diverged' in out
    started.clear()
    status, out, _ = run(path)
    assert (status, started) == (0, [])
    assert '2 of 2 diverged' in out


def test_a_run_that_diverges_in_its_first_epoch_is_counted_too(write, run, started, results):
    status, out, _ = run(write(AT_ONCE, NORMAL))
    assert read_json(results / 'at_once' / 'config.json')['status'] == 'diverged'
    assert read_rows(results / 'at_once' / 'results.csv') == []
    assert status == 0
    assert 'at_once' in table_rows(out)
    assert '1 of 1 diverged' in out


def test_a_suite_in_which_everything_diverges_at_once_is_a_result_too(write, run, started):
    status, out, err = run(write(AT_ONCE))
    assert (status, err) == (0, '')
    assert '1 of 1 diverged' in out


def test_a_run_that_fails_is_named_while_the_others_finish(write, run, started, results):
    status, out, err = run(write(BAD, NORMAL, GHOST))
    assert status == 1
    assert 'failed: bad' in err.splitlines()
    assert '4096' in err  # its own words
    assert 'FAILED   bad' in out
    assert table_rows(out) == ['ok_small', 'ok_ghost']
    assert not (results / 'bad').exists()
    assert len(started) == 3


def test_when_everything_fails_the_runs_are_named(write, run, started):
    status, _, err = run(write(BAD))
    assert status == 1
    assert 'failed: bad' in err.splitlines()


def test_fail_fast_starts_nothing_more(write, run, started, results):
    status, out, err = run(write(NORMAL, BAD, GHOST), '--fail-fast')
    assert status == 1
    assert 'failed: bad' in err.splitlines()
    assert [words[words.index('--save') + 1] for words in started] == ['ok_small', 'bad']
    assert table_rows(out) == ['ok_small']


# What is refused


@pytest.mark.parametrize(('before', 'after'), [
    (f'{NORMAL} --clip-grad 5', f'{NORMAL} --clip-grad 4'),  # another value
    (NORMAL, f'{NORMAL} --flip'),  # a flag more
    (f'{NORMAL} --augment', NORMAL),  # a flag less
    (NORMAL, NORMAL.replace('main_normal.py', 'main_gbn.py') + ' -mb 4'),
    (f'{NORMAL} --base-batch-size 128', f'{NORMAL} --base-batch-size 128'.replace('main_normal.py', 'main_gbn.py')),
], ids=['value', 'more', 'less', 'ghosts', 'script'])  # fmt: skip
def test_a_row_whose_settings_changed_is_refused(write, run, started, results, before, after):
    assert run(write(GHOST, before))[0] == 0
    rows = stable_rows(results / 'ok_small')
    started.clear()
    status, _, err = run(write(GHOST, after))
    assert (status, started) == (2, [])
    assert len(err.splitlines()) == 1
    assert str(results / 'ok_small') in err
    assert 'other settings' in err
    assert stable_rows(results / 'ok_small') == rows


def test_extra_flags_are_settings(write, run, started):
    path = write(NORMAL)
    assert run(path, '--', '--epochs', '1')[0] == 0
    assert started[0][-4:-2] == ['--epochs', '1']
    started.clear()
    status, _, err = run(path)
    assert (status, started) == (2, [])
    assert 'other settings' in err


@pytest.mark.parametrize('extra', [['--save', 'x'], ['--results_dir', 'x'], ['--resume', 'x'], ['--dry-run']])
def test_extra_flags_that_are_the_sweeps_own_are_refused(write, run, started, tmp_path, extra):
    """With --save all runs would share a folder, which is then not the one that is looked for."""
    before = sorted(tmp_path.rglob('*.csv'))
    status, _, err = run(write(NORMAL, GHOST), '--', *extra)
    assert (status, started) == (2, [])
    assert extra[0] in err
    assert len(err.splitlines()) == 1
    assert sorted(tmp_path.rglob('*.csv')) == before


def test_a_folder_that_is_no_run_is_refused(write, run, started, results):
    (results / 'ok_small').mkdir(parents=True)
    status, _, err = run(write(NORMAL, GHOST))
    assert (status, started) == (2, [])
    assert str(results / 'ok_small') in err
    assert len(err.splitlines()) == 1


def test_wrong_words_are_refused_in_one_line(write, run, started, tmp_path):
    path = write(NORMAL)
    for flags, words in (
        ((path, '--filter', 'nothing'), ['--filter nothing', 'mine']),
        (('quikstart',), ['quikstart', 'quickstart']),
        ((path, '--jobs', '0'), ['--jobs', "'0'"]),
        ((path, '--seeds', 'x'), ['--seeds', "'x'"]),
        ((path, '--fail-fats'), ['--fail-fats', '--fail-fast']),
        ((path, '--device', 'cpu'), ['--device']),
        ((write('python main_gbn.py --b 3', name='broken'),), ['broken.sh:2', '--save']),
    ):
        status, _, err = run(*flags)
        assert (status, len(err.splitlines())) == (2, 1), err
        assert [word for word in words if word not in err] == []
    assert started == []
    assert not (tmp_path / 'results').exists()


def test_without_a_suite_they_are_listed(capsys):
    assert sweep.main([]) == 0
    assert any(line.startswith('quickstart ') and len(line) > 40 for line in capsys.readouterr().out.splitlines())


# The plan


def test_a_dry_run_prints_the_plan_of_each_row_and_creates_nothing(write, run, started, tmp_path):
    status, out, err = run(write(NORMAL, GHOST), '--dry-run')
    assert status == 0, err
    commands = [line.split() for line in out.splitlines() if line.startswith('python ')]
    assert [(words[1], words[3]) for words in commands] == [('main_normal.py', 'ok_small'), ('main_gbn.py', 'ok_ghost')]
    assert out.count('\nregime\n') == 2
    assert '4 ghosts of 4' in out
    assert started == []
    assert not (tmp_path / 'results').exists()
    status, _, err = run(write(BAD, NORMAL), '--dry-run')
    assert status == 1
    assert '4096' in err


def test_a_dry_run_of_what_is_done_is_no_error(write, run, started):
    path = write(NORMAL, GHOST)
    run(path, '--filter', 'small')
    status, out, err = run(path, '--dry-run')
    assert (status, err) == (0, '')
    assert '4 ghosts of 4' in out


# Other processes


def other_process(*arguments: str, threads: int | None = None, **settings) -> subprocess.Popen:
    """Start ./run_experiments.sh in a process group of its own, by default as if nothing were said about threads."""
    environment = {key: value for key, value in os.environ.items() if key != 'OMP_NUM_THREADS'}
    environment |= {'PYTHON': sys.executable} | ({} if threads is None else {'OMP_NUM_THREADS': str(threads)})
    return subprocess.Popen(
        [str(PROJECT / 'run_experiments.sh'), *arguments], env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings,
    )  # fmt: skip


@pytest.mark.slow
def test_two_at_a_time_give_what_one_at_a_time_gives(write, tmp_path):
    path = write(NORMAL, f'{NORMAL} --no-such-flag'.replace('ok_small', 'bad'), WILD)
    seen = {}
    for jobs in ('1', '2'):
        results = tmp_path / jobs
        process = other_process(path, '--results_dir', str(results), '--jobs', jobs, cwd=tmp_path, threads=1)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 1, err
        assert 'failed: bad' in err.splitlines()
        assert '--no-such-flag' in err
        assert 'Traceback' not in err
        assert table_rows(out) == ['ok_small', 'ok_wild']
        runs = [results / 'mine' / name for name in ('ok_small', 'ok_wild')]
        seen[jobs] = [(stable_rows(run), (run / 'weight_distance.csv').read_text()) for run in runs]
        assert [read_json(run / 'config.json')['status'] for run in runs] == ['done', 'diverged']
    assert seen['1'] == seen['2']


def wait_for_rows(table: Path, num_rows: int) -> None:
    deadline = time.monotonic() + 60
    while not (table.is_file() and len(read_rows(table)) >= num_rows):
        assert time.monotonic() < deadline, f'{table} has no {num_rows} rows after a minute'
        time.sleep(0.02)


def is_group_alive(group: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


@pytest.mark.slow
def test_what_control_c_leaves_the_same_command_finishes(write, tmp_path, started, run, results):
    path = write(LONG)
    command = (path, '--results_dir', str(tmp_path / 'stopped'))
    settings = {'cwd': tmp_path, 'threads': torch.get_num_threads()}  # as this process, which is compared with
    process = other_process(*command, **settings)
    stopped = tmp_path / 'stopped' / 'mine'
    wait_for_rows(stopped / 'long' / 'results.csv', 3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert 'Traceback' not in err
    assert 'the same command goes on from here' in err
    assert not is_group_alive(process.pid)
    assert read_json(stopped / 'long' / 'config.json')['status'] == 'running'
    again = other_process(*command, **settings)
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert 'resume   long' in out
    assert table_rows(out) == ['long']
    assert run(path)[0] == 0  # the same without a stop, in this process
    assert stable_rows(stopped / 'long') == stable_rows(results / 'long')
    assert len(stable_rows(results / 'long')) == 150
    assert read_rows(stopped / 'long' / 'weight_distance.csv') == read_rows(results / 'long' / 'weight_distance.csv')


@pytest.mark.slow
def test_a_sweep_that_is_told_to_end_takes_its_runs_with_it(write, tmp_path):
    """Else the same command would resume a run that still goes on, and two processes would write its rows."""
    process = other_process(write(LONG.replace('--epochs 150', '--epochs 100000')), '--results_dir', 'r', cwd=tmp_path)
    try:
        wait_for_rows(tmp_path / 'r' / 'mine' / 'long' / 'results.csv', 1)
        process.terminate()  # the sweep alone, as `timeout` and service managers do
        process.wait(timeout=60)
        time.sleep(1.0)
        assert not is_group_alive(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.slow
def test_the_run_experiments_script_lists_and_plans_from_any_folder(write, tmp_path):
    process = other_process(cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, '')
    assert 'quickstart' in out
    process = other_process(write(GHOST), '--dry-run', cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, '')
    assert '4 ghosts of 4' in out
    assert [path.name for path in tmp_path.iterdir()] == ['mine.sh']
