"""Files and words made to harm: refused in one line, and nothing in them is executed."""

from __future__ import annotations

import contextlib
import csv
import json
import pickle
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

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
WRITERS = {  # as torch.load could be asked to read them
    'pickle': lambda value, path: path.write_bytes(pickle.dumps(value)),
    'zip': torch.save,
    'before the zip': lambda value, path: torch.save(value, path, _use_new_zipfile_serialization=False),
}  # fmt: skip


class Bomb:
    """Makes a file when it is unpickled."""

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


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A finished run of two epochs; to be copied."""
    folder = tmp_path_factory.mktemp('hostile')
    assert main_gbn.main([*FLAGS, '--epochs', '2', '--results_dir', str(folder), '--save', 'run']) == 0
    return folder / 'run'


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, where every other checkpoint than the one a test changes is whole."""
    shutil.copytree(finished, tmp_path / 'run')
    for path in (tmp_path / 'run').glob('*previous*'):  # which would be fallen back to
        path.unlink()
    return tmp_path / 'run'


def one_error(capsys, main, *argv: str) -> str:
    """Run a command that must be refused and return what it says."""
    capsys.readouterr()
    assert main([*map(str, argv)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if not line.startswith('warning: ')]
    assert len(errors) == 1 and 'error: ' in errors[0], errors
    return errors[0]


# Checkpoints


@pytest.mark.parametrize('kind', WRITERS)
def test_a_bomb_in_place_of_a_checkpoint(capsys, target, run, tmp_path, kind):
    bomb, out = run / 'bomb.pth.tar', ('--results_dir', tmp_path / 'out')
    WRITERS[kind]({'state_dict': Bomb(target)}, bomb)
    commands = (
        (main_gbn.main, *FLAGS, *out, '--init-from', bomb),
        (main_gbn.main, '--evaluate', bomb),
        (main_gbn.main, '--resume', bomb, '--epochs', '3'),
        (evaluate.main, '--evaluate', bomb, *out),
        (measure_sharpness.main, '--evaluate', bomb, *out),
        (visualize_sharpness.main, '--evaluate', run, '--slave-evaluate', bomb, *out),
        (visualize2_sharpness.main, '--evaluate', bomb, *out),
    )
    for main, *argv in commands:
        assert 'bomb.pth.tar' in one_error(capsys, main, *argv)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('name', ['checkpoint', 'initial'])
def test_a_bomb_inside_a_run(capsys, target, run, name):
    bomb = run / f'{name}.pth.tar'
    torch.save({**torch.load(bomb, weights_only=True), 'more': Bomb(target)}, bomb)
    before = {path: path.read_bytes() for path in run.rglob('*') if path.name not in ('config.json', 'log.txt')}
    assert bomb.name in one_error(capsys, main_gbn.main, '--resume', run, '--epochs', '3')
    assert {path: path.read_bytes() for path in before} == before


def test_a_bomb_in_place_of_the_best_weights(capsys, target, run):
    torch.save({'epoch': 2, 'state_dict': Bomb(target)}, run / 'model_best.pth.tar')
    assert main_gbn.main(['--resume', str(run), '--epochs', '3']) == 0
    best = torch.load(run / 'checkpoint.pth.tar', weights_only=True)['best']
    path = run / 'model_best.pth.tar'
    is_found = best['epoch'] == torch.load(path, weights_only=True)['epoch']
    assert is_found or 'are gone' in capsys.readouterr().err


WRONG_RNG = {'torch': 1, 'cuda': [], 'numpy': 2, 'python': 3}
HARMFUL = ('x', -1, 2.5, None, [], [5], {}, {'a': 1}, WRONG_RNG, torch.zeros(3), 2**70)


@pytest.mark.parametrize('key', [
    'epoch', 'step', 'optimizer', 'rng', 'best', 'estimator', 'state_dict', 'version', 'partial', 'ranks',
])  # fmt: skip
def test_checkpoints_with_other_values_than_ours(capsys, run, key):
    """Whatever of plain types stands in a checkpoint: refused, or gone on with where it means something."""
    path = run / 'checkpoint.pth.tar'
    content = torch.load(path, weights_only=True)
    for value in HARMFUL:
        if (value is None and key in ('best', 'estimator')) or (key == 'estimator' and isinstance(value, dict)):
            continue  # as after the first checkpoint, or of an estimator that keeps other things or nothing
        if key in ('partial', 'ranks') and (value is None or (key == 'ranks' and value == [])):
            continue  # as at the end of an epoch, and of one process
        torch.save({**content, key: value}, path)
        status = main_gbn.main(['--resume', str(run), '--epochs', '3'])
        errors = [line for line in capsys.readouterr().err.splitlines() if not line.startswith('warning: ')]
        assert (status, len(errors)) == (2, 1), (value, status, errors)
        assert 'checkpoint' in errors[0], (value, errors)


def test_a_zip_that_climbs_out_of_its_folder(capsys, target, run, tmp_path):
    climbing = ('../executed', str(target), 'archive/../../executed')
    for name, flag in (('set.npz', '--dataset'), ('weights.pth.tar', '--init-from')):
        with zipfile.ZipFile(tmp_path / name, 'w') as archive:
            for member in climbing:
                archive.writestr(member, 'harm')
        out = ('--results_dir', tmp_path / 'out')
        assert name in one_error(capsys, main_gbn.main, *FLAGS, *out, flag, tmp_path / name)


# Data


def test_arrays_of_objects_in_a_data_set(capsys, target, tmp_path):
    bombs, numbers = np.array([Bomb(target)] * 64, dtype=object), np.arange(64) % 4
    np.savez(tmp_path / 'set.npz', x_train=bombs, y_train=numbers, x_test=bombs, y_test=numbers)
    message = one_error(capsys, main_gbn.main, *FLAGS, '--dataset', tmp_path / 'set.npz')
    assert 'x_train holds Python objects' in message
    for name in ('a.npz', 'b.npz'):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb(target)))
        assert name in one_error(capsys, main_gbn.main, *FLAGS, '--dataset', tmp_path / name)


def test_arrays_of_objects_in_the_cache_of_decoded_images(target, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    cache = ImageCache(tmp_path, 'train', key='key')
    for path in cache.paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {'key': np.array('key'), 'images': np.array([Bomb(target)] * 2, dtype=object)}
        write_atomically(path, lambda file, content=content: np.savez(file, **content))
    assert cache.read(2, max_bytes=10**9) is None


@pytest.mark.parametrize('name', ['cifar10', 'stl10'])
def test_an_archive_that_climbs_out_of_its_folder(capsys, target, tmp_path, name):
    """Archives are unpacked by torchvision, after their checksums are found to be the official ones."""
    source = SOURCES[name]
    folder = tmp_path / 'sets' / name
    folder.mkdir(parents=True)
    harm = tmp_path / 'harm'
    harm.write_text('harm')
    with tarfile.open(folder / source.filename, 'w:gz') as archive:
        archive.add(harm, arcname='../../executed')
    argv = (*FLAGS, '--dataset', name, '--datasets-dir', tmp_path / 'sets', '--download', '--results_dir', tmp_path)
    with no_network():
        assert name in one_error(capsys, main_gbn.main, *argv)
    assert [path.name for path in folder.rglob('*')] in ([source.filename], [])


def test_a_pickle_in_place_of_an_official_file(capsys, target, tmp_path):
    for name in ('cifar10', 'cifar100'):
        source = SOURCES[name]
        folder = tmp_path / name / source.base_folder
        folder.mkdir(parents=True)
        for file, _ in (*source.train_list, *source.test_list, (source.meta['filename'], '')):
            (folder / file).write_bytes(pickle.dumps({'data': Bomb(target), 'labels': []}))
        argv = (*FLAGS, '--dataset', name, '--datasets-dir', tmp_path, '--results_dir', tmp_path / 'out')
        assert 'checksum' in one_error(capsys, main_gbn.main, *argv)


@contextlib.contextmanager
def no_network():
    """Let every attempt to fetch something fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('urllib.request.urlopen', lambda *_, **__: (_ for _ in ()).throw(OSError('no network')))
        yield


# Words


@pytest.mark.parametrize('shape', [
    '{code}', '{{"width": {code}}}', '{{0: {{"lr": {code}}}}}', '[{code} for _ in (1,)]', '(lambda: {code})()',
    'f"{{{code}}}"', '{{**{code}}}', '[].__class__.__base__.__subclasses__()', '1 if {code} else 2', '"a" * 10**10',
    '(' * 5000, '{{' * 500, '9' * 10**5,
])  # fmt: skip
@pytest.mark.parametrize('flag', ['--model_config', '--regime'])
def test_only_literals_are_evaluated(capsys, target, tmp_path, flag, shape):
    text = shape.format(code=CODE.format(str(target))) if 'code' in shape else shape.replace('{{', '{')
    out = ('--results_dir', tmp_path / 'out')
    one_error(capsys, main_gbn.main, *FLAGS, *out, flag, text)
    file = tmp_path / 'regime.py'
    file.write_text(text)
    if flag == '--regime':
        one_error(capsys, main_gbn.main, *FLAGS, *out, flag, file)


def test_commands_of_a_suite_are_not_a_shell(capsys, target, tmp_path):
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
        one_error(capsys, sweep.main, suite, '--results_dir', tmp_path / 'out')


# The files of a run


@pytest.mark.parametrize(('field', 'values'), [
    ('num_threads', (0, -1, 10**9, 'x', 2.5, True)),
    ('argv', ([5], 'x', ['--no-such-flag'], ['--save', '../../x'], ['--resume', 'x'], {'a': 1})),
    ('script', ('evil.py', '../main_gbn.py', 5, 'main_normal.py')),
    ('settings', ({}, [], 'x', {'model': '../evil'}, {'model_config': "__import__('os')"})),
    ('regime', ('x', [{}], [{'epoch': 10**30, 'lr': 1}], [{'epoch': -1, 'lr': 1}], [5])),
    ('num_epochs', ('x', None, [])),
    ('status', (5, {}, None)),
    ('data', (5, {}, 'other')),
])  # fmt: skip
def test_a_config_that_someone_wrote(capsys, run, field, values):
    config = read_json(run / 'config.json')
    for value in values:
        (run / 'config.json').write_text(json.dumps({**config, field: value}))
        tables = (run / 'results.csv').read_bytes()
        one_error(capsys, main_gbn.main, '--resume', run, '--epochs', '3')
        assert (run / 'results.csv').read_bytes() == tables, value


@pytest.mark.parametrize('text', ['', '[]', '5', '"x"', '{', '\udcff', '{"a": ' * 5000, '[' * 100_000, 'NaN'])
def test_a_config_that_is_none(capsys, run, text):
    (run / 'config.json').write_bytes(text.encode('utf-8', 'surrogateescape'))
    for main, flag in ((main_gbn.main, '--resume'), (main_gbn.main, '--evaluate'), (evaluate.main, '--evaluate')):
        assert 'config.json' in one_error(capsys, main, flag, run)


def test_markup_in_the_files_of_a_run_is_text_on_its_page(run):
    from utils.reports.pages.run_page import write_run_page

    evil = '</script><script>alert(1)</script><img src=x onerror=alert(1)>'
    config = read_json(run / 'config.json')
    for field in ('command', 'message', 'started', 'device'):
        config[field] = evil
    config['settings'] |= {'dataset': evil, 'model': evil}
    (run / 'config.json').write_text(json.dumps(config))
    with open(run / 'results.csv', newline='') as file:
        header, *rows = csv.reader(file)
    with open(run / 'results.csv', 'w', newline='') as file:
        csv.writer(file).writerows([[*header, evil], *([*row, evil] for row in rows)])
    page = write_run_page(run).read_text()
    assert not re.search(r'<script>alert|<img src=x', page)
    assert '&lt;img src=x onerror=alert(1)&gt;' in page


def test_a_run_of_main_normal_under_a_name_that_is_a_flag(tmp_path, capsys):
    assert main_normal.main([*TINY, '--epochs', '1', '--results_dir', str(tmp_path), '--save=--rf']) == 0
    assert main_normal.main(['--evaluate', str(tmp_path / '--rf')]) == 0
