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

BAD_FLAGS = [
    (('--model', 'resnett'), ("'resnett'", 'did you mean resnet')),
    (('--dataset', 'minst'), ("'minst'", 'mnist')),
    (('--optimizer', 'SDG'), ("'SDG'", 'SGD')),
    (('--batchsize', '16'), ('--batchsize', 'did you mean --batch-size')),
    (('--batch', '16'), ('--batch',)),  # no prefix of a flag is that flag
    (('stray',), ("'stray'",)),
    (('--b', '18'), ('18', 'not a multiple', '16', '20')),
    (('-mb', '32'), ('32', 'larger than the batch of 16')),
    (('--b', '128'), ('128', '64 examples', '--no-drop-last')),
    (('--micro-batch-size', '6'), ('6', 'whole ghosts of 4', '8')),
    (('--micro-batch-size', '32'), ('32', 'larger than the batch of 16')),
    (('--b', '0'), ("'0'", 'whole number from 1')),
    (('--b', '-4'), ("'-4'",)),
    (('--b', '1.5'), ("'1.5'",)),
    (('--b', 'many'), ("'many'",)),
    (('--epochs', '0'), ("'0'",)),
    (('--epochs', 'nan'), ("'nan'",)),
    (('--lr', '0'), ("'0'", 'above 0')),
    (('--lr', '-0.1'), ("'-0.1'",)),
    (('--lr', 'nan'), ("'nan'",)),
    (('--lr', 'inf'), ("'inf'",)),
    (('--momentum', '1.5'), ("'1.5'", 'below 1')),
    (('--wd', '-1'), ("'-1'",)),
    (('--clip-grad', 'nan'), ("'nan'",)),
    (('--val-fraction', '1'), ("'1'", 'below 1')),
    (('--val-fraction', '0.001'), ('0.001',)),
    (('--warmup-epochs', '-1'), ("'-1'",)),
    (('--warmup-epochs', '4'), ('4', 'longer than the run of 3 epochs')),
    (('--start-epoch', '3'), ('3', '3 epochs')),
    (('--seed', '-1'), ("'-1'",)),
    (('--seed', str(2**63)), (str(2**63),)),
    (('--print-freq', '0'), ("'0'",)),
    (('--model_config', 'width=8'), ('width=8', 'literal')),
    (('--model_config', '[8]'), ('[8]', 'dict')),
    (('--model_config', "{'wdth': 8}"), ("'wdth'", 'did you mean width')),
    (('--model_config', "{'width': 'wide'}"), ("'wide'",)),
    (('--model_config', '__import__("os").system("true")'), ('literal',)),
    (('--model', 'resnet', '--model_config', "{'depth': 45}"), ('45', '6n + 2', '44')),
    (('--regime', '{0: {'), ('literal',)),
    (('--regime', 'no_such_file'), ('no_such_file',)),
    (('--regime', "{0: {'lr': 0.1, 'momentun': 0.9}}"), ("'momentun'", 'did you mean momentum')),
    (('--regime', "{3: {'lr': 0.1}}"), ('epoch 0', "{0: {'lr': 0.1}, 30: {'lr': 0.01}}")),
    (('--regime', "{'lr': 0.1}"), ("'lr'", "{0: {'lr': 0.1}, 30: {'lr': 0.01}}")),
    (('--regime', '{}'), ('is empty', "{0: {'lr': 0.1}, 30: {'lr': 0.01}}")),
    (('--regime', "[{'lr': 0.1}]"), ("{'lr': 0.1}", "{'epoch': 0, 'lr': 0.1}")),
    (('--regime', '7'), ("'7'",)),
    (('--optimizer', 'Adam'), ('Adam', 'SGD', '--lr or --regime')),
    (('--optimizer', 'Adam', '--lr', '0.1', '--momentum', '0.9'), ('--momentum 0.9', 'Adam')),
    (('--lr_fix_policy', 'cubic'), ("'cubic'", 'sqrt')),
    (('--lr_fix_policy', 'linear', '--no-lr_bb_fix'), ('--lr_fix_policy linear', '--no-lr_bb_fix')),
    (('--flip', '--no-augment'), ('--flip', '--no-augment')),
    (('--dataset', 'digits', '--flip'), ('--flip', 'digits', '--augment')),
    (('--input_size', '99'), ('99', '12')),
    (('--dataset', 'fake:x'), ('fake:x', 'fake:NUM')),
    (('--device', 'gpu'), ('gpu', 'cuda:0')),
    (('--device', 'cuda:99'), ('cuda:99', 'cpu')),
    (('--gpus', '0,1'), ('0,1', 'one')),
    (('--type', 'torch.HalfTensor'), ('torch.HalfTensor', 'torch.FloatTensor')),
    (('--evaluate', 'no/such.pth.tar'), ('no/such.pth.tar',)),
    (('--init-from', 'no/such.pth.tar'), ('no/such.pth.tar',)),
    (('--model', 'cifar10_shallow', '--model_config', "{'dropout': 2}", '--dataset', 'fake:64:3x16x16:4'), ('2',)),
    (('--model', 'cifar10_shallow', '--model_config', '{}', '--dataset', 'fake:64:3x6x6:4'), ('6 x 6', '7 x 7')),
]


@pytest.mark.parametrize(('flags', 'words'), BAD_FLAGS, ids=lambda value: ' '.join(value)[:50])
def test_bad_flags(refused, flags, words):
    refused(*TINY, '--epochs', '3', '-mb', '4', *flags, words=words)


@pytest.mark.parametrize(('flag', 'owner'), [
    ('-mb', 'main_gbn.py'), ('--mini_batch_size=4', 'main_gbn.py'), ('--swap-workers', 'main_swap.py'),
])  # fmt: skip
def test_a_flag_of_another_script_names_that_script(refused, flag, owner):
    line = refused(*TINY, flag, '4', script=main_normal, words=(flag.split('=')[0], f'it is a flag of {owner}'))
    assert 'did you mean' not in line


def test_a_folder_of_runs_is_no_run(refused, train):
    run = train(*TINY, '-mb', '4', '--epochs', '1')
    suite = run.parent.rename(run.parent.with_name('suite'))
    for flags in (('--epochs', '2', '--resume'), ('--evaluate',), (*TINY, '-mb', '4', '--init-from')):
        for folder in (suite, suite.parent):
            refused(*flags, str(folder), words=(f'{folder}: a folder of runs', f'such as {suite / "run"}'))
    refused('--evaluate', str(suite), script=evaluate, words=('a folder of runs', f'such as {suite / "run"}'))


def test_batch_norm_over_the_whole_batch_cannot_be_split(refused):
    refused(*TINY, '--micro-batch-size', '8', script=main_normal, words=('8', '16', 'main_gbn.py'))


def test_a_batch_of_one_example_cannot_be_normalised(refused):
    for flags in (('--b', '1'), ('--b', '63', '--no-drop-last')):
        refused(*TINY, *flags, script=main_normal, words=('1 example of shape', 'more than 1 value'))


def test_a_network_with_too_few_outputs(refused):
    config = "{'width': 8, 'num_classes': 3}"
    refused(*TINY, '--model_config', config, script=main_normal, words=('(3,)', '4 classes', '--model_config'))


def test_missing_and_damaged_data(refused, tmp_path):
    empty = tmp_path / 'sets'
    empty.mkdir()
    flags = ('--model', 'mnist_f1', '--dataset', 'mnist', '--datasets-dir', str(empty))
    refused(*flags, words=(str(empty), '--download'))
    raw = empty / 'mnist' / 'MNIST' / 'raw'
    raw.mkdir(parents=True)
    for name in ('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'):
        (raw / f'{name}-ubyte').write_bytes(b'\0\0\x08')
    refused(*flags, words=('-ubyte',))


def test_npz_with_objects_or_damage(refused, tmp_path):
    path = tmp_path / 'set.npz'
    x, y = np.zeros((64, 5)), np.arange(64) % 4
    arrays = {'x_train': x, 'y_train': y, 'x_test': x, 'y_test': y}
    np.savez(path, **{**arrays, 'x_train': np.array([{'a': 1}] * 64, dtype=object)})
    flags = (*TINY, '-mb', '4', '--dataset', str(path))
    refused(*flags, words=('set.npz', 'x_train'))
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:200])
    refused(*flags, words=('set.npz',))
    refused(*TINY, '-mb', '4', '--dataset', str(tmp_path / 'none.npz'), words=('none.npz',))


def test_features_are_not_augmented(refused, tmp_path):
    path = tmp_path / 'features.npz'
    x, y = np.random.default_rng(0).normal(size=(64, 5)), np.arange(64) % 4
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    for flag in (('--augment',), ('--input_size', '4')):
        refused(*TINY, '-mb', '4', '--dataset', str(path), *flag, words=(flag[0], 'features'))


def test_save_that_exists_is_left_alone(train, refused):
    run = train(*TINY, '--epochs', '1', '-mb', '4')
    refused(*TINY, '--epochs', '1', '-mb', '4', '--save', 'run', words=('run', 'exists', '--resume'))
    assert run.is_dir()


def test_results_folder_that_cannot_be_written(refused, tmp_path):
    (tmp_path / 'file').write_text('')
    refused(*TINY, '-mb', '4', '--results_dir', str(tmp_path / 'file' / 'sub'), words=('file', '--results_dir'))


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_read_only_results_folder(refused, tmp_path):
    (tmp_path / 'locked').mkdir(mode=0o500)
    refused(*TINY, '-mb', '4', '--results_dir', str(tmp_path / 'locked'), words=('locked', '--results_dir'))


def test_damaged_and_foreign_checkpoints(train, refused, tmp_path):
    run = train(*TINY, '--epochs', '1', '-mb', '4')
    content = (run / 'checkpoint.pth.tar').read_bytes()
    torch.save({'state_dict': torch.nn.Linear(2, 2).state_dict()}, tmp_path / 'other.pth.tar')
    (tmp_path / 'half.pth.tar').write_bytes(content[: len(content) // 2])
    for flag in ('--evaluate', '--init-from'):
        refused(*TINY, '-mb', '4', flag, str(tmp_path / 'half.pth.tar'), words=('half.pth.tar', 'damaged'))
        refused(*TINY, '-mb', '4', flag, str(tmp_path / 'other.pth.tar'), words=('another network', '--model'))
        refused(
            *TINY,
            '-mb',
            '4',
            '--model_config',
            "{'width': 9, 'depth': 2}",
            flag,
            str(run / 'checkpoint.pth.tar'),
            words=('another network', '--model'),
        )
    refused(*TINY, '-mb', '4', '--resume', str(tmp_path / 'half.pth.tar'), words=('no config.json',))


def test_a_damaged_checkpoint_names_those_beside_it(train, refused):
    run = train(*TINY, '--epochs', '1', '-mb', '4')
    content = (run / 'checkpoint.pth.tar').read_bytes()
    (run / 'checkpoint.pth.tar').write_bytes(content[: len(content) // 2])
    refused('--evaluate', str(run), words=('checkpoint.pth.tar: damaged', 'cut off', 'beside it lies', 'model_best'))


def test_an_end_before_what_is_done(train, refused):
    run = train(*TINY, '--epochs', '2', '-mb', '4')
    refused('--resume', str(run), '--epochs', '1', words=('has done 2 epochs', '--epochs 1', 'give more'))


def test_weights_to_begin_with_may_be_named_by_their_run(train, capsys):
    run = train(*TINY, '--epochs', '1', '-mb', '4')
    assert main_gbn.main([*TINY, '-mb', '4', '--init-from', str(run), '--dry-run']) == 0


@pytest.mark.parametrize('line', [
    ('main_gbn.py', '--dataset', 'digits', '--model', 'mnist_f1'), ('compare_experiments.py', '.'),
])  # fmt: skip
def test_a_missing_package_is_named_with_the_remedy(line, tmp_path):
    bare = [sys.executable, '-S', str(PROJECT / line[0]), *line[1:]]  # -S: without the packages that were installed
    done = subprocess.run(bare, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert 'has no package' in done.stderr
    assert '.venv/bin/activate' in done.stderr


def test_a_missing_gpu_falls_back_only_for_published_flags(train, capsys):
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    flags = [flag for flag in TINY if flag not in ('--device', 'cpu')]
    for published in (('--gpus', '1'), ('--type', 'torch.cuda.FloatTensor')):
        assert main_gbn.main([*flags, '-mb', '4', '--dry-run', *published]) == 0
        assert 'warning: no device cuda' in capsys.readouterr().err


def test_a_config_with_fields_of_wrong_types(train, refused):
    run = train(*TINY, '--epochs', '1', '-mb', '4')
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
