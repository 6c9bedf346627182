"""Damage to the files of a run, or to what it was made from, is found before anything is lost, and named."""

import csv
import os
import shutil
from pathlib import Path

import pytest

from tests.bigbatch.training.test_partial_epochs import assert_same_run, photos  # noqa: F401 - a fixture
from tests.conftest import TINY_GBN, main_gbn, read_json, read_rows, stable_rows
from tests.each import check_each
from utils.files import write_atomically
from utils.runs import checkpoint as checkpoints
from utils.runs.checkpoint_parts import PARTS

# ruff: noqa: F811 - fixtures are imported by name

LATEST, PREVIOUS = 'checkpoint.pth.tar', 'checkpoint_previous.pth.tar'


def damage(path, how: str) -> None:
    """Damage a file, which may share its content with another name."""
    content = bytearray(path.read_bytes())
    path.unlink()
    if how == 'truncated':
        path.write_bytes(content[: len(content) // 2])
    elif how == 'empty':
        path.write_bytes(b'')
    elif how == 'one bit':
        content[content.find(b'data/0') + 200] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize('minutes', ['0', '1e-9'])
def test_a_damaged_latest_checkpoint_falls_back_to_the_one_before(train, tmp_path, capsys, minutes):
    straight, run = train(*TINY_GBN, save='straight'), train(*TINY_GBN, '--checkpoint-minutes', minutes, '--save_all')
    before = checkpoints.load_checkpoint(run / PREVIOUS)
    for how in ('truncated', 'empty', 'one bit', 'gone'):
        damaged = shutil.copytree(run, tmp_path / how)
        damage(damaged / LATEST, how)
        capsys.readouterr()
        assert main_gbn.main(['--resume', str(damaged), '--no-save_all']) == 0
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f'warning: {damaged / LATEST}: ')
        assert line.endswith(f'going on from the one before it, after update {before["step"]}')
        assert_same_run(damaged, straight)
        assert checkpoints.load_checkpoint(damaged / PREVIOUS)['step'] == before['step']


def test_a_file_that_is_named_is_not_replaced_by_another(train, refused):
    run = train(*TINY_GBN)
    damage(run / LATEST, 'truncated')
    refused('--resume', str(run / LATEST), words=(LATEST, 'damaged'))
    refused('--evaluate', str(run), words=(LATEST, 'damaged'))
    damage(run / PREVIOUS, 'empty')
    refused('--resume', str(run), words=(f'/{LATEST}', 'damaged'))


def test_the_one_before_is_whole_at_every_moment(tmp_path, monkeypatch):
    """With hard links and without; each change of a name is a moment at which the process may die."""
    latest, previous = tmp_path / LATEST, tmp_path / PREVIOUS
    seen, replace = [], os.replace

    def replaces(source, target):
        replace(source, target)
        seen.append({path.name: path.read_text() for path in (latest, previous) if path.exists()})

    def no_links(source, target):
        raise PermissionError('no hard links here')

    monkeypatch.setattr('utils.files.os.replace', replaces)
    for number in range(6):
        if number == 3:
            monkeypatch.setattr('utils.files.os.link', no_links)
        write_atomically(latest, lambda file, number=number: file.write(b'%d' % number), previous=previous)
        assert latest.read_text() == str(number)
        assert number == 0 or previous.read_text() == str(number - 1)
        assert number >= 3 or all(LATEST in texts for texts in seen)  # with links its name is never gone
    assert all(seen)
    assert {text for texts in seen for text in texts.values()} == set('012345')
    assert sorted(path.name for path in tmp_path.iterdir()) == [LATEST, PREVIOUS]


def test_a_checkpoint_has_all_parts_that_are_declared_and_costs_its_bytes_once(train):
    run = train(*TINY_GBN)
    assert checkpoints.load_checkpoint(run / LATEST).keys() == PARTS.keys() - {'ranks'}  # of a single process
    assert (run / PREVIOUS).stat().st_size == pytest.approx((run / LATEST).stat().st_size, rel=0.05)
    assert (run / LATEST).stat().st_nlink == 1


def test_a_damaged_config_json_is_named_with_what_helps(train, refused):
    run = train(*TINY_GBN)
    path = run / 'config.json'
    content = path.read_text()

    def check(text, word):
        path.write_text(text)
        refused('--resume', str(run), words=(str(path), word, f'--init-from {run}/{LATEST}'))

    check_each([('{"version": 1,', 'damaged'), ('[]', 'damaged'), ('\0' * 100, 'damaged'), ('{}', 'lacks')], check)
    path.write_text(content)
    assert main_gbn.main(['--resume', str(run), '--epochs', '4']) == 0


def test_an_image_that_is_gone_or_has_moved_to_another_class_is_noticed(train, refused, photos):
    flags = (*TINY_GBN, '--dataset', photos, '--model', 'cifar10_shallow', '--model_config', '{}', '--epochs', '1')
    run = train(*flags)
    image = Path(photos, 'train', 'a', '0.png')
    for place in (Path(photos, 'train', 'b', '0 of another class.png'), Path(photos, '0.png')):
        image.rename(place)
        refused('--resume', str(run), '--epochs', '2', words=('training set', 'fingerprint', 'bring that one back'))
        place.rename(image)
    assert main_gbn.main(['--resume', str(run), '--epochs', '2']) == 0


def test_a_torn_row_that_the_checkpoint_is_past_is_told(train, capsys, tmp_path):
    whole = train(*TINY_GBN)
    for number, more in enumerate((b'', b'\xff\0')):
        run = shutil.copytree(whole, tmp_path / str(number))
        (run / 'results.csv').write_bytes((run / 'results.csv').read_bytes()[:-40] + more)
        assert main_gbn.main(['--resume', str(run), '--epochs', '4']) == 0
        assert [row['epoch'] for row in stable_rows(run)] == ['1', '2', '4']
        assert f'{run}/results.csv: a row is torn or gone' in capsys.readouterr().err


def test_a_run_older_than_a_column_keeps_its_rows(train):
    table, missing = train(*TINY_GBN, '--noise-scale') / 'results.csv', ('images_per_second', 'gradient_variance')
    whole = read_rows(table)
    with table.open('w', newline='') as file:
        writer = csv.DictWriter(file, [name for name in whole[0] if name not in missing], extrasaction='ignore')
        writer.writeheader()
        writer.writerows(whole)
    assert train('--resume', str(table.parent), '--epochs', '4') == table.parent
    *before, last = read_rows(table)
    assert before == [row | dict.fromkeys(missing, '') for row in whole]
    assert list(last) == list(whole[0]) and '' not in last.values()


def test_a_damaged_best_checkpoint_stops_nothing_but_a_lost_table_does(train, capsys, refused):
    run = train(*TINY_GBN)
    (run / 'model_best.pth.tar').write_bytes(b'damaged')
    assert main_gbn.main(['--resume', str(run), '--epochs', '6']) == 0
    assert len(stable_rows(run)) == 6
    assert 'best so far, are gone' in capsys.readouterr().err
    assert read_json(run / 'config.json')['status'] == 'done'
    assert checkpoints.load_checkpoint(run / 'model_best.pth.tar')['epoch'] > 3
    (run / 'results.csv').unlink()
    refused('--resume', str(run), '--epochs', '7', words=('results.csv', 'missing', 'bring it back'))
