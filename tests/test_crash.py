"""Runs that are killed again and again end as if nobody had; `python -m tests.crash --kills 100` does it at length."""

import json
import shutil
import subprocess
import sys

import pytest
import torch

from tests.conftest import PROJECT
from tests.crash.equality import check_after_kill, differences
from utils.runs.layout import BEST, CONFIG, DISTANCES, LATEST, RESULTS


@pytest.mark.slow
def test_killed_runs_equal_one_that_was_left_alone(tmp_path):
    command = [sys.executable, '-m', 'tests.crash', '--kills', '12', '--out', str(tmp_path)]
    command += ['--cases', 'ghosts', 'smoothout', '2 ranks']
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = json.loads((tmp_path / 'kills.json').read_text())['rows']
    assert len(rows) == 3 and all(row['kills'] >= 4 for row in rows)
    assert sum(row['while_saving'] for row in rows) > 0


def change_checkpoint(path, key, value=None):
    content = torch.load(path, weights_only=True)
    if value is None:  # by a single bit
        weights = next(tensor for tensor in content[key].values() if tensor.is_floating_point())
        weights.view(torch.int32).view(-1)[0] ^= 1
    else:
        content[key] = value
    torch.save(content, path)


def change_text(path, change):
    path.write_text(change(path.read_text()))


SEEN = {  # in a finished run that should equal another
    'checkpoint.pth.tar: .state_dict': lambda run: change_checkpoint(run / LATEST, 'state_dict'),
    'model_best.pth.tar: .step 0': lambda run: change_checkpoint(run / BEST, 'step', 0),
    'config.json: .status': lambda run: change_text(run / CONFIG, lambda text: text.replace('"done"', '"failed"')),
    'results.csv: other rows': lambda run: change_text(run / RESULTS, lambda text: text * 2),
    'weight_distance.csv: other rows': lambda run: change_text(run / DISTANCES, lambda text: text[: text.index('\n')]),
    'left over': lambda run: (run / '.results.html.7.partial').touch(),
}
LOST = (  # after a kill
    lambda run: (run / LATEST).write_bytes((run / LATEST).read_bytes()[:-100]),
    lambda run: change_text(run / RESULTS, lambda text: text.rpartition('\n2,')[0] + '\n'),
    lambda run: change_text(run / RESULTS, lambda text: text.rpartition('\n1,')[0] + '\n'),
    lambda run: change_text(run / RESULTS, lambda text: text * 2),
    lambda run: change_text(run / CONFIG, lambda text: '{'),
)


def test_what_differs_or_is_lost_is_seen(run, tmp_path):
    check_after_kill(run)
    copy = shutil.copytree(run, tmp_path / 'copy')
    assert differences(copy, run) == []
    for found, change in SEEN.items():
        shutil.rmtree(copy)
        change(shutil.copytree(run, copy))
        assert [each for each in differences(copy, run) if found in each], found
    for change in LOST:
        shutil.rmtree(copy)
        change(shutil.copytree(run, copy))
        with pytest.raises((AssertionError, ValueError)):
            check_after_kill(copy)
