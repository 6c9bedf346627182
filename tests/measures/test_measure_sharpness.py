"""measure_sharpness.py: its rows against the functions they come from, files that are gone on with, pages, refusals."""

import shutil
import statistics

import numpy as np
import pytest
import torch

import measure_sharpness
from bigbatch.analysis.objective import NetworkObjective, open_objective
from tests.conftest import TINY_GBN, read_rows
from tests.engine.test_network import open_with
from utils.config.measure import CONDITIONS
from utils.measures import sharpness_run
from utils.reports.pages.run_page import write_run_page
from utils.reports.sharpness import SHARPNESS, summarise_sharpness

PAGE = 'utils.reports.pages.run_page.write_run_page'


@pytest.fixture(scope='module')
def trained(train_once):
    return train_once(*TINY_GBN, '--model_config', "{'width': 2, 'depth': 1}")


@pytest.fixture
def run(trained, tmp_path):
    """A run without what other tests have measured."""
    return shutil.copytree(trained, tmp_path / 'results' / 'run')


@pytest.fixture
def measured(tmp_path, capsys):
    def call(*flags, status=0):
        capsys.readouterr()
        place = '--results_dir', str(tmp_path / 'results')
        assert measure_sharpness.main([*map(str, flags), *place]) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    return call


@pytest.fixture
def count(monkeypatch):
    """The points at which networks are evaluated."""
    calls, plain = [], NetworkObjective.__call__
    monkeypatch.setattr(NetworkObjective, '__call__', lambda self, x: calls.append(x) or plain(self, x))
    return calls


def rows_of(run, name='sharpness.csv'):
    return read_rows(run / name)


@pytest.mark.parametrize('mode', ['train', 'val'])
def test_a_row_is_what_can_be_computed_from_the_best_point(run, measured, count, mode):
    out = measured('--evaluate', run, '--mode', mode, '--epsilon', 0.01)
    [row] = rows_of(run)
    network, rng = open_with(run), np.random.default_rng(0)
    with open_objective(network.model, network.criterion, getattr(network, mode)) as objective:
        losses = [objective.loss(x) for x in count]
        x = objective.solution
        width = 0.01 * (np.abs(x) + 1)
        corners = [objective.loss(x + width * rng.choice((-1, 1), x.size)) for _ in range(50)]
    loss, worst = float(row['loss']), float(row['max_loss'])
    assert (loss, worst) == (pytest.approx(losses[0]), pytest.approx(max(losses)))
    assert worst > max(corners)
    assert np.array_equal(count[0], x)
    assert all(np.all(np.abs(each - x) <= width) for each in count)
    assert float(row['sharpness']) == pytest.approx(100 * (worst - loss) / (1 + loss))
    assert (int(row['evaluations']), row['mode'], row['start']) == (len(count), mode, 'solution')
    assert f'{float(row["sharpness"]):.4g}' in out


def test_repetitions_start_elsewhere_and_give_mean_and_sample_deviation(run, measured):
    out = measured('--evaluate', run, '-t', 3, '--epsilon', 0.01)
    rows = rows_of(run)
    assert [row['start'] for row in rows] == ['solution', 'random', 'random']
    values = [float(row['sharpness']) for row in rows]
    assert len(set(values)) == 3
    assert tuple(rows[0]) == SHARPNESS.columns
    table = out.splitlines()[-1]
    assert f'{statistics.mean(values):.4g} +- {statistics.stdev(values):.2g}' in table
    assert f' {max(values):.4g} ' in table
    assert '+-' not in measured('--evaluate', run, '--epsilon', 0.01)
    measured('--evaluate', run, '-m', 5, '-t', 2, '--epsilon', 0.01)
    measured('--evaluate', run, '-m', 5, '-t', 2, '--epsilon', 0.01, '--subspace', 'unit')
    values = [float(row['sharpness']) for row in rows_of(run)[3:]]
    assert len(set(values)) == 4  # subspaces differ
    assert sum(values[:2]) > 3 * sum(values[2:])  # the columns of Gaussian ones are some 25 times as long


def test_what_is_measured_is_not_measured_again(run, measured, count):
    first = measured('--evaluate', run, '--epsilon', 1e-3, 5e-4, '-t', 2)
    assert len(rows_of(run)) == 4
    num, content = len(count), (run / 'sharpness.csv').read_bytes()
    again = measured('--evaluate', run, '--epsilon', 1e-3, 5e-4, '-t', 2)
    assert (len(count), (run / 'sharpness.csv').read_bytes()) == (num, content)
    assert first.splitlines()[-3:] == again.splitlines()[-3:]
    measured('--evaluate', run, '--epsilon', 1e-3, 5e-4, '-t', 3)
    assert len(rows_of(run)) == 6 and len(count) < 2 * num
    for flags in (('--seed', 5), ('--num-examples', 20), ('--max-iterations', 3), ('--bn', 'batch', '-b', 16)):
        before = len(rows_of(run))
        measured('--evaluate', run, *flags)
        assert len(rows_of(run)) == before + 1, flags
    before = len(rows_of(run))
    for flags in (('-b', 16), ('--num-examples', 64), ('--num-examples', 1000)):
        measured('--evaluate', run, *flags)  # a batch counts where batch norm is its own; there are 64 examples
        assert len(rows_of(run)) == before, flags


def test_a_stopped_call_goes_on(run, measured, count, monkeypatch):
    whole = shutil.copytree(run, run.with_name('whole'))
    measured('--evaluate', whole, '-t', 3)
    plain = sharpness_run.EpsilonSharpness.measure

    def stops(self, objective, setting, seed):
        if setting['repeat'] == 1:
            raise KeyboardInterrupt
        return plain(self, objective, setting, seed)

    monkeypatch.setattr(sharpness_run.EpsilonSharpness, 'measure', stops)
    measured('--evaluate', run, '-t', 3, status=130)
    assert len(rows_of(run)) == 1
    with open(run / 'sharpness.csv', 'a') as file:
        file.write('"run","torn')
    monkeypatch.setattr(sharpness_run.EpsilonSharpness, 'measure', plain)
    measured('--evaluate', run, '-t', 3)
    first, second = (
        [(row['repeat'], row['sharpness'], row['max_loss']) for row in rows_of(folder)] for folder in (run, whole)
    )
    assert first == second


def test_several_checkpoints_make_one_table_a_csv_and_their_pages(run, measured, tmp_path, monkeypatch):
    monkeypatch.setattr(PAGE, write_run_page)
    other = shutil.copytree(run, run.with_name('other'))
    out = measured('--evaluate', run, other / 'initial.pth.tar', '--epsilon', 0.01, '--save', 'both')
    path = tmp_path / 'results' / 'both' / 'sharpness_table.csv'
    assert str(path) in out
    table = read_rows(path)
    assert [row['checkpoint'] for row in table] == ['run', 'other/initial']
    assert [line.split()[0] for line in out.splitlines()[-2:]] == ['run', 'other/initial']
    for folder, row in zip((run, other), table, strict=True):
        page = (folder / 'results.html').read_text()
        assert '<h2>Sharpness</h2>' in page
        assert f'>{float(row["sharpness"]):.4g}</td>' in page


def test_below_the_resolution_it_says_so(run, measured, monkeypatch):
    monkeypatch.setattr(NetworkObjective, 'resolution', 1.0)
    out = measured('--evaluate', run)
    [row] = rows_of(run)
    assert float(row['sharpness']) > 0
    assert f'below resolution ({100 / (1 + float(row["loss"])):.1g})' in out.splitlines()[-1]
    row = dict.fromkeys(SHARPNESS.columns, 0) | {'loss': 1.0, 'max_loss': 1.1, 'resolution': 0.2, 'status': 'a'}
    apart = summarise_sharpness([row, {**row, 'seed': 2, 'max_loss': 2}])
    assert [each['below_resolution'] for each in apart] == [1, 0]
    assert summarise_sharpness([row, {**row, 'repeat': 1, 'max_loss': 2}])[0]['below_resolution'] == 0


def test_the_hessian(run, measured, monkeypatch):
    monkeypatch.setattr(PAGE, write_run_page)
    out = measured('--evaluate', run, '--metric', 'hessian', '--num-eigenvalues', 3, '--trace-samples', 4)
    [row] = rows_of(run, 'hessian.csv')
    values = [float(value) for value in row['eigenvalues'].split()]
    assert values == sorted(values, reverse=True) and len(values) == 3
    assert ', '.join(f'{value:.4g}' for value in values) in out.splitlines()[-1]
    network = open_with(run)
    assert tuple(network.conditions) == CONDITIONS
    with open_objective(network.model, network.criterion, network.train) as objective:
        x = objective.solution
        dense = np.stack([objective.hessian_product(x, column) for column in np.eye(x.size)])
    assert np.allclose(values, np.linalg.eigvalsh((dense + dense.T) / 2)[:-4:-1], rtol=2e-3)
    assert abs(float(row['trace']) - np.trace(dense)) < 4 * float(row['trace_error'])
    assert '<h2>Hessian</h2>' in (run / 'results.html').read_text()


def test_a_foreign_checkpoint_and_the_published_flags(run, measured, tmp_path):
    state = torch.load(run / 'checkpoint.pth.tar', weights_only=True)['state_dict']
    path = tmp_path / 'model_best.pth.tar'
    torch.save({'state_dict': {f'module.{name}': value for name, value in state.items()}, 'epoch': 3}, path)
    named = '--model', 'mnist_f1', '--model_config', "{'width': 2, 'depth': 1}", '--dataset', 'fake:64:1x8x8:4'
    measured(*named, '--b', 100, '--gpus', 1, '-mb', 100, '--times', 1, '--evaluate', path)
    measured('--evaluate', run)
    [foreign], [own] = read_rows(tmp_path / 'results' / 'sharpness' / 'sharpness.csv'), rows_of(run)
    assert float(foreign['sharpness']) == pytest.approx(float(own['sharpness']), rel=1e-5)
    assert foreign['digest'] == own['digest']


def test_what_cannot_be_measured_is_refused_in_one_line(run, measured):
    for flags, words in (
        (['--metric', 'hessian', '--num-eigenvalues', 99999], '--num-eigenvalues 99999'),
        (['--epsilon', 1e-9], '--epsilon 1e-09: weights are rounded'),
        (['--bn', 'batch', '-b', 63], 'no variance'),
    ):
        error = measured('--evaluate', run, *flags, status=2)
        assert words in error and len(error.splitlines()) == 1
        assert not (run / 'sharpness.csv').exists()
    checkpoint = torch.load(run / 'checkpoint.pth.tar', weights_only=True)
    next(iter(checkpoint['state_dict'].values()))[:] = torch.nan
    torch.save(checkpoint, run / 'checkpoint.pth.tar')
    assert 'not finite' in measured('--evaluate', run, status=2)
