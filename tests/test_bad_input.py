"""What a user can get wrong: one line that names the value and the remedy, status 2, nothing created."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import evaluate
from tests.conftest import PROJECT, TINY, main_gbn, main_normal, read_json

FLAGS = (*TINY, '-mb', '4', '--epochs', '3')
# One or two of each place that refuses something; tests/goldens/commands.txt has the words of many more plans.
BAD_FLAGS = (
    (('--model', 'resnett'), ("'resnett'", 'did you mean resnet')),
    (('--dataset', 'minst'), ("'minst'", 'mnist')),
    (('--batchsize', '16'), ('--batchsize', 'did you mean --batch-size')),
    (('stray',), ("'stray'",)),
    (('--b', '18'), ('18', 'not a multiple', '16', '20')),
    (('--b', '128'), ('128', '64 examples', '--no-drop-last')),
    (('--micro-batch-size', '6'), ('6', 'whole ghosts of 4', '8')),
    (('--lr', 'inf'), ("'inf'",)),
    (('--clip-grad', 'nan'), ("'nan'",)),
    (('--seed', str(2**63)), (str(2**63),)),
    (('--val-fraction', '0.001'), ('0.001',)),
    (('--warmup-epochs', '4'), ('4', 'longer than the run of 3 epochs')),
    (('--model_config', '[8]'), ('[8]', 'dict')),
    (('--model_config', "{'width': 'wide'}"), ("'wide'",)),
    (('--model_config', "{'width': 8, 'num_classes': 3}"), ('(3,)', '4 classes', '--model_config')),
    (('--model', 'cifar10_shallow', '--model_config', "{'dropout': 2}", '--dataset', 'fake:64:3x16x16:4'), ('2',)),
    (('--model', 'cifar10_shallow', '--model_config', '{}', '--dataset', 'fake:64:3x6x6:4'), ('6 x 6', '7 x 7')),
    (('--regime', "{'lr': 0.1}"), ("'lr'", "{0: {'lr': 0.1}, 30: {'lr': 0.01}}")),
    (('--regime', "[{'lr': 0.1}]"), ("{'lr': 0.1}", "{'epoch': 0, 'lr': 0.1}")),
    (('--regime', '7'), ("'7'",)),
    (('--regime', "{0: {'lr': 0.1, 'momentun': 0.9}}"), ("'momentun'", 'did you mean momentum')),
    (('--optimizer', 'Adam', '--lr', '0.1', '--momentum', '0.9'), ('--momentum 0.9', 'Adam')),
    (('--lr_fix_policy', 'linear', '--no-lr_bb_fix'), ('--lr_fix_policy linear', '--no-lr_bb_fix')),
    (('--dataset', 'digits', '--flip'), ('--flip', 'digits', '--augment')),
    (('--input_size', '99'), ('99', '12')),
    (('--device', 'cuda:99'), ('cuda:99', 'cpu')),
    (('--evaluate', 'no/such.pth.tar'), ('no/such.pth.tar',)),
)


def test_bad_flags(refused):
    for flags, words in BAD_FLAGS:
        refused(*FLAGS, *flags, words=words)


def test_batches_that_cannot_be_normalised(refused):
    refused(*TINY, '--micro-batch-size', '8', script=main_normal, words=('8', '16', 'main_gbn.py'))
    for flags in (('--b', '1'), ('--b', '63', '--no-drop-last')):
        refused(*TINY, *flags, script=main_normal, words=('1 example of shape', 'more than 1 value'))


def test_missing_and_damaged_data(refused, tmp_path):
    raw = tmp_path / 'sets' / 'mnist' / 'MNIST' / 'raw'
    raw.mkdir(parents=True)
    flags = ('--model', 'mnist_f1', '--dataset', 'mnist', '--datasets-dir', str(tmp_path / 'sets'))
    refused(*flags, words=(str(raw), '--download'))
    for name in ('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'):
        (raw / f'{name}-ubyte').write_bytes(b'\0\0\x08')
    refused(*flags, words=('-ubyte',))
    path, y = tmp_path / 'set.npz', np.arange(64) % 4
    flags = (*FLAGS, '--dataset', str(path))
    refused(*flags, words=('set.npz',))
    np.savez(path, x_train=np.zeros((64, 5)), y_train=y, x_test=np.zeros((64, 5)), y_test=y)
    for flag in (('--augment',), ('--input_size', '4')):
        refused(*flags, *flag, words=(flag[0], 'features'))
    path.write_bytes(path.read_bytes()[:200])
    refused(*flags, words=('set.npz',))


def test_a_folder_that_cannot_be_made(run, refused, tmp_path):
    refused(*FLAGS, '--save', 'run', words=('run', 'exists', '--resume'))
    (tmp_path / 'file').write_text('')
    refused(*FLAGS, '--results_dir', str(tmp_path / 'file' / 'sub'), words=('file', '--results_dir'))


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_read_only_results_folder(refused, tmp_path):
    (tmp_path / 'locked').mkdir(mode=0o500)
    refused(*FLAGS, '--results_dir', str(tmp_path / 'locked'), words=('locked', '--results_dir'))


def test_a_folder_of_runs_is_no_run(refused, run):
    suite = run.parent.rename(run.parent.with_name('suite'))
    for flags in (('--epochs', '3', '--resume'), ('--evaluate',), (*FLAGS, '--init-from')):
        for folder in (suite, suite.parent):
            refused(*flags, str(folder), words=(f'{folder}: a folder of runs', f'such as {suite / "run"}'))
    refused('--evaluate', str(suite), script=evaluate, words=('a folder of runs', f'such as {suite / "run"}'))


def test_damaged_and_foreign_checkpoints(run, refused, tmp_path):
    latest, half, other = run / 'checkpoint.pth.tar', tmp_path / 'half.pth.tar', tmp_path / 'other.pth.tar'
    content = latest.read_bytes()
    torch.save({'state_dict': torch.nn.Linear(2, 2).state_dict()}, other)
    half.write_bytes(content[: len(content) // 2])
    foreign, wider = ('another network', '--model'), ('--model_config', "{'width': 9, 'depth': 2}")
    for flag in ('--evaluate', '--init-from'):
        refused(*FLAGS, flag, str(half), words=('half.pth.tar', 'damaged'))
        refused(*FLAGS, flag, str(other), words=foreign)
        refused(*FLAGS, *wider, flag, str(latest), words=foreign)
    refused(*FLAGS, '--resume', str(half), words=('no config.json',))
    refused('--resume', str(run), '--epochs', '1', words=('has done 2 epochs', '--epochs 1', 'give more'))
    assert main_gbn.main([*FLAGS, '--init-from', str(run), '--dry-run']) == 0
    latest.write_bytes(half.read_bytes())
    refused('--evaluate', str(run), words=('checkpoint.pth.tar: damaged', 'cut off', 'beside it lies', 'model_best'))


def test_a_missing_package_is_named_with_the_remedy(tmp_path):
    for script, *flags in (
        ('main_gbn.py', '--dataset', 'digits', '--model', 'mnist_f1'),
        ('compare_experiments.py', '.'),
    ):
        bare = [sys.executable, '-S', str(PROJECT / script), *flags]  # -S: without the packages that were installed
        done = subprocess.run(bare, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert 'has no package' in done.stderr and '.venv/bin/activate' in done.stderr


def test_a_missing_gpu_falls_back_only_for_published_flags(capsys):
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    flags = [flag for flag in FLAGS if flag not in ('--device', 'cpu')]
    for published in (('--gpus', '1'), ('--type', 'torch.cuda.FloatTensor')):
        assert main_gbn.main([*flags, '--dry-run', *published]) == 0
        assert 'warning: no device cuda' in capsys.readouterr().err


def test_a_config_with_fields_of_wrong_types(run, refused):
    config = read_json(run / 'config.json')
    settings = config['settings']
    without_model = {name: value for name, value in settings.items() if name != 'model'}
    for damage, flags, words in (
        ({'argv': [5]}, ('--resume', '--evaluate'), ('argv', 'texts')),
        ({'num_epochs': None}, ('--resume', '--evaluate'), ('lacks num_epochs',)),
        ({'settings': {**settings, 'seed': 'x'}}, ('--resume', '--evaluate'), ("settings.seed is 'x'",)),
        ({'settings': without_model}, ('--evaluate',), ('settings lack model',)),
    ):
        (run / 'config.json').write_text(json.dumps({**config, **damage}))
        for flag in flags:
            refused(flag, str(run / 'checkpoint.pth.tar'), words=('config.json', 'damaged', *words))
