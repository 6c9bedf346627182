"""The scripts wherever the checkout lies, whatever Python takes out of its path, and however they are started."""

import os
import subprocess
import sys

import pytest

from tests.conftest import PROJECT
from tests.test_docs import copy_project

SCRIPTS = sorted(path.name for path in PROJECT.glob('*.py') if '__main__' in path.read_text(encoding='utf-8'))
SHELL = 'run_experiments.sh'


def call(*words, **settings):
    words = [str(word) for word in words]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, **settings)


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose path has what a shell or a pattern could stumble over."""
    place = tmp_path / 'a: b' / '-[x]*\'\u00e9"$HOME'
    place.parent.mkdir()
    place.mkdir()
    copy_project(place)
    return place


def test_no_script_needs_its_folder_in_pythons_path(tmp_path):
    failures = []
    for name in SCRIPTS:
        done = call(sys.executable, '-I', PROJECT / name, '--version', cwd=tmp_path)
        if done.returncode or not done.stdout.startswith('bigbatch ') or done.stderr:
            failures.append((name, done))
    assert len(SCRIPTS) > 5
    assert failures == []


def test_suites_are_listed_in_any_checkout_by_any_shell(checkout, tmp_path):
    link = tmp_path / 'link.sh'
    link.symlink_to(checkout / SHELL)
    (tmp_path / 'linked').symlink_to(checkout)
    environment = {**os.environ, 'PYTHON': sys.executable, 'CDPATH': f'.:{checkout.parent}', 'PYTHONSAFEPATH': '1'}
    environment.pop('PYTHONPATH', None)
    cases = {
        'from beside': ([f'./{checkout.name}/{SHELL}'], checkout.parent),
        'through a link': (['sh', link], tmp_path),
        'in a linked folder': ([f'linked/{SHELL}'], tmp_path),
    }
    failures = {}
    for case, (words, folder) in cases.items():
        done = call(*words, cwd=folder, env=environment, stdin=subprocess.DEVNULL)
        if done.returncode or done.stderr or 'quickstart ' not in done.stdout:
            failures[case] = done
    assert failures == {}
