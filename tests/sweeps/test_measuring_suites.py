"""Suites that measure: what waits for what, and what is skipped."""

import json
import os
from pathlib import Path

import pytest

from bigbatch.errors import UserError
from tests.sweep_helpers import NORMAL, SCRIPTS, InThisProcess, saved
from utils.sweeps.commands import place_words
from utils.sweeps.suite import read_suite

MEASURE = 'python measure_sharpness.py --save sharpness --evaluate TrainingResults/ok_small --epsilon 1e-3'
WARM = NORMAL.replace('ok_small', 'warm') + ' --init-from TrainingResults/ok_small/checkpoint_epoch_1.pth.tar'
SMALL = NORMAL + ' --save_all'
OTHER = NORMAL.replace('ok_small', 'other')


class Measures:
    """Stands for measure_sharpness.py: notes what it is asked for."""

    def __init__(self):
        self.calls, self.status = [], 0

    def main(self, argv: list[str]) -> int:
        paths = argv[argv.index('--evaluate') + 1 :]
        paths = paths[: next((index for index, word in enumerate(paths) if word.startswith('-')), None)]
        assert all(Path(path).exists() for path in paths), 'measured before it was trained'
        self.calls.append(argv)
        return self.status


@pytest.fixture
def measures(monkeypatch):
    script = Measures()
    monkeypatch.setattr('utils.sweeps.__main__._compare', lambda runs, results_dir: None)  # pages take most of the time
    monkeypatch.setitem(SCRIPTS, 'measure_sharpness.py', script)
    return script


def test_paths_become_those_of_the_runs_of_the_same_seed(write, tmp_path):
    runs = read_suite(Path(write('# seeds: 2', SMALL, WARM, MEASURE))).runs(results_dir=tmp_path)
    assert [run.name for run in runs[3:]] == ['ok_small_seed1', 'warm_seed1', 'sharpness_seed1']
    small, warm, measure = runs[3:]
    assert (small.needs, small.inputs, small.measures) == ((), (), False)
    assert warm.inputs == (f'{tmp_path}/ok_small_seed1/checkpoint_epoch_1.pth.tar',)
    assert warm.argv[warm.argv.index('--init-from') + 1] == warm.inputs[0]
    assert (warm.needs, measure.needs) == (('ok_small_seed1',), ('ok_small_seed1',))
    assert measure.measures
    assert measure.argv == (
        '--save', 'sharpness_seed1', '--evaluate', f'{tmp_path}/ok_small_seed1', '--epsilon', '1e-3', '--seed', '1',
    )  # fmt: skip


def test_added_flags_rename_what_is_read_and_reach_a_measurement_if_they_name_a_place(write, tmp_path):
    suite = read_suite(Path(write(SMALL, MEASURE)))
    _, measure = suite.runs(results_dir=tmp_path, extra=('--epochs', '1', '--device', 'cpu'))
    assert measure.needs == ('ok_small_epochs1',)
    assert measure.argv == (
        '--save', 'sharpness_epochs1', '--evaluate', f'{tmp_path}/ok_small_epochs1', '--epsilon', '1e-3',
        '--device', 'cpu',
    )  # fmt: skip
    words = ('--no-flip', '--device', 'cpu', '-j', '3', '--regime', "{0: {'lr': 1}}", '--deterministic')
    assert place_words('main_gbn.py', words) == ('--device', 'cpu', '-j', '3', '--deterministic')
    assert place_words('main_gbn.py', ()) == ()


def test_lines_that_cannot_be_are_refused(write, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for lines, words in (
        ((SMALL, MEASURE.replace('ok_small', 'ok_smal')), 'no line above has --save ok_smal: did you mean ok_small'),
        ((MEASURE, SMALL), 'no line above has --save ok_small'),
        ((MEASURE.replace('--evaluate TrainingResults/ok_small', ''),), '--evaluate TrainingResults/NAME is needed'),
        ((MEASURE.replace('--save sharpness', ''),), 'one --save NAME is needed'),
        ((MEASURE.replace('measure_sharpness', 'preprocess'),), 'no command of this project'),
    ):
        with pytest.raises(UserError) as caught:
            read_suite(Path(write(*lines)))
        assert words in str(caught.value)
        assert str(caught.value).startswith(f'{tmp_path}/mine.sh:')
    suite = read_suite(Path(write('# seeds: 2', SMALL, f'{MEASURE} --seed 3')))
    with pytest.raises(UserError, match='sharpness: --seed is given'):
        suite.runs()


def test_a_measurement_follows_what_it_reads_and_is_done_once(write, sweep, started, measures, tmp_path):
    path = write('# seeds: 2', SMALL, WARM, MEASURE)
    out, _ = sweep(path)
    assert saved(started) == [f'{row}_seed{seed}' for seed in (0, 1) for row in ('ok_small', 'warm', 'sharpness')]
    assert ': 6 done' in out
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'results').rename(tmp_path / 'elsewhere' / 'there')  # results that were moved are still known
    out, _ = sweep(path, '--results_dir', str(tmp_path / 'elsewhere' / 'there'))
    assert started == []
    assert '6 of 6 runs are done already' in out


def test_a_changed_checkpoint_or_line_is_measured_again(write, sweep, started, measures, results):
    path = write(SMALL, MEASURE)
    sweep(path)
    os.utime(results / 'ok_small' / 'checkpoint.pth.tar', (1, 1))
    sweep(path)
    sweep(path)
    assert len(measures.calls) == 2
    sweep(write(SMALL, MEASURE.replace('1e-3', '5e-4')))
    assert len(measures.calls) == 3
    assert measures.calls[-1][-3:] == ['5e-4', '--results_dir', str(results)]


def test_several_at_a_time_wait_for_what_they_need(write, sweep, started, measures, monkeypatch):
    monkeypatch.setattr(InThisProcess, 'looks', 3)
    measure = MEASURE.replace('--epsilon', 'TrainingResults/warm --epsilon')
    out, _ = sweep(write(SMALL, WARM, measure, OTHER), '--jobs', '4')
    lines = [' '.join(line.split()[:2]) for line in out.splitlines()[1:9]]
    assert lines[:2] == ['start ok_small', 'start other']
    order = ['done ok_small', 'start warm', 'done warm', 'start sharpness']
    assert [line for line in lines if line in order] == order


def test_what_needs_a_failed_run_is_skipped_and_named(write, sweep, started, measures):
    out, err = sweep(write(f'{SMALL} --b 4096', WARM, MEASURE, OTHER), status=1)
    assert saved(started) == ['ok_small', 'other']
    assert 'skipped  warm  ok_small did not end well' in out
    assert ': 1 done, 1 failed, 2 skipped' in out
    failed = [line.split(':')[1].strip() for line in err.splitlines() if line.startswith('failed: ')]
    assert failed == ['ok_small', 'warm', 'sharpness']


def test_a_measurement_that_fails_is_repeated(write, sweep, started, measures):
    path = write(SMALL, MEASURE)
    measures.status = 2
    out, err = sweep(path, status=1)
    assert 'FAILED   sharpness' in out
    assert 'failed: sharpness: ' in err
    measures.status = 0
    sweep(path)
    assert saved(started) == ['sharpness']


def test_a_dry_run_shows_measurements_and_what_they_wait_for(write, sweep, started, measures, results):
    path = write(SMALL, WARM, MEASURE)
    out, _ = sweep(path, '--dry-run')
    assert f'python measure_sharpness.py --save sharpness --evaluate {results}/ok_small --epsilon 1e-3 ' in out
    assert out.count('  waits for ok_small\n') == 2
    assert out.count('regime\n') == 1  # the plan of a run that waits cannot be made
    assert '3 runs: 3 new' in out
    sweep(path, '--', '--device', 'cpu')
    out, _ = sweep(path, '--dry-run')
    assert 'sharpness: done' in out
    record = json.loads((results / 'sharpness.measured.json').read_text())
    assert list(record['checkpoints']) == ['ok_small/checkpoint.pth.tar']  # no place
    assert 'cpu' not in record['argv']
