# ruff: noqa: F811 - fixtures are imported by name
"""main_swap.py: its phases as ordinary runs, the average of the workers, what is lost, stopped, and goes on."""

import json
import os
import shutil
import signal

import pytest
import torch

import evaluate
import main_swap
from data_sets.fake import load
from preprocess import get_transform
from tests import sweep_helpers
from tests.conftest import TINY, read_json, read_rows, stable_rows
from tests.engine.test_interrupts import default_signals, signalled  # noqa: F401 - fixtures
from tests.runs.test_lock import held_by_another
from tests.sweep_helpers import InThisProcess, run_scripts_here, saved
from utils.reports.pages.swap_page import write_swap_page
from utils.runs.reader import load_run
from utils.sweeps.__main__ import main as sweep_main
from utils.sweeps.commands import settings_of
from utils.sweeps.swap.phases import plan_worker

FLAGS = (
    *TINY, '--epochs', '2', '--b', '32', '-mb', '8', '--swap-workers', '2', '--swap-epochs', '2', '--swap-lr', '0.02',
    '--no-augment', '--save_all',
)  # fmt: skip
WORKERS = ('worker0', 'worker1')


def phases_here(patch):
    run_scripts_here(patch)
    patch.setattr('utils.reports.pages.swap_page.write_swap_page', lambda folder: folder)


@pytest.fixture(autouse=True)
def started(monkeypatch):
    phases_here(monkeypatch)
    return InThisProcess.started


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('swap')
    with pytest.MonkeyPatch.context() as patch:
        phases_here(patch)
        assert main_swap.main([*FLAGS, '--results_dir', str(folder), '--save', 'swap']) == 0
    return folder / 'swap'


@pytest.fixture
def finished(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / 'swap')


@pytest.fixture
def swap(tmp_path, capsys):
    """Run main_swap.py; returns its folder, or (status, what it said on standard error)."""

    def call(*flags, save='swap'):
        capsys.readouterr()
        place = () if '--resume' in flags else ('--results_dir', str(tmp_path), '--save', save)
        status = main_swap.main([*flags, *place])
        err = capsys.readouterr().err
        return (status, err) if status else tmp_path / save

    return call


def state_of(folder):
    return torch.load(folder / 'checkpoint.pth.tar', weights_only=True)['state_dict']


def same_weights(folder, other, ending=''):
    state = state_of(other)
    return all(value.equal(state[name]) for name, value in state_of(folder).items() if name.endswith(ending))


def mark_as_running(folder):
    path = folder / 'config.json'
    path.write_text(json.dumps({**read_json(path), 'status': 'running'}))


def table_of(folder):
    rows = read_rows(folder / 'swap.csv')
    return {row.pop('name'): {name: float(value) for name, value in row.items()} for row in rows}


def test_the_phases_are_ordinary_runs_from_one_another(swap, started):
    folder = swap(*FLAGS)
    assert saved(started) == ['phase1', *WORKERS]
    assert {words[0] for words in started} == {'main_gbn.py'}
    phase1, seeds = state_of(folder / 'phase1'), []
    for name in WORKERS:
        config = read_json(folder / name / 'config.json')
        start = torch.load(folder / name / 'initial.pth.tar', weights_only=True)
        assert all(value.equal(phase1[key]) for key, value in start['state_dict'].items())
        settings = config['settings']
        assert (settings['batch_size'], settings['lr_scaling'], settings['linear_decay']) == (16, 'none', True)
        assert settings['stop_accuracy'] is None
        assert [row['lr'] for row in config['regime']] == [0.02]
        assert [row['momentum'] for row in config['regime']] == [0.9]
        seeds.append(settings['seed'])
    assert len({*seeds, 7}) == 3
    assert stable_rows(folder / 'worker0')[-1] != stable_rows(folder / 'worker1')[-1]


def test_the_average_is_the_mean_of_the_workers_with_statistics_of_the_data(whole):
    average, workers = state_of(whole), [state_of(whole / name) for name in WORKERS]
    for name, value in average.items():
        if 'running' not in name and 'num_batches' not in name:
            mean = torch.stack([worker[name].double() for worker in workers]).mean(0)
            torch.testing.assert_close(value.double(), mean, rtol=6e-8, atol=1e-10)
    # The first layer by hand: every image is once in ghosts of 8, whose moments are averaged.
    dataset = load('fake:64:1x8x8:4', 'train', datasets_path=None, download=False)
    images = get_transform(dataset.preset or 'fake', augment=False).batch(dataset.images, None)
    hidden = images.flatten(1).double() @ average['1.weight'].double().T
    torch.testing.assert_close(average['2.running_mean'].double(), hidden.mean(0), rtol=1e-5, atol=1e-6)
    assert average['2.num_batches_tracked'] == 8
    whole = hidden.var(0)
    assert ((average['2.running_var'] - whole).abs() / whole).max() < 0.3  # within ghosts, so only about


def test_its_folder_reads_as_one_run(finished, tmp_path):
    folder = finished
    run, phase1 = load_run(folder), load_run(folder / 'phase1')
    workers = [load_run(folder / name) for name in WORKERS]
    assert run.status == 'done'
    assert list(run.results['epoch']) == [1, 2, 3, 4]
    assert list(run.results['step']) == [2, 4, 8, 12]
    assert run.results[:2].equals(phase1.results)
    last, table = run.results.iloc[-1], table_of(folder)
    for column in ('train_loss', 'train_error1', 'train_error5'):
        mean = sum(worker.results[column].iloc[-1] for worker in workers) / 2
        assert last[column] == pytest.approx(mean) == table['mean'][column]
    for column in ('val_loss', 'val_error1', 'val_error5'):
        mean = sum(worker.results[column].iloc[-1] for worker in workers) / 2
        assert table['mean'][column] == pytest.approx(mean)
        assert last[column] == table['average'][column]
        assert [table[name][column] for name in WORKERS] == [worker.results[column].iloc[-1] for worker in workers]
    seconds = [table[name]['seconds'] for name in ('phase1', *WORKERS, 'average')]
    assert table['average']['seconds_in_turn'] == pytest.approx(sum(seconds))
    longest = seconds[0] + max(seconds[1:3]) + seconds[3]
    assert table['average']['seconds_side_by_side'] == pytest.approx(longest)
    assert run.results['epoch_seconds'].sum() == pytest.approx(sum(seconds))
    page = write_swap_page(folder).read_text()
    assert f'>{last["val_error1"]:.2f} %<' in page
    assert all(f'>{name}<' in page for name in WORKERS)
    assert evaluate.main(['--evaluate', str(folder), '--results_dir', str(tmp_path), '--device', 'cpu']) == 0
    found = read_rows(tmp_path / 'evaluation' / 'evaluation.csv')[-1]
    assert float(found['loss']) == pytest.approx(table['average']['val_loss'], rel=1e-6)


def test_a_finished_one_is_left_alone_and_an_interrupted_one_goes_on_bit_for_bit(whole, finished, started):
    assert main_swap.main(['--resume', str(finished)]) == 0
    assert started == []
    sweep_helpers.stop_after_one_epoch(finished / 'worker1', 'failed')
    mark_as_running(finished)
    main_swap.main(['--resume', str(finished)])
    assert [words[1] for words in started] == ['--resume']
    assert same_weights(finished, whole)
    assert stable_rows(finished) == stable_rows(whole)


def damage(folder, how):
    if how == 'checkpoint':
        (folder / 'checkpoint.pth.tar').write_bytes(b'nothing')
    elif how == 'config':
        (folder / 'config.json').write_text('{')
    elif how in ('rows', 'cells'):
        header, first, last = (folder / 'results.csv').read_text().splitlines(keepends=True)
        cells = ','.join(['x' if place == 4 else cell for place, cell in enumerate(last.split(','))])
        (folder / 'results.csv').write_text(header + first + (cells if how == 'cells' else ''))
    elif how == 'other file':
        shutil.copyfile(folder / 'initial.pth.tar', folder / 'checkpoint.pth.tar')
    else:
        found = torch.load(folder / 'checkpoint.pth.tar', weights_only=True)
        weight = found['state_dict']['1.weight']
        found['state_dict']['1.weight'] = weight[1:] if how == 'other network' else weight * float('nan')
        torch.save(found, folder / 'checkpoint.pth.tar')


@pytest.mark.parametrize('how', ['checkpoint', 'config', 'rows', 'cells', 'other file', 'other network', 'nan'])
def test_what_is_damaged_is_named_and_repeated_and_a_worker_may_be_left_out(whole, finished, swap, started, how):
    damage(finished / 'worker1', how)
    mark_as_running(finished)
    status, err = swap('--resume', str(finished))
    lines = [line for line in err.splitlines() if line.startswith('error: ')]
    assert (status, len(lines)) == (2, 1)
    assert all(word in lines[0] for word in ('worker1', '--skip-lost-workers', 'delete', '--resume'))
    assert read_json(finished / 'config.json')['status'] == 'failed'
    assert main_swap.main(['--resume', str(finished), '--skip-lost-workers']) == 0
    assert same_weights(finished, finished / 'worker0', ending='weight')
    assert read_json(finished / 'config.json')['workers'] == ['worker0']
    shutil.rmtree(finished / 'worker1')
    started.clear()
    assert main_swap.main(['--resume', str(finished)]) == 0
    assert saved(started) == ['worker1']
    assert same_weights(finished, whole)
    damage(finished / 'phase1', how)
    mark_as_running(finished)
    status, err = swap('--resume', str(finished))
    assert status == 2
    assert str(finished / 'phase1') in err
    shutil.rmtree(finished / 'phase1')
    assert main_swap.main(['--resume', str(finished)]) == 0
    assert same_weights(finished, whole)


def test_what_diverges_is_a_result_of_the_first_phase_and_lost_in_a_worker(swap):
    status, err = swap(*FLAGS, '--clip-grad', '0', '--regime', "{0: {'lr': 1e30}}")
    assert status == 3
    assert 'phase 1 diverged' in err
    status, err = swap(*FLAGS, '--clip-grad', '0', '--swap-lr', '1e30', save='workers')
    assert status == 2
    assert 'worker0: diverged' in err
    status, err = swap(*FLAGS, '--clip-grad', '0', '--swap-lr', '1e30', '--skip-lost-workers', save='none')
    assert 'all 2 workers are lost' in err


def test_the_first_phase_ends_at_its_accuracy_and_workers_hold_out_its_examples(swap):
    flags = [flag for flag in FLAGS if flag not in ('--swap-lr', '0.02')]
    folder = swap(*flags, '--stop-accuracy', '1', '--val-fraction', '0.25')
    assert len(read_rows(folder / 'phase1' / 'results.csv')) == 1
    assert [row['epoch'] for row in read_rows(folder / 'results.csv')] == ['1', '2', '3']
    configs = {name: read_json(folder / name / 'config.json') for name in ('', 'phase1', *WORKERS)}
    assert len({configs[name]['data'] for name in ('phase1', *WORKERS)}) == 1
    assert configs['']['test']['loss'] > 0
    assert configs['phase1']['regime'][0]['lr'] == pytest.approx(0.05 * 2**0.5)
    assert configs['worker0']['regime'] == [  # what is not given comes from the regime
        {'epoch': 0, 'optimizer': 'SGD', 'lr': pytest.approx(0.05), 'momentum': 0.9, 'weight_decay': 1e-4}
    ]


def test_commands_of_the_phases_keep_what_is_said_of_both():
    parser = main_swap.build_phase_parser('main_swap.py')
    main_swap.add_swap_args(parser)
    first = ('--gradient-noise', '1', '--warmup-epochs', '1', '--init-from', 'x')  # of the first phase alone
    words = [*FLAGS, '--flip', '--augment', '--seed', '0', *first]
    config = main_swap.parse_config(parser, words, main_swap.SwapConfig)
    given = settings_of('main_gbn.py', plan_worker(config, 1, {'lr': 0.5}).argv)
    assert given['model_config'] == {'width': 8, 'depth': 2}
    assert (given['flip'], given['augment'], given['seed'], given['mini_batch_size']) == (True, True, 1001, 8)
    assert not given.keys() & {'gradient_noise', 'warmup_epochs', 'lr', 'swap_lr', 'stop_accuracy'}
    assert given['init_from'].endswith('phase1/checkpoint.pth.tar')


def test_it_is_a_row_of_a_suite(tmp_path, started, monkeypatch, capsys):
    monkeypatch.setitem(sweep_helpers.SCRIPTS, 'main_swap.py', main_swap)
    words = ' '.join(f'"{word}"' for word in FLAGS if word not in ('--seed', '7'))
    path = tmp_path / 'mine.sh'
    path.write_text(f'# one row\n# seeds: 1\npython main_swap.py --save row {words}\n')
    for number in (1, 0):
        assert sweep_main([str(path), '--results_dir', str(tmp_path / 'out')]) == 0
        assert [each[0] for each in started].count('main_swap.py') == number
        started.clear()
    assert 'row' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'mine' / 'row_seed0' / 'swap.csv').is_file()


def test_bad_input_is_one_line(refused, finished):
    for flags, words in (
        (('--swap-batch-size', '65'), ('phase 2', '65')),
        (('--swap-batch-size', '12'), ('phase 2', '12', '8')),
        (('--swap-lr', '0'), ("'0'", 'above 0')),
        (('--swap-epoch', '3'), ('--swap-epoch', '--swap-epochs')),
    ):
        refused(*FLAGS, *flags, words=words, script=main_swap)
    refused('--resume', str(finished), '--epochs', '5', words=('--epochs was 2 there',), script=main_swap)


@pytest.mark.parametrize(('step', 'phase', 'name'), [(3, 'phase1', 'SIGTERM'), (7, 'worker0', 'SIGINT')])
def test_a_signal_within_a_phase_ends_all_and_the_same_command_goes_on(
    swap, whole, signalled, tmp_path, step, phase, name
):
    undo = signalled('Trainer._train_step', step, name)
    status, err = swap(*FLAGS, save='stopped')
    undo()
    folder = tmp_path / 'stopped'
    assert status == 75
    assert err.endswith(f': --resume {folder} goes on\n')
    assert read_json(folder / 'config.json')['status'] == 'interrupted'
    assert read_json(folder / phase / 'config.json')['status'] == 'interrupted'
    assert not (folder / '.lock').exists()
    swap('--resume', str(folder))
    assert read_json(folder / 'config.json')['status'] == 'done'
    assert stable_rows(folder) == stable_rows(whole)
    assert same_weights(folder, whole)


def test_a_signal_to_the_parent_is_passed_on(swap, tmp_path, monkeypatch):
    """While it waits for a run; the stand-ins for processes have ended when they are started."""
    ended = []
    with monkeypatch.context() as patched:
        patched.setattr(InThisProcess, 'send_signal', lambda self, number: ended.append(number), raising=False)
        patched.setattr(InThisProcess, 'poll', lambda self: os.kill(os.getpid(), signal.SIGTERM))
        status, err = swap(*FLAGS)
    assert (status, ended) == (75, [signal.SIGTERM])
    assert 'stopped: by SIGTERM: --resume' in err
    assert swap('--resume', str(tmp_path / 'swap')) == tmp_path / 'swap'


def test_what_another_process_writes_is_left_to_it(swap, started, finished):
    rows = stable_rows(finished)
    for name in ('', 'worker1'):
        mark_as_running(finished / name)
        started.clear()
        with held_by_another(finished / name) as other:
            status, err = swap('--resume', str(finished))
        assert f'is being written by process {other.pid} on ' in err.splitlines()[-1]
        assert (status, started) == (75 if name else 2, [])
    assert swap('--resume', str(finished)) == finished
    assert stable_rows(finished) == rows
