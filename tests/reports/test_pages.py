"""Pages: what they say of each status, what they draw against the files, escaping, offline use, size and time."""

import base64
import gzip
import html
import json
import os
import re

import numpy as np
import pandas as pd
import pytest

from bigbatch.errors import UserError
from tests.fake_runs import groups_of, write_run
from utils.reports.groups import group_runs
from utils.reports.pages.charts import scales_for
from utils.reports.pages.comparison_page import write_comparison_page
from utils.reports.pages.curves import thin
from utils.reports.pages.html import breakable, number
from utils.reports.pages.run_page import readable_name, write_run_page
from utils.reports.summary import summarise
from utils.runs.reader import load_runs

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>\'"&'
ERROR = 'Validation error@1'


def attributes(page):
    """Return the attributes of every figure of a page, read back from its embedded JSON, by the title above it."""
    embedded = re.search(r"const docs_json = '(.*?)';\n", page)[1]
    [document] = json.loads(html.unescape(embedded.encode().decode('unicode_escape'))).values()
    figures = {figure['attributes']['name']: figure['attributes'] for figure in document['roots']}
    titles = re.findall(r'<section class="chart" data-root="(\w+)".*?<h3>(.*?)</h3>', page, flags=re.DOTALL)
    assert len(titles) == len(figures)
    return {html.unescape(title): figures[name] for name, title in titles}


def columns_of(figure, glyph):
    """Return the data of one glyph of a figure, a DataFrame."""
    found = [each['attributes'] for each in figure['renderers'] if each['attributes']['name'] == glyph]
    [source] = [renderer['data_source'] for renderer in found]
    return pd.DataFrame({name: list(decode(column)) for name, column in source['attributes']['data']['entries']})


def decode(column):
    if isinstance(column, list) or column['type'] != 'ndarray':
        return column
    data = base64.b64decode(column['array']['data'])
    data = gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data  # newer bokeh packs arrays
    return np.frombuffer(data, dtype=column['dtype']).reshape(column['shape'])


def curves(page, title=ERROR):
    """Return what a chart draws: a list of (name, points) in the order of the curves."""
    figure = attributes(page)[title]
    points, looks = columns_of(figure, 'points'), columns_of(figure, 'lines')
    return [(look['name'], points[points['curve'] == place].reset_index()) for place, look in looks.iterrows()]


def shown_first(page, title=ERROR):
    """Return (x axis, whether it is logarithmic, whether the y axis is) of a chart as the reader first sees it."""
    section = re.search(rf'<section class="chart" ([^>]*)><h3>{re.escape(title)}</h3>', page)[1]
    data = dict(re.findall(r'data-([\w-]+)="(.*?)"', section))
    return data['x'], data['log-x'] == 'true', data['log-y'] == 'true'


def words(page):
    """Return the text of a page as a reader sees it, without scripts and styles."""
    page = re.sub(r'<(script|style)\b.*?</\1>', ' ', page.replace('<wbr>', ''), flags=re.DOTALL)
    return html.unescape(re.sub(r'\s+', ' ', re.sub(r'<[^>]+>', ' ', page)))


def run_page(folder, **settings):
    return write_run_page(write_run(folder, **settings)).read_text()


def comparison(folder, columns=('val_error1',), *, path=None, first=0, **settings):
    groups = group_runs(load_runs([folder]))[first:]
    path = path or folder / 'page.html'
    return write_comparison_page(groups, path, summarise(groups), columns=columns, **settings).read_text()


def test_run_page_draws_what_the_files_hold(tmp_path):
    folder = write_run(tmp_path / 'a', errors=(60.0, 20.0, 5.0))
    assert write_run_page(folder) == folder / 'results.html'
    page = (folder / 'results.html').read_text()
    results, distances = (pd.read_csv(folder / name) for name in ('results.csv', 'weight_distance.csv'))
    for title, drawn in (
        ('Loss', {'train': 'train_loss', 'validation': 'val_loss'}), ('Learning rate', {'': 'lr'}),
        ('Error@1', {'train': 'train_error1', 'validation': 'val_error1'}), ('Gradient norm', {'': 'grad_norm'}),
    ):  # fmt: skip
        assert {name for name, _ in curves(page, title)} == set(drawn)
        for name, points in curves(page, title):
            for x in ('epoch', 'step'):
                np.testing.assert_array_equal(points[x], results[x])
            np.testing.assert_allclose(points['seconds'], [2.5, 5.0, 7.5])
            np.testing.assert_allclose(points['mean'], results[drawn[name]], rtol=1e-6)
    [(_, points)] = curves(page, 'Distance from the initial weights')
    np.testing.assert_array_equal(points['step'], distances['step'])
    np.testing.assert_allclose(points['mean'], distances['weight_distance'], rtol=1e-6)
    epochs = points['epoch'][:-1]  # the last distance is past the last epoch
    np.testing.assert_allclose(epochs, distances['step'][:-1] / 97, rtol=1e-6)  # 97 updates an epoch


def test_run_page_says_what_counts(tmp_path):
    config = {'test': {'loss': 0.2, 'error1': 6.25, 'error5': 0.5}}
    page = run_page(tmp_path / 'mnist_bs4096_gbn_seed2', errors=(60.0, 4.5, 5.0), seed=2, config=config)
    text = words(page)
    assert 'mnist batch 4096 ghost batch norm seed 2' in text
    assert 'Done : finished epoch 3 of 3' in text
    assert re.search(r'Last epoch \(3\).* validation error@1 5\.00 %.* train error@1 2\.50 %', text)
    assert 'Best epoch: 2, validation error@1 4.50 %, chosen on the split it is scored on' in text
    assert 'Test set, scored once at the end: error@1 6.25 %' in text
    assert 'python main_normal.py --save mnist_bs4096_gbn_seed2' in text
    assert 'abc1234, with uncommitted changes' in text
    assert '0 SGD 0.089 0.9 15 SGD 0.0089 0.9' in text  # the second entry names its rate alone
    assert '>mnist_<wbr>bs4096_<wbr>gbn_<wbr>seed2, page of ' in page


def test_run_page_at_any_moment_and_end_of_a_run(tmp_path):
    statuses, failures = ('running', 'done', 'failed', 'diverged', 'interrupted', 'odd'), []
    cases = [*((status, ()) for status in statuses), *((status, (50.0,)) for status in statuses[:4:3])]
    for status, errors in cases:
        config = {'num_epochs': 9, 'message': 'the <reason> why'}
        page = run_page(tmp_path / f'{status}{len(errors)}', errors=errors, status=status, config=config)
        text, kind = words(page), {'interrupted': 'failed', 'odd': ''}.get(status, status)
        holds = {
            'status': f'{status.capitalize()} :' in text and f'<p class="status {kind}">' in page,
            'epochs': f'epoch {len(errors)} of 9' in text, 'reason': 'the <reason> why' in text,
            'left': ('about 20 s left' in text) == (status == 'running' and errors != ()),
            'reload': ('http-equiv="refresh"' in page) == (status == 'running'),
            'none': ('No epoch has finished yet' in text) == (not errors),
            'diverged': ('The run diverged in its first one' in text) == (status == 'diverged' and not errors),
            'loss': ('Loss' in text) == bool(errors),
        }  # fmt: skip
        failures += [(status, errors, name) for name, is_so in holds.items() if not is_so]
    assert not failures, failures


def test_run_page_without_any_file_or_with_half_a_line_or_a_damaged_config(tmp_path):
    (tmp_path / 'empty').mkdir()
    page = write_run_page(tmp_path / 'empty').read_text()
    assert 'No epoch has finished yet' in words(page)
    assert '>page of ' in page  # a name that is the title is said once
    folder = write_run(tmp_path / 'torn', errors=(50.0, 20.0))
    with (folder / 'results.csv').open('a') as file:
        file.write('3,291,0.1,0.')
    before = write_run_page(folder).read_text()
    assert 'Last epoch (2)' in words(before)
    (folder / 'config.json').write_text('{')
    with pytest.raises(UserError, match='damaged or unreadable'):
        write_run_page(folder)
    assert (folder / 'results.html').read_text() == before


def test_run_page_of_values_that_are_not_finite_or_zero_and_of_very_many(tmp_path):
    page = run_page(tmp_path / 'a', errors=(50.0, float('inf'), float('nan')), status='diverged')
    assert [points['epoch'].tolist() for _, points in curves(page, 'Loss')] == [[1], [1]]
    assert 'validation error@1 -' in words(page)
    page = run_page(tmp_path / 'b', errors=(50.0, 0.01, 0.0))
    assert shown_first(page, 'Error@1') == ('epoch', False, False)
    assert 'The log scale leaves out zeros.' in words(page)
    errors = np.linspace(90, 5, 6000)
    page = run_page(tmp_path / 'long', errors=errors, batch_size=50_000)
    drawn = curves(page, 'Error@1')
    for name, points in drawn:
        assert 1000 < len(points) <= 2000
        assert points['epoch'].iloc[[0, -1]].tolist() == [1, 6000]
        expected = errors[points['epoch'].astype(int) - 1] / (2 if name == 'train' else 1)
        np.testing.assert_allclose(points['mean'], expected, rtol=1e-5)
    assert f'Drawn: {sum(len(points) for _, points in drawn):,} of 12,000 points' in words(page)


def test_whatever_comes_from_a_file_is_escaped_and_nothing_is_fetched(tmp_path):
    name = EVIL.replace('/', '|')
    config = dict.fromkeys(('command', 'message', 'device', 'started'), EVIL)
    config |= {'git': {'commit': EVIL}, 'versions': {EVIL: EVIL}, 'regime': [{'epoch': 0, EVIL: EVIL}]}
    pages = [run_page(tmp_path / name, settings={EVIL: EVIL, 'model': EVIL}, config=config), comparison(tmp_path)]
    for page in pages:
        assert not re.search(r'<script>alert|<\|script><script>|<img', page)
        markup = re.sub(r'<script\b[^>]*>.*?</script>', '', page, flags=re.DOTALL)
        assert not re.search(r'<(script|link|img|iframe)[^>]+(src|href)="(?!data:)', page[:500] + markup)
        assert 'https://' not in markup
        assert len(page) < 2_000_000  # bokeh alone is 1.3 MB
    assert words(pages[0]).count(EVIL) >= 8  # the eight places above
    assert name in words(pages[1])


def test_pages_are_written_in_one_move(tmp_path, monkeypatch):
    folder = write_run(tmp_path / 'a', errors=())
    before, files = write_run_page(folder).read_text(), sorted(folder.iterdir())

    def full_disk(*paths):
        raise OSError('no space left')

    monkeypatch.setattr(os, 'replace', full_disk)
    with pytest.raises(UserError, match=r'results\.html cannot be written \(no space'):
        write_run_page(folder)
    assert (folder / 'results.html').read_text() == before
    assert sorted(folder.iterdir()) == files


def test_comparison_draws_mean_and_deviation_of_the_seeds(tmp_path):
    errors = np.array([[60.0, 20.0, 5.0], [50.0, 30.0, 4.0], [70.0, 10.0, 9.0]])
    for seed, each in enumerate(errors, start=1):
        write_run(tmp_path / f'large_seed{seed}', errors=each, seed=seed)
    page = comparison(tmp_path, columns=['val_error1', 'weight_distance'])
    [(name, points)] = curves(page)
    assert name == 'large'
    np.testing.assert_allclose(points['mean'], errors.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(points['std'], errors.std(axis=0, ddof=1), rtol=1e-6)
    assert (points['epoch'].tolist(), points['n'].tolist()) == ([1, 2, 3], [3, 3, 3])
    [(name, points)] = curves(page, 'Distance from the initial weights')
    np.testing.assert_allclose(points['mean'], [0.12 + 0.7 * k for k in range(10)], rtol=1e-6)
    np.testing.assert_allclose(points['std'], 0.01, rtol=1e-4)


def test_comparison_marks_diverged_runs_and_averages_over_common_epochs(tmp_path):
    short = {'settings': {'num_epochs': 2}, 'config': {'num_epochs': 2}}
    groups_of(
        tmp_path, a_seed1={'errors': (50.0, 10.0)},
        a_seed2={'errors': (90.0,), 'seed': 2, 'status': 'diverged', **short},
        b={'errors': (90.0, 95.0), 'status': 'diverged', 'batch_size': 64, 'started': '10:00:00'},
        c={'errors': (), 'status': 'diverged', 'batch_size': 32, 'started': '11:00:00'},
        **{f'd_seed{seed}': {'errors': errors, 'seed': seed, 'status': 'running', 'settings': {'num_epochs': 9},
                             'started': '12:00:00'}
           for seed, errors in ((1, (50.0, 10.0, 5.0)), (2, (60.0, 20.0)))},
    )  # fmt: skip
    page = comparison(tmp_path)
    drawn = [(name, points['mean'].tolist()) for name, points in curves(page)]
    assert drawn == [('a', [50, 10]), ('a', [90]), ('b', []), ('b', [90, 95]), ('c', []), ('c', []), ('d', [55, 15])]
    assert curves(page)[0][1]['std'].isna().all()
    is_thin = [False, True, False, True, False, True, False]
    assert columns_of(attributes(page)[ERROR], 'lines')['diverged'].tolist() == is_thin
    for text in ('a (1 of 2 diverged)', 'b 64 diverged', 'c 32 diverged'):
        assert text in words(page)


def test_comparison_x_axis_is_log_only_where_lengths_are_far_apart(tmp_path):
    for batch_size, epochs, is_log in ((512, 10, False), (256, 20, False), (64, 200, True)):
        write_run(tmp_path / f'{epochs}', errors=np.linspace(50, 40, epochs), batch_size=batch_size)
        assert shown_first(comparison(tmp_path)) == ('epoch', is_log, False)


def test_comparison_begins_with_the_x_axis_asked_for_and_holds_all(tmp_path):
    write_run(tmp_path / 'a', errors=(50.0, 10.0), batch_size=512)
    for x_axis in ('epoch', 'step', 'seconds'):
        page = comparison(tmp_path, columns=['val_error1', 'weight_distance'], x_axis=x_axis)
        assert shown_first(page) == (x_axis, False, False)
        assert shown_first(page, 'Distance from the initial weights') == ('step', True, False)
    [(_, points)] = curves(page)
    for name, expected in (('epoch', [1, 2]), ('step', [97, 194]), ('seconds', [2.5, 5.0])):
        np.testing.assert_allclose(points[name], expected)
    [(_, points)] = curves(page, 'Distance from the initial weights')
    np.testing.assert_allclose(points['step'], 2.0 ** np.arange(10))
    inside = points['step'] <= 194  # nothing is known of the time of updates past the last epoch
    np.testing.assert_allclose(points['seconds'][inside], 2.5 / 97 * points['step'][inside], rtol=1e-6)
    assert points['seconds'][~inside].isna().all()


def test_training_and_validation_begin_on_one_scale_unless_zeros_would_decide_it(tmp_path):
    for end, last, scales in ((3.0, 0.1, (True, True)), (1.0, 0, (True, False))):
        path = write_run(tmp_path / f'{last}' / 'a', errors=(60.0, 20.0, end)) / 'results.csv'
        pd.read_csv(path).assign(train_error1=[60, 5, last]).to_csv(path, index=False)
        page = comparison(tmp_path / f'{last}', columns=['val_error1', 'train_error1', 'val_loss', 'train_loss'])
        assert (shown_first(page)[2], shown_first(page, 'Training error@1')[2]) == scales
        assert shown_first(page, 'Validation loss')[2] == shown_first(page, 'Training loss')[2]


def test_comparison_shows_first_what_differs(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path / f'a_seed{seed}', seed=seed, settings={'lr_scaling': 'none'})
        write_run(tmp_path / f'b_seed{seed}', seed=seed, batch_size=64, errors=(50.0, 9.0, 8.0))
    page = comparison(tmp_path)
    text = words(page)
    assert text.index('Settings that differ') < text.index('Summary') < text.index('Curves') < text.index('Runs')
    settings = text[text.index('Settings that differ') : text.index('Summary')]
    assert 'a 512 512 none 1, 2' in settings
    assert 'b 64 64 sqrt 1, 2' in settings
    assert 'base batch size' not in settings
    assert 'http-equiv="refresh"' not in page
    assert 'http-equiv="refresh"' in comparison(tmp_path, reloads=True)


def test_comparison_of_many_rows_counts_the_values_of_settings_and_has_a_button_and_a_look_for_each(tmp_path):
    names = [f'row{index:02d}' for index in range(24)]
    for index, name in enumerate(names):
        write_run(tmp_path / name, batch_size=32 * (1 + index % 3), settings={'lr': index}, errors=(12.5,))
    page = comparison(tmp_path)
    settings = words(page).split('Summary')[0]
    assert 'batch size 32 (8 rows), 64 (8 rows), 96 (8 rows)' in settings
    assert re.search(r'lr 0 \(1 row\), .* and 12 more', settings)
    assert re.findall(r'data-name="(\w+)"', page) == names
    assert words(page).count('87.50 (1)') == 24
    looks = columns_of(attributes(page)[ERROR], 'lines')
    assert len(looks[['color', 'dash']].drop_duplicates()) == 24  # colours repeat after seven, with other dashes


def test_comparison_lists_every_run_with_a_link_that_holds_where_the_page_lies(tmp_path):
    for name in ('a #1_seed1', 'b'):
        write_run(tmp_path / 'runs' / name, errors=(50.0, 5.0, 12.5), batch_size=len(name))
    (tmp_path / 'runs' / 'a #1_seed1' / 'results.html').touch()
    (tmp_path / 'pages').mkdir()
    page = comparison(tmp_path / 'runs', path=tmp_path / 'pages' / 'all.html')
    assert re.findall(r'<a href="(.*?)">(.*?)</a>', page) == [('../runs/a%20%231_seed1/results.html', 'a #1_seed1')]
    steps = 3 * (50_000 // 1)
    assert f'b done 1 12.50 87.50 95.00 3 {steps:,} 7.5 900' in words(page)  # no page of its own yet, so no link


def test_the_chart_of_batch_sizes_needs_three_and_joins_what_differs_in_nothing_else(tmp_path):
    title, settings = 'Final error against batch size', {'lr_scaling': 'none'}
    for size, seed, error in ((64, 1, 6.0), (64, 2, 7.0), (256, 1, 8.0), (256, 2, 9.0)):
        write_run(tmp_path / f'a{size}_seed{seed}', batch_size=size, errors=(50.0, error), seed=seed)
    write_run(tmp_path / 'b64', batch_size=64, errors=(50.0, 30.0), settings=settings)
    assert title not in words(comparison(tmp_path))
    write_run(tmp_path / 'a1024', batch_size=1024, errors=(50.0, 9.0))
    write_run(tmp_path / 'c64', batch_size=64, errors=(50.0,), settings={'flip': True}, status='diverged')
    page = comparison(tmp_path)
    drawn = {name: points for name, points in curves(page, title) if len(points)}
    assert set(drawn) == {'lr scaling sqrt', 'lr scaling none'}
    line = drawn['lr scaling sqrt'][['batch_size', 'mean', 'std']]
    expected = [[64, 6.5, 0.5**0.5], [256, 8.5, 0.5**0.5], [1024, 9.0, np.nan]]
    np.testing.assert_allclose(line, expected, rtol=1e-6)
    ticks = [axis['attributes']['ticker']['attributes'].get('ticks') for axis in attributes(page)[title]['below']]
    assert ticks == [[64, 256, 1024]] * 2
    chart = page.split('<section class="chart"')[1]
    assert chart.index('<div class="legend">') < chart.index('class="plot"')


def test_comparison_of_many_rows_leaves_out_bands_and_says_so(tmp_path):
    for index in range(31):
        for seed in (1, 2):
            write_run(tmp_path / f'row{index}_seed{seed}', batch_size=32 + index, seed=seed, errors=(9.0 + seed,))
    for count in (31, 30):
        page = comparison(tmp_path, first=31 - count)
        assert ('bands' in attributes(page)[ERROR].get('tags', [])) == (count == 30)
        assert ('without bands, because there are more than 30 lines' in words(page)) == (count == 31)


def test_comparison_refuses_unknown_axes_and_colours(tmp_path):
    write_run(tmp_path / 'a')
    for name, value in (('x axis', 'time'), ('color', '#12345')):
        with pytest.raises(UserError, match=f'unknown {name} {value!r}'):
            comparison(tmp_path, **{'x_axis': value} if name == 'x axis' else {'colors': [value]})
    assert not (tmp_path / 'page.html').exists()


def test_thin_keeps_both_ends_and_points_for_either_axis():
    curve = np.repeat([0, 2], [100_000, 50])
    kept = thin(curve, 100)
    assert kept[-50:].tolist() == list(range(100_000, 100_050))  # the short one is whole
    rows = kept[:-50]
    assert len(rows) <= 100
    assert rows[[0, -1]].tolist() == [0, 99_999]
    assert np.diff(rows).max() < 2100  # evenly enough for a linear axis
    assert (rows < 1000).sum() > 20  # and near the start for a log one
    assert thin(curve, 100_000).tolist() == list(range(100_050))


def test_scales_suit_the_values():
    assert scales_for(np.array([90.0, 50.0, 20.0])) == ('linear', 'log')
    assert scales_for(np.array([90.0, 9.0, 0.01])) == ('log', 'linear')
    assert scales_for(np.array([90.0, 0.01, 0.0])) == ('linear', 'log')  # a log axis would hide the zero
    assert scales_for(np.array([0.0, -1.0])) == ('linear',)
    assert scales_for(np.array([np.nan, np.inf])) == ()


def test_numbers_and_names_for_people():
    assert [number(value) for value in (0.000123456, 12345.6, 7.0, None)] == ['0.0001235', '12,346', '7', '-']
    assert readable_name('cifar10_resnet44_bs2048_ghost_bn256') == 'cifar10 resnet44 batch 2048 ghost batch norm 256'
    assert readable_name('2026-11-21_09-00-00') == '2026-11-21 09-00-00'
    assert breakable('a name that is long, but has spaces') == 'a name that is long, but has spaces'
    assert breakable('row resnet44_momentum_bs64.') == 'row resnet44_<wbr>momentum_<wbr>bs64.'
    assert breakable('<script>_and_<more>') == '&lt;script&gt;_<wbr>and_<wbr>&lt;more&gt;'
