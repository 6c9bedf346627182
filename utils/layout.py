"""The files of a run folder, the columns of its tables, the variables of its suite; the names are a contract."""

from __future__ import annotations

from collections.abc import Mapping

STARTED_VARIABLE = 'BIGBATCH_STARTED'  # of a run of a suite: when that started it, so that tables keep its order
CONFIG, LOG, PAGE, TENSORBOARD = 'config.json', 'log.txt', 'results.html', 'tensorboard'
LATEST, BEST, INITIAL = 'checkpoint.pth.tar', 'model_best.pth.tar', 'initial.pth.tar'
PREVIOUS = 'checkpoint_previous.pth.tar'  # what LATEST was before, for the case that it is damaged
AVERAGED = 'averaged.pth.tar'  # with --swa-start
SWAP_TABLE, SWAP_PAGE = 'swap.csv', 'swap.html'  # of main_swap.py
RESULTS, DISTANCES = 'results.csv', 'weight_distance.csv'
RESULT_COLUMNS = (
    'epoch', 'step', 'lr', 'train_loss', 'val_loss', 'train_error1', 'val_error1', 'train_error5', 'val_error5',
    'grad_norm', 'weight_distance', 'epoch_seconds', 'images_per_second',
)
NOISE_COLUMNS = ('noise_scale', 'gradient_norm2', 'gradient_variance')  # more of results.csv, with --noise-scale
AVERAGE_COLUMNS = ('averaged_val_loss', 'averaged_val_error1', 'averaged_val_error5')  # with --swa-start
DISTANCE_COLUMNS = ('step', 'weight_distance', 'train_loss')
# What besides the weights decides what is measured on them: the keys of utils.network.Network.conditions.
CONDITIONS = (
    'model', 'model_config', 'dataset', 'val_fraction', 'input_size', 'pixels', 'augment', 'num_examples', 'dtype',
    'seed',
)  # fmt: skip

MOST_THREADS = 4096  # that a run was made with: more are none that a machine has
KINDS = {str: 'a text', int: 'a whole number', float: 'a number', dict: 'an object', list: 'a list'}
# Fields of config.json that are computed with, below a dot those of `settings`; null stands for what is not known yet.
FIELDS = {
    'script': str, 'argv': list, 'status': str, 'message': str, 'started': str, 'data': str, 'seconds': float,
    'num_epochs': int, 'num_threads': int, 'steps_per_epoch': int, 'regime': list, 'test': dict, 'settings': dict,
    'micro_batch_size': int, 'settings.batch_size': int, 'settings.ghost_batch_size': int,
    'settings.start_epoch': int, 'settings.seed': int, 'settings.model': str, 'settings.model_config': dict,
    'settings.dataset': str, 'settings.datasets_dir': str, 'settings.val_fraction': float,
    'settings.input_size': int, 'settings.pixels': str,
}  # fmt: skip


def wrong_field(config: Mapping[str, object]) -> str:
    """Say which field of a config.json is of a wrong type, and which would be right; empty where none is."""
    settings = config.get('settings')
    inside = settings.items() if isinstance(settings, Mapping) else ()
    fields = {**config, **{f'settings.{name}': value for name, value in inside}}
    for name, kind in FIELDS.items():
        if not _is_kind(fields.get(name), kind):
            return f'{name} is {str(fields[name])[:40]!r}, expected {KINDS[kind]}'
    if not all(isinstance(word, str) for word in config.get('argv') or ()):
        return 'argv holds something else than texts'
    if not all(isinstance(row, Mapping) and _is_kind(row.get('lr'), float) for row in config.get('regime') or ()):
        return 'regime holds something else than objects with a number as lr'
    if not all(isinstance(row.get('epoch'), int) for row in config.get('regime') or ()):
        return 'regime holds a row without a whole number as epoch'
    threads = config.get('num_threads')
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        return f'num_threads is {threads}, expected 1 to {MOST_THREADS}'
    score = (config.get('test') or {}).get('error1')
    return '' if _is_kind(score, float) else f'test.error1 is {str(score)[:40]!r}, expected a number'


def _is_kind(value: object, kind: type) -> bool:
    if value is None or isinstance(value, bool):
        return value is None
    return isinstance(value, (int, float) if kind is float else kind)


def result_columns(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns of results.csv of a run with these settings."""
    noise = NOISE_COLUMNS if settings.get('noise_scale') else ()
    return RESULT_COLUMNS + noise + (AVERAGE_COLUMNS if settings.get('swa_start') else ())
