"""Averages of weights over the epochs of a run, and runs that end at an accuracy."""

import copy
import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import evaluate
from bigbatch.training.averaging import WeightAverage, settle
from bigbatch.training.stopping import StopRule
from tests.conftest import TINY_GBN, TINY_NORMAL, main_normal, read_json, read_rows, stable_rows
from tests.each import check_each

AVERAGED = ('averaged_val_loss', 'averaged_val_error1', 'averaged_val_error5')
SWA = ('--swa-start', '2', '--save_all')


def state_of(path):
    return torch.load(path, weights_only=True)['state_dict']


def mean_of(states):
    """Return the mean of the parameters of state dicts in float64; buffers are left out."""
    names = [name for name in states[0] if 'running' not in name and 'num_batches' not in name]
    return {name: torch.stack([state[name].double() for state in states]).mean(0) for name in names}


def test_the_average_of_the_epochs_from_the_start_on_is_scored_as_evaluate_does(train, tmp_path):
    run = train(*TINY_GBN, *SWA, '--val-fraction', '0.25')
    averaged = torch.load(run / 'averaged.pth.tar', weights_only=True)
    assert averaged['num_averaged'] == 2
    means = mean_of([state_of(run / f'checkpoint_epoch_{epoch}.pth.tar') for epoch in (2, 3)])
    for name, value in means.items():
        torch.testing.assert_close(averaged['state_dict'][name].double(), value, rtol=3e-7, atol=1e-8)
    rows = read_rows(run / 'results.csv')
    assert [rows[0][name] for name in AVERAGED] == ['', '', '']
    assert all(float(row[name]) >= 0 for row in rows[1:] for name in AVERAGED)
    # One network is its own average, but for the statistics.
    assert float(rows[1]['averaged_val_loss']) != float(rows[2]['averaged_val_loss'])
    config = read_json(run / 'config.json')
    assert set(config['averaged_test']) == set(config['test']) == {'loss', 'error1', 'error5'}
    assert config['averaged_test'] != config['test']
    flags = ['--evaluate', str(run / 'averaged.pth.tar'), '--results_dir', str(tmp_path), '--device', 'cpu']
    assert evaluate.main(flags) == 0
    found = read_rows(tmp_path / 'evaluation' / 'evaluation.csv')[-1]
    for ours, theirs in zip(AVERAGED, ('loss', 'error1', 'error5'), strict=True):
        assert float(rows[-1][ours]) == pytest.approx(float(found[theirs]), rel=1e-6)


def test_averaging_changes_nothing_else_and_resumes_bit_for_bit(train):
    plain, whole = train(*TINY_GBN, save='plain'), train(*TINY_GBN, *SWA, save='whole')
    rows = stable_rows(whole)
    assert [{name: row[name] for name in row if name not in AVERAGED} for row in rows] == stable_rows(plain)
    for kept in (1, 2):
        run = train('--resume', f'{whole}/checkpoint_epoch_{kept}.pth.tar', save=f'from{kept}')
        assert stable_rows(run) == rows
        again, first = state_of(run / 'averaged.pth.tar'), state_of(whole / 'averaged.pth.tar')
        assert all(value.equal(again[name]) for name, value in first.items())


def test_a_run_older_than_the_flag_has_no_average_to_go_on_with(train, refused):
    run = train(*TINY_GBN)
    config = read_json(run / 'config.json')
    del config['settings']['swa_start']
    (run / 'config.json').write_text(json.dumps(config))
    checkpoint = torch.load(run / 'checkpoint.pth.tar', weights_only=True)
    del checkpoint['estimator']
    torch.save(checkpoint, run / 'checkpoint.pth.tar')
    refused('--resume', str(run), '--epochs', '4', '--swa-start', '4', words=('swa_start was None',))
    assert train('--resume', str(run), '--epochs', '4') == run


def loader_of(*batches):
    """Return a loader as the project has them, of targets that do not matter."""
    passes = [[(inputs, torch.zeros(len(inputs), dtype=torch.long), None)] for inputs in batches]
    return SimpleNamespace(epoch=lambda epoch: passes)


def test_statistics_of_an_average_are_moments_of_the_data():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2), nn.BatchNorm1d(2)).double()
    other, average, summed = copy.deepcopy(model), WeightAverage(model), nn.CrossEntropyLoss(reduction='sum')
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn_like(parameter))
    average.add(model)
    average.add(other)
    batches = [torch.randn(6, 3, dtype=torch.float64) for _ in range(3)]
    settle(nn.Linear(3, 2), summed, None, loader_of(torch.zeros(4, 3)))  # needs no data
    settle(average.model, summed, loader_of(*batches), loader_of(*batches))
    assert average.count == 2
    for name, value in mean_of([model.state_dict(), other.state_dict()]).items():
        torch.testing.assert_close(average.model.state_dict()[name], value)
    reference, seen = copy.deepcopy(average.model).train(), {1: [], 4: []}
    for place, found in seen.items():
        reference[place].register_forward_pre_hook(lambda _, inputs, found=found: found.append(inputs[0].detach()))
    for batch in batches:
        reference(batch)
    for place, found in seen.items():
        norm = average.model[place]
        torch.testing.assert_close(norm.running_mean, torch.stack([inputs.mean(0) for inputs in found]).mean(0))
        torch.testing.assert_close(norm.running_var, torch.stack([inputs.var(0) for inputs in found]).mean(0))


def test_the_rule_ends_a_run_at_its_accuracy():
    def check(accuracy, errors, word):
        rule = StopRule(accuracy, 3)
        for epoch, error in enumerate(errors, start=1):
            assert not rule.is_reached
            rule.see(epoch, error)
        assert rule.is_reached == (word == 'is reached')
        assert word in rule.message

    check_each([
        (98.0, (50.0, 2.0), 'is reached'), (98.0, (50.0, 2.0 + 1e-12), 'is reached'),
        (98.0, (50.0, 2.1, 2.1), 'was not reached'), (100.0, (0.0,), 'is reached'),
    ], check)  # fmt: skip


def test_a_run_stops_at_its_accuracy_and_is_finished(train, capsys):
    whole = train(*TINY_NORMAL, script=main_normal, save='whole')
    errors = [float(row['train_error1']) for row in read_rows(whole / 'results.csv')]
    wanted = 100 - errors[1]
    assert errors[1] < errors[0]
    run = train(*TINY_NORMAL, '--stop-accuracy', str(wanted), script=main_normal)
    assert stable_rows(run) == stable_rows(whole)[:2]
    path = run / 'config.json'
    assert read_json(path)['status'] == 'done'
    assert 'after epoch 2 of 3' in read_json(path)['message']
    capsys.readouterr()
    before = {path: path.read_bytes() for path in run.iterdir()}
    assert main_normal.main(['--resume', str(run)]) == 0
    assert 'is reached' in capsys.readouterr().out
    assert {path: path.read_bytes() for path in run.iterdir()} == before
    path.write_text(path.read_text().replace('"status": "done"', '"status": "running"'))  # killed after it
    assert main_normal.main(['--resume', str(run)]) == 0
    assert len(read_rows(run / 'results.csv')) == 2
    assert read_json(path)['status'] == 'done'


def test_an_accuracy_that_is_never_reached_or_before_the_first_average_is_said(train, capsys):
    run = train(*TINY_NORMAL, '--epochs', '1', '--stop-accuracy', '100', '--swa-start', '1', script=main_normal)
    assert '--stop-accuracy 100 was not reached' in read_json(run / 'config.json')['message']
    run = train(*TINY_NORMAL, '--stop-accuracy', '1', '--swa-start', '3', script=main_normal, save='early')
    assert 'no average' in capsys.readouterr().err
    assert not (run / 'averaged.pth.tar').exists()
    assert read_rows(run / 'results.csv')[0]['averaged_val_loss'] == ''
