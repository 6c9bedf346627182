"""Class folders are gone through once, whatever links lead there, and a signal ends that at once."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from bigbatch.errors import Interrupted
from bigbatch.interrupts import SIGNALS, ending_by_signal
from data_sets.folder import open_splits, scan
from tests.data_helpers import write_folder

# link below the root -> what it leads to, from there; the set has ant, bee and cat with two images each in both splits
CIRCLES = {
    'to itself': {'train/ant/again': '.'},
    'to its split': {'train/ant/up': '..', 'train/bee/up': '..'},
    'to the set': {'train/ant/set': '../..'},
    'to all there is': {'train/ant/all': '/'},
    'to another class': {'train/ant/other': '../bee', 'train/bee/other': '../ant'},
    'to and fro between folders of a class': {'train/ant/x/y': '../z', 'train/ant/z/x': '../x'},
}


def names_of(root: Path, split: str = 'train') -> list[str]:
    splits = open_splits(root)
    return [os.fsdecode(name) for name in scan(splits, split).table.names]


def link(root: Path, links: dict[str, str]) -> None:
    for place, target in links.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, root / place)


def test_links_that_lead_back_add_nothing(tmp_path):
    broken = {}
    plain = names_of(write_folder(tmp_path / 'plain', num=2))
    for name, links in CIRCLES.items():
        root = write_folder(tmp_path / name, num=2)
        link(root, links)
        if (found := names_of(root)) != plain:
            broken[name] = found
    assert broken == {}


def test_links_to_what_has_no_place_of_its_own_are_followed_and_each_folder_once(tmp_path):
    store = write_folder(tmp_path / 'store', splits=('.',), classes=('one', 'two'), num=1)
    root = write_folder(tmp_path / 'set', num=1)
    link(root, {'train/ant/far': os.fspath(store), 'train/ant/near': os.fspath(store / 'one'), 'store/up': '..'})
    link(root, {'train/.hidden/x': os.fspath(store / 'two'), 'train/cat/kept': '../.hidden/x'})
    link(store, {'one/back': '..'})
    assert names_of(root) == [
        'ant/0.png', 'ant/far/one/0.png', 'ant/far/two/0.png', 'bee/0.png', 'cat/0.png', 'cat/kept/0.png'
    ]  # fmt: skip
    os.symlink('train', root / 'test')  # a split may be a link to another, and a class to one of that
    assert names_of(root, 'test') == names_of(root)


@pytest.mark.parametrize('name', SIGNALS)
def test_a_signal_ends_the_scan_of_a_slow_disk(tmp_path, monkeypatch, name):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a parallel test run may ignore it
    root, stat = write_folder(tmp_path, num=40), os.stat

    def slow(path, *arguments, **settings):
        time.sleep(0.2 if str(path).endswith('.png') else 0)
        return stat(path, *arguments, **settings)

    splits = open_splits(root)
    monkeypatch.setattr(os, 'stat', slow)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), getattr(signal, name)))
    threads, start = {*threading.enumerate()}, time.monotonic()
    try:
        with pytest.raises(Interrupted, match=name), ending_by_signal():
            timer.start()
            scan(splits, 'train')
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < 4  # of eight seconds
    timer.join()
    assert [thread for thread in threading.enumerate() if thread not in threads and not thread.daemon] == []
