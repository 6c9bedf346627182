"""Runs that are killed again and again end as if nobody had; `python -m tests.crash --kills 100` does it at length."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import torch

from tests.conftest import PROJECT, TINY_GBN
from tests.crash.cases import CASES
from tests.crash.equality import check_after_kill, differences
from utils.runs.layout import BEST, LATEST


@pytest.mark.slow
def test_killed_runs_equal_one_that_was_left_alone(tmp_path):
    command = [sys.executable, '-m', 'tests.crash', '--kills', '12', '--out', str(tmp_path)]
    command += ['--cases', 'ghosts', 'smoothout', '2 ranks']
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = json.loads((tmp_path / 'kills.json').read_text())['rows']
    assert len(rows) == 3 and all(row['kills'] >= 4 for row in rows)
    assert sum(row['while_saving'] for row in rows) > 0


@pytest.fixture
def two_runs(train, tmp_path):
    """A finished run and a copy of it."""
    run = train(*TINY_GBN)
    return run, shutil.copytree(run, tmp_path / 'copy')


def change_checkpoint(path, key, value):
    content = torch.load(path, weights_only=True)
    if key == 'state_dict':  # by a single bit
        weights = next(tensor for tensor in content[key].values() if tensor.is_floating_point())
        weights.view(torch.int32).view(-1)[0] ^= 1
    else:
        content[key] = value
    torch.save(content, path)


def test_a_copy_of_a_run_equals_it(two_runs):
    check_after_kill(two_runs[1])
    assert differences(*two_runs) == []


@pytest.mark.parametrize(('change', 'found'), [
    (lambda run: change_checkpoint(run / LATEST, 'state_dict', None), 'checkpoint.pth.tar: .state_dict'),
    (lambda run: change_checkpoint(run / BEST, 'step', 0), 'model_best.pth.tar: .step: 0'),
    (lambda run: (run / 'results.csv').write_text((run / 'results.csv').read_text() * 2), 'results.csv'),
    (lambda run: (run / 'weight_distance.csv').write_text('step,weight_distance,train_loss\n'), 'weight_distance.csv'),
    (lambda run: (run / '.results.html.7.partial').touch(), 'left over'),
], ids=['weights', 'step', 'rows', 'distances', 'leftover'])  # fmt: skip
def test_what_differs_is_seen(two_runs, change, found):
    change(two_runs[1])
    try:
        assert [each for each in differences(two_runs[1], two_runs[0]) if found in each]
    except ValueError as error:  # a second header is no number of an epoch
        assert found == 'results.csv', error


@pytest.mark.parametrize('change', [
    lambda run: (run / LATEST).write_bytes((run / LATEST).read_bytes()[:-100]),
    lambda run: (run / 'results.csv').write_text((run / 'results.csv').read_text().rpartition('\n3,')[0] + '\n'),
    lambda run: (run / 'results.csv').write_text((run / 'results.csv').read_text().rpartition('\n2,')[0] + '\n'),
    lambda run: (run / 'config.json').write_text('{'),
], ids=['checkpoint', 'last row', 'rows', 'config'])  # fmt: skip
def test_what_is_lost_is_seen(two_runs, change):
    change(two_runs[1])
    with pytest.raises((AssertionError, ValueError)):
        check_after_kill(two_runs[1])


def test_cases_have_names_and_folders_of_their_own():
    assert len({case.name for case in CASES}) == len(CASES) >= 8
    assert {case.script for case in CASES} == {'main_normal', 'main_gbn', 'main_swap', 'utils.sweeps.__main__'}
