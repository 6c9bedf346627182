"""Files and words made to harm: refused in one line, and nothing in them is executed."""

import itertools
import json
import pickle
import tarfile
import zipfile
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

import evaluate
import measure_sharpness
import visualize2_sharpness
import visualize_sharpness
from data_sets.cache import ImageCache
from tests.conftest import TINY, main_gbn, main_normal, read_json
from tests.official_files import SOURCES
from utils.files import write_atomically
from utils.sweeps import __main__ as sweep

FLAGS = (*TINY, '-mb', '4')
CODE = "__import__('pathlib').Path({!r}).touch()"
WRITERS = (  # of a pickle, of a zip and of what was before the zip, all of which torch.load could be asked to read
    lambda value, path: path.write_bytes(pickle.dumps(value)),
    torch.save,
    lambda value, path: torch.save(value, path, _use_new_zipfile_serialization=False),
)


class Bomb:
    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return eval, (CODE.format(str(self.target)),)


@pytest.fixture
def target(tmp_path):
    """The file that whatever runs would make; it must not be there at the end."""
    path = tmp_path / 'executed'
    pickle.loads(pickle.dumps(Bomb(path)))
    assert path.exists(), 'the bomb works'
    path.unlink()
    yield path
    assert not path.exists()


@pytest.fixture
def run(run):
    """A finished run, where every other checkpoint than the one a test changes is whole."""
    (run / 'checkpoint_previous.pth.tar').unlink()  # which would be fallen back to
    return run


def test_a_bomb_in_place_of_a_checkpoint(refused, target, run):
    bomb = run / 'bomb.pth.tar'
    for write in WRITERS:
        write({'state_dict': Bomb(target)}, bomb)
        refused(*FLAGS, '--init-from', bomb, words=(bomb.name,))
        refused('--resume', bomb, '--epochs', '3', words=(bomb.name,))
        refused('--evaluate', run, '--slave-evaluate', bomb, words=(bomb.name,), script=visualize_sharpness)
        for script in (main_gbn, evaluate, measure_sharpness, visualize2_sharpness):
            refused('--evaluate', bomb, words=(bomb.name,), script=script)


def test_a_bomb_inside_a_run(refused, target, run):
    for bomb in (run / 'checkpoint.pth.tar', run / 'initial.pth.tar'):
        clean = bomb.read_bytes()
        torch.save({**torch.load(bomb, weights_only=True), 'more': Bomb(target)}, bomb)
        before = {path: path.read_bytes() for path in run.rglob('*') if path.name not in ('config.json', 'log.txt')}
        refused('--resume', run, '--epochs', '3', words=(bomb.name,))
        assert {path: path.read_bytes() for path in before} == before
        bomb.write_bytes(clean)


def test_a_bomb_in_place_of_the_best_weights(capsys, target, run):
    path = run / 'model_best.pth.tar'
    torch.save({'epoch': 2, 'state_dict': Bomb(target)}, path)
    assert main_gbn.main(['--resume', str(run), '--epochs', '3']) == 0
    best = torch.load(run / 'checkpoint.pth.tar', weights_only=True)['best']
    is_found = best['epoch'] == torch.load(path, weights_only=True)['epoch']
    assert is_found or 'are gone' in capsys.readouterr().err


HARMFUL = (
    'x', -1, 2.5, None, [], [5], {}, {'a': 1}, {'torch': 1, 'cuda': [], 'numpy': 2, 'python': 3}, torch.zeros(3), 2**70,
)  # fmt: skip
FINE = {  # after the first checkpoint, at the end of an epoch, of one process, of an estimator that keeps other things
    'best': (None,), 'partial': (None,), 'ranks': (None, []), 'estimator': (None, *HARMFUL[6:9]),
}  # fmt: skip


def test_checkpoints_with_other_values_than_ours(refused, run):
    """Whatever of plain types stands in a checkpoint: refused, or gone on with where it means something."""
    path = run / 'checkpoint.pth.tar'
    content = torch.load(path, weights_only=True)
    parts = ('epoch', 'step', 'optimizer', 'rng', 'best', 'estimator', 'state_dict', 'version', 'partial', 'ranks')
    for key, value in itertools.product(parts, HARMFUL):
        if repr(value) not in map(repr, FINE.get(key, ())):
            torch.save({**content, key: value}, path)
            refused('--resume', run, '--epochs', '3', words=('checkpoint',))


def test_a_zip_that_climbs_out_of_its_folder(refused, target, tmp_path):
    for name, flag in (('set.npz', '--dataset'), ('weights.pth.tar', '--init-from')):
        with zipfile.ZipFile(tmp_path / name, 'w') as archive:
            for member in ('../executed', str(target), 'archive/../../executed'):
                archive.writestr(member, 'harm')
        refused(*FLAGS, flag, tmp_path / name, words=(name,))


def test_arrays_of_objects_in_a_data_set(refused, target, tmp_path):
    bombs, numbers = np.array([Bomb(target)] * 64, dtype=object), np.arange(64) % 4
    np.savez(tmp_path / 'set.npz', x_train=bombs, y_train=numbers, x_test=bombs, y_test=numbers)
    refused(*FLAGS, '--dataset', tmp_path / 'set.npz', words=('x_train holds Python objects',))
    (tmp_path / 'set.npz').write_bytes(pickle.dumps(Bomb(target)))
    refused(*FLAGS, '--dataset', tmp_path / 'set.npz', words=('set.npz',))


def test_arrays_of_objects_in_the_cache_of_decoded_images(target, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    cache = ImageCache(tmp_path, 'train', key='key')
    for path in cache.paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {'key': np.array('key'), 'images': np.array([Bomb(target)] * 2, dtype=object)}
        write_atomically(path, lambda file, content=content: np.savez(file, **content))
    assert cache.read(2, max_bytes=10**9) is None


def test_an_archive_that_climbs_out_of_its_folder(refused, target, tmp_path, monkeypatch):
    """Archives are unpacked by torchvision, after their checksums are found to be the official ones."""
    monkeypatch.setattr('urllib.request.urlopen', Mock(side_effect=OSError('no network')))
    (tmp_path / 'harm').write_text('harm')
    for name in ('cifar10', 'stl10'):
        archive = tmp_path / 'sets' / name / SOURCES[name].filename
        archive.parent.mkdir(parents=True)
        with tarfile.open(archive, 'w:gz') as file:
            file.add(tmp_path / 'harm', arcname='../../executed')
        flags = (*FLAGS, '--dataset', name, '--datasets-dir', tmp_path / 'sets', '--download')
        refused(*flags, words=(name,))


def test_a_pickle_in_place_of_an_official_file(refused, target, tmp_path):
    for name in ('cifar10', 'cifar100'):
        source = SOURCES[name]
        folder = tmp_path / name / source.base_folder
        folder.mkdir(parents=True)
        for file, _ in (*source.train_list, *source.test_list, (source.meta['filename'], '')):
            (folder / file).write_bytes(pickle.dumps({'data': Bomb(target), 'labels': []}))
        refused(*FLAGS, '--dataset', name, '--datasets-dir', tmp_path, words=('checksum',))


SHAPES = (
    '{code}', '{{"width": {code}}}', '{{0: {{"lr": {code}}}}}', '[{code} for _ in (1,)]', '(lambda: {code})()',
    'f"{{{code}}}"', '{{**{code}}}', '[].__class__.__base__.__subclasses__()', '1 if {code} else 2', '"a" * 10**10',
    '(' * 5000, '{{' * 500, '9' * 10**5,
)  # fmt: skip


def test_only_literals_are_evaluated(refused, target, tmp_path):
    file = tmp_path / 'regime.py'
    for shape in SHAPES:
        text = shape.format(code=CODE.format(str(target)))
        file.write_text(text)
        for flag, value in (('--model_config', text), ('--regime', text), ('--regime', file)):
            refused(*FLAGS, flag, value, words=(flag,))


def test_commands_of_a_suite_are_not_a_shell(refused, target, tmp_path):
    suite = tmp_path / 'suite.sh'
    for line in (
        f'touch {target}',
        f'python -c "open({str(target)!r}, 1)"',
        f'python main_gbn.py --save a; touch {target}',
        f'python main_gbn.py --save a && touch {target}',
        f'python main_gbn.py --save $(touch {target})',
        'python ../../evil.py --save a',
        'python main_gbn.py --save ../../a',
        'python /tmp/main_gbn.py --save a',
    ):
        suite.write_text(f'# A suite.\n{line}\n')
        refused(suite, words=('suite.sh:2',), script=sweep)


FIELDS = {
    'num_threads': (0, -1, 10**9, 'x', 2.5, True),
    'argv': ([5], 'x', ['--no-such-flag'], ['--save', '../../x'], ['--resume', 'x'], {'a': 1}),
    'script': ('evil.py', '../main_gbn.py', 5, 'main_normal.py'),
    'settings': ({}, [], 'x', {'model': '../evil'}, {'model_config': "__import__('os')"}),
    'regime': ('x', [{}], [{'epoch': 10**30, 'lr': 1}], [{'epoch': -1, 'lr': 1}], [5]),
    'num_epochs': ('x', None, []),
    'status': (5, {}, None),
    'data': (5, {}, 'other'),
}


def test_a_config_that_someone_wrote(refused, run):
    config, tables = read_json(run / 'config.json'), (run / 'results.csv').read_bytes()
    for field, value in ((field, value) for field, values in FIELDS.items() for value in values):
        (run / 'config.json').write_text(json.dumps({**config, field: value}))
        refused('--resume', run, '--epochs', '3', words=())
        assert (run / 'results.csv').read_bytes() == tables, (field, value)


def test_a_config_that_is_none(refused, run):
    for text in ('', '[]', '5', '"x"', '{', '\udcff', '{"a": ' * 5000, '[' * 100_000, 'NaN'):
        (run / 'config.json').write_bytes(text.encode('utf-8', 'surrogateescape'))
        for script, flag in ((main_gbn, '--resume'), (main_gbn, '--evaluate'), (evaluate, '--evaluate')):
            refused(flag, run, words=('config.json',), script=script)


def test_a_run_of_main_normal_under_a_name_that_is_a_flag(tmp_path, capsys):
    assert main_normal.main([*TINY, '--epochs', '1', '--results_dir', str(tmp_path), '--save=--rf']) == 0
    assert main_normal.main(['--evaluate', str(tmp_path / '--rf')]) == 0
