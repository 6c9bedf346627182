"""The table of a comparison in its formats, each read back by another reader."""

import csv
import html
import io
import re

import numpy as np
import pytest

from tests.fake_runs import groups_of
from utils.reports.groups import rename_groups, varying_between
from utils.reports.summary import summarise
from utils.reports.tables import LATEX, format_summary, format_table, summary_cells

NASTY = (r'a_b & c\d {e} 50% $x^2$ ~ #1 | <i>`"*', '[b] | "quoted", with comma', '-', 'plain')


@pytest.fixture
def nasty(tmp_path):
    """Four rows under names with every special character; the first has two seeds, the third diverged."""
    groups = groups_of(
        tmp_path, a_seed1={'batch_size': 64}, a_seed2={'batch_size': 64, 'seed': 2, 'errors': (10.1,) * 3},
        b={'settings': {'lr_scaling': 'none'}}, c={'errors': (90.0,), 'status': 'diverged'},
        d={'batch_size': 128, 'settings': {'model_config': {'a|b': 'c&d'}}},
    )  # fmt: skip
    groups = rename_groups(groups, NASTY)
    return summarise(groups), varying_between(groups)


def test_table_is_aligned_and_fits_120_columns(tmp_path):
    long = 'cifar10_resnet44_batch_size_2048_learning_rate_and_regime_adaptation_with_a_very_long_name_number'
    runs = {f'{long}{size}_seed{seed}': {'batch_size': size, 'seed': seed} for size in (64, 4096) for seed in (1, 2)}
    lines = format_table(summarise(groups_of(tmp_path, **runs))).splitlines()
    assert max(map(len, lines)) <= 120
    rows = [line for line in lines if '88.00 +- 0.00 (2)' in line]
    assert len(rows) == 2
    assert len({len(line) for line in [*lines[:2], *rows]}) == 1
    width = lines[0].index('batch') - 2
    assert f'{long}4096{long}64' in ''.join(line[:width].strip() for line in lines)  # on as many lines as it takes
    assert 'last epoch' in ' '.join(lines)


def test_csv_holds_all_digits_under_plain_names_and_text_the_deviation_of_two(nasty):
    summary, settings = nasty
    assert summary_cells(summary)['val acc %'].tolist() == ['88.95 +- 1.34 (2)', '88.00 (1)', 'diverged', '88.00 (1)']
    rows = list(csv.DictReader(io.StringIO(format_summary(summary, settings, 'csv'))))
    assert list(rows[0])[:5] == ['label', 'batch_size', 'ghost_batch_size', 'model_config', 'micro_batch_size']
    assert [row['label'] for row in rows] == list(NASTY)
    for name in ('val_accuracy', 'val_accuracy_std', 'gap', 'seconds', 'images_per_second', 'updates', 'num_diverged'):
        values = [float(row[name] or 'nan') for row in rows]
        np.testing.assert_array_equal(values, summary[name].astype(float))
    assert all(re.fullmatch('[a-z_0-9]+', name) for name in rows[0])
    assert [row['lr_scaling'] for row in rows] == ['sqrt', 'none', 'sqrt', 'sqrt']
    assert rows[0]['model_config'] == ''
    assert '-' not in [value for row in rows for name, value in row.items() if name != 'label']


def test_markdown_is_read_back_by_another_reader(nasty):
    markdown = pytest.importorskip('markdown')
    summary, settings = nasty
    read = markdown.markdown(format_summary(summary, settings, 'markdown'), extensions=['tables'])
    rows = [re.findall(r'<t[dh][^>]*>(.*?)</t[dh]>', row, re.DOTALL) for row in read.split('<tr>')[1:]]
    rows = [[html.unescape(cell) for cell in row] for row in rows]
    assert rows[0][:4] == ['run', 'batch', 'model config', 'micro batch size']
    assert len({len(row) for row in rows}) == 1
    assert [row[0] for row in rows[1:]] == list(NASTY)
    assert rows[4][2] == 'a|b c&d'
    assert rows[1][rows[0].index('val acc %')] == summary_cells(summary)['val acc %'][0]


def test_latex_escapes_what_is_special_and_nothing_else(nasty):
    """LaTeX itself is not at hand, so its rules are: what may stand alone, braces, cells of a row."""
    summary, settings = nasty
    lines = format_summary(summary, settings, 'latex').splitlines()
    assert lines[1].startswith(r'\begin{tabular}{lrl')
    assert lines[2::2][:1] == [r'\toprule']
    assert lines[-2:] == [r'\bottomrule', r'\end{tabular}']
    num_columns = len(re.fullmatch(r'\\begin{tabular}{([lr]+)}', lines[1])[1])
    rows = [lines[3], *lines[5:-2]]
    assert len(rows) == 5
    for row in rows:
        assert row.endswith(r' \\')
        cells = re.split(r'(?<!\\) & ', row.removesuffix(r' \\'))
        assert len(cells) == num_columns
        for cell in cells:
            bare = re.sub(r'\$[+-][\d.]+\$|\$\\pm\$|\\text[a-z]+{}|\\[{}&%$#_]', '', cell)
            bare = bare[1:-1] if bare.startswith('{') and bare.endswith('}') else bare
            assert not set(bare) & set('\\{}&%$#_~^<>|'), cell
    inverse = {text: character for character, text in LATEX.items()}
    tokens = re.compile('|'.join(sorted(map(re.escape, inverse), key=len, reverse=True)))
    labels = [re.split(r'(?<!\\) & ', row)[0] for row in rows[1:]]
    assert labels[1].startswith('{[b]')  # a bare bracket behind \\ would be read as an option
    labels[1] = labels[1][1:-1]
    assert [tokens.sub(lambda found: inverse[found[0]], label) for label in labels] == list(NASTY)


def test_settings_that_differ_stand_before_the_results_and_those_that_do_not_fit_are_named(tmp_path):
    groups = groups_of(tmp_path / 'two', a={}, b={'settings': {'lr_scaling': 'none'}})
    text = format_summary(summarise(groups), varying_between(groups))
    first, second = text.split('\n\n')[:2]
    assert [line.split() for line in first.splitlines()[1:]][::2] == [['run', 'lr_scaling'], ['a', 'sqrt']]
    assert second.split()[:2] == ['run', 'batch']
    alone = groups[:1]
    assert format_summary(summarise(alone), varying_between(alone)) == format_table(summarise(alone))
    many = {f'setting_number_{number}': 'some value' for number in range(12)}
    groups = groups_of(tmp_path / 'many', a={}, b={'settings': many})
    text = format_summary(summarise(groups), varying_between(groups))
    assert max(map(len, text.splitlines())) <= 120
    assert all(name in text for name in many)
    assert 'also in setting_number_' in ' '.join(text.split())
