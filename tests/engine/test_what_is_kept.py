"""What a run leaves by --keep, and what its page needs beside it."""

import json
import os

import pytest

import main_swap
from tests.conftest import TINY_GBN, main_gbn
from utils.reports.pages.run_page import write_run_page

TABLES = {'config.json', 'results.csv', 'weight_distance.csv'}
LAST = TABLES | {'checkpoint.pth.tar', 'log.txt'}
ALL = LAST | {'initial.pth.tar', 'model_best.pth.tar'}


def names(run):
    return {path.name for path in run.iterdir()} - {'checkpoint_previous.pth.tar'}


def test_a_run_leaves_what_it_is_asked_for_once_it_has_ended(train, refused):
    for keep, expected in (('all', ALL), ('last', LAST), ('results', TABLES)):
        run = train(*TINY_GBN, '--keep', keep, save=keep)
        assert names(run) == expected, keep
        if keep != 'all':
            refused('--resume', run, '--epochs', '5', words=('has ended', f'--keep {keep}'))
    assert sum(path.stat().st_size for path in run.iterdir()) < 20_000  # 300 of them are some megabytes
    diverged = train(*TINY_GBN, '--keep', 'results', '--regime', "{0: {'lr': 1e30}}", '--clip-grad', '0', save='wild')
    assert diverged == 3 and names(run.with_name('wild')) == TABLES
    refused(*TINY_GBN, '--keep', 'last', '--save_all', words=('--save_all', '--keep last'))


def test_a_run_that_is_to_leave_little_goes_on_after_a_kill_and_one_that_was_killed_at_its_end_is_completed(
    train, monkeypatch
):
    straight = train(*TINY_GBN, '--keep', 'last', save='straight')
    with monkeypatch.context() as patch:
        patch.setattr('utils.runs.writer.keep_only', lambda *_: (_ for _ in ()).throw(SystemError('killed')))
        with pytest.raises(SystemError):
            train(*TINY_GBN, '--keep', 'last', save='killed')
    killed = straight.with_name('killed')
    assert json.loads((killed / 'config.json').read_text())['status'] in ('done', 'failed') and names(killed) > LAST
    assert main_gbn.main(['--resume', str(killed)]) == 0
    assert names(killed) == LAST
    assert (killed / 'results.csv').read_text().count('\n') == (straight / 'results.csv').read_text().count('\n')


def test_swap_keeps_the_same_of_its_phases(train):
    folder = train(*TINY_GBN, '--swap-workers', '2', '--swap-epochs', '1', '--keep', 'results', script=main_swap)
    assert names(folder / 'worker1') == names(folder / 'phase1') == TABLES
    assert not list(folder.rglob('*.pth.tar')) and (folder / 'swap.csv').exists()


def test_pages_share_one_copy_of_the_scripts_in_their_folder_of_results(train, monkeypatch):
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', write_run_page)
    runs = [train(*TINY_GBN, '--epochs', '1', *more, save=f'run{len(more)}') for more in ((), ('--standalone',))]
    sizes = [os.path.getsize(run / 'results.html') for run in runs]
    [scripts] = runs[0].parent.glob('bokeh-*.min.js')
    assert sizes[1] - sizes[0] > 0.9 * scripts.stat().st_size > 500_000
    assert f'src="../{scripts.name}"' in (runs[0] / 'results.html').read_text()
    assert '<script src' not in (runs[1] / 'results.html').read_text()
