"""Names that come near a wrong one, at every place that proposes some."""

from __future__ import annotations

import pytest

from bigbatch.messages import nearest, suggest

NAMES = ('--warmup-epochs', '--warmup-start', '--amp', '--batch-size', '-b', 'SGD', 'ASGD', 'Adam', 'AdamW', 'mnist_f1')
NAMES += ('keskar_f1', 'figure1', 'caf\u00e9')


def test_the_nearest_name_is_found_whatever_the_case_and_the_signs_between_its_letters():
    cases = {
        'sgd': ['SGD'], 'ADAMW': ['AdamW'], '--BatchSize': ['--batch-size'], 'batch_size': ['--batch-size'],
        '-B': ['-b'], 'cafe\u0301': ['caf\u00e9'], 'Figure_1': ['figure1'],
        '--warmup': ['--warmup-start', '--warmup-epochs'], 'ada': ['Adam', 'AdamW'], 'F1': ['mnist_f1', 'keskar_f1'],
        'figuer1': ['figure1'], 'Adma': ['Adam', 'AdamW'], 'x': [], '': [], 'K': ['keskar_f1'],
    }  # fmt: skip
    found = {word: nearest(word, NAMES, num=3, cutoff=0.6) for word in cases}
    assert found == cases


def test_where_there_is_no_name_none_are_known():
    assert suggest('small', []) == 'known: none'


@pytest.mark.parametrize(
    ('flags', 'name'),
    [
        (('--optimizer', 'sgd'), 'SGD'), (('--warmup', '5'), '--warmup-epochs'), (('--BatchSize', '5'), '--batch-size'),
        (('--model', 'ResNet'), 'resnet'), (('--dataset', 'MNIST'), 'mnist'), (('--model', 'F1'), 'keskar_f1'),
        (('--model_config', "{'Width': 3}", '--model', 'mnist_f1'), 'width'),
        (('--regime', "{0: {'optimizer': 'adamw', 'lr': 0.1}}"), 'AdamW'),
        (('--regime', "{0: {'lr': 0.1, 'Weight-Decay': 0.1}}"), 'weight_decay'),
    ],
)  # fmt: skip
def test_scripts_propose_it(refused, flags, name):
    refused('--dataset', 'digits', '--b', '256', '--dry-run', *flags, words=('did you mean', name))
