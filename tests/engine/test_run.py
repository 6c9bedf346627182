"""Whole runs in this process: their files, resuming, forking, scoring."""

import contextlib
import json
import pkgutil
import shlex
import shutil

import pytest
import torch
import torch.nn.functional as F

import data
import models
from bigbatch.training.trainer import Trainer
from tests.bigbatch.training.test_partial_epochs import Killed, assert_same_run
from tests.conftest import TINY, TINY_GBN, TINY_NORMAL, main_gbn, main_normal, read_json, read_rows, stable_rows
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser
from utils.reports.pages.run_page import write_run_page
from utils.runs import checkpoint as checkpoints
from utils.runs.columns import DISTANCE_COLUMNS, RESULT_COLUMNS
from utils.runs.writer import Budget

FILES = {
    'config.json', 'results.csv', 'weight_distance.csv', 'results.html', 'log.txt', 'checkpoint.pth.tar',
    'checkpoint_previous.pth.tar', 'model_best.pth.tar', 'initial.pth.tar',
}  # fmt: skip
PAGE = 'utils.reports.pages.run_page.write_run_page'


@pytest.fixture(scope='module')
def finished(train_once):
    return train_once(*TINY_GBN, '--save_all')


@pytest.fixture
def run(finished, tmp_path):
    """A run that kept every checkpoint, to be changed."""
    return shutil.copytree(finished, tmp_path / 'results' / 'run')


@pytest.mark.parametrize(('script', 'flags'), [(main_normal, TINY_NORMAL), (main_gbn, TINY_GBN)])
def test_files_of_a_run(train, monkeypatch, script, flags):
    monkeypatch.setattr(PAGE, write_run_page)
    run = train(*flags, script=script)
    assert {path.name for path in run.iterdir()} == FILES
    rows = read_rows(run / 'results.csv')
    assert tuple(rows[0]) == RESULT_COLUMNS
    assert [(row['epoch'], row['step']) for row in rows] == [('1', '4'), ('2', '8'), ('3', '12')]
    assert [float(row['lr']) for row in rows] == pytest.approx([0.05, 0.05, 0.005])
    distances = read_rows(run / 'weight_distance.csv')
    assert tuple(distances[0]) == DISTANCE_COLUMNS
    assert [int(row['step']) for row in distances] == [*range(1, 11), 12]
    assert distances[-1]['weight_distance'] == rows[-1]['weight_distance']
    config = read_json(run / 'config.json')
    assert config['status'] == 'done'
    assert config['settings']['batch_size'] == 16
    assert config['settings']['ghost_batch_size'] == (4 if script is main_gbn else None)
    assert config['regime'][1] == {'epoch': 2, 'optimizer': 'SGD', 'lr': 0.005, 'momentum': 0.9, 'weight_decay': 1e-4}
    assert config['command'].startswith(f'python {script.__name__}.py --dataset fake')
    assert {'commit', 'dirty'} == set(config['git'])


def test_checkpoints_hold_plain_values_and_the_distance_is_from_step_0(finished):
    final = checkpoints.load_checkpoint(finished / 'checkpoint.pth.tar')
    initial = checkpoints.load_state(finished / 'initial.pth.tar')
    squared = sum(
        float(((value - initial[name]).double() ** 2).sum())
        for name, value in final['state_dict'].items()
        if not name.endswith(('running_mean', 'running_var', 'num_batches_tracked'))
    )
    rows = read_rows(finished / 'results.csv')
    assert float(rows[-1]['weight_distance']) == pytest.approx(squared**0.5, rel=1e-6)
    best = checkpoints.load_checkpoint(finished / 'model_best.pth.tar')
    errors = [float(row['val_error1']) for row in rows]
    assert best['best'] == {'epoch': errors.index(min(errors)) + 1, 'val_error1': min(errors)}
    assert best['epoch'] == best['best']['epoch']


def test_a_run_killed_within_an_epoch_and_resumed_equals_one_that_was_not(train, tmp_path, monkeypatch):
    flags, original = (*TINY_NORMAL, '--augment', '--flip'), Trainer._train_step
    straight = train(*flags, script=main_normal, save='straight')
    for step in (1, 4, 6, 11):
        killed = tmp_path / 'results' / f'killed{step}'

        def dies(self, batch, watch, step=step):
            if self.step == step:
                raise Killed
            return original(self, batch, watch)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Trainer, '_train_step', dies)
            train(*flags, script=main_normal, save=killed.name)
        assert read_json(killed / 'config.json')['status'] == 'running'
        assert main_normal.main(['--resume', str(killed)]) == 0
        assert_same_run(killed, straight)
        assert read_json(killed / 'config.json')['status'] == 'done'


def test_epochs_may_grow_and_dropout_goes_on_where_it_was(train):
    """One epoch, then resumed up to three, equals three; the network draws dropout from the global generator."""
    flags = (*TINY, '-mb', '8', '--model', 'cifar10_shallow', '--model_config', '{}', '--dataset', 'fake:32:3x12x12:4')
    straight = train(*flags, '--epochs', '3', save='straight')
    split = train(*flags, '--epochs', '1', save='split')
    for more in (('--epochs', '3'), ()):  # the second time all epochs are done: nothing happens
        assert main_gbn.main(['--resume', str(split), *more]) == 0
        assert_same_run(split, straight)


def test_rows_past_the_checkpoint_are_made_again(finished, run):
    shutil.copyfile(run / 'checkpoint_epoch_2.pth.tar', run / 'checkpoint.pth.tar')
    text = (run / 'results.csv').read_text()
    (run / 'results.csv').write_text(text[:-15])  # a torn last line
    assert main_gbn.main(['--resume', str(run)]) == 0
    assert_same_run(run, finished)
    assert main_gbn.main(['--resume', str(run / 'checkpoint_epoch_1.pth.tar')]) == 0
    assert_same_run(run, finished)


def test_a_fork_leaves_the_first_run_alone(train, run, tmp_path):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    fork = train('--resume', str(run), '--epochs', '5', save='fork')
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert stable_rows(fork)[:3] == stable_rows(run)
    assert len(stable_rows(fork)) == 5
    assert stable_rows(fork) == stable_rows(train(*TINY_GBN, '--epochs', '5', save='straight'))


def test_a_run_that_goes_on_often_stores_the_last_of_each_flag(train):
    run = train(*TINY, '-mb', '4', '--epochs', '1')
    begun = read_json(run / 'config.json')['argv']
    for epochs in ('2', '3'):
        assert main_gbn.main(['--resume', str(run), '--epochs', epochs, '--save-all', '--print-freq', '2']) == 0
    stored = read_json(run / 'config.json')
    position = begun.index('--epochs')
    added = ['--resume', str(run), '--epochs', '3', '--save-all', '--print-freq', '2']
    assert stored['argv'] == [*begun[:position], *begun[position + 2 :], *added]
    assert shlex.split(stored['command']) == ['python', 'main_gbn.py', *stored['argv']]
    parser = build_parser(None, [], [], prog='main_gbn.py')
    add_ghost_args(parser, default=128)
    for words, left in (
        ('-b32 --batch-size=64', '--batch-size=64'),
        ('--b 64 -b32 --lr 1', '-b32 --lr 1'),
        ('--no-flip --lr -1 --flip', '--lr -1 --flip'),
        ('--cutout --cutout 4 --lr_bb_fix --no-lr-bb-fix', '--cutout 4 --no-lr-bb-fix'),
        ('-mb 4 --mini_batch_size 8 --save a', '--mini_batch_size 8 --save a'),
        ('stray --lr 1', 'stray --lr 1'),
        ('', ''),
    ):
        assert parser.last_of_each(words.split()) == left.split()


def test_resume_refuses_what_may_not_change(run, refused):
    refused('--resume', str(run), '--no-lr_bb_fix', words=('lr_scaling', 'sqrt', 'none'))
    refused('--resume', str(run), script=main_normal, words=('main_gbn.py', 'main_normal.py'))
    config = read_json(run / 'config.json')
    (run / 'config.json').write_text(json.dumps({**config, 'data': 'another'}))
    refused('--resume', str(run), '--epochs', '5', words=('training set', 'another'))


def test_init_from_starts_at_the_weights_with_a_fresh_optimizer(finished, train):
    again = train(*TINY_GBN, '--init-from', str(finished / 'checkpoint.pth.tar'))
    first = checkpoints.load_state(again / 'initial.pth.tar')
    last = checkpoints.load_state(finished / 'checkpoint.pth.tar')
    assert all(torch.equal(first[name], value) for name, value in last.items())
    assert len(stable_rows(again)) == 3
    assert float(read_rows(again / 'weight_distance.csv')[0]['weight_distance']) < 1.0


def test_evaluate_scores_as_the_last_row_and_writes_nothing(finished, capsys):
    before = sorted(finished.parent.rglob('*'))
    for script in (main_gbn, main_normal):  # ordinary batch norm both, in eval mode; the run names model and data
        capsys.readouterr()
        assert script.main(['--evaluate', str(finished / 'checkpoint.pth.tar'), '--device', 'cpu']) == 0
        row = stable_rows(finished)[-1]
        shown = f'loss {float(row["val_loss"]):.4f}  error@1 {float(row["val_error1"]):.2f} %'
        assert shown in capsys.readouterr().out
    assert sorted(finished.parent.rglob('*')) == before


def test_val_fraction_scores_the_test_set_once(train, finished):
    run = train(*TINY_GBN, '--val-fraction', '0.25')
    config = read_json(run / 'config.json')
    assert config['steps_per_epoch'] == 3  # 48 of 64 examples in batches of 16
    assert read_json(finished / 'config.json')['test'] is None
    model = models.create_model('mnist_f1', width=8, depth=2, num_classes=4, input_shape=(1, 8, 8)).eval()
    checkpoints.load_weights(model, checkpoints.load_state(run / 'checkpoint.pth.tar'), run)
    test_set = data.get_dataset('fake:64:1x8x8:4', 'test')
    logits = model((test_set.images.float() / 255 - 0.5) / 0.5)
    assert config['test']['loss'] == pytest.approx(F.cross_entropy(logits, test_set.targets).item(), rel=1e-5)
    assert config['test']['error1'] == pytest.approx(100 * (logits.argmax(1) != test_set.targets).float().mean().item())
    assert config['test']['loss'] != pytest.approx(float(stable_rows(run)[-1]['val_loss']), rel=1e-3)


def assert_kept(run, epoch: int) -> dict:
    """Assert that a run diverged after so many good epochs, of which the last is saved; returns its config.json."""
    config = read_json(run / 'config.json')
    assert config['status'] == 'diverged'
    assert len(stable_rows(run)) == epoch
    kept = checkpoints.load_checkpoint(run / 'checkpoint.pth.tar')
    assert kept['epoch'] == epoch
    assert all(value.isfinite().all() for value in kept['state_dict'].values())
    return config


def test_a_diverged_run_keeps_its_last_good_checkpoint_and_is_a_result(train, tmp_path, capsys, refused):
    flags = [*TINY_NORMAL, '--clip-grad', '0', '--regime', "{0: {'lr': 0.05}, 1: {'lr': 1e30}}", '--save_all']
    assert train(*flags, script=main_normal) == 3
    run = tmp_path / 'results' / 'run'
    config = assert_kept(run, 1)
    assert all(word in config['message'] for word in ('epoch 2', 'step', 'learning rate 1e+30', 'gradient norm'))
    assert config['message'] in capsys.readouterr().err
    refused('--resume', str(run), script=main_normal, words=('diverged',))
    for epochs in ('1', '2'):  # weights that explode in the last update of an epoch
        flags = (*TINY_NORMAL, '--b', '64', '--clip-grad', '0', '--lr', '1e30', '--epochs', epochs)
        assert train(*flags, script=main_normal, save=epochs) == 3
        assert_kept(tmp_path / 'results' / epochs, 0)


def test_a_run_that_ends_early_saves_its_last_finished_epoch_and_its_best(train, tmp_path, monkeypatch):
    monkeypatch.setattr('utils.runs.writer.Budget.allows', lambda self: False)  # as if epochs were short
    flags = [*TINY_NORMAL, '--clip-grad', '0', '--epochs', '9', '--regime', "{0: {'lr': 0.05}, 7: {'lr': 1e30}}"]
    assert train(*flags, script=main_normal) == 3
    run = tmp_path / 'results' / 'run'
    latest, best = (checkpoints.load_checkpoint(run / name) for name in ('checkpoint.pth.tar', 'model_best.pth.tar'))
    errors = [float(row['val_error1']) for row in stable_rows(run)]
    assert latest['epoch'] == len(errors) == 7
    assert best['epoch'] == latest['best']['epoch'] == errors.index(min(errors)) + 1


def test_a_failure_is_recorded_and_shown_and_that_of_a_page_does_not_end_the_run(train, tmp_path, monkeypatch, capsys):
    def fails(*_):
        raise ValueError('a bug of ours')

    with monkeypatch.context() as patch:
        patch.setattr(PAGE, fails)
        run = train(*TINY_GBN, save='page')
    assert read_json(run / 'config.json')['status'] == 'done'
    assert 'could not be written' in capsys.readouterr().err
    monkeypatch.setattr(Trainer, '_train_step', fails)
    with pytest.raises(ValueError, match='a bug of ours'):
        train(*TINY_GBN)
    config = read_json(tmp_path / 'results' / 'run' / 'config.json')
    assert (config['status'], config['message']) == ('failed', 'ValueError: a bug of ours')


def test_checkpoints_and_pages_keep_to_their_share_of_the_time():
    now = [0.0]
    budget = Budget(0.05, 0.5, clock=lambda: now[0])
    runs = 0
    for _ in range(10_000):
        now[0] += 0.01
        if budget.allows():
            budget.run(lambda: now.__setitem__(0, now[0] + 0.5))
            runs += 1
    assert 0.5 * runs <= 0.05 * now[0]
    assert 0.5 * (runs + 2) > 0.05 * now[0]


WRITES = (
    'utils.files:os.replace', 'utils.runs.folder:os.rename', 'utils.runs.folder:shutil.copyfile',
    'utils.runs.writer:append_rows',
)  # fmt: skip


@contextlib.contextmanager
def killed_at_write(monkeypatch, number: int):
    """Stop the process, as it were, just before its n-th change of a file that others may read."""
    count = [0]
    with monkeypatch.context() as patched:
        for name in WRITES:
            original = pkgutil.resolve_name(name)

            def counted(*arguments, original=original, **settings):
                count[0] += 1
                if count[0] >= number:  # nothing after the kill reaches the disk either
                    raise Killed
                return original(*arguments, **settings)

            patched.setattr(name.replace(':', '.'), counted)
        yield count


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['new', 'rewound', 'fork'])
def test_a_kill_between_any_two_writes_loses_nothing(train, tmp_path, monkeypatch, kind):
    flags = (*TINY_GBN, '--save_all', '--val-fraction', '0.25')
    straight = train(*flags, save='straight')
    results = tmp_path / 'results'
    for number in range(1, 60):
        base, name = f'base{number}', f'run{number}'
        if kind == 'new':
            command = [*flags, '--results_dir', str(results), '--save', name]
        else:
            shutil.copytree(straight, results / base)
            command = ['--resume', str(results / base / 'checkpoint_epoch_1.pth.tar')]
            command += ['--save', name, '--results_dir', str(results)] if kind == 'fork' else []
        run = results / (base if kind == 'rewound' else name)
        with killed_at_write(monkeypatch, number) as count, contextlib.suppress(Killed):
            main_gbn.main(command)
        if count[0] < number:
            assert number > 8
            return
        if not (run / 'config.json').exists():  # killed before the folder appeared: the command is given again
            assert not run.exists()
            assert main_gbn.main(command) == 0
        for _ in range(2):  # as a user or a sweep does with a run that was killed
            if read_json(run / 'config.json')['status'] != 'done':
                assert main_gbn.main(['--resume', str(run)]) == 0
        assert_same_run(run, straight)
        for epoch in (2, 3):
            assert checkpoints.load_checkpoint(run / f'checkpoint_epoch_{epoch}.pth.tar')['epoch'] == epoch
        config, expected = (read_json(folder / 'config.json') for folder in (run, straight))
        assert (config['status'], config['test']) == ('done', expected['test'])
    raise AssertionError('more writes than expected')
