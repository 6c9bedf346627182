"""Grouping over seeds or by settings, settings that differ, summaries against hand arithmetic."""

import statistics

import numpy as np
import pytest

from tests.fake_runs import groups_of, write_run
from utils.reports.groups import group_runs, varying_between, varying_settings
from utils.reports.summary import check_columns, summarise
from utils.reports.tables import format_table
from utils.runs.reader import load_runs


def row_of(groups, label):
    return summarise(groups).set_index('label').loc[label]


def test_groups_differ_in_settings_and_not_in_seed_or_place(tmp_path):
    groups = groups_of(
        tmp_path, large_seed1={'seed': 1}, small_seed1={'batch_size': 64, 'started': '07:00:00'},
        large_seed2={'seed': 2, 'started': '08:00:00', 'settings': {'device': 'cuda', 'results_dir': '/elsewhere'}},
        large_seed10={'seed': 10, 'settings': {'workers': 4, 'init_from': None}},
    )  # fmt: skip
    assert [group.label for group in groups] == ['small', 'large']  # by the earliest start
    assert [run.settings['seed'] for run in groups[1].runs] == [1, 2, 10]


def test_what_makes_a_row_of_its_own(tmp_path):
    def numbered(settings):
        return {f'a_seed{seed}': {'seed': seed, 'settings': settings(seed)} for seed in (1, 2)}

    later = {'amp': 'off', 'pixels': 'normalized', 'val_seed': None, 'channels_last': True}
    other = {'b_seed1': {'settings': {'init_from': 'other_seed1/last'}, 'started': '10:00:00'}}
    failures = []
    for case, (runs, sizes) in {
        'checkpoints': ({**numbered(lambda seed: {'init_from': f'base_seed{seed}/last'}), **other}, [2, 1]),
        'data': (numbered(lambda seed: {'dataset': f'blobs_seed{seed}.npz'}), [1, 1]),
        'older than a flag': ({'a_seed1': {}, 'a_seed2': {'seed': 2, 'settings': later},
                               'a_seed3': {'settings': {'amp': 'bf16'}}}, [2, 1]),
        'a regime': ({'a_seed1': {}, 'b_seed2': {'seed': 2, 'config': {'regime': [{'epoch': 0, 'lr': 7.0}]}}}, [1, 1]),
    }.items():  # fmt: skip
        found = [len(group.runs) for group in groups_of(tmp_path / case, **runs)]
        failures += [(case, found)] if found != sizes else []
    assert not failures, failures


def test_runs_of_one_name_are_told_apart_by_their_settings_or_folders_and_seeds_are_not(tmp_path):
    write_run(tmp_path / 'one' / 'run_seed1', batch_size=64)
    write_run(tmp_path / 'two' / 'run_seed2', batch_size=512)
    labels = [group.label for group in group_runs(load_runs([tmp_path]))]
    assert labels == ['run [batch_size 64, micro_batch_size 64]', 'run [batch_size 512, micro_batch_size 512]']
    for seed in (1, 2):
        for folder in ('before', 'after', f'machines/{seed}'):
            write_run(tmp_path / folder / f'run_seed{seed}', seed=seed)
    groups = group_runs(load_runs([tmp_path / 'before', tmp_path / 'after']))
    assert [(group.label, len(group.runs)) for group in groups] == [('before/run', 2), ('after/run', 2)]
    groups = group_runs(load_runs([tmp_path / 'machines']))
    assert [(group.label, len(group.runs)) for group in groups] == [('run', 2)]


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


def test_runs_that_diverged_or_are_not_done_are_counted_and_noted_but_not_averaged(tmp_path):
    done = {'errors': (50.0, 10.0)}
    other = {'errors': (50.0,), 'seed': 2, 'settings': {'num_epochs': 2}, 'config': {'num_epochs': 2}}
    none = {'errors': (), 'seed': 2, 'settings': {'num_epochs': 2}}
    groups = groups_of(
        tmp_path, a_seed1=done, a_seed2={'status': 'diverged', **other},
        b={'status': 'diverged', 'batch_size': 64, **other},
        c_seed1={'batch_size': 99, **done}, c_seed2={'batch_size': 99, 'status': 'running', **other},
        d={'batch_size': 65, 'status': 'failed', **other},
        e={'batch_size': 32, 'errors': (), 'status': 'running'},
        f_seed1={'batch_size': 128, **done}, f_seed2={'batch_size': 128, 'status': 'failed', **none},
    )  # fmt: skip
    summary = summarise(groups).set_index('label')
    found = summary[['val_accuracy', 'n', 'num_runs', 'note']].astype(object).fillna('none')
    assert dict(zip(summary.index, found.to_numpy().tolist(), strict=True)) == {
        'a': [90, 1, 2, '1 of 2 diverged'], 'b': ['none', 0, 1, '1 of 1 diverged'],
        'c': [90, 1, 2, '1 running, left out of the mean'], 'd': [50, 1, 1, '1 failed, at the latest epoch'],
        'e': ['none', 0, 1, '1 running, no finished epoch'], 'f': [90, 1, 2, '1 failed, no finished epoch'],
    }  # fmt: skip
    assert summary.index[summary['is_reference']].tolist() == ['d']  # the smallest batch with results
    lines = {line.split()[0]: line for line in format_table(summarise(groups)).splitlines() if line}
    assert lines['a:'] == '  a: 1 of 2 diverged'
    assert lines['b'].split()[2] == 'diverged'
    assert lines['e'].split() == ['e', '32', *['-'] * 7]


def test_gaps_to_the_reference_within_a_data_set_and_test_scores(tmp_path):
    groups = groups_of(
        tmp_path, a={'errors': (10.0,)}, b={'errors': (7.5,), 'batch_size': 64, 'config': {'test': {'error1': 8.25}}},
        c={'settings': {'dataset': 'mnist'}},
    )  # fmt: skip
    summary = summarise(groups, reference='b').set_index('label')
    assert summary['gap'].astype(float).tolist() == pytest.approx([-2.5, 0.0, np.nan], nan_ok=True)
    assert summary.loc['b', 'test_accuracy'] == pytest.approx(91.75)
    assert 'reference row, b.' in format_table(summary.reset_index())


def test_repeated_seeds_and_mixed_names_are_noted(tmp_path):
    groups = groups_of(tmp_path, a_seed1={}, b_seed1={'started': '10:00:00'})
    assert row_of(groups, 'a')['note'] == 'seed 1 2 times; same settings under the names a, b'


def test_columns_may_be_named_in_words(tmp_path):
    groups = groups_of(tmp_path, a={})
    assert check_columns(groups, ['training error1', 'validation loss', 'train_error1']) == ('train_error1', 'val_loss')


def test_rows_by_settings_say_in_what_else_their_runs_differ(tmp_path):
    write_run(tmp_path / 'a', batch_size=64, settings={'micro_batch_size': None})
    write_run(tmp_path / 'b', batch_size=512, settings={'lr_scaling': 'sqrt', 'device': 'cuda'})
    write_run(tmp_path / 'c', batch_size=512, seed=2, errors=(20.0,), settings={'lr_scaling': 'none'})
    groups = group_runs(load_runs([tmp_path]), by=['batch_size'])
    assert [group.label for group in groups] == ['batch_size 64', 'batch_size 512']
    assert [group.mixed for group in groups] == [(), ('lr_scaling', 'num_epochs')]
    row = row_of(groups, 'batch_size 512')
    assert (row['n'], row['val_accuracy'], row['batch_size']) == (2, 84.0, 512)
    assert row['note'] == 'runs differ in lr_scaling, num_epochs'
    assert summarise(group_runs(load_runs([tmp_path]), by=['model']))['batch_size'].isna().all()
    for by in (['device', 'seed'], ['save']):
        assert len(group_runs(load_runs([tmp_path]), by=by)) == 3


def test_settings_that_differ_are_in_the_order_of_reading(tmp_path):
    write_run(tmp_path / 'a', batch_size=64, settings={'zeal': 1.5, 'device': 'cpu', 'model_config': {'depth': 20}})
    write_run(tmp_path / 'b', seed=2, settings={
        'ghost_batch_size': 16, 'regime_bb_fix': True, 'device': 'cuda', 'model_config': {'depth': 44}, 'init_from': '',
    })  # fmt: skip
    table = varying_settings(load_runs([tmp_path]))
    assert list(table) == [
        'model_config', 'batch_size', 'micro_batch_size', 'ghost_batch_size', 'regime_bb_fix', 'init_from', 'zeal',
        'seed', 'device',
    ]  # fmt: skip
    assert table.loc['a'].tolist() == ['depth 20', '64', '64', '-', '-', '-', '1.5', '1', 'cpu']
    assert table.loc['b'].tolist() == ['depth 44', '512', '512', '16', 'yes', '-', '-', '2', 'cuda']


def test_long_settings_are_shortened_where_they_still_differ(tmp_path):
    ends, middles = ('/data/' + 'x' * 90 + end for end in 'ab'), ('y' * 45 + middle + 'y' * 45 for middle in 'ab')
    for name, init, other in zip('ab', ends, middles, strict=True):
        write_run(tmp_path / name, settings={'init_from': init, 'other': other})
    table = varying_settings(load_runs([tmp_path]))
    assert max(map(len, table['init_from'])) <= 40
    assert table['init_from'].is_unique
    assert table['other'].is_unique  # though too long


def test_regime_and_number_of_epochs_are_shown_only_where_no_setting_tells_them(tmp_path):
    regime = [{'epoch': 0, 'optimizer': 'SGD', 'lr': 0.5}]
    write_run(tmp_path / 'a')
    write_run(tmp_path / 'b', settings={'lr_scaling': 'none'}, config={'regime': regime})
    assert list(varying_settings(load_runs([tmp_path]))) == ['lr_scaling']
    write_run(tmp_path / 'c', config={'regime': regime})
    assert list(varying_settings(load_runs([tmp_path]))) == ['lr_scaling', 'regime']
    for name, epochs in (('b', 2), ('c', 1)):
        write_run(tmp_path / 'epochs' / name, errors=(9.0,) * epochs, settings={'epochs': epochs})
    assert list(varying_settings(load_runs([tmp_path / 'epochs']))) == ['epochs']
    write_run(tmp_path / 'epochs' / 'stretched', errors=(9.0, 8.0, 7.0), settings={'epochs': 2})
    assert list(varying_settings(load_runs([tmp_path / 'epochs']))) == ['epochs', 'num_epochs']


def test_settings_between_rows_leave_out_seeds_and_join_what_is_mixed(tmp_path):
    write_run(tmp_path / 'a', batch_size=64)
    write_run(tmp_path / 'b', seed=2, settings={'lr_scaling': 'sqrt', 'device': 'cuda', 'micro_batch_size': None})
    write_run(tmp_path / 'c', seed=3, settings={'lr_scaling': 'none', 'micro_batch_size': None})
    table = varying_between(group_runs(load_runs([tmp_path]), by=['batch_size']))
    assert table.loc['batch_size 64'].to_dict() == {'batch_size': '64', 'micro_batch_size': '64', 'lr_scaling': 'sqrt'}
    assert table.loc['batch_size 512', 'lr_scaling'] == 'sqrt | none'
    alone = varying_between(group_runs(load_runs([tmp_path / 'a'])))
    assert alone.index.tolist() == ['a']
    assert not len(alone.columns)


def test_speed_is_the_mean_over_epochs_and_runs(tmp_path):
    table = write_run(tmp_path / 'a_seed1') / 'results.csv'
    write_run(tmp_path / 'a_seed2', seed=2)
    table.write_text(table.read_text().replace(',900', ',300', 1))
    groups = group_runs(load_runs([tmp_path]))
    assert row_of(groups, 'a')['images_per_second'] == pytest.approx(((300 + 900 + 900) / 3 + 900) / 2)
