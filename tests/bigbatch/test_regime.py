"""Regimes against tables worked out by hand."""

import copy
import re

import pytest

from bigbatch.regime import Regime, epoch_factor, lr_factor
from tests.data_helpers import assert_all_refused

F1 = {
    0: {'optimizer': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4},
    10: {'lr': 0.01},
    20: {'lr': 1e-3, 'weight_decay': 0},
}


def test_entries_stay_in_force_until_changed():
    regime = Regime(F1)
    for epochs, lr, weight_decay in (((0, 9), 0.1, 1e-4), ((10, 19), 0.01, 1e-4), ((20, 1000), 1e-3, 0)):
        expected = {'optimizer': 'SGD', 'lr': lr, 'momentum': 0.9, 'weight_decay': weight_decay}
        assert [regime.at(epoch) for epoch in epochs] == [expected] * 2


# batch, base, flags -> lr at epoch 0, epoch of the first drop, epochs of a run of 50; F1's regime, by hand.
ADAPTED = [
    (128, 128, 'sqrt', True, 0.1, 10, 50),
    (2048, 128, 'none', False, 0.1, 10, 50),
    (2048, 128, 'sqrt', False, 0.4, 10, 50),
    (2048, 128, 'none', True, 0.1, 160, 800),
    (2048, 128, 'linear', True, 1.6, 160, 800),
    (4096, 128, 'sqrt', True, 0.5656854249492381, 320, 1600),
    (64, 256, 'sqrt', True, 0.05, 10, 50),
    (64, 256, 'linear', False, 0.025, 10, 50),
    (300, 256, 'sqrt', True, 0.10825317547305482, 20, 100),
]


def test_adapted_to_the_batch():
    for batch, base, scaling, stretches, lr, drop, epochs in ADAPTED:
        stretch = epoch_factor(batch, base) if stretches else 1
        regime = Regime(F1).scale_lr(lr_factor(batch, base, scaling)).stretch(stretch)
        rates = [regime.at(epoch)['lr'] for epoch in (0, drop - 1, drop)]
        assert (rates, 50 * stretch) == (pytest.approx([lr, lr, lr / 10], rel=1e-12), epochs), (batch, base, scaling)
        table = regime.table(drop + 1)
        assert [(row['epoch'], row['lr']) for row in table] == [(0, rates[0]), (drop, rates[2])]


def test_adapting_changes_neither_the_dict_nor_the_regime():
    settings = copy.deepcopy(F1)
    regime = Regime(settings)
    regime.scale_lr(5).stretch(3).at(0)['lr'] = 17
    regime.scale_lr(5)
    assert settings == F1
    assert regime.at(0)['lr'] == 0.1
    settings[0]['lr'] = 17
    assert regime.at(0)['lr'] == 0.1
    with pytest.raises(AttributeError):
        regime.factor = 2


def test_list_and_function_say_the_same_as_the_dict():
    as_list = Regime([{'epoch': epoch, **entry} for epoch, entry in F1.items()])
    as_function = Regime(lambda epoch: Regime(F1).at(epoch))
    for epoch in (0, 5, 10, 15, 20, 99):
        assert Regime(F1).at(epoch) == as_list.at(epoch) == as_function.at(epoch)
    assert as_function.scale_lr(2).stretch(4).at(40)['lr'] == pytest.approx(0.02)


def test_another_optimizer_keeps_only_what_both_have():
    regime = Regime({**F1, 30: {'optimizer': 'Adam', 'lr': 1e-3}, 40: {'lr': 1e-4}})
    assert regime.at(30) == {'optimizer': 'Adam', 'lr': 1e-3, 'weight_decay': 0}
    assert regime.at(40) == {'optimizer': 'Adam', 'lr': 1e-4, 'weight_decay': 0}


def test_bad_regimes_name_the_value():
    bad = [
        ({5: {'lr': 0.1}}, 'epoch 0'), ({0: {'momentum': 0.9}}, "no 'lr'"), ({0: {'lr': 0}}, 'lr 0'),
        ({0: {'lr': float('nan')}}, 'lr nan'), ({0: {'lr': 'fast'}}, "lr 'fast'"),
        ({0: {'lr': 0.1}, -1: {'lr': 0.1}}, '-1'), ({0: {'lr': 0.1}, 1.5: {'lr': 0.1}}, '1.5'), ({0: 0.1}, '0.1'),
        ([{'lr': 0.1}], "'epoch'"), ([{'epoch': 0, 'lr': 0.1}, {'epoch': 0, 'lr': 0.2}], 'twice'), ('0.1', '0.1'),
        ({}, 'epoch 0'), (lambda epoch: None, 'None'),
    ]  # fmt: skip
    starts = [(f'(?=.*{re.escape(word)}).*regime', lambda made=made: Regime(made).at(0)) for made, word in bad]
    ends = [('-1', lambda: Regime(F1).at(-1)), (r'0\.5', lambda: Regime(F1).stretch(0.5))]
    assert_all_refused(starts + ends)
