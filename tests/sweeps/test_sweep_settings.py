"""Sweeps over a suite: the names of folders, settings that changed, what is refused, the plan, the list."""

import json
import shlex

import pytest

from tests.conftest import read_json, stable_rows
from tests.sweep_helpers import BAD, GHOST, NORMAL, WILD, saved, stop_after_one_epoch, table_rows
from utils.sweeps.commands import name_suffix, settings_of


@pytest.mark.slow
def test_extra_flags_are_part_of_the_names(write, sweep, started, results):
    path = write('# seeds: 2', NORMAL)
    sweep(path)
    out, _ = sweep(path, '--', '--epochs', '1', '--no-drop-last')
    names = ['ok_small_no_drop_last_epochs1_seed0', 'ok_small_no_drop_last_epochs1_seed1']
    assert saved(started) == names
    assert {path.name for path in results.iterdir() if path.is_dir()} == {'ok_small_seed0', 'ok_small_seed1', *names}
    assert len(stable_rows(results / names[0])) == 1
    assert table_rows(out) == ['ok_small_no_drop_last_epochs1']  # the two seeds in one row
    assert (results / 'comparison.html').is_file()
    assert (results / 'comparison_no_drop_last_epochs1.html').is_file()
    for extra in (('--', '--no-drop-last', '--epochs=1'), ()):  # the same in another order and spelling
        sweep(path, *extra)
        assert started == []


@pytest.mark.slow
def test_flags_that_only_say_where_are_no_part_of_the_names(write, sweep, started, results):
    path = write(f'{NORMAL} --save_all')
    sweep(path, '--', '--eval-batch-size', '8')
    assert saved(started) == ['ok_small']
    stop_after_one_epoch(results / 'ok_small', 'running')
    later = ['--eval-batch-size', '4', '--device', 'cpu']  # they hold from here on
    sweep(path, '--', *later)
    assert started == [['main_normal.py', '--resume', str(results / 'ok_small'), *later]]
    assert read_json(results / 'ok_small' / 'config.json')['settings']['eval_batch_size'] == 4
    sweep(path)
    assert started == []


def test_a_seed_behind_the_dashes_is_a_seed(write, sweep, started, results):
    out, _ = sweep(write(NORMAL), '--', '--seed', '5', '--epochs', '1')
    assert saved(started) == ['ok_small_epochs1_seed5']
    assert read_json(results / 'ok_small_epochs1_seed5' / 'config.json')['seed'] == 5
    assert table_rows(out) == ['ok_small_epochs1']


def test_what_flags_add_to_a_name():
    for flags, suffix in {
        '': '',
        '--wd 5e-4 --epochs 5': '_epochs5_weight_decay0.0005',
        '--no-flip --augment': '_augment_no_flip',
        '--optimizer Adam': '_optimizer-Adam',
        '--seed 3 --warmup-epochs 1': '_warmup_epochs1_seed3',
        '--device cpu --workers 3 --datasets-dir /data --print-freq 9': '',
        '--gpus 0 --type torch.cuda.FloatTensor --download -j 3': '',  # as --device does
        '--type torch.FloatTensor --deterministic --tensorboard --device cuda:1': '',
        '--amp bf16 --device cpu': '_amp-bf16',
        '--type torch.DoubleTensor': '_type-torch.DoubleTensor',  # which computes something else
        '--mini-batch-size 8 --noise-scale': '_mini_batch_size8_noise_scale',
        '--b 64 --batch-size 32': '_batch_size32',
    }.items():
        assert name_suffix(settings_of('main_gbn.py', shlex.split(flags))) == suffix


def test_values_that_are_no_names_are_told_apart():
    values = ["{'width': 64}", "{'width': 64.}", "{'width':  128}", '{}', "{'a': 'b/c'}", f"{{'a': '{'x' * 300}'}}"]
    names = [name_suffix(settings_of('main_gbn.py', ['--model_config', value])) for value in values]
    assert len(set(names)) == len(values)
    for name in names:
        assert name.startswith('_model_config-')
        assert len(name) <= 50
        assert set(name) <= set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+')
    flags = ('lr', 'wd', 'epochs', 'clip-grad', 'b', 'mini-batch-size', 'base-batch-size', 'input_size', 'start-epoch')
    many = [f'--{flag}=1' for flag in (*flags, 'warmup-epochs', 'regime_bb_multi', 'micro-batch-size')]
    assert len(name_suffix(settings_of('main_gbn.py', many))) < 130


def test_extra_flags_that_no_run_takes_are_refused_before_any_starts(write, sweep, started, tmp_path):
    path = write(NORMAL, GHOST)
    for extra, words in (
        (['--results_dir', 'x'], '--results_dir'), (['--resume', 'x'], '--resume'), (['--dry-run'], '--dry_run'),
        (['--evaluate', 'x'], '--evaluate'), (['--help'], '--help'), (['--epoch', '5'], 'did you mean --epochs'),
        (['--epochs', 'x'], "'x' is not a whole number"), (['quickstart'], "'quickstart'"), (['-mb', '4'], '-mb'),
    ):  # fmt: skip
        _, err = sweep(path, '--', *extra, status=2)
        assert (started, len(err.splitlines())) == ([], 1), (extra, err)
        assert words in err
    assert not (tmp_path / 'results').exists()
    sweep(path, '--filter', 'ghost', '--', '-mb', '8')  # they need to suit the runs that are chosen
    assert saved(started) == ['ok_ghost_mini_batch_size8']


def test_a_row_whose_settings_changed_is_refused(write, sweep, started, results):
    before = f'{NORMAL} --clip-grad 5 --augment'
    sweep(write(before))
    rows = stable_rows(results / 'ok_small')
    for after, words in (
        (before.replace('--clip-grad 5', '--clip-grad 4'), 'clip_grad 5.0 there, 4.0 here'),
        (f'{before} --flip', 'flip not given there, True here'),
        (f'{NORMAL} --clip-grad 5', 'augment True there, not given here'),
        (before.replace('main_normal.py', 'main_gbn.py') + ' -mb 4', 'main_normal.py there, main_gbn.py here'),
    ):
        _, err = sweep(write(GHOST, after), status=2)
        assert (started, len(err.splitlines())) == ([], 1)
        assert f'{results / "ok_small"} was made by other settings ({words})' in err
        assert stable_rows(results / 'ok_small') == rows
    flags = before.partition('ok_small ')[2].replace('--b 16', '--batch-size=16')  # the same in other words
    sweep(write(f'python main_normal.py --print-freq 7 {flags} --save ok_small'))
    assert started == []
    file = results / 'ok_small' / 'config.json'
    file.write_text(json.dumps({**read_json(file), 'argv': [5]}))
    _, err = sweep(write(before), status=2)
    assert (started, len(err.splitlines())) == ([], 1)
    out, err = sweep(write(before), '--dry-run', status=1)
    assert err == ''
    assert [line for line in out.splitlines() if line.startswith('ok_small: refused: ') and 'argv' in line]


def test_a_folder_that_is_no_run_is_refused(write, sweep, started, results):
    (results / 'ok_small').mkdir(parents=True)
    _, err = sweep(write(NORMAL, GHOST), status=2)
    assert (started, len(err.splitlines())) == ([], 1)
    assert str(results / 'ok_small') in err


def test_wrong_words_are_refused_in_one_line(write, sweep, started, tmp_path):
    path = write(NORMAL)
    for flags, words in (
        (('--jobs', '0'), ['--jobs', "'0'"]),
        (('--fail-fats',), ['--fail-fats', '--fail-fast']),
        (('--device', 'cpu'), ['--device']),
    ):
        _, err = sweep(path, *flags, status=2)
        assert (started, len(err.splitlines())) == ([], 1), err
        assert [word for word in words if word not in err] == []
    assert not (tmp_path / 'results').exists()


def on_mnist(row: str) -> str:
    return row.replace('fake:64:1x8x8:4', 'mnist').replace('--save ok_', '--save mnist_')


def test_data_that_is_not_there_is_said_once_before_the_first_run(write, sweep, started, tmp_path, monkeypatch):
    nowhere = tmp_path / 'nowhere'
    _, err = sweep(write('# seeds: 2', on_mnist(NORMAL), GHOST), '--', '--datasets-dir', str(nowhere), status=2)
    assert (started, len(err.splitlines())) == ([], 1), err
    assert str(nowhere / 'mnist') in err
    assert '--download' in err
    assert '(mnist is needed by 2 of 4 runs to do; --filter ' in err
    assert not (tmp_path / 'results').exists()
    monkeypatch.setenv('DATASETS_DIR', str(nowhere))
    monkeypatch.setattr('tests.sweep_helpers.main_normal.main', lambda argv: 7)
    monkeypatch.setattr('tests.sweep_helpers.main_gbn.main', lambda argv: 7)
    sweep(write(f'{on_mnist(NORMAL)} --download', on_mnist(GHOST)), status=1)  # one of them fetches it
    assert saved(started) == ['mnist_small', 'mnist_ghost']


def test_a_dry_run_prints_the_plan_of_each_row_and_creates_nothing(write, sweep, started, tmp_path):
    out, err = sweep(write('# seeds: 2', NORMAL, GHOST), '--dry-run')
    commands = [line.split() for line in out.splitlines() if line.startswith('python ')]
    assert [(words[1], words[3]) for words in commands] == [
        ('main_normal.py', 'ok_small_seed0'), ('main_gbn.py', 'ok_ghost_seed0'),
        ('main_normal.py', 'ok_small_seed1'), ('main_gbn.py', 'ok_ghost_seed1'),
    ]  # fmt: skip
    assert out.count('\nregime\n') == 2  # seeds of a row have the same plan
    assert '4 ghosts of 4' in out
    assert out.splitlines()[-1] == '4 runs: 4 new'
    assert started == []
    assert not (tmp_path / 'results').exists()
    out, err = sweep(write(BAD, NORMAL), '--dry-run', status=1)
    assert '4096' in err
    assert out.count('\nregime\n') == 1


def test_a_dry_run_of_a_begun_suite_says_how_far_its_runs_are(write, sweep, started, results, monkeypatch):
    changed = NORMAL.replace('ok_small', 'changed')
    path = write(f'{NORMAL} --save_all', WILD, f'{GHOST} --save_all', changed)
    sweep(path)
    out, err = sweep(path, '--dry-run')  # what is done is no error
    assert err == ''
    with monkeypatch.context() as patch:
        patch.setattr('utils.engine.loading.check_data', lambda *_: pytest.fail('looked for'))
        sweep(path)
    stop_after_one_epoch(results / 'ok_ghost', 'failed')
    new = BAD.replace('--b 4096', '')
    path = write(f'{NORMAL} --save_all', WILD, f'{GHOST} --save_all', f'{changed} --clip-grad 4', new)
    out, err = sweep(path, '--dry-run', status=1)
    assert (err, started) == ('', [])
    lines = out.splitlines()
    assert 'ok_small: done' in lines
    assert 'ok_wild: diverged' in lines
    assert any(line.startswith('ok_ghost: would be resumed after epoch ') and line.endswith(' of 2') for line in lines)
    assert any(line.startswith(f'changed: refused: {results / "changed"} was made by other settings') for line in lines)
    assert out.count('\nregime\n') == 1
    assert lines[-1] == '5 runs: 1 done, 1 diverged, 1 begun, 1 refused, 1 new'
