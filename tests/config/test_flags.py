"""Every flag of the training scripts has an effect that can be observed, and each is run.

The table names for each flag what changes: the plan (its printed text), the steps (weights after a few updates), the
files or the lines of a run, a warning, or the message of a refusal.
"""

from __future__ import annotations

import contextlib
import io

import pytest
import torch

import data
from data import list_datasets
from models import list_models
from tests.conftest import TINY, main_gbn, main_normal, read_json
from utils.config.batch import add_ghost_args
from utils.config.parse import build_parser, parse_config
from utils.engine.experiment import build_experiment
from utils.engine.plan import describe_plan
from utils.runs import checkpoint as checkpoints

BASE = (*TINY, '--epochs', '3', '-mb', '4')
# flag -> (what is observed, flags common to both sides, the flag with its value)
EFFECTS = {
    '--swa-start': ('files', (), ('--swa-start', '2')),
    '--stop-accuracy': ('lines', (), ('--stop-accuracy', '1')),
    '--results_dir': ('plan', (), ('--results_dir', 'elsewhere')),
    '--save': ('plan', ('--save', 'a'), ('--save', 'b')),
    '--save_all': ('files', (), ('--save_all',)),
    '--no-save_all': ('files', ('--save_all',), ('--no-save_all',)),
    '--checkpoint-minutes': ('saves', (), ('--checkpoint-minutes', '1e-9')),  # tests/bigbatch/training
    '--tensorboard': ('files', (), ('--tensorboard',)),
    '--no-tensorboard': ('files', ('--tensorboard',), ('--no-tensorboard',)),
    '--noise-scale': ('refusal', ('-mb', '16'), ('--noise-scale',)),
    '--print-freq': ('lines', (), ('--print-freq', '2')),
    '--sharpness-smoothing': ('steps', (), ('--sharpness-smoothing', '0.1')),
    '--adapt-type': ('steps', ('--ss', '0.1'), ('--adapt-type', 'filter')),
    '--noise-type': ('steps', ('--ss', '0.1'), ('--noise-type', 'normal')),
    '--smoothing-type': ('steps', ('--ss', '0.1'), ('--smoothing-type', 'tanh')),
    '--anneal-index': ('steps', ('--ss', '0.1', '--smoothing-type', 'anneal'), ('--anneal-index', '3')),
    '--tanh-scale': ('steps', ('--ss', '0.1', '--smoothing-type', 'tanh'), ('--tanh-scale', '1')),
    '--exclude-bn': ('steps', ('--ss', '0.1', '--no-exclude-bn'), ('--exclude-bn',)),
    '--no-exclude-bn': ('steps', ('--ss', '0.1'), ('--no-exclude-bn',)),
    '--denoise': ('steps', ('--ss', '0.1', '--no-denoise'), ('--denoise',)),
    '--no-denoise': ('steps', ('--ss', '0.1'), ('--no-denoise',)),
    '--noise-per': ('steps', ('--ss', '0.1'), ('--noise-per', 'step')),
    '--gradient-noise': ('steps', (), ('--gradient-noise', '2')),
    '--relu_noise': ('steps', (), ('--relu_noise', '0.5')),
    '--dropout': ('steps', ('--model', 'resnet', '--model_config', "{'depth': 8}"), ('--dropout', '0.5')),
    '--duplicates': ('steps', (), ('--duplicates', '2')),
    '--copies': ('steps', ('--duplicates', '2'), ('--copies', 'together')),
    '--cutout': ('steps', (), ('--cutout', '4')),
    '--adapt-grad-norm': ('steps', ('--duplicates', '2'), ('--adapt-grad-norm', '1')),
    '--dataset': ('plan', (), ('--dataset', 'digits')),
    '--datasets-dir': ('refusal', ('--dataset', 'mnist'), ('--datasets-dir', '/no/such/folder')),
    '--download': ('download', ('--dataset', 'mnist'), ('--download',)),
    '--input_size': ('plan', (), ('--input_size', '6')),
    '--pixels': ('steps', (), ('--pixels', 'unit')),
    '--augment': ('steps', ('--dataset', 'digits'), ('--augment',)),
    '--no-augment': ('steps', (), ('--no-augment',)),
    '--flip': ('steps', ('--dataset', 'digits', '--augment'), ('--flip',)),
    '--no-flip': ('steps', (), ('--no-flip',)),
    '--val-fraction': ('plan', (), ('--val-fraction', '0.25')),
    '--val-seed': ('steps', ('--val-fraction', '0.25'), ('--val-seed', '9')),
    '--drop-last': ('plan', ('--b', '24', '--no-drop-last'), ('--drop-last',)),
    '--no-drop-last': ('plan', ('--b', '24'), ('--no-drop-last',)),
    '--workers': ('warning', (), ('--workers', '3')),
    '--model': ('plan', ('--model_config', '{}'), ('--model', 'cifar10_shallow')),
    '--model_config': ('plan', (), ('--model_config', "{'width': 9}")),
    '--init-from': ('init', (), ('--init-from', 'CHECKPOINT')),
    '--batch-size': ('plan', (), ('--batch-size', '32')),
    '--batch-multiplier': ('plan', (), ('--batch-multiplier', '2')),
    '--micro-batch-size': ('plan', (), ('--micro-batch-size', '8')),
    '--bn-per-rank': ('refusal', (), ('--bn-per-rank',)),
    '--base-batch-size': ('steps', (), ('--base-batch-size', '4')),
    '--eval-batch-size': ('loader', (), ('--eval-batch-size', '5')),
    '--lr_bb_fix': ('steps', ('--base-batch-size', '4', '--no-lr_bb_fix'), ('--lr_bb_fix',)),
    '--no-lr_bb_fix': ('steps', ('--base-batch-size', '4'), ('--no-lr_bb_fix',)),
    '--lr_fix_policy': ('steps', ('--base-batch-size', '4'), ('--lr_fix_policy', 'linear')),
    '--regime_bb_fix': ('plan', ('--base-batch-size', '4'), ('--regime_bb_fix',)),
    '--no-regime_bb_fix': ('plan', ('--base-batch-size', '4', '--regime_bb_fix'), ('--no-regime_bb_fix',)),
    '--regime_bb_multi': ('plan', (), ('--regime_bb_multi', '2')),
    '--warmup-epochs': ('steps', ('--base-batch-size', '4'), ('--warmup-epochs', '2')),
    '--warmup-start': ('steps', ('--warmup-epochs', '2'), ('--warmup-start', '0.5')),
    '--base-lr-per-example': ('steps', (), ('--base-lr-per-example', '0.001')),
    '--linear-decay': ('steps', (), ('--linear-decay',)),
    '--mini-batch-size': ('steps', (), ('--mini-batch-size', '8')),
    '--regime': ('steps', (), ('--regime', "{0: {'lr': 0.01}}")),
    '--optimizer': ('steps', ('--lr', '0.05'), ('--optimizer', 'RMSprop')),
    '--lr': ('steps', (), ('--lr', '0.01')),
    '--momentum': ('steps', (), ('--momentum', '0.1')),
    '--weight-decay': ('steps', (), ('--weight-decay', '0.5')),
    '--reset-momentum': ('epochs', (), ('--reset-momentum',)),
    '--clip-grad': ('steps', (), ('--clip-grad', '0.01')),
    '--amp': ('steps', (), ('--amp', 'bf16')),
    '--compile': ('refusal', (), ('--compile', 'reduce-overhead')),  # tests/engine/test_compile.py
    '--channels-last': ('warning', (), ('--channels-last',)),
    '--no-channels-last': ('plan', ('--model', 'resnet', '--model_config', "{'depth': 8}"), ('--no-channels-last',)),
    '--epochs': ('plan', (), ('--epochs', '4')),
    '--start-epoch': ('plan', (), ('--start-epoch', '1')),
    '--seed': ('steps', (), ('--seed', '8')),
    '--device': ('refusal', (), ('--device', 'cuda:99')),
    '--type': ('plan', (), ('--type', 'torch.DoubleTensor')),
    '--gpus': ('warning', (), ('--gpus', '99')),
    '--deterministic': ('deterministic', (), ('--deterministic',)),
    '--resume': ('resume', (), ('--resume', 'RUN')),
    '--evaluate': ('evaluate', (), ('--evaluate', 'CHECKPOINT')),
    '--dry-run': ('files', (), ('--dry-run',)),
}


def make_parser(ghosts: bool = True):
    parser = build_parser('doc', list_models(), list_datasets(), prog='main_gbn.py' if ghosts else 'main_normal.py')
    if ghosts:
        add_ghost_args(parser, default=128)
    return parser


def build(*flags):
    return build_experiment(parse_config(make_parser(), list(flags)))


def weights_after(num_steps: int, *flags) -> torch.Tensor:
    """Take updates of a built experiment, starting a new epoch where one begins."""
    experiment = build(*flags)
    experiment.model.train()
    step = 0
    for epoch in range(2):
        experiment.optimizer.start_epoch(epoch)
        for batch in experiment.data.train.epoch(epoch):
            if step == num_steps:
                break
            experiment.optimizer.zero_grad()
            experiment.estimator(experiment.model, experiment.criterion, batch, step=step)
            if experiment.config.clip_grad:
                torch.nn.utils.clip_grad_norm_(experiment.optimizer.parameters, experiment.config.clip_grad)
            experiment.optimizer.step(step)
            step += 1
    return torch.cat([parameter.detach().double().flatten() for parameter in experiment.model.parameters()])


def observe(what: str, flags: tuple[str, ...], tmp_path, name: str):
    """Return something comparable that a command line leads to."""
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


OBSERVED = ('plan', 'steps', 'epochs', 'loader', 'files', 'lines', 'warning', 'refusal')
SIMPLE = [flag for flag, (what, _, _) in EFFECTS.items() if what in OBSERVED]


@pytest.mark.parametrize('flag', SIMPLE)
def test_effect(flag, tmp_path, monkeypatch):
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path))
    what, common, given = EFFECTS[flag]
    without = observe(what, (*BASE, *common), tmp_path, 'without')
    assert observe(what, (*BASE, *common), tmp_path, 'again') == without
    assert observe(what, (*BASE, *common, *given), tmp_path, 'with') != without


def test_every_flag_is_in_the_table():
    for ghosts in (True, False):
        for action in make_parser(ghosts).actions():
            positive = [flag for flag in action.option_strings if flag[:2] == '--' and flag[:5] != '--no-']
            assert any(flag in EFFECTS for flag in positive), action.option_strings
            for flag in action.option_strings:
                assert not flag.startswith('--no-') or flag in EFFECTS, flag
    assert set(EFFECTS) <= make_parser().flags()


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
    try:
        build(*BASE)
        assert not torch.are_deterministic_algorithms_enabled()
        build(*BASE, '--deterministic')
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_init_from_resume_and_evaluate(train, capsys, monkeypatch):
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
    run = train(*BASE)
    checkpoint = str(run / 'checkpoint.pth.tar')
    saved = checkpoints.load_state(checkpoint)
    model = build(*BASE, '--init-from', checkpoint).model
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())
    assert build('--resume', str(run)).first_epoch == 3
    capsys.readouterr()
    assert main_gbn.main(['--evaluate', checkpoint, '--device', 'cpu']) == 0
    assert 'error@1' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('published', 'ours'),
    [
        (('--b', '32'), ('--batch-size', '32')),
        (('-b', '32'), ('--batch_size', '32')),
        (('--lr-bb-fix', '--regime-bb-fix'), ('--lr_bb_fix', '--regime_bb_fix')),
        (('--no-lr-bb-fix',), ('--no-lr_bb_fix',)),
        (('-mb', '8'), ('--mini_batch_size', '8')),
        (('--learning_rate', '0.1'), ('--learning-rate', '0.1')),
        (('--wd', '0.1'), ('--weight_decay', '0.1')),
        (('--start_epoch', '1'), ('--start-epoch', '1')),
        (('-a', 'resnet', '--dataset', 'fake:64:3x16x16:4', '--model-config={}'),
         ('--model', 'resnet', '--dataset=fake:64:3x16x16:4', '--model_config', '{}')),
    ],
)  # fmt: skip
def test_spellings(published, ours):
    flags = (*BASE, '--save', 'x')
    first, second = (parse_config(make_parser(), [*flags, *given]).settings() for given in (published, ours))
    assert first == second


def test_published_defaults():
    normal = parse_config(build_parser('', list_models(), list_datasets(), prog='main_normal.py', batch_size=256), [])
    ghost = parse_config(make_parser(), [])
    assert (normal.batch_size, normal.base_batch_size, normal.ghost_batch_size) == (256, 256, None)
    assert (ghost.batch_size, ghost.base_batch_size, ghost.ghost_batch_size) == (2048, 128, 128)
    for config in (normal, ghost):
        assert (config.dataset, config.model, config.epochs, config.seed) == ('cifar10', 'resnet', 200, 123)
        assert (config.lr_scaling, config.regime_bb_fix, config.clip_grad) == ('sqrt', False, 5.0)


def test_the_reference_batch_counts_the_multiplier():
    config = parse_config(make_parser(), [*BASE, '-bm', '4'])
    assert (config.batch_size, config.micro_batch_size) == (64, 16)
    assert parse_config(make_parser(), [*BASE, '-bm', '4', '--micro-batch-size', '8']).micro_batch_size == 8


def test_help_names_defaults_and_lists(capsys):
    for script in (main_gbn, main_normal):
        assert script.main(['--help']) == 0
        shown = capsys.readouterr().out
        for word in ('mnist_f1', 'digits', '(default: 200)', '(default: 5.0)', 'python main_'):
            assert word in shown


def test_resolved_settings_are_recorded(train, monkeypatch):
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
    settings = read_json(train(*BASE, '--no-flip') / 'config.json')['settings']
    assert (settings['augment'], settings['flip'], settings['device']) == (True, False, 'cpu')
    assert settings['num_epochs'] == 3
