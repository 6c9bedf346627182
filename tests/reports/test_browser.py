"""The pages in a headless Chromium: drawn, answering clicks, saved as SVG, silent, offline, as wide as the window."""

import functools
import itertools
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tests import browser as browsers
from tests.fake_runs import write_run
from utils.reports.groups import group_runs
from utils.reports.heat_maps import find_heat_maps
from utils.reports.pages.comparison_page import write_comparison_page
from utils.reports.pages.run_page import write_run_page
from utils.reports.style import COLORS
from utils.reports.summary import summarise
from utils.runs.columns import COLUMNS, COMPARED
from utils.runs.reader import load_runs

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SIZES, POLICIES, EPOCHS = (64, 256, 1024, 4096), ('none', 'sqrt'), 40
ODD = 'odd <b>#1 & 100%'  # what a name of a folder may hold and a page must show
FIRST = '.chart[data-root="chart1"]'  # of the curves: validation error
SVG = '{http://www.w3.org/2000/svg}'
FIGURE = 'const figure = Bokeh.documents.flatMap(doc => doc.roots()).find(root => root.name === arguments[0]);'
SHOWN_AXES = """
return [...figure.below, ...figure.left].filter(axis => axis.visible).map(axis => [axis.type, axis.axis_label]);
"""
NAMES = "return figure.toolbar.tools.find(tool => tool.type === 'HoverTool').formatters['@curve'].args.names;"
LINES = """
const {xs, ys} = figure.renderers.find(renderer => renderer.name === 'lines').data_source.data;
return xs.map((x, i) => [[...x], [...ys[i]]]);
"""
POINT = """
const {frame} = Bokeh.index.find_one(figure), points = figure.renderers.find(renderer => renderer.name === 'points');
const {epoch, mean, curve} = points.data_source.data, row = [...curve].indexOf(arguments[1]) + arguments[2];
return [frame.x_scales.get(points.x_range_name).compute(epoch[row]),
        frame.y_scales.get(points.y_range_name).compute(mean[row]), epoch[row], mean[row]];
"""
INSIDE = """
const found = [], walk = node => { for (const each of node.children) {
  if (String(each.className).includes(arguments[0])) found.push((each.shadowRoot ?? each).textContent);
  walk(each);
  if (each.shadowRoot) walk(each.shadowRoot);
} };
walk(document.body);
return found;
"""
TOO_WIDE = """
return [...document.querySelectorAll('body *')].filter(each => each.getBoundingClientRect().right > innerWidth + 0.5)
  .map(each => each.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    browsers.require_browser()
    browser = browsers.Browser(tmp_path_factory.mktemp('chromium'))
    yield browser
    browser.close()


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """Write a comparing page over nine rows, which lies beside the folder of the runs, and pages of two runs."""
    root = tmp_path_factory.mktemp('made') / 'all runs'
    rng, epochs = np.random.default_rng(0), np.arange(1, EPOCHS + 1)
    for place, (size, policy) in enumerate((size, policy) for policy in POLICIES for size in SIZES):
        for seed in (1, 2):
            errors = 60 * np.exp(-epochs / (4 + place)) + 2 + place + rng.random(EPOCHS)
            settings = {'lr_scaling': policy, 'micro_batch_size': None}
            run = root / f'{policy}_bs{size}_seed{seed}'
            write_run(run, errors=errors, batch_size=size, seed=seed, settings=settings)
    settings['num_epochs'] = EPOCHS
    for seed, errors in ((3, (70.0, 90.0)), (4, ())):  # the last one before its first epoch ended
        run = root / f'sqrt_bs64_seed{seed}'
        write_run(run, errors=errors, batch_size=64, seed=seed, status='diverged', settings=settings)
    write_run(root / ODD, errors=np.full(EPOCHS, 30.0), batch_size=512, seed=1, settings={'lr_scaling': 'linear'})
    for run in root.iterdir():
        (run / 'results.html').write_text(f'<!DOCTYPE html><title>page of {run.name}</title>')
    config = root / 'sqrt_bs64_seed1' / 'config.json'
    config.write_text(config.read_text().replace('"lr_scaling"', '"standalone": false, "lr_scaling"'))
    run = write_run_page(config.parent)
    groups = group_runs(load_runs([root]))
    (root.parent / 'pages').mkdir()
    return {
        'comparison': write_comparison_page(groups, root.parent / 'pages' / 'all.html', summarise(groups)),
        'run': run, 'groups': groups, 'root': root,
    }  # fmt: skip


@pytest.fixture
def comparison(browser, pages):
    """The browser with the comparing page as it is first shown, without the choices of an earlier test."""
    browser.open(pages['root'] / ODD / 'results.html')
    browser.run('sessionStorage.clear()')
    browser.open(pages['comparison'])
    return browser


def ask(browser, script, root, *more):
    return browser.run(FIGURE + script, root, *more)


def column(browser, table, heading):
    return browser.run(
        """const table = document.querySelectorAll('table.sortable')[arguments[0]];
        const at = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent === arguments[1]);
        return [...table.tBodies[0].rows].map(row => row.cells[at].textContent)""", table, heading,
    )  # fmt: skip


def tooltips(browser, label):
    return [text for text in browser.run(INSIDE, 'bk-Tooltip') if label in text]


@pytest.mark.parametrize('name', ['comparison', 'run'])
def test_a_page_is_drawn_in_full_width_silently_and_offline(browser, pages, name):
    panels = {column.panel for column in COLUMNS} - {''}
    for width in (1280, 400):
        browser.open(pages[name], width=width)
        assert browser.complaints() == []
        scripts = [path.as_uri() for path in pages['root'].glob('bokeh-*.min.js') if name == 'run']  # of all runs
        assert browser.requests() == [pages[name].as_uri(), *scripts] and len(scripts) == (name == 'run')
        assert browser.run('return document.scrollingElement.scrollWidth') <= width
        assert browser.run(TOO_WIDE) == []
        charts = browser.run("return [...document.querySelectorAll('.chart')].map(chart => chart.dataset.root)")
        assert len(charts) == {'comparison': 1 + len(COMPARED), 'run': len(panels)}[name]
        for chart in charts:
            drawn = browser.count_colors(f'[data-root="{chart}"] .plot', *COLORS[:6])  # not the black of axes
            assert max(drawn) > 60, (width, chart, drawn)


def test_a_page_that_was_taken_from_the_scripts_beside_it_names_them(browser, pages, tmp_path):
    page = shutil.copytree(pages['run'].parent, tmp_path / 'taken' / 'run') / 'results.html'
    browser.driver.get(page.as_uri())
    assert 'The charts need the file bokeh-' in browser.run('return document.body.innerText')


def test_long_names_many_settings_and_a_heat_map_are_no_wider_than_the_window(browser, tmp_path):
    name = 'resnet44_cifar10_with_a_rather_long_name_of_its_own'
    for row, (size, rate) in enumerate(itertools.product((64, 128), (0.5, 0.25))):
        settings = {f'a_setting_{each}_of_many': row for each in range(14)}
        rates = {'base_lr_per_example': rate, 'lr': rate * size}
        write_run(tmp_path / f'{name}_bs{size}_{rate}', settings=rates, batch_size=size, errors=(9.0 + row,))
        write_run(tmp_path / f'{name}_of_many{row}', settings=settings, batch_size=32 + row)
    groups = group_runs(load_runs([tmp_path]))
    maps = find_heat_maps(groups)
    assert maps
    page = write_comparison_page(groups, tmp_path / 'page.html', summarise(groups), columns=['lr'], heat_maps=maps)
    for width in (1280, 390):
        browser.open(page, width=width)
        assert browser.complaints() == []
        assert browser.run('return document.scrollingElement.scrollWidth') <= width
        assert browser.count_colors('.heat td.best', '#D55E00')[0] > 50  # its frame


def test_a_click_on_a_name_hides_its_curve_and_another_shows_it(comparison, pages):
    first, *others = [group.label for group in pages['groups']]
    [before] = comparison.count_colors(f'{FIRST} .plot', COLORS[0])
    for label in others:
        comparison.run('document.querySelector(arguments[0]).click()', f'.key [data-name="{label}"]')
    comparison.wait()
    [alone] = comparison.count_colors(f'{FIRST} .plot', COLORS[0])
    assert min(before, alone) > 100
    comparison.click(f'.key [data-name="{first}"]')
    assert comparison.count_colors(f'{FIRST} .plot', *COLORS[:6]) == [0] * 6
    comparison.click('.key button[data-show]', text='show all')
    assert abs(comparison.count_colors(f'{FIRST} .plot', COLORS[0])[0] - before) < 0.1 * before
    assert comparison.complaints() == []


def test_the_reader_chooses_the_x_axis_of_one_chart_and_of_all(comparison, pages):
    run = pages['groups'][0].runs[0].results
    for value, label, last in (
        ('step', 'updates', run['step'].iloc[-1]), ('seconds', 'training time (s)', 2.5 * EPOCHS),
        ('epoch', 'epochs', EPOCHS),
    ):  # fmt: skip
        comparison.choose(f'{FIRST} select', value)
        assert ask(comparison, LINES, 'chart1')[0][0][-1] == pytest.approx(last)
        assert ask(comparison, SHOWN_AXES, 'chart1')[0][1].startswith(label)
        assert ask(comparison, SHOWN_AXES, 'chart2')[0][1].startswith('epochs')
    comparison.click('[data-x-of-all="step"]')
    labels = comparison.run("return [...document.querySelectorAll('.chart select')].map(each => each.value)")
    assert labels == ['step'] * 6
    assert comparison.complaints() == []


def test_a_click_makes_an_axis_logarithmic(comparison):
    comparison.run("document.querySelector(arguments[0]).checked ? 0 : document.querySelector(arguments[0]).click()",
                   f'{FIRST} [name="log-y"]')  # fmt: skip
    comparison.click(f'{FIRST} [name="log-x"]')
    shown = [['LogAxis', 'epochs, log scale'], ['LogAxis', 'error@1 (%), log scale']]
    assert ask(comparison, SHOWN_AXES, 'chart1') == shown
    # Equal ratios lie equally far apart, in the picture as well as in the model: 1 to 2 to 4 to 8 epochs.
    places = [ask(comparison, POINT, 'chart1', 0, epoch - 1) for epoch in (1, 2, 4, 8)]
    assert [place[2] for place in places] == [1, 2, 4, 8]
    assert np.ptp(np.diff([place[0] for place in places])) < 0.01
    heights, errors = [place[1] for place in places], np.log([place[3] for place in places])
    np.testing.assert_allclose(np.diff(heights) / np.diff(errors), np.diff(heights)[0] / np.diff(errors)[0], rtol=1e-3)
    log = comparison.pixels(f'{FIRST} .plot')
    comparison.click(f'{FIRST} [name="log-x"]')
    comparison.click(f'{FIRST} [name="log-y"]')
    assert ask(comparison, SHOWN_AXES, 'chart1') == [['LinearAxis', 'epochs'], ['LinearAxis', 'error@1 (%)']]
    assert (np.abs(comparison.pixels(f'{FIRST} .plot') - log).max(axis=-1) > 60).mean() > 0.01
    assert comparison.complaints() == []


def test_pointing_at_a_curve_shows_its_values(comparison, pages):
    from selenium.webdriver.common.action_chains import ActionChains

    curves = ask(comparison, NAMES, 'chart1')
    plot = comparison.driver.find_element('css selector', f'{FIRST} .plot')
    comparison.run("arguments[0].scrollIntoView({block: 'center'})", plot)
    for label in ('none_bs64', ODD):
        x, y, epoch, mean = ask(comparison, POINT, 'chart1', curves.index(label), 2)
        offset = round(x - plot.size['width'] / 2), round(y - plot.size['height'] / 2)
        ActionChains(comparison.driver).move_to_element_with_offset(plot, *offset).perform()
        [shown] = comparison.until(functools.partial(tooltips, comparison, label))
        [group] = [group for group in pages['groups'] if group.label == label]
        updates, runs = group.runs[0].results['step'][2], len(group.runs)
        for words in (f'epoch:{epoch:.0f}', f'updates:{updates:,.0f}', f'mean:{mean:.5g}', f'runs:{runs}'):
            assert words in shown.replace(': ', ':')


def test_a_table_sorts_by_clicks_and_keys_and_puts_missing_values_last(comparison, pages):
    heading = '//h2[text()="Runs"]/following::table[1]//th/button'
    buttons = {each.text: each for each in comparison.driver.find_elements('xpath', heading)}
    for name in ('updates', 'val error %'):
        for order, sign in (('descending', -1), ('ascending', 1)):
            comparison.run("arguments[0].scrollIntoView({block: 'center'})", buttons[name])
            buttons[name].click()
            *texts, last = column(comparison, 2, name)
            values = [sign * float(text.replace(',', '')) for text in texts]
            assert values == sorted(values)
            assert len(values) == 18
            assert last == '-'
            assert buttons[name].find_element('xpath', '..').get_attribute('aria-sort') == order
    buttons['run'].send_keys('\n')
    names = column(comparison, 2, 'run')
    assert names.index('none_bs64_seed1') < names.index('none_bs256_seed1') < names.index('none_bs1024_seed1')
    ascending = comparison.driver.find_elements('css selector', 'th[aria-sort=ascending]')
    assert [heading.text.split()[0] for heading in ascending] == ['run']
    settings = column(comparison, 0, 'run')
    assert settings == [group.label for group in pages['groups']]  # no other table moved


def test_a_chart_is_saved_as_svg_with_text_curves_and_key(browser, pages):
    for page, root, file, words in (
        ('comparison', 'chart0', 'final-error-against-batch-size.svg',
         ('batch size (examples', '4096', 'lr scaling sqrt')),
        ('comparison', 'chart1', 'validation-error-1.svg', ('Validation error@1', 'epochs', 'none_bs64', ODD)),
        ('run', 'chart0', 'loss.svg', ('Loss', 'loss per example', 'train', 'validation')),
    ):  # fmt: skip
        browser.open(pages[page])
        browser.click(f'[data-root="{root}"] .save')
        browser.until((browser.downloads / file).is_file)
        svg = ElementTree.parse(browser.downloads / file).getroot()
        assert svg.tag == f'{SVG}svg'
        texts = [text.text or '' for text in svg.iter(f'{SVG}text')]
        for word in words:
            assert any(word in text for text in texts), texts
        assert len([path for path in svg.iter(f'{SVG}path') if path.get('d', '').count('L') > 2]) >= 2
        swatches = [line for line in svg.iter(f'{SVG}line') if line.get('stroke') in COLORS]
        assert len(swatches) == {'chart0': 2 + (page == 'comparison'), 'chart1': 9}[root]  # beside the names
        assert not list(svg.iter(f'{SVG}image'))  # drawn, not a picture of it
        assert browser.complaints() == []


def test_a_reload_keeps_what_the_reader_chose(comparison):
    comparison.choose(f'{FIRST} select', 'step')
    comparison.click(f'{FIRST} [name="log-x"]')
    comparison.click('.key button[data-name="none_bs256"]')
    comparison.click('table.sortable th button', text='batch size')
    place = comparison.run('scrollTo(0, 700); return scrollY')
    order = column(comparison, 0, 'run')
    comparison.driver.refresh()
    comparison.wait()
    assert ask(comparison, SHOWN_AXES, 'chart1')[0] == ['LogAxis', 'updates, log scale']
    pressed = "return [...document.querySelectorAll('.key [aria-pressed=false]')].map(button => button.dataset.name)"
    assert comparison.run(pressed) == ['none_bs256']
    assert column(comparison, 0, 'run') == order
    assert comparison.run('return scrollY') == place
    assert comparison.complaints() == []
