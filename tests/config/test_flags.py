"""Every flag of the training scripts has an effect that can be observed."""

import contextlib
import io

import pytest
import torch

import data
from data import list_datasets
from models import list_models
from tests.conftest import TINY, main_gbn
from tests.each import check_deterministic, check_each, check_effects
from tests.updates import build, losses_of
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.engine.plan import describe_plan

BASE = (*TINY, '--epochs', '3', '-mb', '4')
# What is observed - the plan, weights after a few updates, files or lines of a run, messages -: see check_effects.
EFFECTS = {
    'files': (
        '--swa-start 2', '--save_all', '--save_all | --no-save_all', '--tensorboard',
        '--tensorboard | --no-tensorboard', '--dry-run',
    ),
    'lines': ('--stop-accuracy 1', '--print-freq 2'),
    'plan': (
        '--results_dir elsewhere', '--save a | --save b', '--dataset digits', '--input_size 6', '--val-fraction 0.25',
        '--b 24 --no-drop-last | --drop-last', '--b 24 | --no-drop-last',
        "--model_config '{}' | --model cifar10_shallow", '--model_config "{\'width\': 9}"', '--batch-size 32',
        '--batch-multiplier 2', '--micro-batch-size 8', '--base-batch-size 4 | --regime_bb_fix',
        '--base-batch-size 4 --regime_bb_fix | --no-regime_bb_fix', '--regime_bb_multi 2',
        '--model resnet --model_config "{\'depth\': 8}" | --no-channels-last', '--epochs 4', '--start-epoch 1',
        '--type torch.DoubleTensor',
    ),
    'refusal': (
        '-mb 16 | --noise-scale', '--dataset mnist | --datasets-dir /no/such/folder', '--bn-per-rank',
        '--compile reduce-overhead', '--device cuda:99',
    ),
    'steps': (
        '--sharpness-smoothing 0.1', '--ss 0.1 | --adapt-type filter', '--ss 0.1 | --noise-type normal',
        '--ss 0.1 | --smoothing-type tanh', '--ss 0.1 --smoothing-type anneal | --anneal-index 3',
        '--ss 0.1 --smoothing-type tanh | --tanh-scale 1', '--ss 0.1 --no-exclude-bn | --exclude-bn',
        '--ss 0.1 | --no-exclude-bn', '--ss 0.1 --no-denoise | --denoise', '--ss 0.1 | --no-denoise',
        '--ss 0.1 | --noise-per step', '--gradient-noise 2', '--relu_noise 0.5',
        '--model resnet --model_config "{\'depth\': 8}" | --dropout 0.5', '--duplicates 2',
        '--duplicates 2 | --copies together', '--cutout 4', '--duplicates 2 | --adapt-grad-norm 1', '--pixels unit',
        '--dataset digits | --augment', '--no-augment', '--dataset digits --augment | --flip', '--no-flip',
        '--val-fraction 0.25 | --val-seed 9', '--base-batch-size 4',
        '--base-batch-size 4 --no-lr_bb_fix | --lr_bb_fix', '--base-batch-size 4 | --no-lr_bb_fix',
        '--base-batch-size 4 | --lr_fix_policy linear', '--base-batch-size 4 | --warmup-epochs 2',
        '--warmup-epochs 2 | --warmup-start 0.5', '--base-lr-per-example 0.001', '--linear-decay',
        '--mini-batch-size 8', '--regime "{0: {\'lr\': 0.01}}"', '--lr 0.05 | --optimizer RMSprop', '--lr 0.01',
        '--momentum 0.1', '--weight-decay 0.5', '--clip-grad 0.01', '--amp bf16', '--seed 8',
    ),
    'warning': ('--workers 3', '--channels-last', '--gpus 99'),
    'loader': ('--eval-batch-size 5',),
    'epochs': ('--reset-momentum',),
    'elsewhere': (  # below, in tests/bigbatch/training and tests/engine
        '--keep last', '--standalone', '--no-standalone',
        '--download', '--init-from RUN', '--deterministic', '--resume RUN', '--evaluate RUN', '--checkpoint-minutes 1',
    ),
}  # fmt: skip
EVERY_FLAG = {text.rpartition('|')[2].split()[0] for texts in EFFECTS.values() for text in texts}


def make_parser(ghosts: bool = True):
    parser = build_parser('doc', list_models(), list_datasets(), prog='main_gbn.py' if ghosts else 'main_normal.py')
    if ghosts:
        add_ghost_args(parser, default=128)
    return parser


def weights_after(num_steps: int, *flags) -> torch.Tensor:
    """Take updates of a built experiment and return its weights as one vector."""
    experiment = build(*flags)
    losses_of(experiment, num_steps)
    return torch.cat([parameter.detach().double().flatten() for parameter in experiment.model.parameters()])


def observe(what: str, flags: tuple[str, ...], tmp_path, name: str):
    if what == 'plan':
        return describe_plan(build('--save', 'x', *flags))
    if what == 'steps':
        return weights_after(3, *flags).tolist()
    if what == 'epochs':
        return weights_after(6, *flags).tolist()  # 4 updates an epoch
    if what == 'loader':
        return len(list(build(*flags).data.val.epoch(0)))
    results = tmp_path / name
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main_gbn.main(['--results_dir', str(results), '--save', 'run', *flags])
    if what in ('warning', 'refusal'):
        return status, err.getvalue().replace(str(results), '')
    files = sorted(path.name.partition('.tfevents.')[0] for path in results.rglob('*'))  # then time and process
    return (status, files) if what == 'files' else (status, len(out.getvalue().splitlines()))


@pytest.mark.parametrize('what', [what for what in EFFECTS if what != 'elsewhere'])
def test_each_flag_has_an_effect(what, tmp_path, monkeypatch):
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path))
    check_effects(EFFECTS[what], lambda flags, name: observe(what, (*BASE, *flags), tmp_path, name))


def test_every_flag_is_in_the_table():
    for action in make_parser().actions():
        flags = {flag for flag in action.option_strings if flag.startswith('--')}
        negative = {flag for flag in flags if flag.startswith('--no-')}
        assert (flags - negative) & EVERY_FLAG and negative <= EVERY_FLAG, flags
    assert make_parser(ghosts=False).flags() | EVERY_FLAG <= make_parser().flags()


def test_download_reaches_the_data_set(monkeypatch):
    asked = []

    def get_dataset(name, split, download, **where):
        asked.append(download)
        raise ValueError('seen')

    monkeypatch.setattr(data, 'get_dataset', get_dataset)
    for flags in ((), ('--download',)):
        with pytest.raises(ValueError, match='seen'):
            build(*BASE, *flags)
    assert asked == [False, True]


def test_deterministic_asks_for_deterministic_kernels():
    check_deterministic(lambda *flags: build(*BASE, *flags))


def test_spellings():
    def check(published, ours):
        flags = (*BASE, '--save', 'x')
        first, second = (parse_config(make_parser(), [*flags, *given]).settings() for given in (published, ours))
        assert first == second

    check_each([
        (('--b', '32'), ('--batch_size', '32')),
        (('--lr-bb-fix', '--regime-bb-fix'), ('--lr_bb_fix', '--regime_bb_fix')),
        (('--no-lr-bb-fix',), ('--no-lr_bb_fix',)),
        (('-mb', '8'), ('--mini_batch_size', '8')),
        (('--wd', '0.1'), ('--weight_decay', '0.1')),
        (('-a', 'resnet', '--dataset', 'fake:64:3x16x16:4', '--model-config={}'),
         ('--model', 'resnet', '--dataset=fake:64:3x16x16:4', '--model_config', '{}')),
    ], check)  # fmt: skip


def test_the_reference_batch_is_the_published_one_and_counts_the_multiplier():
    normal = parse_config(build_parser('', list_models(), list_datasets(), prog='main_normal.py', batch_size=256), [])
    ghost = parse_config(make_parser(), [])
    assert (normal.batch_size, normal.base_batch_size, normal.ghost_batch_size) == (256, 256, None)
    assert (ghost.batch_size, ghost.base_batch_size, ghost.ghost_batch_size) == (2048, 128, 128)
    for flags, micro in ((), 16), (('--micro-batch-size', '8'), 8):
        config = parse_config(make_parser(), [*BASE, '-bm', '4', *flags])
        assert (config.batch_size, config.micro_batch_size) == (64, micro)
