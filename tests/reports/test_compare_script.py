"""The entry script compare_experiments.py, as a user types it; tests/goldens hold most of what it refuses."""

import csv
import io

import pytest

import compare_experiments
from tests.fake_runs import write_run
from utils.reports import watch as watching


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """Press Ctrl-C as soon as a watch sleeps; the pages that were there then."""
    pages = []

    def interrupt(_):
        pages.extend(path.read_text() for path in tmp_path.rglob('comparison.html'))
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, 'sleep', interrupt)
    return pages


@pytest.fixture
def compare(tmp_path, capsys):
    """Return a function that compares the runs of tmp_path and returns (exit status, output, errors)."""

    def run(*flags, folder=tmp_path):
        return (compare_experiments.main([str(folder), *map(str, flags)]), *capsys.readouterr())

    return run


def table_of(text):
    return {row['label']: row for row in csv.DictReader(io.StringIO(text))}


def test_script_prints_the_table_and_writes_the_page(tmp_path, compare):
    write_run(tmp_path / 'small_seed1', batch_size=64, started='08:00:00')
    run = write_run(tmp_path / 'large_seed1')
    status, out, _ = compare('--legend', 'SB', 'LB', '--reference', 'LB')
    page = (tmp_path / 'comparison.html').read_text()
    assert status == 0
    assert 'SB' in out
    assert str(tmp_path / 'comparison.html') in out
    assert 'LB' in page
    for flags in (('--compare', 'val_loss', '--x_axis', 'step'), ('--compare', 'val_loss', '--group-by', 'batch_size')):
        status, out, _ = compare(*flags, folder=run)
        assert (status, f'page: {run / "comparison.html"}' in out) == (0, True)
        assert 'Validation loss' in (run / 'comparison.html').read_text()
        assert (tmp_path / 'comparison.html').read_text() == page  # of all runs, is left alone


def test_script_answers_bad_input_in_one_line_and_writes_nothing(tmp_path, compare):
    write_run(tmp_path / 'small', batch_size=64)
    write_run(tmp_path / 'large')
    write_run(tmp_path / 'large_seed2', seed=2)
    before, failures = sorted(tmp_path.rglob('*')), []
    for flags, message in (
        (['--watch', '--output', '/no/such/folder/page.html'], 'folder that exists'),
        (['--figures', '/no/such/folder/figures'], 'a new one in one that exists'),
        (['--leg', 'one'], 'unknown flag --leg'),
        (['--legend', 'a', ' '], 'empty legend name'),
        (['--legend', 'a', 'a'], "legend name 'a' is given twice"),
        (['--compare', 'val_loss', 'step'], '--compare step: it is an x axis'),
        (['--group-by', 'batch_size', '--reference', 'smal'], 'did you mean small?'),
        (['--group-by', 'seed', '--reference', 'large'], 'several rows have such runs: give one of seed 1, seed 2'),
        (['--watch', '--compare', 'val_eror1'], 'did you mean val_error1'),
    ):
        status, out, errors = compare(*flags)
        if status != 2 or out or message not in errors or errors.count('\n') != 1:
            failures.append((flags, status, out, errors))
    assert not failures, failures
    assert sorted(tmp_path.rglob('*')) == before


def test_the_error_line_stands_alone_and_a_folder_without_results_is_refused(tmp_path, compare):
    write_run(tmp_path / 'fresh', errors=(), status='running')
    status, _, errors = compare()
    assert (status, 'fresh (running)' in errors) == (2, True)
    assert not (tmp_path / 'comparison.html').exists()
    write_run(tmp_path / 'good')
    status, _, errors = compare('--reference', 'god')
    assert (status, [line.partition(':')[0] for line in errors.splitlines()]) == (2, ['error'])
    assert "no row 'god' to compare with: did you mean good?" in errors


@pytest.mark.slow
def test_standard_output_is_the_table_alone_where_a_program_reads_it(tmp_path, compare):
    for place, size in enumerate((64, 128, 256)):
        write_run(tmp_path / f'bs{size}', batch_size=size, started=f'0{place}:00:00')
    _, out, errors = compare('--format', 'csv', '--figures', tmp_path / 'figures')
    assert [row['batch_size'] for row in table_of(out).values()] == ['64', '128', '256']
    assert str(tmp_path / 'comparison.html') in errors
    made = {path.stem for path in (tmp_path / 'figures').glob('*.pdf')}
    assert made >= {'val_error1', 'train_loss', 'weight_distance', 'error_vs_batch_size'}


def test_the_row_to_compare_with_may_be_named_by_a_run_in_it(tmp_path, compare):
    for seed in (1, 2):
        write_run(tmp_path / f'small_seed{seed}', batch_size=64, seed=seed, errors=(20.0,))
        write_run(tmp_path / f'large_seed{seed}', seed=seed, errors=(30.0,))
    for name, other, gap in (('small', 512, -10), ('small_seed2', 512, -10), ('batch_size 512', 64, 10)):
        _, out, _ = compare('--group-by', 'batch_size', '--reference', name, '--compare', 'lr', '--format', 'csv')
        rows = table_of(out)
        assert float(rows[f'batch_size {other}']['gap']) == gap
        assert rows['batch_size 64']['is_reference'] == str(name.startswith('small'))


def test_rows_that_mix_settings_and_a_reference_without_results_are_warned_of(tmp_path, compare):
    write_run(tmp_path / 'a', settings={'lr_scaling': 'none'})
    write_run(tmp_path / 'b')
    status, out, errors = compare('--group-by', 'batch_size')
    assert (status, errors) == (0, "warning: row 'batch_size 512': its runs differ in lr_scaling\n")
    assert 'batch_size 512: runs differ in lr_scaling' in out
    write_run(tmp_path / 'bad', batch_size=64, errors=(90.0,), status='diverged')
    said = 'warning: --reference bad: all of its runs diverged, so there are no gaps: give a row with results\n'
    assert compare('--reference', 'bad')[::2] == (0, said)
    assert compare()[::2] == (0, '')


def test_bases_that_no_command_names_are_warned_of(tmp_path, compare):
    write_run(tmp_path / 'small', batch_size=64)
    write_run(tmp_path / 'ghosts', settings={'base_batch_size': 32})
    _, _, err = compare()
    assert 'rows differ in --base-batch-size (32, 64), which not every command gives' in err
    for name, base in (('small', 64), ('ghosts', 32)):
        argv = {'argv': ['--base_batch_size', str(base)]}
        write_run(tmp_path / f'{name}_given', settings={'base_batch_size': base}, config=argv)
    assert compare(tmp_path / 'ghosts_given', folder=tmp_path / 'small_given')[2] == ''


def test_after_the_watch_a_wrong_reference_costs_no_table(tmp_path, compare, monkeypatch):
    monkeypatch.setattr(watching, 'QUIET_SECONDS', -1.0)
    write_run(tmp_path / 'good')
    status, out, errors = compare('--watch', '--reference', 'god')
    assert (status, 'val acc %' in out) == (2, True)
    assert "no row 'god' to compare with: did you mean good?" in errors
    assert (tmp_path / 'comparison.html').is_file()


def test_ctrl_c_ends_the_watch_and_the_page_loads_itself_no_more(tmp_path, compare, seen):
    folder, refresh = tmp_path / 'runs', 'http-equiv="refresh"'
    for name, more, column, *told in (  # only a later run may have the noise scale
        ('a', {'status': 'running'}, 'noise_scale', '1 running; page: ', 'no run has finished an epoch'),
        ('b', {'batch_size': 64}, 'lr', '1 done, 1 running; page: ', '1 running, no finished epoch', '70.00 (1)'),
    ):
        write_run(folder / name, errors=() if name == 'a' else (30.0,), **more)
        status, out, _ = compare('--watch', '--reference', 'a', '--compare', column, folder=folder)
        assert (status, [words for words in told if words not in out]) == (0, [])
        assert refresh in seen.pop()
        assert refresh not in (folder / 'comparison.html').read_text()
