"""Loader processes where the system has too little for them: one line with what to give them, and nothing left open."""

import resource
import subprocess
import sys
import tempfile

import pytest

from bigbatch.errors import UserError
from data_sets.stream import LONGEST_FOLDER, SHORTAGES, StreamLoader
from tests.conftest import PROJECT
from tests.data_helpers import collect, write_folder

SAYS = {  # what torch and the system say: part of the remedy
    'unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)': '--shm-size',
    'Caught OSError in DataLoader worker process 0.\n...\n[Errno 28] No space left on device': '--shm-size',
    'DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...': '--shm-size',
    'Too many open files. Communication with the workers is no longer possible.': 'ulimit -n',
    '[Errno 24] Too many open files': 'ulimit -n',
    '[Errno 11] Resource temporarily unavailable': 'ulimit -u',
    "can't start new thread": 'ulimit -u',
    '[Errno 12] Cannot allocate memory': 'more memory',
    'DataLoader worker (pid 7) is killed by signal: Killed. ': 'more memory',
    'DataLoader worker (pid(s) 7) exited unexpectedly': 'memory or processes',
}


class Source:
    """A DataLoader whose processes fail."""

    def __init__(self, error):
        self.error = error

    def __iter__(self):
        raise self.error


@pytest.fixture
def build(tmp_path):
    import data
    from preprocess import get_transform

    dataset = data.get_dataset(str(write_folder(tmp_path / 'set')), memory_limit=0)
    return lambda num_workers: StreamLoader(
        dataset, get_transform(dataset.preset), batch_size=4, num_workers=num_workers
    )


def test_what_runs_short_is_named_with_the_remedy_and_other_errors_pass(build):
    failures = []
    for text, remedy in SAYS.items():
        loader = build(3)
        loader._source = Source(RuntimeError(text))
        try:
            collect(loader)
        except UserError as error:
            said = str(error)
        if not said.startswith('--workers 3: ') or remedy not in said or '\n' in said or len(said) > 240:
            failures.append((text, said))
    assert failures == []
    assert [words for words in SHORTAGES if not any(words in text.lower() for text in SAYS)] == []
    for num_workers, text in ((3, 'mat1 and mat2 cannot be multiplied'), (0, 'Too many open files')):
        loader = build(num_workers)
        loader._source = Source(RuntimeError(text))
        with pytest.raises(RuntimeError, match=text):
            collect(loader)


def test_a_folder_too_long_for_sockets_is_refused_in_place_of_a_wait(build, monkeypatch):
    for length, is_refused in ((LONGEST_FOLDER, False), (LONGEST_FOLDER + 1, True)):
        monkeypatch.setattr(tempfile, 'tempdir', '/' + 'x' * (length - 1))
        build(0)
        if not is_refused:
            build(1)
            continue
        with pytest.raises(UserError, match=r'\$TMPDIR is /x+, too long .*: set it to a folder of at most 75 letters'):
            build(1)


@pytest.mark.slow
def test_few_open_files_end_a_run_in_one_line_with_its_status_kept(tmp_path):
    write_folder(tmp_path / 'set', num=40, size=(140, 140))
    flags = ['--dataset', tmp_path / 'set', '--input_size', '32', '--model', 'resnet', '--model_config', "{'depth': 8}"]
    flags += ['-b', '16', '-mb', '8', '--epochs', '1', '--workers', '12', '--results_dir', tmp_path, '--save', 'run']
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', PROJECT / 'main_gbn.py', *map(str, flags)], capture_output=True, text=True,
        check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith('error: --workers 12: too many loader processes ([Errno 24] Too many open files)')
    assert len(done.stderr.splitlines()) == 1
    assert '"status": "failed"' in (tmp_path / 'run' / 'config.json').read_text(encoding='utf-8')
