"""Progress: a bar on a terminal, plain lines elsewhere, every epoch in log.txt."""

import io
import re
from types import SimpleNamespace

import pytest

from bigbatch.training.report import EpochReport, Scores
from utils.engine import progress as progress_module
from utils.engine.progress import Progress
from utils.logs import log_to_file, start_logging

TRAIN, VAL = Scores(loss=0.5, error1=12.5, error5=0.0), Scores(loss=0.7, error1=25.0, error5=0.0)
SUMS = SimpleNamespace(scores=lambda: TRAIN)


def report(epoch: int) -> EpochReport:
    return EpochReport(
        epoch=epoch, step=epoch * 4, lr=0.1, train=TRAIN, val=VAL, grad_norm=1.0, weight_distance=2.0,
        epoch_seconds=1.0, images_per_second=1234.0, distances=(),
    )  # fmt: skip


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress_module.time, 'perf_counter', lambda: now[0])
    return now


def test_lines_are_spaced_by_time_or_updates_and_read_the_device_only_when_they_are_printed(clock, capsys):
    start_logging()
    progress = Progress(1000, 1, first_epoch=0, batch_size=8, stream=io.StringIO())
    looks = []
    sums = SimpleNamespace(scores=lambda: looks.append(1) or TRAIN)
    for index in range(1000):
        clock[0] += 0.05
        progress.on_step(0, index, sums)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(looks) == 4  # 50 seconds, a line every 10, the last one with the epoch
    assert all('160 images/s' in line and 'error 12.50 %' in line for line in lines)
    progress = Progress(10, 1, first_epoch=0, batch_size=8, print_freq=4, stream=io.StringIO())
    for index in range(10):
        progress.on_step(0, index, SUMS)
    assert [re.search(r'update (\d+)/10', line)[1] for line in capsys.readouterr().out.splitlines()] == ['4', '8']


def test_every_epoch_is_in_the_log_file_and_few_on_the_console(clock, capsys, tmp_path):
    start_logging()
    log_to_file(tmp_path / 'log.txt')
    progress = Progress(4, 100, first_epoch=0, batch_size=8, stream=io.StringIO())
    for epoch in range(1, 101):
        clock[0] += 0.3
        progress.on_epoch(report(epoch))
    start_logging()
    assert len(capsys.readouterr().out.splitlines()) == 4  # the first, every 10 seconds, the last
    lines = (tmp_path / 'log.txt').read_text().splitlines()
    assert len(lines) == 100
    assert lines[9].endswith(
        'epoch 10/100  lr 0.1  train loss 0.5000 error 12.50 %  val loss 0.7000 error 25.00 %  distance 2.000  '
        '1,234 images/s'
    )


def test_a_terminal_gets_a_bar_with_loss_error_and_speed(clock):
    stream = io.StringIO()
    stream.isatty = lambda: True
    progress = Progress(10, 2, first_epoch=1, batch_size=8, stream=stream)
    for index in range(10):
        clock[0] += 0.6
        progress.on_step(1, index, SUMS)
    progress.close()
    shown = stream.getvalue()
    for word in ('10/20', '20/20', 'epoch 2/2', 'loss 0.5000', 'error 12.50 %', 'images/s'):
        assert word in shown
    assert '\n' not in shown.strip()
