"""The end of a run in a sentence; long names broken and cut between words, in tables and settings."""

import shlex

from utils.reports.groups import LONGEST_TEXT, shorten
from utils.wording import cut, losses_apart, typed, words, wrap

WRAPPED = {
    ('short', 10): ['short'],
    ('', 10): [''],
    ('resnet44_momentum_bs64', 12): ['resnet44_', '  momentum_', '  bs64'],
    ('two words and_more', 12): ['two words', '  and_more'],
    ('abcdefghijklmnop_x', 8): ['abcdefgh', '  ijklmn', '  op_x'],
}


def test_words_end_at_signs_and_numbers_stay_whole_and_lines_break_between_them():
    assert words('resnet44_lr_1e-3-wd_0.5/x y') == ['resnet44_', 'lr_', '1e-3-', 'wd_', '0.5/', 'x ', 'y']
    assert [''.join(words(name)) for name in ('', '_', 'a__b', '-1')] == ['', '_', 'a__b', '-1']
    assert {(name, width): wrap(name, width, indent='  ') for name, width in WRAPPED} == WRAPPED


def test_a_cut_keeps_both_ends_and_whole_words():
    name = 'cifar10_resnet44_with_a_very_long_name_and_momentum_bs64'
    assert cut(name, 40) == 'cifar10_resnet44_..and_momentum_bs64'
    assert cut(name, len(name)) == name
    assert cut('x' * 50, 40) == f'{"x" * 19}..{"x" * 19}'
    paths = [f'/data/runs/of/mine/base_{number}/checkpoint_epoch_90.pth.tar' for number in (1, 2)]
    assert shorten(paths) == paths  # what tells them apart is in the middle
    assert all(len(text) <= LONGEST_TEXT for text in shorten([paths[0], 'other']))


def test_commands_are_quoted_as_people_type_them():
    command = ['python', 'main_gbn.py', '--model_config', "{'width': 64}", 'a b', "it's $HOME", '-b=1']
    assert shlex.split(typed(command)) == command
    assert '"{\'width\': 64}"' in typed(command)


def test_losses_compare_where_all_or_none_are_of_minima():
    assert losses_apart({'small': 0.05, 'large': 1.8}).startswith('the loss of large is 1.8, that of small 0.05')
    for losses in ({'small': 0.0001, 'large': 0.09}, {'small': 1.2, 'large': 2.3}, {'alone': 2.0}):
        assert losses_apart(losses) == ''
