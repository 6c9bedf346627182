"""evaluate.py: scores against torch by hand, noise that is a function of its place, files that are gone on with."""

import statistics

import pytest
import torch
import torch.nn.functional as F

import evaluate
from bigbatch.seeding import make_generator
from bigbatch.training.perturbation import perturbed
from tests.conftest import TINY_GBN, read_rows
from tests.engine.test_network import examples_of, open_with
from utils.measures import evaluation
from utils.measures.evaluation import Noise, score


@pytest.fixture(scope='module')
def run(train_once):
    return train_once(*TINY_GBN, '--val-fraction', '0.25', '--pixels', 'unit')


@pytest.fixture
def evaluated(tmp_path, capsys):
    def call(*flags, save='out', status=0):
        capsys.readouterr()
        assert evaluate.main([*map(str, flags), '--results_dir', str(tmp_path), '--save', save]) == status
        path = tmp_path / save / 'evaluation.csv'
        return capsys.readouterr().out, read_rows(path) if path.exists() else []

    return call


def by_hand(model, inputs, targets):
    with torch.no_grad():
        logits = model(inputs).double()
    return F.cross_entropy(logits, targets).item(), 100 * (logits.argmax(1) != targets).double().mean().item()


def test_loss_and_errors_are_those_of_torch(run, evaluated):
    network = open_with(run)
    for mode, num_examples in (('train', 48), ('val', 16), ('test', 16)):
        out, rows = evaluated('--evaluate', run, '--mode', mode, '-b', 7, save=mode)
        loss, error = by_hand(network.model, *examples_of(getattr(network, mode)))
        assert float(rows[0]['loss']) == pytest.approx(loss, rel=1e-6)
        assert float(rows[0]['error1']) == pytest.approx(error)
        assert int(rows[0]['examples']) == num_examples
        assert f'loss {loss:.4f}' in out and str(evaluation.FILE) in out


def test_noise_depends_on_seed_and_place_alone(run):
    network = open_with(run)
    inputs, targets = examples_of(network.train)

    def noisy(*place, strength=0.2):
        with perturbed(network.model, strength, make_generator(123, 'noise', *place)):
            return by_hand(network.model, inputs, targets)[0]

    copies = [score(network, network.train, Noise(0.2, 'copy', 123), repeat).loss for repeat in (2, 0)]
    assert copies == pytest.approx([noisy('copy', 2), noisy('copy', 0)], rel=1e-6)
    assert score(network, network.train, Noise(0.2, 'copy', 124)).loss != pytest.approx(copies[1], rel=1e-6)
    # fresh for each batch of 10, 10, 10, 10 and 8
    total = 0.0
    for index, (some, their) in enumerate(zip(inputs.split(10), targets.split(10), strict=True)):
        with perturbed(network.model, 0.2, make_generator(123, 'noise', 'batch', 1, index)):
            total += by_hand(network.model, some, their)[0] * len(some)
    assert score(network, network.train, Noise(0.2, 'batch', 123), 1).loss == pytest.approx(total / 48, rel=1e-6)


def test_copies_make_a_table_of_means(run, evaluated):
    flags = ('-e', run, run / 'initial.pth.tar', '--ss', 0.1, '--noise-per', 'copy', '--times', 3)
    out, rows = evaluated(*flags)
    assert [(row['checkpoint'], row['repeat']) for row in rows] == [
        (name, str(repeat)) for name in ('run', 'run/initial') for repeat in range(3)
    ]
    assert {(float(row['noise']), row['noise_per']) for row in rows} == {(0.1, 'copy')}
    losses = [float(row['loss']) for row in rows[:3]]
    assert len(set(losses)) == 3
    table = out[out.index('checkpoint ') :].splitlines()
    assert [line.split()[0] for line in table[2:]] == ['run', 'run/initial']
    assert f'{statistics.fmean(losses):.4f} +- {statistics.stdev(losses):.4f}' in table[2]


def test_what_was_measured_is_not_measured_again(run, evaluated, monkeypatch):
    measured = []
    original = evaluation.score

    def counting(network, loader, noise, repeat, advance):
        if len(measured) == 2 and stops:
            raise KeyboardInterrupt
        measured.append(repeat)
        return original(network, loader, noise, repeat, advance)

    monkeypatch.setattr(evaluation, 'score', counting)
    flags, stops = ('-e', run, '--ss', 0.1, '--noise-per', 'copy', '--times', 4), True
    _, rows = evaluated(*flags, status=130)
    assert len(rows) == 2
    stops = False
    out, rows = evaluated(*flags)
    assert measured == [0, 1, 2, 3]
    assert out.count(' of 4)') == 4
    assert [row['loss'] for row in rows] == [row['loss'] for row in evaluated(*flags, save='new')[1]]
    measured.clear()
    for other in (('--seed', 5), ('--mode', 'train'), ('--noise-per', 'batch'), ('--num-examples', 5)):
        evaluated(*flags, *other)
    assert measured == [0, 1, 2, 3] * 4
    measured.clear()
    evaluated(*flags, '-b', 3)  # a copy is the same for any batches
    assert measured == []


def test_the_published_line_is_accepted_as_printed(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path))
    checkpoint = tmp_path / 'model_best.pth.tar'
    torch.save({'state_dict': {'module.x': torch.zeros(1)}}, checkpoint)
    flags = ['--model', 'alexnet', '--dataset', 'imagenet', '-b', '100', '--gpus', '1', '--evaluate', str(checkpoint)]
    flags += ['--ss', '0.006', '--mode', 'train', '--no-augment']
    assert evaluate.main([*flags, '--results_dir', str(tmp_path)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f'no folder {tmp_path / "imagenet"}' in error  # the only thing that it lacks
