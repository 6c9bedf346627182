"""plot_parametric_plot.py: both runs, their start, the line between them, and what is taken again."""

import numpy as np
import pytest
import torch

import plot_parametric_plot
from tests.conftest import read_json, read_rows
from utils.measures.parametric import NETWORKS, batch_sizes, build_pair_parser, resolve_dataset, training_flags

FLAGS = ('-n', 'F1', '--dataset', 'fake:80:1x8x8:4', '--batch-sizes', '8', '40', '--epochs', '1', '--device', 'cpu')
FOLDER = '_F1_fake_80_1x8x8_4_bs8_to_40_Adam_epochs1_seed123'
RUNS = [f'F1_fake_80_1x8x8_4_bs{size}_Adam_epochs1_seed123' for size in (8, 40)]


@pytest.fixture(scope='module')
def plotted(tmp_path_factory):
    folder = tmp_path_factory.mktemp('plotted')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert plot_parametric_plot.main(list(FLAGS)) == 0
    return folder


def test_both_are_ordinary_runs_from_one_start(plotted):
    starts = []
    for name, size in zip(RUNS, (8, 40), strict=True):
        run = plotted / 'TrainingResults' / name
        config = read_json(run / 'config.json')
        settings = config['settings']
        assert (config['status'], config['script']) == ('done', 'main_normal.py')
        assert (settings['batch_size'], settings['lr_scaling'], settings['pixels']) == (size, 'none', 'unit')
        assert (settings['augment'], settings['flip'], settings['clip_grad']) == (False, False, 0)
        assert [(row['optimizer'], row['lr']) for row in config['regime']] == [('Adam', 1e-3)]
        log = (run / 'log.txt').read_text()  # of its own
        assert ('--b 8 ' in log, '--b 40 ' in log) == (size == 8, size == 40)
        starts.append(torch.load(run / 'initial.pth.tar', weights_only=True)['state_dict'])
    assert all(value.equal(starts[1][name]) for name, value in starts[0].items())


def test_the_line_has_25_points_on_batch_statistics(plotted):
    folder = plotted / 'TrainingResults' / f'line{FOLDER}'
    rows = read_rows(folder / 'line.csv')
    assert [float(row['alpha']) for row in rows] == [-1 + index / 8 for index in range(25)]
    settings = read_json(folder / 'line.json')['settings']
    assert (settings['bn'], settings['mode'], settings['pixels']) == ('batch', 'linear', 'unit')
    assert (plotted / 'Figures' / 'F1.pdf').read_bytes() == (folder / 'line.pdf').read_bytes()
    assert (folder / 'line.html').is_file()
    distances = read_json(folder / 'line.json')['distances']
    for name, key in zip(RUNS, ('start_to_first', 'start_to_second'), strict=True):
        last = read_rows(plotted / 'TrainingResults' / name / 'results.csv')[-1]
        assert distances[key] == pytest.approx(float(last['weight_distance']), rel=1e-6)


def test_trained_runs_are_taken_again(plotted, monkeypatch, capsys):
    monkeypatch.chdir(plotted)
    runs = [plotted / 'TrainingResults' / name for name in RUNS]
    before = {path: path.read_bytes() for run in runs for path in run.iterdir()}
    assert plot_parametric_plot.main([*FLAGS, '--mode', 'arc']) == 0
    assert {path: path.read_bytes() for run in runs for path in run.iterdir()} == before
    figure = plotted / 'Figures' / 'F1_arc.pdf'
    assert figure.is_file()
    capsys.readouterr()
    assert plot_parametric_plot.main([*FLAGS, '--mode', 'arc']) == 0
    printed = capsys.readouterr().out
    assert printed.count('its only epoch is done') == 2
    assert '25 of 25 points are measured already' in printed
    assert 'distance from the start: small batch' in printed
    figure.write_text('of another line')
    assert plot_parametric_plot.main([*FLAGS, '--mode', 'arc']) == 0
    assert figure.read_text() == 'of another line'
    assert [path.name for path in figure.parent.glob('arc_F1_fake*.pdf')] == [f'arc{FOLDER}.pdf']


def test_the_large_batch_is_a_tenth_and_the_small_one_256_where_that_is_small():
    for num, sizes in {
        60_000: (256, 6000), 50_000: (256, 5000), 20_480: (256, 2048), 1280: (16, 128), 40: (2, 4),
    }.items():  # fmt: skip
        assert batch_sizes(num) == sizes


def test_each_network_has_the_papers_data():
    papers = {'F1': 'mnist', 'F2': None, 'C1': 'cifar10', 'C2': 'cifar10', 'C3': 'cifar100', 'C4': 'cifar100'}
    assert NETWORKS.keys() == papers.keys()
    for name, dataset in papers.items():
        flags = build_pair_parser(None, prog='p').parse_args(['-n', name, '--optimizer', 'SGD', '--lr', '0.5'])
        if dataset is None:  # its own is not free
            continue
        assert resolve_dataset(flags) == dataset
        folder, argv = training_flags(flags, dataset, 256)
        assert folder.name == f'{name}_{dataset}_bs256_SGD_lr0.5_epochs20_seed123'
        assert argv[argv.index('--model') + 1] == f'keskar_{name.lower()}'
        assert argv[argv.index('--lr') + 1] == '0.5'


def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for flags, words in (
        (('--batch-sizes', '16', '5000'), ('5000', '1280')),
        (('--optimizer', 'SGD'), ('SGD', '--lr')),
    ):
        assert plot_parametric_plot.main(['-n', 'F1', '--dataset', 'digits', *flags]) == 2
        [line] = [line for line in capsys.readouterr().err.splitlines() if not line.startswith('warning: ')]
        assert all(word in line for word in words), line
        assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_features_of_ones_own_train_f2(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    parts = {f'x_{split}': rng.normal(size=(40, 12)).astype(np.float32) for split in ('train', 'test')}
    parts |= {f'y_{split}': np.arange(40) % 5 for split in ('train', 'test')}
    np.savez(tmp_path / 'speech.npz', **parts)
    monkeypatch.chdir(tmp_path)
    status = plot_parametric_plot.main(['-n', 'F2', '--dataset', 'speech.npz', '--epochs', '1', '--device', 'cpu'])
    assert status == 0
    assert (tmp_path / 'Figures' / 'F2.pdf').is_file()
    results = tmp_path / 'TrainingResults'
    assert len(read_rows(results / 'line_F2_speech.npz_bs2_to_4_Adam_epochs1_seed123' / 'line.csv')) == 25
    config = read_json(results / 'F2_speech.npz_bs4_Adam_epochs1_seed123' / 'config.json')
    assert config['settings']['model'] == 'keskar_f2'
