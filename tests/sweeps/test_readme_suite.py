"""The suite `readme`: its lines are those published, plan what was published, and train on small official files."""

import math
import re
import shlex

import pytest

from tests.conftest import main_gbn, read_json, read_rows
from tests.official_files import small_checksums, write_all
from tests.sweep_helpers import SCRIPTS
from utils.sweeps.suite import SUITES, find_suite

# run_experiments.sh of github.com/eladhoffer/bigBatch
PUBLISHED = """\
python main_normal.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_baseline --epochs 100 --b 2048 --no-lr_bb_fix;
python main_normal.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_lr_fix --epochs 100 --b 2048 --lr_bb_fix;
python main_normal.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_regime_adaptation --epochs 100 --b 2048 --lr_bb_fix --regime_bb_fix;
python main_gbn.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_ghost_bn256 --epochs 100 --b 2048 --lr_bb_fix --mini-batch-size 256;
python main_normal.py --dataset cifar100 --model resnet --save cifar100_wresnet16_4_bs1024_regime_adaptation --epochs 100 --b 1024 --lr_bb_fix --regime_bb_fix;
python main_normal.py --model mnist_f1 --dataset mnist --save mnist_baseline_bs2048_no_lr_fix --epochs 50 --b 2048 --no-lr_bb_fix;
python main_normal.py --model mnist_f1 --dataset mnist --save mnist_baseline_bs2048 --epochs 50 --b 2048 --lr_bb_fix;
python main_gbn.py --model mnist_f1 --dataset mnist --save mnist_baseline_bs4096_gbn --epochs 50 --b 4096 --lr_bb_fix --no-regime_bb_fix --mini-batch-size 128;
python main_gbn.py --model cifar100_shallow --dataset cifar100 --save shallow_cifar100_baseline_bs4096_gbn --epochs 200 --b 4096 --lr_bb_fix --no-regime_bb_fix --mini-batch-size 128;
python main_gbn.py --model cifar10_shallow --dataset cifar10 --save shallow_cifar10_baseline_bs4096_gbn --epochs 200 --b 4096 --lr_bb_fix --no-regime_bb_fix --mini-batch-size 128;
""".splitlines()  # noqa: E501 - letter for letter

# By hand from the paper's rules: (network, epochs, {epoch of a change: learning rate}, updates an epoch of 4,100
# images, (number of ghosts, size)). Of the drops only those within the run are there; 2.828427 is the root of
# 2048 / 256, 5.656854 that of 4096 / 128. Line 5: a wide ResNet has 0.1, from epoch 60 on a fifth; 1024 is 4 x 256.
PLANS = [
    ('resnet', 100, {0: 0.1, 81: 0.01}, 2, None),
    ('resnet', 100, {0: 0.2828427, 81: 0.02828427}, 2, None),
    ('resnet', 800, {0: 0.2828427, 648: 0.02828427}, 2, None),
    ('resnet', 100, {0: 0.2828427, 81: 0.02828427}, 2, (8, 256)),
    ('wresnet16_4', 400, {0: 0.2, 240: 0.04}, 4, None),
    ('mnist_f1', 50, {0: 0.1, 10: 0.01, 20: 0.001, 30: 0.0001}, 2, None),
    ('mnist_f1', 50, {0: 0.2828427, 10: 0.02828427, 20: 0.002828427, 30: 0.0002828427}, 2, None),
    ('mnist_f1', 50, {0: 0.5656854, 10: 0.05656854, 20: 0.005656854, 30: 0.0005656854}, 1, (32, 128)),
    ('cifar100_shallow', 200, {0: 0.005656854, 60: 0.05656854, 120: 0.005656854, 180: 0.0005656854}, 1, (32, 128)),
    ('cifar10_shallow', 200, {0: 0.005656854, 60: 0.05656854, 120: 0.005656854, 180: 0.0005656854}, 1, (32, 128)),
]


@pytest.fixture(scope='module', params=[4100])
def sets(request, tmp_path_factory):
    """Data sets of as many training images: 4,100 are enough for the published batches."""
    names = ('cifar10', 'cifar100', 'mnist')
    folder = tmp_path_factory.mktemp('sets')
    files = small_checksums(write_all(folder, *names, num_train=request.param, num_test=8))
    with files as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv('DATASETS_DIR', str(path))
        yield


def command_of(number: int) -> tuple:
    script, *flags = find_suite('readme').commands[number]
    return SCRIPTS[script], flags


def test_the_lines_are_the_published_ones_but_for_the_network_of_line_5():
    lines = [line for line in (SUITES / 'readme.sh').read_text().splitlines() if line]
    expected = [line.replace('resnet ', 'wresnet16_4 ') if 'wresnet16_4' in line else line for line in PUBLISHED]
    assert expected[4] != PUBLISHED[4]
    assert [line for line in lines if not line.startswith('#')] == expected
    above = lines[lines.index(expected[4]) - 1]
    assert above.startswith('#') and '--model resnet' in above and 'ResNet-44' in above
    commands = [list(command) for command in find_suite('readme').commands]
    assert commands == [shlex.split(line.removesuffix(';'))[1:] for line in expected]  # as a shell reads them


def test_a_dry_run_plans_what_was_published(sets, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    for number, (model, num_epochs, rates, steps, ghosts) in enumerate(PLANS):
        script, flags = command_of(number)
        assert script.main([*flags, '--dry-run']) == 0
        head, _, table = capsys.readouterr().out.partition('\nregime\n')
        assert head.startswith(f'model         {model}, ')
        updates = re.search(r'^updates +(\d+) an epoch, ([\d,]+) epochs', head, re.M)
        assert (int(updates[1]), int(updates[2].replace(',', ''))) == (steps, num_epochs)
        assert ('batch norm over each forward pass' if ghosts is None else '{} ghosts of {}'.format(*ghosts)) in head
        planned = [line.split()[:3] for line in table.splitlines()[1:]]
        assert [int(epoch) for epoch, _, _ in planned] == list(rates)
        assert [int(update) for _, update, _ in planned] == [epoch * steps for epoch in rates]
        assert [float(rate) for _, _, rate in planned] == pytest.approx(list(rates.values()), rel=1e-4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('sets', [16], indirect=True)
@pytest.mark.parametrize('numbers', [(5, 7, 8, 9), pytest.param((0, 1, 2, 3, 4, 6), marks=pytest.mark.slow)], ids=str)
def test_two_steps_on_official_files(numbers, sets, monkeypatch, tmp_path):
    monkeypatch.setattr('utils.reports.pages.run_page.write_run_page', lambda folder: None)
    for number in numbers:
        script, flags = command_of(number)
        ghosts = ['-mb', '4'] if script is main_gbn else []
        smaller = ['--epochs', '1', '--b', '8', '--base-batch-size', '8', *ghosts, '--device', 'cpu']
        assert script.main([*flags, '--results_dir', str(tmp_path), *smaller]) == 0
        folder = tmp_path / flags[flags.index('--save') + 1]
        assert read_json(folder / 'config.json')['status'] == 'done'
        (result,) = read_rows(folder / 'results.csv')
        assert (int(result['epoch']), int(result['step'])) == (1, 2)
        assert float(result['lr']) == pytest.approx(0.001 if 'shallow' in PLANS[number][0] else 0.1)
        assert all(math.isfinite(float(result[key])) for key in ('train_loss', 'val_loss', 'grad_norm'))
        assert float(result['weight_distance']) > 0
