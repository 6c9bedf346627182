"""How runs of several ranks end, and what is refused before they begin."""

import time

import pytest

import main_normal
from tests.conftest import TINY, TINY_GBN, read_json
from tests.ranks import run_on_ranks

GHOSTS = (*TINY_GBN, '--dry-run')
NORMAL = (*TINY, '--epochs', '1', '--dry-run')


@pytest.fixture
def two_ranks(monkeypatch):
    for name, value in (('RANK', 0), ('LOCAL_RANK', 0), ('WORLD_SIZE', 2), ('MASTER_ADDR', '127.0.0.1')):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv('MASTER_PORT', '0')
    monkeypatch.setattr('bigbatch.distributed.SECONDS_FOR_OTHERS', 0.0)


def test_what_does_not_divide_is_refused_with_sizes_that_do(refused, two_ranks):
    together = ('--duplicates', '2', '--b', '6', '--adapt-grad-norm', '1', '-mb', '2', '--copies', 'together')
    for flags, words in (
        (('--b', '12'), ('--batch-size 12', '2 equal parts', 'ghosts of 4', '8 or 16')),
        (('--b', '12', '--duplicates', '3'), ('--batch-size 12', '8 or 16')),
        (('--dataset', 'fake:68:1x8x8:4', '--no-drop-last'), ('--no-drop-last', '4 examples', '--drop-last')),
        (together, ('--adapt-grad-norm 1', 'multiple of 4')),
        (('--bn-per-rank',), ('--bn-per-rank', 'leave it out')),
    ):
        refused(*GHOSTS, *flags, words=words)


def test_batch_norm_over_all_ranks_is_refused_on_cpus(refused, two_ranks, capsys):
    refused(*NORMAL, words=('2 ranks', '--bn-per-rank', 'main_gbn.py'), script=main_normal)
    refused(*NORMAL, '--bn-per-rank', '--micro-batch-size', '4', words=('--micro-batch-size 4',), script=main_normal)
    assert main_normal.main([*NORMAL, '--bn-per-rank', '--micro-batch-size', '8']) == 0
    assert '16 = 2 ranks x 1 micro-batch of 8' in capsys.readouterr().out


def test_an_environment_that_makes_no_sense_is_refused(refused, two_ranks, monkeypatch):
    for name, value, words in (
        ('MASTER_ADDR', '', ('MASTER_ADDR is not set', 'torchrun')),
        ('RANK', 'first', ('RANK=first', 'whole number')),
        ('RANK', '2', ('RANK=2', 'WORLD_SIZE=2')),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            refused(*NORMAL, words=words, script=main_normal)


@pytest.mark.slow
def test_all_ranks_end_where_one_fails_or_diverges_and_say_it_once(tmp_path):
    folder, place = tmp_path, ('--results_dir', str(tmp_path))
    start = time.monotonic()
    statuses = run_on_ranks(2, [
        ('main_gbn', *TINY_GBN, *place, '--save', 'diverged', '--regime', "{0: {'optimizer': 'SGD', 'lr': 1e30}}"),
        ('main_gbn', *TINY_GBN, *place, '--dataset', 'nothere'),
        ('main_gbn!5', *TINY_GBN, *place, '--save', 'failed'),
    ], folder)  # fmt: skip
    assert time.monotonic() - start < 60
    assert statuses == [[3, 3], [2, 2], [2, 2]]
    config = read_json(folder / 'failed' / 'config.json')
    assert config['status'] == 'failed'
    assert config['message'].startswith('rank 1: the data of this machine are gone')
    assert 'error: rank 1: the data of this machine are gone' in (folder / 'rank1.txt').read_text()
    assert 'error: rank 1' not in (folder / 'rank0.txt').read_text()
    assert read_json(folder / 'diverged' / 'config.json')['status'] == 'diverged'
    assert 'error: ' not in (folder / 'rank1.txt').read_text().split('error: rank 1: ')[0]
    lines = [(folder / f'rank{rank}.txt').read_text().count("no data set 'nothere'") for rank in range(2)]
    assert lines == [1, 0]  # what all ranks refuse one of them prints
