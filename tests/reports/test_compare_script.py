"""The entry script compare_experiments.py, as a user types it."""

import csv
import io

import pytest

import compare_experiments
from tests.fake_runs import write_many_runs, write_run
from utils.reports import watch as watching


@pytest.fixture
def interrupted(monkeypatch):
    """Press Ctrl-C as soon as a watch sleeps."""

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, 'sleep', interrupt)


def test_script_prints_the_table_and_writes_the_page(tmp_path, capsys):
    write_run(tmp_path / 'small_seed1', batch_size=64, started='08:00:00')
    run = write_run(tmp_path / 'large_seed1')
    assert compare_experiments.main([str(tmp_path), '--legend', 'SB', 'LB', '--reference', 'LB']) == 0
    printed = capsys.readouterr().out
    assert 'SB' in printed
    assert str(tmp_path / 'comparison.html') in printed
    page = (tmp_path / 'comparison.html').read_text()
    assert 'LB' in page
    for flags in (('--compare', 'val_loss', '--x_axis', 'step'), ('--compare', 'val_loss', '--group-by', 'batch_size')):
        assert compare_experiments.main([str(run), *flags]) == 0
        assert f'page: {run / "comparison.html"}' in capsys.readouterr().out
        assert 'Validation loss' in (run / 'comparison.html').read_text()
        assert (tmp_path / 'comparison.html').read_text() == page  # of all runs, is left alone


def test_script_answers_bad_input_in_one_line(tmp_path, capsys):
    write_run(tmp_path / 'small', batch_size=64)
    write_run(tmp_path / 'large')
    before, failures = sorted(tmp_path.rglob('*')), []
    for flags, message in (
        (['--legend', 'one'], '1 legend name for 2 rows'),
        (['--compare', 'val_eror1'], 'did you mean val_error1'),
        (['--reference', 'Smal'], "no row 'Smal'"),
        (['--colors', 'blurple'], "unknown color 'blurple'"),
        (['--output', '/no/such/folder/page.html'], 'folder that exists'),
        (['--x_axis', 'time'], 'invalid choice'),
        (['--leg', 'one'], 'unknown flag --leg'),
        (['--group-by', 'batch_sise'], 'did you mean batch_size'),
        (['--figures', '/no/such/folder/figures'], 'a new one in one that exists'),
        (['--format', 'html'], 'invalid choice'),
        (['--watch', '--legend', 'a', 'b'], '--legend with --watch'),
        (['--legend', 'a', ' '], 'empty legend name'),
        (['--compare', 'epoch'], '--compare epoch: it is an x axis'),
        (['--compare', 'val_loss', 'step'], '--compare step: it is an x axis'),
        (['--group-by', 'batch_size', '--reference', 'smal'], 'did you mean small?'),
        (['--group-by', 'dataset', 'save', '--reference', 'smal'], "no row 'smal'"),
        (['--watch', '--colors', 'blurple'], "unknown color 'blurple'"),
        (['--watch', '--compare', 'val_eror1'], 'did you mean val_error1'),
        (['--watch', '--output', '/no/such/folder/page.html'], 'folder that exists'),
    ):
        status, printed = compare_experiments.main([str(tmp_path), *flags]), capsys.readouterr()
        is_one_line = message in printed.err and printed.err.count('\n') == 1 and not printed.out
        if status != 2 or not is_one_line or sorted(tmp_path.rglob('*')) != before:
            failures.append((flags, status, printed))
    assert not failures, failures


def test_the_error_line_comes_after_the_warnings(tmp_path, capsys):
    write_run(tmp_path / 'good')
    write_run(tmp_path / 'fresh', errors=(), status='running')
    assert compare_experiments.main([str(tmp_path), '--reference', 'god']) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(':')[0] for line in lines] == ['warning', 'error']
    assert "no row 'god' to compare with: did you mean good?" in lines[-1]


def test_a_folder_without_results_is_refused(tmp_path, capsys):
    write_run(tmp_path / 'fresh', errors=(), status='running')
    assert compare_experiments.main([str(tmp_path)]) == 2
    assert 'fresh (running)' in capsys.readouterr().err
    assert not (tmp_path / 'comparison.html').exists()


@pytest.mark.slow
def test_standard_output_is_the_table_alone_where_a_program_reads_it(tmp_path, capsys):
    for place, size in enumerate((64, 128, 256)):
        write_run(tmp_path / f'bs{size}', batch_size=size, started=f'0{place}:00:00')
    figures = tmp_path / 'figures'
    assert compare_experiments.main([str(tmp_path), '--format', 'csv', '--figures', str(figures)]) == 0
    printed = capsys.readouterr()
    assert [row['batch_size'] for row in csv.DictReader(io.StringIO(printed.out))] == ['64', '128', '256']
    assert str(tmp_path / 'comparison.html') in printed.err
    made = {path.stem for path in figures.glob('*.pdf')}
    assert made >= {'val_error1', 'train_loss', 'weight_distance', 'error_vs_batch_size'}


def test_rows_that_mix_settings_are_warned_of(tmp_path, capsys):
    write_run(tmp_path / 'a', settings={'lr_scaling': 'none'})
    write_run(tmp_path / 'b')
    assert compare_experiments.main([str(tmp_path), '--group-by', 'batch_size']) == 0
    printed = capsys.readouterr()
    assert printed.err == "warning: row 'batch_size 512': its runs differ in lr_scaling\n"
    assert 'batch_size 512: runs differ in lr_scaling' in printed.out


def test_the_row_to_compare_with_may_be_named_by_a_run_in_it(tmp_path, capsys):
    for seed in (1, 2):
        write_run(tmp_path / f'small_seed{seed}', batch_size=64, seed=seed, errors=(20.0,))
        write_run(tmp_path / f'large_seed{seed}', seed=seed, errors=(30.0,))
    for name, other, gap in (
        ('small', 'batch_size 512', -10),
        ('small_seed2', 'batch_size 512', -10),
        ('batch_size 512', 'batch_size 64', 10),
    ):
        flags = ['--group-by', 'batch_size', '--reference', name, '--compare', 'lr', '--format', 'csv']
        assert compare_experiments.main([str(tmp_path), *flags]) == 0
        rows = {row['label']: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
        assert float(rows[other]['gap']) == gap
        assert rows['batch_size 64']['is_reference'] == str(name.startswith('small'))


def test_a_name_in_several_rows_is_no_reference(tmp_path, capsys):
    for seed in (1, 2):
        write_run(tmp_path / f'run_seed{seed}', seed=seed)
    assert compare_experiments.main([str(tmp_path), '--group-by', 'seed', '--reference', 'run']) == 2
    assert 'several rows have such runs: give one of seed 1, seed 2' in capsys.readouterr().err


def test_a_reference_without_results_is_warned_of(tmp_path, capsys):
    write_run(tmp_path / 'good')
    write_run(tmp_path / 'bad', batch_size=64, errors=(90.0,), status='diverged')
    assert compare_experiments.main([str(tmp_path), '--reference', 'bad']) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        'warning: --reference bad: all of its runs diverged, so there are no gaps: give a row with results\n'
    )
    assert compare_experiments.main([str(tmp_path)]) == 0
    assert not capsys.readouterr().err


def test_after_the_watch_a_wrong_reference_costs_no_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(watching, 'QUIET_SECONDS', -1.0)
    write_run(tmp_path / 'good')
    assert compare_experiments.main(['--watch', str(tmp_path), '--reference', 'god']) == 2
    printed = capsys.readouterr()
    assert 'val acc %' in printed.out
    assert "no row 'god' to compare with: did you mean good?" in printed.err
    assert (tmp_path / 'comparison.html').is_file()


def test_watching_takes_columns_that_only_a_later_run_has(tmp_path, capsys, interrupted):
    write_run(tmp_path / 'run', errors=(), status='running')
    assert compare_experiments.main(['--watch', str(tmp_path), '--compare', 'noise_scale']) == 0
    assert not capsys.readouterr().err


@pytest.mark.slow
def test_watching_keeps_the_page_until_the_runs_have_ended(tmp_path, capsys, monkeypatch):
    """The clock of the watch is a script of what happens meanwhile."""
    page, refresh, seen = tmp_path / 'comparison.html', 'http-equiv="refresh"', []
    write_run(tmp_path / 'small_seed1', errors=(), status='running')

    def sleep(_):
        seen.append(refresh in page.read_text())
        folder = tmp_path / f'small_seed{len(seen)}'
        (folder / 'config.json').rename(tmp_path / 'old')
        folder.rename(tmp_path / f'.away{len(seen)}')
        (tmp_path / 'old').unlink()
        write_run(folder, errors=(30.0, 20.0), seed=len(seen))
        if len(seen) < 3:
            write_run(tmp_path / f'small_seed{len(seen) + 1}', errors=(), status='running')

    monkeypatch.setattr(watching.time, 'sleep', sleep)
    monkeypatch.setattr(watching, 'QUIET_SECONDS', -1.0)
    assert compare_experiments.main(['--watch', str(tmp_path)]) == 0
    assert seen == [True, True, True]
    assert refresh not in page.read_text()
    printed = capsys.readouterr()
    assert '1 done, 1 running' in printed.out
    assert '80.00 +- 0.00 (3)' in printed.out
    assert not printed.err


def test_ctrl_c_ends_the_watch_and_the_page_loads_itself_no_more(tmp_path, capsys, interrupted):
    for errors, told in (((), 'no run has finished an epoch'), ((30.0,), '1 running, at the latest epoch')):
        folder = tmp_path / str(len(errors))
        write_run(folder / 'run', errors=errors, status='running')
        assert compare_experiments.main(['--watch', str(folder), '--reference', 'run', '--compare', 'lr']) == 0
        assert 'http-equiv="refresh"' not in (folder / 'comparison.html').read_text()
        assert told in capsys.readouterr().out


@pytest.mark.slow
def test_500_runs_of_100_epochs_fit_a_page(tmp_path, capsys):
    write_many_runs(tmp_path, num_groups=100, num_seeds=5, num_epochs=100)
    assert compare_experiments.main([str(tmp_path), '--format', 'csv']) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row['n'] for row in rows] == ['5'] * 100
    page = (tmp_path / 'comparison.html').read_text()
    assert len(page) < 30e6
    assert all(row['label'] in page for row in rows)
