"""Finding runs, reading their files whatever state they are in, telling those of one name apart."""

import csv
import os
import shutil

import numpy as np
import pytest

from bigbatch.errors import UserError
from tests.data_helpers import assert_all_refused
from tests.each import check_each
from tests.fake_runs import write_run
from utils.runs.columns import RESULT_COLUMNS
from utils.runs.reader import load_run, load_runs, seedless


def test_runs_are_found_in_a_run_folder_and_one_or_two_levels_below(tmp_path):
    write_run(tmp_path / 'a')
    write_run(tmp_path / 'a' / 'inside')  # which a run folder hides, as SWAP's does
    write_run(tmp_path / 'suite' / 'b')
    write_run(tmp_path / 'suite' / 'deep' / 'c')  # three levels below tmp_path
    assert [run.name for run in load_runs([tmp_path / 'a'])] == ['a']
    assert [run.name for run in load_runs([tmp_path])] == ['a', 'b']
    assert [run.name for run in load_runs([tmp_path / 'suite', tmp_path / 'suite' / 'b'])] == ['b', 'c']


def test_missing_and_empty_folders_are_one_line_errors(tmp_path):
    write_run(tmp_path / 'cifar_baseline')
    (tmp_path / 'empty').mkdir()
    place, missing = tmp_path / 'emty' / 'suite' / 'run', tmp_path / 'emty'
    assert_all_refused((message, lambda path=path: load_runs([path])) for message, path in (
        (r'cifar_basline.*did you mean cifar_baseline', tmp_path / 'cifar_basline'),
        (f'no runs with results in {tmp_path / "empty"}', tmp_path / 'empty'),
        (f"'{place}', because there is no '{missing}'; in '{tmp_path}' did you", place),
        (r"no folder 'nonexistent/dir', because there is no 'nonexistent'; in '\.' ", 'nonexistent/dir'),
    ))  # fmt: skip


def test_runs_without_results_are_named_and_refused_where_no_other_is_left(tmp_path, caplog):
    for number in range(8):
        write_run(tmp_path / f'fresh{number}', errors=(), status='running')
    write_run(tmp_path / 'torn')
    (tmp_path / 'torn' / 'config.json').write_text('{"status": "do')
    with pytest.raises(UserError, match='no finished epoch yet'):
        load_runs([tmp_path])
    fresh = [f'fresh{number}' for number in range(8)]
    assert [run.name for run in load_runs([tmp_path], need_results=False)] == fresh  # for a watcher
    assert not caplog.text
    write_run(tmp_path / 'good')
    assert {run.name: len(run.results) for run in load_runs([tmp_path])} == {'good': 3, **dict.fromkeys(fresh, 0)}
    without, unreadable = (record.getMessage() for record in caplog.records)
    assert 'fresh0 (running)' in without and 'fresh7' not in without and 'and 3 more' in without
    assert f'{tmp_path / "torn" / "config.json"}: damaged or unreadable' in unreadable


def test_a_config_with_fields_of_wrong_types_is_skipped_and_named(tmp_path, caplog):
    write_run(tmp_path / 'good')

    def check(damage, message):
        write_run(tmp_path / 'bad', **damage)
        caplog.clear()
        assert [run.name for run in load_runs([tmp_path])] == ['good']
        [record] = caplog.records
        assert record.getMessage().startswith(f'skipped: {tmp_path / "bad" / "config.json"}: damaged, ')
        assert message in record.getMessage()
        shutil.rmtree(tmp_path / 'bad')

    check_each([
        ({'settings': {'batch_size': 'big'}}, "settings.batch_size is 'big', expected a whole number"),
        ({'config': {'status': 5}}, "status is '5', expected a text"),
        ({'config': {'regime': {'lr': 1}}}, 'expected a list'),
        ({'config': {'regime': [{'lr': 1}]}}, 'regime holds a row without a whole number as epoch'),
        ({'config': {'regime': [5]}}, 'regime holds something else than objects'),
        ({'config': {'argv': [5]}}, 'argv holds something else than texts'),
        ({'config': {'test': 3}}, "test is '3', expected an object"),
        ({'config': {'test': {'error1': 'low'}}}, "test.error1 is 'low', expected a number"),
    ], check)  # fmt: skip


def test_half_a_line_is_left_out_and_spoils_no_other(tmp_path):
    path = write_run(tmp_path / 'a') / 'results.csv'
    whole, more = path.read_text(), ',1' * (len(RESULT_COLUMNS) - 1)
    halves = ('4,388,0.1,0.0', '4,388', '4', '4,388,0.1,0.2,0.4,6.0,12.0,1.3,1.5,0.25,2.0,2.5,90')

    def check(text, epochs):
        path.write_text(whole + text)
        assert load_run(path.parent).results['epoch'].tolist() == epochs

    spoilt = (f'4,388\n5{more}\n', f'4,388,0.4{more}\n5{more}\n')
    check_each([*((half, [1, 2, 3]) for half in halves), *((text, [1, 2, 3, 5]) for text in spoilt)], check)


def test_tables_are_read_as_numpy_reads_them(tmp_path):
    folder = write_run(tmp_path / 'a', errors=tuple(90 / 1.03**epoch for epoch in range(50)))
    for name, table in (('results.csv', load_run(folder).results), ('weight_distance.csv', load_run(folder).distances)):
        expected = np.genfromtxt(folder / name, delimiter=',', names=True)
        assert tuple(table) == expected.dtype.names
        np.testing.assert_array_equal(table.to_numpy(), np.array(expected.tolist()))


def test_the_later_of_two_rows_holds_rows_are_sorted_and_more_columns_are_kept(tmp_path):
    folder = write_run(tmp_path / 'a')
    head, *rows = csv.reader((folder / 'results.csv').open())
    again = [*rows[1][:2], *['7'] * (len(head) - 2)]
    lines = [[*head, 'noise'], [*rows[2], '0.5'], [*rows[1], '1'], [*rows[0], 'none'], [*again, 'nan']]
    (folder / 'results.csv').write_text(''.join(','.join(line) + '\n' for line in lines))
    results = load_run(folder).results
    assert tuple(results) == (*RESULT_COLUMNS, 'noise')
    assert set(map(str, results.dtypes)) == {'float64'}
    assert results['epoch'].tolist() == [1, 2, 3]
    assert results['val_error1'].tolist() == [50.0, 7.0, 12.0]
    np.testing.assert_array_equal(results.pop('noise'), [np.nan, np.nan, 0.5])  # a word is missing
    assert np.isfinite(results.to_numpy()).all()


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root can read every file')
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    folder = write_run(tmp_path / 'a')
    (folder / 'results.csv').chmod(0)
    with pytest.raises(UserError, match=r'a cannot be read \(Permission denied\)'):
        load_runs([folder])


def test_runs_of_one_name_get_the_folder_that_tells_them_apart(tmp_path):
    for folder in ('one/suite/large_seed1', 'two/suite/large_seed1', 'two/suite/large_seed2', 'two/suite/small_seed1'):
        write_run(tmp_path / folder, seed=int(folder[-1]))
    runs = load_runs([tmp_path / 'one', tmp_path / 'two'])
    names = {run.folder.relative_to(tmp_path).as_posix(): run.name for run in runs}
    assert names.pop('two/suite/small_seed1') == 'small_seed1'
    assert all(name == folder for folder, name in names.items())


def test_the_seed_is_left_out_of_a_name():
    names = {'large_seed3': 'large', 'large-Seed_12': 'large', 'seed3': 'seed3', 'seed3_large': 'seed3_large'}
    assert {name: seedless(name) for name in names} == names
