"""Rows whose data sets alone differ, and paths to rows that no line makes."""

from pathlib import Path

import pytest

from bigbatch.errors import UserError
from tests.fake_runs import write_run
from utils.reports.groups import group_runs
from utils.runs.reader import load_runs
from utils.sweeps.suite import read_suite


def test_data_sets_whose_names_end_in_a_seed_are_rows_of_their_own(tmp_path):
    for seed in (1, 2):
        for part in (1, 2):
            settings = {'dataset': f'data/blobs_seed{part}.npz'}
            write_run(tmp_path / f'blobs{part}_seed{seed}', seed=seed, settings=settings)
            write_run(tmp_path / 'other' / f'blobs_seed{part}{seed}', seed=seed, settings={**settings, 'batch_size': 9})
    groups = group_runs(load_runs([tmp_path]))
    found = [{run.settings['dataset'] for run in group.runs} for group in groups]
    assert sorted(map(sorted, found)) == [['data/blobs_seed1.npz']] * 2 + [['data/blobs_seed2.npz']] * 2
    assert len({group.label for group in groups}) == 4


def test_a_path_to_a_row_that_no_line_makes_says_that_there_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('mine.sh').write_text('python evaluate.py --evaluate TrainingResults/small --save scores')
    with pytest.raises(UserError, match=r'no line above has --save small: known: none$'):
        read_suite(Path('mine.sh'))
