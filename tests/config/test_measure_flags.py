"""Every flag that the measuring scripts share has an effect that can be observed, seen through evaluate.py.

The table names for each flag those common to both sides and the flag with its value; what is compared is the exit
status, the row of the file without its key, the place of the file and what is printed on standard error.
"""

from __future__ import annotations

import contextlib
import io

import pytest
import torch

import evaluate
from tests.conftest import TINY_GBN, main_gbn, read_rows
from utils.config.measure import idle_flags

TRAIN = ('--mode', 'train')
NOISE = ('--ss', '0.3')
EFFECTS = {
    '--evaluate': ((), ('--evaluate', 'RUN/initial.pth.tar')),
    '--model': ((), ('--model', 'resnet')),
    '--model_config': ((), ('--model_config', "{'width': 9}")),
    '--dataset': ((), ('--dataset', 'fake:64:1x8x8:3')),
    '--datasets-dir': ((), ('--datasets-dir', '/no/such/folder')),
    '--input_size': ((), ('--input_size', '6')),
    '--pixels': ((), ('--pixels', 'unit')),
    '--augment': (TRAIN, ('--augment',)),
    '--no-augment': ((*TRAIN, '--augment'), ('--no-augment',)),
    '--num-examples': ((), ('--num-examples', '5')),
    '--batch-size': (NOISE, ('--batch-size', '3')),
    '--workers': ((), ('--workers', '3')),
    '--seed': (NOISE, ('--seed', '5')),
    '--device': ((), ('--device', 'cuda:99')),
    '--type': ((), ('--type', 'torch.DoubleTensor')),
    '--gpus': ((), ('--gpus', '99')),
    '--deterministic': ((), ('--deterministic',)),  # see below
    '--results_dir': ((), ('--results_dir', 'OTHER')),
    '--save': ((), ('--save', 'other')),
    '--mode': ((), TRAIN),
    '--sharpness-smoothing': ((), NOISE),
    '--noise-per': ((*NOISE, '-b', '3'), ('--noise-per', 'copy')),
    '--times': (NOISE, ('--times', '2')),
    '--duplicates': (('--augment', '--duplicates', '2', '--avg-out'), ('--duplicates', '3')),
    '--avg-out': ((), ('--augment', '--duplicates', '2', '--avg-out')),
}
SCORES = ('loss', 'error1', 'error5', 'examples', 'checkpoint')


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
        assert main_gbn.main([*TINY_GBN, '--results_dir', str(folder), '--save', 'run']) == 0
    return folder / 'run'


def observe(run, folder, flags):
    given = [flag.replace('RUN', str(run)).replace('OTHER', str(folder / 'other')) for flag in flags]
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        status = evaluate.main(['--evaluate', str(run), '--results_dir', str(folder), *given])
    files = sorted(folder.rglob('*.csv'))
    rows = [[row[name] for name in SCORES] for path in files for row in read_rows(path)]
    return status, rows, [path.relative_to(folder).as_posix() for path in files], err.getvalue()


@pytest.mark.parametrize('flag', [flag for flag in EFFECTS if flag != '--deterministic'])
def test_effect(flag, run, tmp_path):
    common, given = EFFECTS[flag]
    without = observe(run, tmp_path / 'without', common)
    assert observe(run, tmp_path / 'again', common) == without
    assert observe(run, tmp_path / 'with', (*common, *given)) != without


def test_deterministic_asks_for_deterministic_kernels(run, tmp_path):
    try:
        observe(run, tmp_path, ())
        assert not torch.are_deterministic_algorithms_enabled()
        observe(run, tmp_path / 'with', ('--deterministic',))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_every_flag_is_in_the_table():
    useless = {flag for spellings, _ in idle_flags() for flag in spellings}
    parser = evaluate.build_parser()
    for action in parser.actions():
        spellings = {*action.option_strings}
        assert spellings & {*EFFECTS} or spellings <= useless, spellings
        assert all(flag in EFFECTS for flag in spellings - useless if flag.startswith('--no-'))
    assert {*EFFECTS} | (useless - {'--ss'}) <= parser.flags()


def test_what_is_useless_is_hidden_and_said(run, tmp_path):
    shown = evaluate.build_parser().format_help()
    for spellings, num_values in idle_flags():
        if '--ss' in spellings:
            continue
        assert max(spellings, key=len) not in shown
        for flag in spellings:
            status, rows, _, err = observe(run, tmp_path, (flag, *['3'] * num_values))
            assert (status, len(rows)) == (0, 1)
            assert f'{flag} has no effect' in err
