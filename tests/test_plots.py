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

from tests.test_compare import write_run
from utils.compare import group_runs, load_runs, summarise
from utils.errors import UserError
from utils.pages.charts import scales_for
from utils.pages.curves import thin
from utils.pages.html import duration, number
from utils.pages.run_page import readable_name
from utils.plots import write_comparison_page, write_run_page

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>\'"&'


def models(page):
    """Return every bokeh object of a page, read back from its embedded JSON."""
    embedded = re.search(r"const docs_json = '(.*?)';\n", page)[1]
    document = json.loads(html.unescape(embedded.encode().decode('unicode_escape')))
    found, stack = [], [document]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            found += [item] if item.get('type') == 'object' else []
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found


def sources(page, *columns):
    """Return the data sources of a page that have these columns, numbers as arrays."""
    held = [model['attributes']['data'] for model in models(page) if model['name'] == 'ColumnDataSource']
    found = [source for source in (dict(data['entries']) for data in held) if set(columns) <= set(source)]
    return [{name: decode(column) for name, column in source.items()} for source in found]


def points(page):
    """Return what the charts of a page draw, a source a chart: curve, x columns, mean, std, n."""
    return sources(page, 'curve', 'mean')


def is_drawn(page, x, xs, ys):
    """Say whether one curve of one chart has these points."""
    each = (
        (source[x][source['curve'] == curve], source['mean'][source['curve'] == curve])
        for source in points(page) if x in source for curve in np.unique(source['curve'])
    )  # fmt: skip
    return any(len(a) == len(xs) and np.allclose(a, xs) and np.allclose(b, ys, rtol=1e-6) for a, b in each)


def decode(column):
    if isinstance(column, list):
        return np.asarray(column)
    data = base64.b64decode(column['array']['data'])
    data = gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data  # newer bokeh packs arrays
    return np.frombuffer(data, dtype=column['dtype']).reshape(column['shape'])


def axis_labels(page):
    return {model.get('attributes', {}).get('axis_label') for model in models(page)}


def words(page):
    """Return the text of a page as a reader sees it, without scripts and styles."""
    page = re.sub(r'<(script|style)\b.*?</\1>', ' ', page, flags=re.DOTALL)
    return html.unescape(re.sub(r'\s+', ' ', re.sub(r'<[^>]+>', ' ', page)))


def comparison(folder, **settings):
    groups = group_runs(load_runs([folder]))
    return write_comparison_page(groups, folder / 'page.html', summarise(groups), **settings).read_text()


def test_run_page_draws_what_the_files_hold(tmp_path):
    folder = write_run(tmp_path / 'a', errors=(60.0, 20.0, 5.0))
    assert write_run_page(folder) == folder / 'results.html'
    page = (folder / 'results.html').read_text()
    for file, x, columns in (
        ('results.csv', 'epoch', ['train_loss', 'val_loss', 'train_error1', 'val_error1', 'lr', 'grad_norm']),
        ('weight_distance.csv', 'step', ['weight_distance']),
    ):
        table = pd.read_csv(folder / file)
        for column in columns:
            assert is_drawn(page, x, table[x], table[column]), column
    assert not is_drawn(page, 'epoch', [1, 2, 3], [60.0, 20.0, 6.0])


def test_run_page_says_what_counts(tmp_path):
    test = {'loss': 0.2, 'error1': 6.25, 'error5': 0.5}
    folder = write_run(tmp_path / 'mnist_bs4096_gbn_seed2', errors=(60.0, 4.5, 5.0), seed=2, config={'test': test})
    text = words(write_run_page(folder).read_text())
    assert 'mnist batch 4096 ghost batch norm seed 2' in text
    assert 'Done : finished epoch 3 of 3' in text
    assert re.search(r'Last epoch \(3\).* validation error@1 5\.00 %.* train error@1 2\.50 %', text)
    assert 'Best epoch: 2, validation error@1 4.50 %, chosen on the split it is scored on' in text
    assert 'Test set, scored once at the end: error@1 6.25 %' in text
    assert 'python main_normal.py --save mnist_bs4096_gbn_seed2' in text
    assert 'abc1234, with uncommitted changes' in text
    assert '0 SGD 0.089 0.9 15 SGD 0.0089 0.9' in text  # the second entry names its rate alone


@pytest.mark.parametrize('errors', [(), (50.0,)])
@pytest.mark.parametrize('status', ['running', 'done', 'failed', 'diverged'])
def test_run_page_at_any_moment_and_end_of_a_run(tmp_path, status, errors):
    config = {'num_epochs': 9, 'message': 'the <reason> why'}
    page = write_run_page(write_run(tmp_path / 'a', errors=errors, status=status, config=config)).read_text()
    text = words(page)
    assert f'{status.capitalize()} :' in text
    assert f'epoch {len(errors)} of 9' in text
    assert 'the <reason> why' in text
    assert ('http-equiv="refresh"' in page) == (status == 'running')
    assert ('No epoch has finished yet' in text) == (not errors)


def test_run_page_without_any_file_or_with_half_a_line(tmp_path):
    (tmp_path / 'empty').mkdir()
    assert 'No epoch has finished yet' in words(write_run_page(tmp_path / 'empty').read_text())
    folder = write_run(tmp_path / 'torn', errors=(50.0, 20.0))
    with (folder / 'results.csv').open('a') as file:
        file.write('3,291,0.1,0.')
    assert 'Last epoch (2)' in words(write_run_page(folder).read_text())


def test_run_page_of_values_that_are_not_finite(tmp_path):
    folder = write_run(tmp_path / 'a', errors=(50.0, float('inf'), float('nan')), status='diverged')
    page = write_run_page(folder).read_text()
    assert is_drawn(page, 'epoch', [1], [50.0])
    assert all(np.isfinite(source['mean']).all() for source in points(page))
    assert 'validation error@1 -' in words(page)


def test_zeros_are_shown_and_their_absence_from_a_log_scale_is_said(tmp_path):
    page = write_run_page(write_run(tmp_path / 'a', errors=(50.0, 0.01, 0.0))).read_text()
    assert 'Zeros have no place on the log scale' in words(page)


def test_run_page_names_an_unreadable_config(tmp_path):
    folder = write_run(tmp_path / 'a')
    (folder / 'config.json').write_text('{')
    with pytest.raises(UserError, match='not readable JSON'):
        write_run_page(folder)
    assert not (folder / 'results.html').exists()


def test_whatever_comes_from_a_file_is_escaped(tmp_path):
    name = EVIL.replace('/', '|')
    config = dict.fromkeys(('command', 'message', 'device', 'started'), EVIL)
    config |= {'git': {'commit': EVIL}, 'versions': {EVIL: EVIL}, 'regime': [{'epoch': EVIL, EVIL: EVIL}]}
    folder = write_run(tmp_path / name, settings={EVIL: EVIL, 'model': EVIL}, config=config)
    pages = [write_run_page(folder).read_text(), comparison(tmp_path)]
    for page in pages:
        assert '<script>alert' not in page
        assert '<|script><script>' not in page
        assert '<img' not in page
    assert EVIL in words(pages[0])
    assert name in words(pages[1])


def test_pages_need_no_network(tmp_path):
    folder = write_run(tmp_path / 'a')
    for page in (write_run_page(folder).read_text(), comparison(tmp_path)):
        markup = re.sub(r'<script\b[^>]*>.*?</script>', '', page, flags=re.DOTALL)
        assert not re.search(r'<(script|link|img|iframe)[^>]+(src|href)="(?!data:)', page[:500] + markup)
        assert 'https://' not in markup
        assert len(page) < 2_000_000  # bokeh alone is 1.3 MB


def test_pages_are_written_in_one_move(tmp_path, monkeypatch):
    folder = write_run(tmp_path / 'a')
    write_run_page(folder)
    before = (folder / 'results.html').read_text()

    def full_disk(*paths):
        raise OSError('no space left')

    monkeypatch.setattr(os, 'replace', full_disk)
    with pytest.raises(OSError, match='no space'):
        write_run_page(folder)
    assert (folder / 'results.html').read_text() == before
    assert sorted(path.name for path in folder.glob('*results.html*')) == ['results.html']
    assert not list(folder.glob('.*'))


def test_long_runs_are_thinned(tmp_path):
    errors = np.linspace(90, 5, 6000)
    page = write_run_page(write_run(tmp_path / 'a', errors=errors, batch_size=50_000)).read_text()
    thinned = []
    for source in points(page):
        for curve in np.unique(source['curve']):
            epochs = source['epoch'][source['curve'] == curve]
            assert len(epochs) <= 2000
            thinned.append((epochs, source['mean'][source['curve'] == curve]))
    [epochs] = [
        epochs for epochs, mean in thinned
        if len(epochs) > 100 and np.allclose(mean, errors[epochs.astype(int) - 1], rtol=1e-5)
    ]  # fmt: skip
    assert epochs[[0, -1]].tolist() == [1, 6000]
    assert 'of 12,000 points' in words(page)


def test_comparison_draws_mean_and_deviation_of_the_seeds(tmp_path):
    errors = np.array([[60.0, 20.0, 5.0], [50.0, 30.0, 4.0], [70.0, 10.0, 9.0]])
    for seed, each in enumerate(errors, start=1):
        write_run(tmp_path / f'large_seed{seed}', errors=each, seed=seed)
    page = comparison(tmp_path, columns=['val_error1'])
    [source] = points(page)
    np.testing.assert_allclose(source['mean'], errors.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(source['std'], errors.std(axis=0, ddof=1), rtol=1e-6)
    assert source['epoch'].tolist() == [1, 2, 3]
    assert source['n'].tolist() == [3, 3, 3]
    [lines] = sources(page, 'name', 'dash')
    assert lines['name'].tolist() == ['large']


def test_comparison_of_a_single_seed_has_no_band_and_a_diverged_run_is_marked(tmp_path):
    write_run(tmp_path / 'a_seed1', errors=(50.0, 10.0))
    write_run(tmp_path / 'a_seed2', errors=(90.0,), seed=2, status='diverged', settings={'num_epochs': 2},
              config={'num_epochs': 2})  # fmt: skip
    page = comparison(tmp_path, columns=['val_error1'])
    [source], [lines] = points(page), sources(page, 'name', 'dash')
    assert np.isnan(source['std']).all()
    assert lines['diverged'].tolist() == [False, True]
    assert is_drawn(page, 'epoch', [1], [90.0])
    assert 'a (1 of 2 diverged)' in words(page)


def test_comparison_of_a_row_that_always_diverged(tmp_path):
    write_run(tmp_path / 'a', errors=(90.0, 95.0), status='diverged')
    page = comparison(tmp_path, columns=['val_error1'])
    assert is_drawn(page, 'epoch', [1, 2], [90.0, 95.0])
    assert 'a 512 diverged' in words(page)


def test_comparison_x_axis_is_log_only_where_lengths_are_far_apart(tmp_path):
    write_run(tmp_path / 'short', errors=np.linspace(50, 40, 10))
    write_run(tmp_path / 'near', errors=np.linspace(50, 40, 20), batch_size=256)
    labels = axis_labels(comparison(tmp_path, columns=['val_loss']))
    assert 'epochs' in labels
    write_run(tmp_path / 'far', errors=np.linspace(50, 40, 200), batch_size=64)
    labels = axis_labels(comparison(tmp_path, columns=['val_loss']))
    assert 'epochs, log scale' in labels


@pytest.mark.parametrize('x_axis', ['epoch', 'step', 'seconds'])
def test_comparison_holds_every_x_axis_and_opens_with_the_one_asked_for(tmp_path, x_axis):
    write_run(tmp_path / 'a', errors=(50.0, 10.0), batch_size=512)
    page = comparison(tmp_path, columns=['val_error1', 'weight_distance'], x_axis=x_axis)
    assert is_drawn(page, 'epoch', [1, 2], [50.0, 10.0])
    assert is_drawn(page, 'step', [97, 194], [50.0, 10.0])
    assert is_drawn(page, 'seconds', [2.5, 5.0], [50.0, 10.0])
    assert any(np.array_equal(source['step'], 2.0 ** np.arange(10)) for source in points(page))
    label = {'epoch': 'epochs', 'step': 'updates', 'seconds': 'training time (s)'}[x_axis]
    labels = {str(name).removesuffix(', log scale') for name in axis_labels(page)}
    assert label in labels
    assert labels & {'epochs', 'training time (s)'} <= {label}  # distances are over updates whatever is asked for


def test_comparison_holds_the_table_and_a_button_for_each_row(tmp_path):
    names = [f'row{index}' for index in range(9)]
    for index, name in enumerate(names):
        write_run(tmp_path / name, batch_size=32 * (index + 1), errors=(50.0, 12.5))
    page = comparison(tmp_path, columns=['val_error1'])
    assert re.findall(r'data-name="(\w+)"', page) == names
    assert words(page).count('87.50 (1)') == 9
    looks = [set(zip(lines['color'], lines['dash'], strict=True)) for lines in sources(page, 'name', 'dash', 'color')]
    assert 9 in map(len, looks)  # colours repeat after seven, with other dashes


def test_comparison_of_many_rows_leaves_out_bands_and_says_so(tmp_path):
    for index in range(31):
        for seed in (1, 2):
            write_run(tmp_path / f'row{index}_seed{seed}', batch_size=32 + index, seed=seed, errors=(50.0, 9.0 + seed))
    page = comparison(tmp_path, columns=['val_error1'])
    assert 31 in [len(lines['name']) for lines in sources(page, 'name', 'dash')]
    assert 'without bands, because there are more than 30 lines' in words(page)


def test_comparison_refuses_unknown_axes_and_colours(tmp_path):
    write_run(tmp_path / 'a')
    with pytest.raises(UserError, match="unknown x axis 'time'"):
        comparison(tmp_path, x_axis='time')
    with pytest.raises(UserError, match="unknown color '#12345'"):
        comparison(tmp_path, colors=['#12345'])
    assert not (tmp_path / 'page.html').exists()


def test_thin_keeps_both_ends_of_every_curve():
    curve = np.repeat([0, 1, 2], [100_000, 5, 300])
    kept = thin(curve, 100)
    counts = [np.count_nonzero(curve[kept] == each) for each in (0, 1, 2)]
    assert counts[1] == 5
    assert all(50 < count <= 100 for count in (counts[0], counts[2]))
    assert {0, 99_999, 100_000, 100_004, 100_005, 100_304} <= set(kept.tolist())
    assert np.count_nonzero(kept < 1000) > 20  # half are spaced by the logarithm


def test_scales_suit_the_values():
    assert scales_for(np.array([90.0, 50.0, 20.0])) == ('linear', 'log')
    assert scales_for(np.array([90.0, 9.0, 0.01])) == ('log', 'linear')
    assert scales_for(np.array([90.0, 0.01, 0.0])) == ('linear', 'log')  # a log axis would hide the zero
    assert scales_for(np.array([0.0, -1.0])) == ('linear',)
    assert scales_for(np.array([np.nan, np.inf])) == ()


def test_numbers_times_and_names_for_people():
    assert [number(value) for value in (0.000123456, 12345.6, 7.0, None)] == ['0.0001235', '12,346', '7', '-']
    assert [duration(value) for value in (1.25, 59.99, 61, 3 * 3600 + 65, None)] == [
        '1.2 s', '60.0 s', '1 min 01 s', '3 h 01 min', '-',
    ]  # fmt: skip
    assert readable_name('cifar10_resnet44_bs2048_ghost_bn256') == 'cifar10 resnet44 batch 2048 ghost batch norm 256'
    assert readable_name('2026-11-21_09-00-00') == '2026-11-21 09-00-00'
