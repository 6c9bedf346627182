# ruff: noqa: F811 - fixtures are imported by name
"""Signals at any moment: the step is finished and saved, status 75, and what goes on equals what was never stopped."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from bigbatch.interrupts import SIGNALS, stop_requests
from bigbatch.training.trainer import Trainer
from tests.bigbatch.training.test_partial_epochs import assert_same_run, photos  # noqa: F401 - a fixture
from tests.conftest import PROJECT, TINY_GBN, main_gbn, read_json, read_rows
from tests.engine.test_ranks_torchrun import wait_for
from utils.command import command
from utils.runs import checkpoint as checkpoints

FLAGS = (*TINY_GBN, '--val-fraction', '0.25', '--checkpoint-minutes', '0')


@pytest.fixture(autouse=True)
def default_signals():
    """A parallel test run may ignore Ctrl-C, which its processes inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def signalled(monkeypatch):
    """Send this process signals in the midst of the n-th call of a function."""

    def patch(place: str, call: int, *names: str):
        module, _, name = place.rpartition('.')
        owner = Trainer if module == 'Trainer' else sys.modules[module]
        original, count = getattr(owner, name), [0]

        def calls(*arguments, **settings):
            count[0] += 1
            if count[0] == call:
                for signal_name in names:
                    os.kill(os.getpid(), getattr(signal, signal_name))
            return original(*arguments, **settings)

        monkeypatch.setattr(owner, name, calls)
        return lambda: monkeypatch.setattr(owner, name, original)

    return patch


# where the signal comes, in which call -> updates in the checkpoint; 9 in all, 3 an epoch
MOMENTS = {
    'the first update': ('Trainer._train_step', 1, 1),
    'an update': ('Trainer._train_step', 5, 5),
    'the last update of an epoch': ('Trainer._train_step', 6, 6),
    'the scoring of an epoch': ('bigbatch.training.trainer.evaluate', 2, 6),
    'the writing of rows': ('utils.runs.writer.append_rows', 3, 6),
    'the writing of a checkpoint': ('utils.runs.writer.save_checkpoint', 3, 3),
    'the very last update': ('Trainer._train_step', 9, 9),
    'the scoring of the last epoch': ('bigbatch.training.trainer.evaluate', 3, 9),
}


@pytest.fixture(scope='module')
def straight(train_once):
    return train_once(*FLAGS)


@pytest.mark.parametrize('moment', MOMENTS)
def test_a_signal_ends_the_run_where_it_can_be_gone_on_with(train, tmp_path, capsys, signalled, straight, moment):
    name, (place, call, step) = SIGNALS[[*MOMENTS].index(moment) % len(SIGNALS)], MOMENTS[moment]
    undo = signalled(place, call, name)
    capsys.readouterr()
    assert train(*FLAGS, '--save_all') == 75
    undo()
    run = tmp_path / 'results' / 'run'
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith(f'stopped: by {name} ')
    assert said[-1].endswith(f': --resume {run} goes on')
    config = read_json(run / 'config.json')
    assert (config['status'], config['message']) == ('interrupted', said[-1].replace(': ', ' ', 1))
    assert checkpoints.load_checkpoint(run / 'checkpoint.pth.tar')['step'] == step
    assert not list(run.glob('.*'))
    assert main_gbn.main(['--resume', str(run), '--no-save_all']) == 0
    assert_same_run(run, straight)
    assert read_json(run / 'config.json')['test'] == read_json(straight / 'config.json')['test']


def test_a_signal_after_the_last_epoch_lets_the_run_end(train, signalled):
    undo = signalled('utils.engine.runner.evaluate', 1, 'SIGTERM')
    run = train(*FLAGS)
    undo()
    assert read_json(run / 'config.json')['status'] == 'done'


def test_a_signal_before_the_run_begins_leaves_nothing(train, tmp_path, capsys, signalled):
    signalled('utils.engine.experiment.build_experiment', 1, 'SIGTERM')
    assert train(*FLAGS) == 75
    assert capsys.readouterr().err == 'stopped: by SIGTERM\n'
    assert not (tmp_path / 'results').exists()


def test_a_signal_while_the_folder_is_made_leaves_a_whole_one_or_none(train, tmp_path, signalled, straight):
    for call in range(1, 9):
        undo = signalled('os.replace', call, 'SIGTERM')
        status = train(*FLAGS)
        undo()
        assert status == 75
        run = tmp_path / 'results' / 'run'
        assert not list(run.parent.glob('.*'))
        if run.exists():
            assert main_gbn.main(['--resume', str(run)]) == 0
            assert_same_run(run, straight)
            return
    raise AssertionError('the folder is never made')


def test_a_second_control_c_ends_at_once_and_loses_no_more_than_a_kill(train, tmp_path, capsys, signalled, straight):
    undo = signalled('Trainer._train_step', 8, 'SIGINT', 'SIGINT')
    assert train(*FLAGS, '--save_all') == 130
    undo()
    assert capsys.readouterr().err.endswith('error: interrupted\n')
    run = tmp_path / 'results' / 'run'
    assert checkpoints.load_checkpoint(run / 'checkpoint.pth.tar')['step'] == 6
    assert not (run / '.lock').exists()
    assert main_gbn.main(['--resume', str(run), '--no-save_all']) == 0
    assert_same_run(run, straight)
    signalled('Trainer._train_step', 8, 'SIGTERM', 'SIGTERM', 'SIGUSR2')  # which are no hurry
    assert train(*FLAGS, save='other') == 75
    assert checkpoints.load_checkpoint(run.with_name('other') / 'checkpoint.pth.tar')['step'] == 8


def test_where_nothing_is_to_be_saved_a_signal_ends_the_script(capsys):
    for name in SIGNALS:

        @command
        def main(argv, name=name):
            os.kill(os.getpid(), getattr(signal, name))
            time.sleep(10)

        assert main([]) == 75
        assert capsys.readouterr().err == f'stopped: by {name}\n'


def test_signals_are_taken_note_of_and_left_as_they_were():
    before = [signal.getsignal(getattr(signal, name)) for name in SIGNALS]
    for name in SIGNALS:
        with stop_requests('nothing happens') as request:
            os.kill(os.getpid(), getattr(signal, name))
            assert request()
            assert request.name == name
    assert [signal.getsignal(getattr(signal, name)) for name in SIGNALS] == before


def test_a_forked_process_is_ended_by_sigterm_though_its_parent_only_takes_note():
    with stop_requests('nothing happens') as request:
        child = os.fork()
        if not child:
            os.kill(os.getpid(), signal.SIGINT)  # for its parent to deal with
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGTERM
        assert not request()


@pytest.mark.slow
@pytest.mark.parametrize('name', SIGNALS)
def test_a_signal_to_the_whole_group_leaves_the_workers_their_step(photos, tmp_path, name):
    """As Ctrl-C, timeout and schedulers send it; the workers that read images would else die in the midst of one."""
    flags = ('--dataset', photos, '--model', 'cifar10_shallow', '--b', '16', '-mb', '8', '--device', 'cpu')
    flags += ('--workers', '2', '--epochs', '100000', '--results_dir', str(tmp_path), '--save', 'run')
    run = tmp_path / 'run'
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / 'main_gbn.py'), *flags], cwd=tmp_path, start_new_session=True, text=True,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    wait_for(lambda: (run / 'results.csv').is_file() and len(read_rows(run / 'results.csv')) >= 2)
    start = time.monotonic()
    os.killpg(process.pid, getattr(signal, name))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    place = re.match(f'stopped: by {name} (in|after) epoch', err.splitlines()[-1])
    assert place, err
    assert time.monotonic() - start < 20
    partial = checkpoints.load_checkpoint(run / 'checkpoint.pth.tar')['partial']
    assert (partial is not None) == (place[1] == 'in')  # one may come between two epochs
