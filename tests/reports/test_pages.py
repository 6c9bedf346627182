"""Pages with long names and many settings: broken between words, no wider than the window, charts of a pair alike."""

import re

import pytest

from tests import browser as browsers
from tests.fake_runs import write_run
from utils.reports.groups import group_runs
from utils.reports.pages.comparison_page import write_comparison_page
from utils.reports.pages.html import breakable
from utils.reports.pages.run_page import write_run_page
from utils.reports.summary import summarise
from utils.runs.reader import load_runs

NAME = 'resnet44_cifar10_with_a_rather_long_name_of_its_own'


def comparison(folder):
    groups = group_runs(load_runs([folder]))
    return write_comparison_page(groups, folder / 'comparison.html', summarise(groups))


def test_long_names_are_broken_between_words_and_prose_stays():
    assert breakable('a name that is long, but has spaces') == 'a name that is long, but has spaces'
    assert breakable('row resnet44_momentum_bs64.') == 'row resnet44_<wbr>momentum_<wbr>bs64.'
    assert breakable('<script>_and_<more>') == '&lt;script&gt;_<wbr>and_<wbr>&lt;more&gt;'


@pytest.mark.parametrize(('errors', 'last', 'scales'), [
    ((60.0, 20.0, 3.0), 0.1, ('true', 'true')), ((60.0, 20.0, 1.0), 0, ('true', 'false')),
])  # fmt: skip
def test_training_and_validation_begin_on_one_scale_unless_zeros_would_decide_it(tmp_path, errors, last, scales):
    run = write_run(tmp_path / 'a', errors=errors)
    path = run / 'results.csv'
    header, *rows = path.read_text().splitlines()
    place = header.split(',').index('train_error1')
    rows = [row.split(',') for row in rows]
    for row, error in zip(rows, (60, 5, last), strict=True):
        row[place] = str(error)
    path.write_text('\n'.join([header, *map(','.join, rows), '']))
    page = comparison(tmp_path).read_text()
    is_log = {title: log for log, title in re.findall(r'data-log-y="(.*?)"><h3>(.*?)</h3>', page)}
    assert (is_log['Validation error@1'], is_log['Training error@1']) == scales
    assert is_log['Validation loss'] == is_log['Training loss']


def test_a_run_whose_name_is_its_title_says_it_once(tmp_path):
    assert '>page of ' in write_run_page(write_run(tmp_path / 'first')).read_text()
    assert '>first_bs64, page of ' in write_run_page(write_run(tmp_path / 'first_bs64')).read_text()


@pytest.mark.browser
def test_a_table_of_many_settings_is_no_wider_than_the_window(tmp_path):
    browsers.require_browser()
    for number in (1, 2):
        settings = {f'a_setting_{each}_of_many': number for each in range(14)}
        write_run(tmp_path / 'runs' / f'{NAME}_bs{number}', settings=settings, batch_size=64 * number)
    browser = browsers.Browser(tmp_path / 'chromium')
    try:
        for width in (1280, 400):
            browser.open(comparison(tmp_path / 'runs'), width=width)
            assert browser.run('return document.scrollingElement.scrollWidth') <= width
    finally:
        browser.close()
