"""The benchmarks, which run, and what they are made of; what they measure is for an idle machine, no test judges it."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import data
from benchmarks import gpu_plan, machine, report, workload
from benchmarks.published import CLIP, SETTINGS, PublishedRun
from bigbatch.errors import UserError
from bigbatch.layers.conversion import convert_ghost_batch_norm
from tests.conftest import PROJECT, read_rows
from tests.official_files import write_all
from tests.test_architecture import sources
from utils.parser import Parser
from utils.runs import manifest
from utils.sweeps.suite import find_suite

CPU = torch.device('cpu')
FIGURE = report.Figure('f1', 'ms', 2.0, 4.0, 2.0, 1.5, 2.5, limit=1.0, limit_of='memory', share=0.5)


@pytest.fixture
def open_report(tmp_path, monkeypatch):
    def build(*argv: str, dirty: bool = False) -> report.Report:
        monkeypatch.setattr(manifest, 'describe_code', lambda: {'commit': 'abc', 'dirty': dirty})
        monkeypatch.setattr(report, 'measure_limits', lambda *_: machine.Limits({'float32': 1e9}, 1e9))
        parser = Parser()
        workload.add_place_args(parser)
        parser.add_argument('--pairs', type=int, default=3)
        report.add_report_args(parser)
        flags = parser.parse_args(['--results', str(tmp_path / 'figures.csv'), '--device', 'cpu', *argv])
        return report.open_report('program', parser, flags)

    return build


def test_figures_are_appended_below_one_heading_of_no_other_table(open_report, tmp_path):
    open_report('--pairs', '5').add(FIGURE)
    open_report().add(replace(FIGURE, row='c1', theirs=None, ratio=None, limit=None))
    first, second = read_rows(tmp_path / 'figures.csv')
    assert tuple(first) == report.COLUMNS
    assert (first['commit'], first['dirty'], first['program'], first['flags']) == ('abc', 'False', 'program', 'pairs=5')
    assert (first['ours'], first['theirs'], first['ratio'], first['share']) == ('2', '4', '2', '0.5')
    assert (second['row'], second['theirs'], second['flags']) == ('c1', '', '')
    (tmp_path / 'figures.csv').write_text('epoch,step\n1,2\n')
    with pytest.raises(UserError, match=r'figures.csv is no table of figures'):
        open_report()
    assert (tmp_path / 'figures.csv').read_text() == 'epoch,step\n1,2\n'


def test_what_was_measured_with_the_same_code_and_flags_is_left_out(open_report, tmp_path):
    open_report(dirty=True).add(FIGURE)
    assert open_report('--skip-measured').wants('f1')  # figures of changed code do not stand for its commit
    (tmp_path / 'figures.csv').unlink()
    open_report().add(FIGURE)
    asked = {
        argv: open_report(*argv.split(), dirty=dirty).wants('f1')
        for argv, dirty in (('--skip-measured', False), ('', False), ('--skip-measured --pairs 5', False),
                            ('--skip-measured ', True), ('--dry-run', False))
    }  # fmt: skip
    assert [argv for argv, wanted in asked.items() if not wanted] == ['--skip-measured', '--dry-run']


def test_outside_a_checkout_code_is_known_by_its_files(monkeypatch):
    monkeypatch.setattr(manifest, 'describe_code', lambda: {'commit': None, 'dirty': None})
    before = report._code()['commit']
    assert before.startswith('files ')
    assert {PROJECT / path for path in sources()} <= {*report._sources()}  # nothing that is run is left out
    assert report._code()['commit'] == before
    monkeypatch.setattr(report, '_sources', lambda: [PROJECT / 'data.py'])
    assert report._code()['commit'] != before


def test_the_least_traffic_and_the_flop_of_a_pass_and_the_time_of_two_jobs_in_turn():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))
    for size in (4, 2):  # six times the outputs of the layers
        assert machine.least_bytes(model, torch.zeros(5, 3, 8, 8), size) == 6 * size * 5 * (4 * 6 * 6 + 10)
    assert model.training and model[1].num_batches_tracked == 0
    layer, inputs = nn.Linear(30, 20), torch.randn(7, 30)
    assert machine.count_flop(lambda: layer(inputs).sum().backward()) == 2 * (2 * 7 * 30 * 20)  # forward, weights
    order = []
    pairs = machine.time_in_turn(lambda: order.append('a'), lambda: order.append('b'), 3, CPU)
    assert ''.join(order) == 'abbaab' and len(pairs) == 3
    assert machine.spread([*range(10, 0, -1), 100]) == (6, 2, 10)


def published_run(num: int, b: int, mb: int, **settings) -> PublishedRun:
    flags = {'model': 'mnist_f1', 'dataset': f'fake:{num}:1x28x28:10', 'datasets_dir': None, 'b': b, 'mb': mb}
    return PublishedRun(argparse.Namespace(**flags), CPU, **settings)


def test_an_update_of_both_sides_is_the_same():
    published, ours = published_run(96, 64, 32), published_run(96, 64, 32)._model
    convert_ghost_batch_norm(ours, 32)
    inputs, targets = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
    before = next(ours.parameters()).clone()
    published._update(inputs, targets)
    optimizer = torch.optim.SGD(ours.parameters(), **SETTINGS)
    F.cross_entropy(ours(inputs), targets).backward()
    nn.utils.clip_grad_norm_(ours.parameters(), CLIP)
    optimizer.step()
    for (name, mine), theirs in zip(ours.named_parameters(), published._model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6, msg=name)
    assert not torch.equal(before, next(ours.parameters()))


def test_published_training_has_its_oddities_and_its_speed_is_of_whole_batches():
    run = published_run(90, 32, 16, seed=3)
    sizes, momenta, update = [], [], run._update

    def spy(inputs, targets):
        sizes.append(len(inputs))
        momenta.append(len(run._optimizer.state))
        update(inputs, targets)

    run._update = spy
    for _ in range(2):
        run.train_epoch({**SETTINGS, 'lr': 0.01})
    assert sizes == [32, 32, 26] * 2
    assert momenta[0] == momenta[3] == 0 < min(momenta[1:3])
    assert 0 <= run.accuracy(data.get_dataset('fake:90:1x28x28:10', 'val')) <= 100
    assert run._model.training
    run = published_run(96, 32, 16)
    run._update = lambda inputs, targets: sizes.append((tuple(inputs.shape), len(targets)))
    assert run.images_per_second() > 0 and run.images_per_second(2) > 0
    assert sizes[6:] == [((32, 1, 28, 28), 32)] * 5


def test_a_workload_is_the_command_that_a_person_would_type():
    parser = Parser()
    workload.add_workload_args(parser)
    workload.add_speed_args(parser)
    flags = parser.parse_args(['--amp', 'bf16', '--no-channels-last', '--device', 'cpu'])
    text = workload.describe_workload(flags, '--augment')
    assert text == (
        'python main_gbn.py --model mnist_f1 --dataset mnist --b 4096 --device cpu -mb 128 --base-batch-size 128 '
        '--amp bf16 --no-channels-last --augment'
    )
    plain = workload.describe_workload(workload.workload_of(flags, mb=None))
    assert plain.startswith('python main_normal.py') and '-mb' not in plain
    with pytest.raises(UserError, match='--amp'):
        workload.describe_workload(flags, '--type', 'torch.DoubleTensor')


def test_the_plan_names_what_is_there_and_its_errors_are_one_line(monkeypatch, capsys):
    assert all((PROJECT / 'benchmarks' / program).is_file() for program, *_ in gpu_plan.FIGURES)
    assert all(find_suite(name).commands for name in gpu_plan.SUITES)
    for flags in ([], ['--minutes', '0'], ['--minutes', '-1'], ['--minutes', 'ten'], ['--minutes']):
        assert gpu_plan.main(flags) == 2
        assert capsys.readouterr().err.count('\n') == 1
    monkeypatch.setattr(gpu_plan, 'PACKAGES', ('torch', 'no_such_package'))
    assert gpu_plan.main(['--minutes', '1']) == 2
    assert 'lacks no_such_package' in capsys.readouterr().err


def test_what_runs_at_the_deadline_is_asked_to_stop(tmp_path):
    saved = tmp_path / 'saved'
    code = 'import pathlib, signal, sys, time\n'
    code += f'signal.signal(15, lambda *_: (pathlib.Path({str(saved)!r}).touch(), sys.exit(75)))\ntime.sleep(60)'
    start = time.monotonic()
    assert gpu_plan._run([sys.executable, '-c', code], start + 1.5) == gpu_plan.INTERRUPTED
    assert time.monotonic() - start < 30 and saved.exists()
    assert gpu_plan._run([sys.executable, '-c', 'raise SystemExit(3)'], start + 600) == 3


def test_after_the_deadline_nothing_more_is_started(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(gpu_plan, '_run', lambda call, deadline: ran.append(call) or len(ran) % 2)
    steps = [gpu_plan.Step(f'{number}.py', ()) for number in range(3)]
    assert gpu_plan._carry_out(steps, time.monotonic() + 600) == 1  # the first and the third failed
    assert len(ran) == 3 and 'failed: 0.py, 2.py' in capsys.readouterr().err
    ran.clear()
    assert gpu_plan._carry_out(steps, time.monotonic()) == 0
    assert len(ran) == 1 and 'time is up in command 1 of 3' in capsys.readouterr().out


SMALL = '--dataset digits --model mnist_f1 --b 128 --mb 32'
# command -> the rows that it adds to the table
COMMANDS = {
    f'methods.py {SMALL} --pairs 1 --methods SWA "2 copies"': ['2 copies', 'SWA'],
    'sharpness.py --dataset digits --num-examples 200 --batch-sizes 100 --pairs 1': [
        'pass_100', 'solver_full_space', 'memory_full_space', 'solver_100_dimensions', 'memory_100_dimensions',
    ],
    'scaling.py --dataset digits --b 128 --mb 32 --ranks 1 2 --steps 1': ['1_ranks', '2_ranks'],
    'throughput.py --dataset fake:4096:1x28x28:10 --rounds 1 --pairs 1 --device cpu': ['f1', 'f1_step'],
    'throughput.py --row c1 --dataset fake:256:3x32x32:10 --rounds 1 --updates 1 --b 128 --mb 32': ['c1'],
    f'layers.py {SMALL} --ghosts 4 --pairs 1': ['layer_4', 'step_4', 'layer_4_last', 'step_4_last'],
    f'augmentation.py {SMALL} --rounds 1 --updates 1': ['mnist_f1_128'],
    f'jobs.py {SMALL} --runs 2 --epochs 1': ['2_runs_2_jobs'],
    f'first_update.py {SMALL} --calls 1': ['mnist_f1_digits', 'help'],
    'warm.py --calls 1 --runs 2': ['dry_run', 'quickstart', 'runs'],
    'memory.py --dataset fake:2048:1x28x28:10 --batch-sizes 256 2048 --mb 32': ['batch_256', 'batch_2048'],
    f'small_batches.py {SMALL} --pairs 1 --modes default': ['default'],
}  # fmt: skip


def call(command, cwd, **environment) -> subprocess.CompletedProcess:
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', **environment}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize('command', COMMANDS)
def test_a_benchmark_runs_and_adds_its_figures(command, tmp_path):
    script, *flags = shlex.split(command)
    done = call([sys.executable, str(PROJECT / 'benchmarks' / script), *flags, '--results', 'figures.csv'], tmp_path)
    assert 'Traceback' not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr  # 1: over a limit, as it may be beside other work
    rows = read_rows(tmp_path / 'figures.csv')
    assert sorted(row['row'] for row in rows) == sorted(COMMANDS[command])
    assert all(float(row['ours']) > 0 and row['unit'] and row['machine'] and row['versions'] for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ['figures.csv']


@pytest.mark.slow
def test_the_plan_of_a_gpu_is_tried_out_without_one(tmp_path):
    write_all(tmp_path / 'Datasets', 'mnist', num_train=4096, num_test=64)
    environment = {'PYTHON': sys.executable, 'DATASETS_DIR': str(tmp_path / 'Datasets'), 'CUDA_VISIBLE_DEVICES': ''}
    done = call(['bash', str(PROJECT / 'benchmarks' / 'gpu_plan.sh'), '--minutes', '1'], tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('no GPU here')
    words = ["no data set 'cifar10_jpg'", 'tried out on fake:', '15 runs: 15 new', 'f1_lb_lr_gbn_ra_seed2']
    assert [word for word in (*words, *(figure[0] for figure in gpu_plan.FIGURES)) if word not in done.stdout] == []
    assert done.stdout.count('updates') >= 5 + 15  # a plan for each row of the two suites
    assert [path.name for path in tmp_path.iterdir()] == ['Datasets']
