"""Grouping over seeds, summaries against hand arithmetic, tables, and the entry script compare_experiments.py."""

import csv
import json
import logging
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import compare_experiments
from utils.compare import (
    check_columns,
    format_table,
    group_runs,
    load_runs,
    mean_curve,
    rename_groups,
    summarise,
    summary_cells,
)
from utils.errors import UserError
from utils.layout import RESULT_COLUMNS
from utils.run_files import load_run

ROOT = Path(__file__).resolve().parent.parent


def write_run(folder, *, errors=(50.0, 10.0, 12.0), status='done', batch_size=512, seed=1, started='09:00:00', **more):
    """Write a run folder as training leaves it; errors holds the validation error@1 of each epoch, in percent."""
    folder.mkdir(parents=True)
    config, settings = more.pop('config', {}), more.pop('settings', {})
    steps_per_epoch = max(50_000 // batch_size, 1)
    settings = {
        'dataset': 'digits', 'model': 'mnist_f1', 'model_config': {}, 'batch_size': batch_size,
        'ghost_batch_size': None, 'micro_batch_size': batch_size, 'base_batch_size': 64, 'lr_scaling': 'sqrt',
        'seed': seed, 'save': folder.name, 'results_dir': str(folder.parent), 'num_epochs': len(errors), **settings,
    }  # fmt: skip
    config = {
        'version': 1, 'command': f'python main_normal.py --save {folder.name}', 'script': 'main_normal.py',
        'status': status, 'message': '', 'settings': settings, 'num_epochs': len(errors),
        'regime': [{'epoch': 0, 'optimizer': 'SGD', 'lr': 0.089, 'momentum': 0.9}, {'epoch': 15, 'lr': 0.0089}],
        'steps_per_epoch': steps_per_epoch, 'num_parameters': 123_456, 'git': {'commit': 'abc1234', 'dirty': True},
        'versions': {'python': '3.11', 'torch': '2.11'}, 'device': 'cpu, 2 threads', 'test': None,
        'started': f'2026-11-21T{started}', 'finished': None, 'seconds': None, **config,
    }  # fmt: skip
    (folder / 'config.json').write_text(json.dumps(config))
    with (folder / 'results.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(RESULT_COLUMNS)
        for epoch, error in enumerate(errors, start=1):
            loss, step = error / 30, epoch * steps_per_epoch
            scores = [loss / 2, loss, error / 2, error, error / 9, error / 8]
            writer.writerow([epoch, step, 0.1, *scores, 1 / epoch, epoch**0.5, 2.5, 900])
    with (folder / 'weight_distance.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['step', 'weight_distance', 'train_loss'])
        writer.writerows([2**k, 0.1 + 0.7 * k + 0.01 * seed, 2.0 / (k + 1)] for k in range(10))
    return folder


def groups_of(folder, **runs):
    """Write runs by name, load and group them."""
    for name, settings in runs.items():
        write_run(folder / name, **settings)
    return group_runs(load_runs([folder]))


def row_of(groups, label):
    return summarise(groups).set_index('label').loc[label]


def test_runs_are_found_in_a_run_folder_and_one_or_two_levels_below(tmp_path):
    write_run(tmp_path / 'a')
    write_run(tmp_path / 'suite' / 'b')
    write_run(tmp_path / 'suite' / 'deep' / 'c')  # three levels below tmp_path
    assert [run.name for run in load_runs([tmp_path / 'a'])] == ['a']
    assert [run.name for run in load_runs([tmp_path])] == ['a', 'b']
    assert [run.name for run in load_runs([tmp_path / 'suite', tmp_path / 'suite' / 'b'])] == ['b', 'c']


def test_a_run_folder_hides_what_lies_inside_it(tmp_path):
    write_run(tmp_path / 'swap')
    write_run(tmp_path / 'swap' / 'worker0')
    assert [run.name for run in load_runs([tmp_path])] == ['swap']


def test_missing_folder_and_empty_folder_are_one_line_errors(tmp_path):
    write_run(tmp_path / 'cifar_baseline')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match=r'cifar_basline.*did you mean cifar_baseline') as wrong:
        load_runs([tmp_path / 'cifar_basline'])
    with pytest.raises(UserError, match=f'no runs with results in {tmp_path / "empty"}') as none:
        load_runs([tmp_path / 'empty'])
    assert '\n' not in f'{wrong.value}{none.value}'


def test_unusable_runs_are_skipped_with_a_warning_unless_none_is_left(tmp_path, caplog):
    write_run(tmp_path / 'fresh', errors=(), status='running')
    write_run(tmp_path / 'torn')
    (tmp_path / 'torn' / 'config.json').write_text('{"status": "do')
    with pytest.raises(UserError, match='no finished epoch yet'):
        load_runs([tmp_path])
    write_run(tmp_path / 'good')
    with caplog.at_level(logging.WARNING):
        assert [run.name for run in load_runs([tmp_path])] == ['good']
    assert 'fresh' in caplog.text
    assert 'not readable JSON' in caplog.text


@pytest.mark.parametrize('tail', ['4,388,0.1,0.0', '4,388', '4', '4,388,0.1,0.2,0.4,6.0,12.0,1.3,1.5,0.25,2.0,2.5,90'])
def test_half_a_last_line_is_left_out(tmp_path, tail):
    folder = write_run(tmp_path / 'a')
    with (folder / 'results.csv').open('a') as file:
        file.write(tail)
    assert load_run(folder).results['epoch'].tolist() == [1, 2, 3]


def test_a_line_written_onto_half_a_line_spoils_no_other(tmp_path):
    folder = write_run(tmp_path / 'a')
    with (folder / 'results.csv').open('a') as file:
        file.write('4,388,0.' + ','.join(['4', *'123456789', '1', '2', '3']) + '\n')
        file.write(','.join(['5', *'123456789', '1', '2', '3']) + '\n')
    assert load_run(folder).results['epoch'].tolist() == [1, 2, 3, 5]


def test_extra_columns_are_kept_and_words_become_missing(tmp_path):
    folder = write_run(tmp_path / 'a')
    lines = (folder / 'results.csv').read_text().splitlines()
    lines = [f'{line},{extra}' for line, extra in zip(lines, ['noise', '0.5', 'none', 'nan'], strict=True)]
    (folder / 'results.csv').write_text('\n'.join(lines) + '\n')
    noise = load_run(folder).results['noise']
    assert noise[0] == 0.5
    assert noise[1:].isna().all()


def test_groups_differ_in_settings_and_not_in_seed_or_place(tmp_path):
    groups = groups_of(
        tmp_path,
        large_seed2={'seed': 2, 'started': '08:00:00', 'settings': {'device': 'cuda', 'results_dir': '/elsewhere'}},
        large_seed1={'seed': 1},
        large_seed10={'seed': 10, 'settings': {'workers': 4, 'init_from': None}},
        small_seed1={'batch_size': 64, 'started': '07:00:00'},
    )
    assert [group.label for group in groups] == ['small', 'large']  # by the earliest start
    assert [run.settings['seed'] for run in groups[1].runs] == [1, 2, 10]


def test_seeds_that_start_from_checkpoints_of_their_own_are_one_group(tmp_path):
    runs = {f'a_seed{seed}': {'seed': seed, 'settings': {'init_from': f'base_seed{seed}/last'}} for seed in (1, 2)}
    other = {'b_seed1': {'settings': {'init_from': 'other_seed1/last'}, 'started': '10:00:00'}}
    assert [len(group.runs) for group in groups_of(tmp_path, **runs, **other)] == [2, 1]


def test_a_regime_that_differs_makes_another_group(tmp_path):
    groups = groups_of(tmp_path, a_seed1={}, b_seed2={'seed': 2, 'config': {'regime': [{'epoch': 0, 'lr': 7.0}]}})
    assert [group.label for group in groups] == ['a', 'b']


def test_groups_of_one_name_are_told_apart_by_their_settings(tmp_path):
    write_run(tmp_path / 'one' / 'run_seed1', batch_size=64)
    write_run(tmp_path / 'two' / 'run_seed1', batch_size=512)
    labels = [group.label for group in group_runs(load_runs([tmp_path]))]
    assert labels == ['run [batch_size 64, micro_batch_size 64]', 'run [batch_size 512, micro_batch_size 512]']


def test_summary_against_hand_arithmetic(tmp_path):
    errors = {1: (40.0, 8.0, 10.0), 2: (40.0, 11.0, 11.5), 3: (40.0, 12.0, 12.5)}
    runs = {f'large_seed{seed}': {'seed': seed, 'errors': each} for seed, each in errors.items()}
    groups = groups_of(tmp_path, small={'batch_size': 64, 'errors': (5.0, 4.0), 'started': '08:00:00'}, **runs)
    row = row_of(groups, 'large')
    accuracies = [90.0, 88.5, 87.5]
    assert row['val_accuracy'] == pytest.approx(statistics.mean(accuracies))
    assert row['val_accuracy_std'] == pytest.approx(statistics.stdev(accuracies))
    assert row['gap'] == pytest.approx(statistics.mean(accuracies) - 96.0)
    assert row['best_val_accuracy'] == pytest.approx((92 + 89 + 88) / 3)
    assert row['train_accuracy'] == pytest.approx(100 - statistics.mean([5.0, 5.75, 6.25]))
    assert (row['n'], row['updates'], row['seconds']) == (3, 3 * (50_000 // 512), pytest.approx(7.5))
    small = row_of(groups, 'small')
    assert np.isnan(small['val_accuracy_std'])
    assert small['gap'] == 0
    assert small['is_reference']


def test_diverged_runs_are_counted_but_not_averaged(tmp_path):
    stopped = {'errors': (90.0,), 'status': 'diverged', 'settings': {'num_epochs': 2}, 'config': {'num_epochs': 2}}
    groups = groups_of(
        tmp_path,
        a_seed1={'errors': (50.0, 10.0)},
        a_seed2={'seed': 2, **stopped},
        b_seed1={'batch_size': 64, 'errors': (90.0,), 'status': 'diverged', 'started': '10:00:00'},
    )
    a, b = row_of(groups, 'a'), row_of(groups, 'b')
    assert (a['val_accuracy'], a['n'], a['note']) == (90.0, 1, '1 of 2 diverged')
    assert (b['n'], b['note']) == (0, '1 of 1 diverged')
    assert np.isnan(b['val_accuracy'])
    table = format_table(summarise(groups))
    assert 'a: 1 of 2 diverged' in table
    assert next(line for line in table.splitlines() if line.startswith('b ')).split()[3] == 'diverged'


def test_unfinished_runs_enter_a_mean_only_where_no_run_is_done(tmp_path):
    unfinished = {'errors': (50.0,), 'settings': {'num_epochs': 2}, 'config': {'num_epochs': 2}}
    groups = groups_of(
        tmp_path,
        a_seed1={'errors': (50.0, 10.0)},
        a_seed2={'seed': 2, 'status': 'running', **unfinished},
        b_seed1={'batch_size': 64, 'status': 'failed', **unfinished},
    )
    a, b = row_of(groups, 'a'), row_of(groups, 'b')
    assert (a['val_accuracy'], a['n'], a['note']) == (90.0, 1, '1 running, left out of the mean')
    assert (b['val_accuracy'], b['n'], b['note']) == (50.0, 1, '1 failed, at its latest epoch')


def test_reference_and_test_scores(tmp_path):
    groups = groups_of(
        tmp_path, a={'errors': (10.0,)}, b={'errors': (7.5,), 'batch_size': 64, 'config': {'test': {'error1': 8.25}}}
    )
    summary = summarise(groups, reference='b').set_index('label')
    assert summary['gap'].tolist() == pytest.approx([-2.5, 0.0])
    assert summary.loc['b', 'test_accuracy'] == pytest.approx(91.75)
    assert 'reference row, b.' in format_table(summary.reset_index())
    with pytest.raises(UserError, match="no row 'bb'"):
        summarise(groups, reference='bb')


def test_repeated_seeds_and_mixed_names_are_noted(tmp_path):
    groups = groups_of(tmp_path, a_seed1={}, b_seed1={'started': '10:00:00'})
    assert row_of(groups, 'a')['note'] == 'seed 1 2 times; same settings under the names a, b'


def test_table_is_aligned_and_fits_120_columns(tmp_path):
    long = 'cifar10_resnet44_batch_size_2048_learning_rate_and_regime_adaptation_with_a_very_long_name_number'
    runs = {f'{long}{size}_seed{seed}': {'batch_size': size, 'seed': seed} for size in (64, 4096) for seed in (1, 2)}
    lines = format_table(summarise(groups_of(tmp_path, **runs))).splitlines()
    assert max(map(len, lines)) <= 120
    assert len({len(line) for line in lines[:4]}) == 1
    assert all('88.00 +- 0.00 (2)' in line for line in lines[2:4])
    assert len({line.split()[0] for line in lines[2:4]}) == 2  # shortened names still differ
    assert 'last epoch' in ' '.join(lines)


def test_table_cells_show_the_deviation_only_with_two_runs(tmp_path):
    groups = groups_of(tmp_path, a_seed1={'errors': (1.0,)}, b_seed1={'errors': (2.0,), 'batch_size': 64},
                       b_seed2={'errors': (3.0,), 'batch_size': 64, 'seed': 2})  # fmt: skip
    cells = summary_cells(summarise(groups)).set_index('run')['val acc %']
    assert cells.to_dict() == {'a': '99.00 (1)', 'b': '97.50 +- 0.71 (2)'}


def test_mean_curve_keeps_common_epochs_and_matches_numpy():
    tables = [
        pd.DataFrame({'epoch': [1.0, 2.0, 3.0], 'val_error1': values, 'epoch_seconds': seconds})
        for values, seconds in (([9.0, 5.0, 4.0], [1.0, 1.0, 1.0]), ([7.0, 6.0, 2.0], [3.0, 3.0, 3.0]))
    ]
    tables[1] = tables[1].iloc[:2]
    curve = mean_curve(tables, 'val_error1', align='epoch', x_axis='seconds')
    values = np.array([[9.0, 7.0], [5.0, 6.0]])
    assert curve['x'].tolist() == [2.0, 4.0]  # mean of 1 and 3, of 2 and 6
    np.testing.assert_allclose(curve['mean'], values.mean(axis=1))
    np.testing.assert_allclose(curve['std'], values.std(axis=1, ddof=1))


def test_columns_and_legend_are_checked(tmp_path):
    groups = groups_of(tmp_path, a={}, b={'batch_size': 64})
    assert check_columns(groups, ['training error1', 'validation loss', 'train_error1']) == ('train_error1', 'val_loss')
    with pytest.raises(UserError, match='did you mean val_error1'):
        check_columns(groups, ['val_eror1'])
    assert [group.label for group in rename_groups(groups, ['x', 'y'])] == ['x', 'y']
    for labels in (['x'], ['x', 'x']):
        with pytest.raises(UserError, match='legend name'):
            rename_groups(groups, labels)


def test_script_prints_the_table_and_writes_the_page(tmp_path, capsys):
    write_run(tmp_path / 'small_seed1', batch_size=64, started='08:00:00')
    run = write_run(tmp_path / 'large_seed1')
    assert compare_experiments.main([str(tmp_path), '--legend', 'SB', 'LB', '--reference', 'LB']) == 0
    printed = capsys.readouterr().out
    assert 'SB' in printed
    assert str(tmp_path / 'comparison.html') in printed
    page = (tmp_path / 'comparison.html').read_text()
    assert 'data-name="LB"' in page
    (tmp_path / 'comparison.html').unlink()
    assert compare_experiments.main([str(run), '--compare', 'val_loss', '--x_axis', 'step']) == 0
    assert 'Validation loss' in (tmp_path / 'comparison.html').read_text()  # beside the run, not inside it


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--legend', 'one'], '1 legend names for 2 rows'),
        (['--compare', 'val_eror1'], 'did you mean val_error1'),
        (['--reference', 'Smal'], "no row 'Smal'"),
        (['--colors', 'blurple'], "unknown color 'blurple'"),
        (['--output', '/no/such/folder/page.html'], 'folder that exists'),
        (['--x_axis', 'time'], 'invalid choice'),
        (['--leg', 'one'], 'unknown flag --leg'),
    ],
)
def test_script_answers_bad_input_in_one_line(tmp_path, capsys, flags, message):
    write_run(tmp_path / 'small', batch_size=64)
    write_run(tmp_path / 'large')
    assert compare_experiments.main([str(tmp_path), *flags]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count('\n') == 1
    assert not printed.out
    assert not (tmp_path / 'comparison.html').exists()


def test_help_answers_without_pandas_or_bokeh():
    program = (
        'import sys, compare_experiments; status = compare_experiments.main(["--help"]); '
        'sys.exit(status or bool({"pandas", "bokeh", "torch"} & set(sys.modules)))'
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=30)
    assert time.perf_counter() - start < 5  # 0.1 s on an idle machine
