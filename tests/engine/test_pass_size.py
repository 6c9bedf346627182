"""--micro-batch-size auto: runs of the size that it finds, and what it refuses."""

import main_swap
from bigbatch.training import micro_batch
from tests.conftest import TINY, main_gbn, main_normal, read_json, stable_rows
from utils.engine import experiment, pass_size

AUTO = ('--micro-batch-size', 'auto')
WIDE = ('--model_config', "{'width': 64, 'depth': 2}", '--dataset', 'fake:512:1x8x8:4', '--b', '512', '-mb', '16')
RUN = (*TINY, *WIDE, '--epochs', '2')


def give_memory(monkeypatch, num_bytes: float) -> None:
    monkeypatch.setattr(experiment, 'free_memory', lambda device: num_bytes / micro_batch.SHARE_FOR_PASSES)


def test_a_run_is_that_of_the_number_which_was_found(train, monkeypatch, capsys):
    give_memory(monkeypatch, 0.6 * 2**20)
    found = train(*RUN, *AUTO, '--relu_noise', '0.3', save='auto')
    content = read_json(found / 'config.json')
    settings, size = content['settings'], content['micro_batch_size']
    assert settings['micro_batch_size'] == 'auto', 'a row of a table, whatever size a seed finds'
    assert 16 <= size < 512
    assert 'of the 0.6 MiB available' in capsys.readouterr().out
    fixed = train(*RUN, '--micro-batch-size', str(size), '--relu_noise', '0.3', save='fixed')
    assert stable_rows(found) == stable_rows(fixed)
    give_memory(monkeypatch, 2**30)
    train('--resume', str(found), '--epochs', '3', save='longer')
    longer = read_json(found.parent / 'longer' / 'config.json')
    assert longer['micro_batch_size'] == size
    assert longer['settings'] == {**settings, 'epochs': 3, 'num_epochs': 3, 'save': 'longer'}


def test_a_dry_run_finds_nothing(train, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(pass_size, 'find_fit', None)
    for script, num in ((main_gbn, 1), (main_swap, 2)):  # of SWAP for each phase
        train(*RUN, *AUTO, '--dry-run', script=script)
        assert capsys.readouterr().out.count('(auto)') == num
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_refused_and_ordinary_batch_norm_keeps_its_batch_whole(train, refused, monkeypatch):
    run = train(*TINY, '--epochs', '1', *AUTO, script=main_normal)
    assert read_json(run / 'config.json')['micro_batch_size'] == 16
    give_memory(monkeypatch, 1000)
    refused(*RUN, *AUTO, words=('--micro-batch-size auto', '16 examples', 'smaller ghosts'))
    plain = [*TINY, '--epochs', '1', *AUTO]
    refused(*plain, script=main_normal, words=('--micro-batch-size auto', '16 examples', 'main_gbn.py'))
    refused(*plain, '--noise-scale', script=main_normal, words=('--noise-scale',))
