"""Checkpoints within an epoch: what goes on from one equals what was never stopped, to the last bit."""

import functools

import pytest
import torch

from bigbatch.training.report import DistancePoint, PartialEpoch
from bigbatch.training.trainer import Trainer
from tests.conftest import TINY, TINY_GBN, main_gbn, main_normal, read_rows, stable_rows
from tests.data_helpers import write_folder
from tests.goldens.compare import described, stable_table
from utils.runs import checkpoint as checkpoints

SAVES = ('--checkpoint-minutes', '1e-9')
PHOTOS = '--model cifar10_shallow --model_config {} --dataset'
RUNS = {  # script, flags before others, others
    'plain': (main_normal, TINY, '--epochs 3'),
    'micro': (
        main_gbn, TINY_GBN, '--micro-batch-size 8 --no-drop-last --b 24 --no-lr_bb_fix --reset-momentum --lr 0.01 '
        '--optimizer Adam',
    ),
    'smooth': (main_gbn, TINY_GBN, '--sharpness-smoothing 0.01 --swa-start 2 --save_all --val-fraction 0.25'),
    'noise scale': (main_gbn, TINY_GBN, '--noise-scale --warmup-epochs 2 --linear-decay'),
    'copies': (main_gbn, TINY_GBN, '--duplicates 2 --adapt-grad-norm 2 --gradient-noise 0.1 --cutout 2'),
    'dropout': (main_gbn, TINY, f'{PHOTOS} fake:64:3x12x12:4 --epochs 3 -mb 8'),
    'fp16': (main_gbn, TINY_GBN, '--amp fp16'),
    'stream': (main_gbn, TINY_GBN, f'{PHOTOS} FOLDER --workers 0'),
}  # fmt: skip


class Killed(BaseException):
    """Stands for a process that is gone."""


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    return str(write_folder(tmp_path_factory.mktemp('photos'), classes='abcd', num=8, size=(20, 20)))


def assert_same_run(run, straight) -> None:
    for name in ('results.csv', 'weight_distance.csv'):
        assert stable_table((run / name).read_text()) == stable_table((straight / name).read_text())
    for name in ('checkpoint.pth.tar', 'model_best.pth.tar'):
        contents = [{**checkpoints.load_file(folder / name), 'config': None} for folder in (run, straight)]
        lines, others = (list(described('', content)) for content in contents)
        assert lines == others != [], name


@pytest.fixture
def die_after(monkeypatch):
    """Have training end after an update, as if the process were killed once it is saved; None: have it go on."""
    original = Trainer._save_or_stop

    def set_step(step):
        def dies(self, progress):
            original(self, progress)
            if self.step == step:
                raise Killed

        monkeypatch.setattr(Trainer, '_save_or_stop', dies)

    return set_step


@pytest.mark.parametrize('name', RUNS)
def test_going_on_from_any_update_gives_the_same_run(train, monkeypatch, name, photos, die_after):
    """A checkpoint after every update; the process dies after the first, within epochs, and after all of an epoch."""
    script, flags, others = RUNS[name]
    flags = [*flags, *(photos if word == 'FOLDER' else word for word in others.split())]
    # float16 that begins with a scale at which the first updates are lost
    monkeypatch.setattr(torch.amp, 'GradScaler', functools.partial(torch.amp.GradScaler, init_scale=2.0**20))
    straight = train(*flags, script=script, save='straight')
    num_steps, run = int(stable_rows(straight)[-1]['step']), straight.parent / 'run'
    command = [*flags, *SAVES, '--results_dir', str(run.parent), '--save', 'run']
    for step in (1, num_steps // 3, num_steps // 2 + 1, num_steps):
        die_after(step)
        with pytest.raises(Killed):
            script.main(command)
        saved = checkpoints.load_checkpoint(run / 'checkpoint.pth.tar')
        assert saved['step'] == step
        assert saved['partial']['num_steps'] == step - checkpoints.first_step_of_epoch(saved)
        assert len(read_rows(run / 'results.csv')) == saved['epoch']
        command = ['--resume', str(run), *SAVES]
    die_after(None)
    assert script.main(command) == 0
    assert_same_run(run, straight)
    assert not list(run.glob('.*'))


def test_rows_of_an_epoch_that_a_checkpoint_is_within_are_made_again(train):
    """Gone back to the middle of an epoch, its points of weight_distance.csv would else be there twice."""
    straight, run = train(*TINY_GBN, save='straight'), train(*TINY_GBN, *SAVES, save='run')
    half = PartialEpoch(
        num_steps=2, seconds=0.0, score_sums={'sums': [0.0, 0.0, 0.0], 'num_examples': 32}, norm_sum=0.0, num_norms=2,
        num_skipped=0, last_grad_norm=0.0, distances=(DistancePoint(5, 1.0, 2.0),),
    )  # fmt: skip
    content = checkpoints.load_checkpoint(run / 'checkpoint_previous.pth.tar')
    content |= {'epoch': 1, 'step': 6, 'partial': half.state_dict()}
    checkpoints.save_checkpoint(run / 'half.pth.tar', content)
    assert main_gbn.main(['--resume', str(run / 'half.pth.tar')]) == 0
    steps = [row['step'] for row in read_rows(run / 'weight_distance.csv')]
    assert steps == [row['step'] for row in read_rows(straight / 'weight_distance.csv') if row['step'] != '6']
    assert [row['epoch'] for row in stable_rows(run)] == ['1', '2', '3']


def test_the_weights_within_an_epoch_do_not_pass_for_the_best(train):
    """Once model_best is gone, the checkpoint after some updates more is no replacement."""
    run = train(*TINY_GBN, *SAVES)
    best = checkpoints.load_checkpoint(run / 'checkpoint.pth.tar')['best']
    within = checkpoints.load_checkpoint(run / 'checkpoint_previous.pth.tar')
    within |= {'epoch': best['epoch'], 'best': best, 'step': 4 * best['epoch'] + 1}
    within['partial']['num_steps'] = 1
    checkpoints.save_checkpoint(run / 'checkpoint.pth.tar', within)
    (run / 'model_best.pth.tar').write_bytes(b'damaged')
    assert main_gbn.main(['--resume', str(run)]) == 0
    best = run / 'model_best.pth.tar'
    assert best.read_bytes() == b'damaged' or not checkpoints.load_checkpoint(best)['partial']


def test_an_older_checkpoint_without_partial_epochs_is_gone_on_with(train):
    straight, run = train(*TINY_GBN, save='straight'), train(*TINY_GBN, '--save_all')
    content = checkpoints.load_checkpoint(run / 'checkpoint_epoch_1.pth.tar')
    del content['partial'], content['config']['checkpoint_minutes']
    checkpoints.save_checkpoint(run / 'old.pth.tar', content)
    assert main_gbn.main(['--resume', str(run / 'old.pth.tar')]) == 0
    assert stable_rows(run) == stable_rows(straight)


def test_an_older_partial_epoch_counts_all_its_updates():
    state = PartialEpoch(3, 0.0, {}, 6.0, 3, 0, 2.0, ()).state_dict()
    older = {name: value for name, value in state.items() if name not in ('num_norms', 'num_skipped')}
    assert PartialEpoch.is_state_dict(older)
    assert not PartialEpoch.is_state_dict({**older, 'more': 0})
    assert PartialEpoch.from_state_dict(older).state_dict() == state
    del state['seconds']
    assert not PartialEpoch.is_state_dict(state)


def test_a_fork_from_within_an_epoch(train, die_after):
    straight = train(*TINY_GBN, save='straight')
    die_after(6)
    with pytest.raises(Killed):
        train(*TINY_GBN, *SAVES, save='run')
    die_after(None)
    run = straight.parent / 'run'
    assert main_gbn.main(['--resume', str(run), '--save', 'fork', '--results_dir', str(run.parent)]) == 0
    assert_same_run(straight.parent / 'fork', straight)
    assert len(stable_rows(run)) == 1
