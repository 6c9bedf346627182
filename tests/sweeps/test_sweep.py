"""Sweeps over a suite: what is run, skipped, gone on with, counted and shown; scripts run in this process."""

import re
import shlex
import signal

import pandas as pd

import compare_experiments
from bigbatch.errors import UserError
from bigbatch.training.trainer import Trainer
from tests.conftest import main_normal, read_json, read_rows, stable_rows
from tests.sweep_helpers import AT_ONCE, BAD, GHOST, NAMES, NORMAL, WILD, InThisProcess, saved, table_rows
from utils.reports import sections
from utils.reports.tables import Section
from utils.sweeps import execution as sweep_runs


def test_all_rows_run_and_stand_in_a_table_once(write, sweep, started, results):
    path = write('# seeds: 2', NORMAL, GHOST)
    out, _ = sweep(path)
    names = ['ok_small_seed0', 'ok_ghost_seed0', 'ok_small_seed1', 'ok_ghost_seed1']
    assert {path.name for path in results.iterdir()} == {'comparison.html', *names}
    assert [read_json(results / f'ok_small_seed{seed}' / 'config.json')['seed'] for seed in (0, 1)] == [0, 1]
    assert saved(started) == names
    assert table_rows(out) == ['ok_small', 'ok_ghost']
    assert out.count('(2)') >= 2  # of two seeds each
    assert f'page: {results / "comparison.html"}' in out
    assert [line.split()[0] for line in out.splitlines()[1:9]] == ['start', 'done'] * 4
    assert re.fullmatch('4 runs in .*: 4 done', out.splitlines()[9])
    again, _ = sweep(path)
    assert started == []
    assert '4 of 4 runs are done already\n' in again
    assert again.partition(': 4 done\n')[2] == out.partition(': 4 done\n')[2] != ''
    sweep(path, '--seeds', '3', '--filter', 'small')
    assert saved(started) == ['ok_small_seed2']


def test_its_tables_and_its_page_are_those_of_a_comparison(write, sweep, started, results, monkeypatch, capsys):
    labels = pd.DataFrame({'run': ['ok_small', 'ok_ghost'], 'one more': ['1', '2']})
    one_more = Section('One more table', labels[['one more']], labels, 'It is listed once.')
    monkeypatch.setattr(sections, 'SECTIONS', (*sections.SECTIONS, lambda groups: one_more))
    out, _ = sweep(write(NORMAL, GHOST))
    page = results / 'compared.html'
    assert compare_experiments.main([str(results), '--output', str(page)]) == 0
    tables = capsys.readouterr().out.rpartition('\npage: ')[0]
    assert f': 2 done\n\n{tables}\npage: ' in out
    assert 'settings that differ' in tables
    assert 'One more table\n\nrun ' in tables
    headings = [re.findall('<h2>.*?</h2>', each.read_text()) for each in (results / 'comparison.html', page)]
    assert headings[0] == headings[1]
    assert '<h2>One more table</h2>' in headings[0]


def test_a_run_that_failed_within_training_is_repeated(write, sweep, started, results, monkeypatch):
    original = Trainer._train_step

    def fails(self, batch, watch):
        if len(started) == 1 and self.step == 5:  # in the first run's second epoch
            raise RuntimeError('no space left')
        return original(self, batch, watch)

    path, record = write(NORMAL, GHOST), results / 'ok_small.failed.txt'
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, '_train_step', fails)
        out, err = sweep(path, status=1)
    assert ': 1 done, 1 failed\n' in out
    last = f'failed: ok_small: RuntimeError: no space left  (all of its output: {record})'
    assert [line for line in err.splitlines() if line.startswith('failed: ')] == [err.splitlines()[-1]] == [last]
    assert 'Traceback' in record.read_text()
    assert [read_json(results / name / 'config.json')['status'] for name in NAMES] == ['failed', 'done']
    sweep(path)
    assert not record.exists()
    assert started == [['main_normal.py', '--resume', str(results / 'ok_small')]]
    assert [read_json(results / name / 'config.json')['status'] for name in NAMES] == ['done', 'done']
    sweep(path)  # its stored command line has grown by --resume; it is known all the same
    assert started == []
    again = results.with_name('again')
    assert main_normal.main([*shlex.split(NORMAL)[2:], '--results_dir', str(again)]) == 0
    assert stable_rows(results / 'ok_small') == stable_rows(again / 'ok_small')


def test_a_diverged_run_is_a_result(write, sweep, started, results):
    path = write('# seeds: 2', WILD, NORMAL, AT_ONCE)
    out, err = sweep(path)
    assert 'diverged ok_wild_seed0' in out
    assert ': 2 done, 4 diverged\n' in out
    assert table_rows(out) == ['ok_wild', 'ok_small', 'at_once']
    assert out.count('2 of 2 diverged') == 2
    assert read_json(results / 'at_once_seed0' / 'config.json')['status'] == 'diverged'
    assert read_rows(results / 'at_once_seed0' / 'results.csv') == []
    out, _ = sweep(path)
    assert started == []
    assert '6 of 6 runs are done already, 4 of them diverged\n' in out
    assert ': 2 done, 4 diverged\n' in out
    assert out.count('2 of 2 diverged') == 2
    out, err = sweep(path, '--filter', 'at_once')  # when everything diverges at once
    assert err == ''


def test_a_run_that_fails_is_named_while_the_others_finish(write, sweep, started, results):
    path = write(NORMAL, BAD, GHOST)
    out, err = sweep(path, status=1)
    lines = err.splitlines()
    assert '4096' in lines[0]  # its own words, when it happens
    assert lines[-1].startswith('failed: bad: error: --batch-size 4096 ')
    assert lines[-1].endswith(f'(all of its output: {results / "bad.failed.txt"})')
    assert 'FAILED   bad' in out
    assert ': 2 done, 1 failed\n' in out
    assert table_rows(out) == ['ok_small', 'ok_ghost']
    assert not (results / 'bad').exists()
    assert len(started) == 3
    out, err = sweep(path, '--filter', 'bad', status=1)  # when everything fails
    assert err.splitlines()[-1].startswith('failed: bad: ')
    assert ': 0 done, 1 failed\n' in out
    out, err = sweep(path, '--fail-fast', '--', '--epochs', '1', status=1)  # nothing more is started
    assert err.splitlines()[-1].startswith('failed: bad_epochs1: ')
    assert saved(started) == ['ok_small_epochs1', 'bad_epochs1']
    assert ': 1 done, 1 failed, 1 not started\n' in out


def test_a_run_that_ends_without_a_word_is_shown_with_what_is_known(write, sweep, started, monkeypatch):
    path = write(NORMAL)
    for code, words in ((-9, 'ended by SIGKILL'), (7, 'exit status 7, without a word'), (120, 'exit status 120, ')):
        monkeypatch.setattr('tests.sweep_helpers.main_normal.main', lambda argv, code=code: code)
        out, err = sweep(path, status=1)
        assert f'ok_small: {words}' in err.splitlines()[-1]
        assert 'FAILED ' in out


def test_a_disk_that_is_full_for_the_sweep_itself_leaves_no_run_behind(write, sweep, started, monkeypatch):
    sent = []
    monkeypatch.setattr(InThisProcess, 'send_signal', lambda self, number: sent.append(number), raising=False)

    def fail(self):
        raise UserError('evaluation.csv cannot be written')

    monkeypatch.setattr(sweep_runs.Sweep, '_collect', fail)
    _, err = sweep(write(NORMAL, GHOST), '--jobs', '2', status=2)
    assert err == 'error: evaluation.csv cannot be written\n'
    assert sent == [signal.SIGTERM] * 2


def test_lines_of_progress_name_a_few_runs_and_the_time_left(write, sweep, started, monkeypatch):
    monkeypatch.setattr(InThisProcess, 'looks', 1000)
    out, _ = sweep(write(NORMAL))
    assert [line for line in out.splitlines() if line.startswith('running ')] == []  # within seconds
    monkeypatch.setattr(sweep_runs, 'SECONDS_BETWEEN_LINES', (0.0, 0.0))
    monkeypatch.setattr(InThisProcess, 'looks', 2)
    rows = [NORMAL.replace('ok_small', f'row{number}') for number in range(5)]
    out, _ = sweep(write('# seeds: 2', *rows), '--jobs', '5')
    lines = [line for line in out.splitlines() if line.startswith('running ')]
    assert lines[0].startswith('running  row0_seed0 epoch 2/2, row1_seed0 epoch 2/2, row2_seed0 epoch 2/2 and 2 more; ')
    assert all(line.endswith(' left') and '; about ' in line for line in lines)  # each row's first run is done
    assert max(map(len, lines)) <= 120
