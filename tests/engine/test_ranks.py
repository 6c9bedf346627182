"""Several ranks train as one process does: the same losses, running statistics and scores, but for rounding."""

import pandas
import pytest

import main_gbn
from tests.conftest import TINY
from tests.ranks import assert_same_run, run_on_ranks

# One update an epoch, so that results.csv is the loss curve of 8 updates.
FLAGS = (*TINY, '--b', '64', '--epochs', '8', '-mb', '8', '--type', 'torch.DoubleTensor', '--device', 'cpu')
SETTINGS = {
    'ghosts': (),
    'micro': ('--micro-batch-size', '8'),
    'smoothout': ('--sharpness-smoothing', '0.1', '--micro-batch-size', '16'),
    'smoothout_adds_up': ('--sharpness-smoothing', '0.01', '--no-denoise', '--adapt-type', 'weight'),
    'gradient_noise': ('--gradient-noise', '2', '--micro-batch-size', '8'),
    'spread': ('--duplicates', '2', '--cutout', '3', '--adapt-grad-norm', '3'),
    'together': ('--duplicates', '2', '--cutout', '3', '--copies', 'together', '--adapt-grad-norm', '3'),
    'noise_scale': ('--noise-scale',),
    'average': ('--swa-start', '5'),
    'float32': ('--type', 'torch.FloatTensor'),
    'last_batch': ('--dataset', 'fake:128:1x8x8:4', '--no-drop-last', '--val-fraction', '0.25'),
}


def command(name, folder, *more):
    return (*FLAGS, *SETTINGS[name], '--results_dir', str(folder), '--save', name, *more)


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp('alone')
    assert [main_gbn.main(command(name, folder)) for name in SETTINGS] == [0] * len(SETTINGS)
    return folder


@pytest.fixture(scope='module', params=[2, pytest.param(4, marks=pytest.mark.slow)])
def together(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f'ranks{request.param}')
    statuses = run_on_ranks(request.param, [('main_gbn', *command(name, folder)) for name in SETTINGS], folder)
    text = (folder / 'rank0.txt').read_text()
    assert statuses == [[0] * request.param] * len(SETTINGS), text[-3000:]
    return folder


def test_ranks_train_as_one_process_does(alone, together):
    for name in SETTINGS:
        tolerance = 1e-4 if name == 'float32' else 1e-10
        assert_same_run(alone / name, together / name, tolerance=tolerance)
        distances = [pandas.read_csv(folder / name / 'weight_distance.csv') for folder in (alone, together)]
        pandas.testing.assert_frame_equal(*distances, rtol=tolerance)
