"""Who else a signal reaches: workers that read images, ranks whose torchrun dies of one, what nohup has ignore one."""

import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from bigbatch.distributed import Ranks, meet
from bigbatch.errors import Interrupted
from bigbatch.interrupts import SIGNALS, ending_by_signal, stop_requests
from data_sets.folder import open_splits, scan
from data_sets.pixels import to_tensor
from data_sets.stream import StreamLoader
from tests.conftest import TINY, read_json, read_rows
from tests.data_helpers import write_folder
from tests.engine.test_ranks_torchrun import torchrun, wait_for


def test_what_nohup_has_ignored_stays_ignored():
    for name in SIGNALS:
        number = getattr(signal, name)
        before = signal.signal(number, signal.SIG_IGN)
        try:
            with stop_requests('nothing happens') as request:
                os.kill(os.getpid(), number)
                assert not request(), name
            assert signal.getsignal(number) == signal.SIG_IGN, name
        finally:
            signal.signal(number, before)


def test_ranks_stop_when_their_torchrun_has_died_and_nobody_else(monkeypatch):
    torchruns = {'WORLD_SIZE': '2', 'TORCHELASTIC_RUN_ID': 'x'}
    stopped = {}
    for names in (('WORLD_SIZE', 'TORCHELASTIC_RUN_ID'), ('WORLD_SIZE',), ('TORCHELASTIC_RUN_ID',), ()):
        with monkeypatch.context() as patch:
            for name in torchruns:
                patch.delenv(name, raising=False)
            for name in names:
                patch.setenv(name, torchruns[name])
            with stop_requests('nothing happens') as request:
                assert not request(), names
                patch.setattr(os, 'getppid', lambda: 1)
                stopped[names] = request()
                assert request.name == ('the end of torchrun' if stopped[names] else '')
    assert [names for names, has_stopped in stopped.items() if has_stopped] == [('WORLD_SIZE', 'TORCHELASTIC_RUN_ID')]


@pytest.mark.skipif(not hasattr(signal, 'sigwaitinfo'), reason='who sent a signal is not known here')
def test_a_signal_to_every_process_leaves_workers_at_work(tmp_path):
    splits = open_splits(write_folder(tmp_path, num=20))
    loader = StreamLoader(scan(splits, 'train'), to_tensor, batch_size=10, num_workers=1)
    with stop_requests('nothing happens'):
        batches = loader.epoch(0)
        seen = sum(len(part.targets) for part in next(batches))  # by now they have begun
        (worker,) = loader._source._iterator._workers
        for name in SIGNALS:
            subprocess.Popen(['kill', f'-{name.removeprefix("SIG")}', str(worker.pid)]).wait()  # not by its own loader
        assert seen + sum(len(part.targets) for batch in batches for part in batch) == 60
        assert worker.is_alive()
        worker.terminate()  # as when this process ends
        worker.join(10)
        assert not worker.is_alive()


@pytest.mark.parametrize('name', ('SIGINT', 'SIGTERM'))
def test_a_rank_that_waits_for_the_first_one_hears_signals(monkeypatch, name):
    """torch's own way to wait is deaf to them for five minutes."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.setenv('MASTER_PORT', str(port))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a parallel test run may ignore it
    timer, start = threading.Timer(0.3, os.kill, (os.getpid(), getattr(signal, name))), time.monotonic()
    try:
        with pytest.raises(Interrupted, match=name), ending_by_signal():
            timer.start()
            meet(Ranks(1, 2, 1), 'begin')
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < 5


@pytest.mark.slow
def test_ranks_save_and_end_when_torchrun_dies_of_a_signal_that_it_does_not_pass_on(tmp_path):
    run = tmp_path / 'run'
    words = ('main_gbn.py', *TINY, '-mb', '4', '--epochs', '100000', '--results_dir', str(tmp_path), '--save', 'run')
    process = torchrun(*words)
    wait_for(lambda: (run / 'results.csv').exists() and read_rows(run / 'results.csv'))
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=60)  # the ranks hold the other end of its output
    config = read_json(run / 'config.json')
    assert config['status'] == 'interrupted'
    assert config['message'].startswith('stopped by the end of torchrun ')
