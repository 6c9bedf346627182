"""Run folders as training leaves them, without training."""

import csv
import json

from utils.reports.groups import group_runs
from utils.runs.columns import RESULT_COLUMNS
from utils.runs.reader import load_runs


def write_run(folder, *, errors=(50.0, 10.0, 12.0), status='done', batch_size=512, seed=1, started='09:00:00', **more):
    """Write a run folder as training leaves it; errors holds the validation error@1 of each epoch, in percent."""
    folder.mkdir(parents=True)
    config, settings = more.pop('config', {}), more.pop('settings', {})
    steps_per_epoch = max(50_000 // batch_size, 1)
    settings = {
        'dataset': 'digits', 'model': 'mnist_f1', 'model_config': {}, 'batch_size': batch_size,
        'ghost_batch_size': None, 'micro_batch_size': batch_size, 'base_batch_size': 64, 'lr_scaling': 'sqrt',
        'seed': seed, 'save': folder.name, 'results_dir': str(folder.parent), 'num_epochs': len(errors), **settings,
    }  # fmt: skip
    config = {
        'version': 1, 'command': f'python main_normal.py --save {folder.name}', 'script': 'main_normal.py',
        'status': status, 'message': '', 'settings': settings, 'num_epochs': len(errors),
        'regime': [{'epoch': 0, 'optimizer': 'SGD', 'lr': 0.089, 'momentum': 0.9}, {'epoch': 15, 'lr': 0.0089}],
        'steps_per_epoch': steps_per_epoch, 'num_parameters': 123_456, 'git': {'commit': 'abc1234', 'dirty': True},
        'versions': {'python': '3.11', 'torch': '2.11'}, 'device': 'cpu, 2 threads', 'test': None,
        'started': f'2026-11-21T{started}', 'finished': None, 'seconds': None, **config,
    }  # fmt: skip
    (folder / 'config.json').write_text(json.dumps(config))
    with (folder / 'results.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(RESULT_COLUMNS)
        for epoch, error in enumerate(errors, start=1):
            loss, step = error / 30, epoch * steps_per_epoch
            scores = [loss / 2, loss, error / 2, error, error / 9, error / 8]
            row = [epoch, step, 0.1, *scores, 1 / epoch, epoch**0.5, 2.5, 900]
            writer.writerow([*row, *[1.0] * (len(RESULT_COLUMNS) - len(row))])  # more columns may follow
    with (folder / 'weight_distance.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['step', 'weight_distance', 'train_loss'])
        writer.writerows([2**k, 0.1 + 0.7 * k + 0.01 * seed, 2.0 / (k + 1)] for k in range(10))
    return folder


def groups_of(folder, **runs):
    for name, settings in runs.items():
        write_run(folder / name, **settings)
    return group_runs(load_runs([folder]))
