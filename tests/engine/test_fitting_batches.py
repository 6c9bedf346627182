"""A batch size that nobody asked for fits the training set; one that somebody asked for is taken or refused."""

import main_swap
from tests.conftest import main_normal, read_json

SHORT = ('--model', 'mnist_f1', '--model_config', "{'width': 8, 'depth': 1}", '--epochs', '1', '--device', 'cpu')


def batch_of(run):
    return read_json(run / 'config.json')['settings']['batch_size']


def test_the_shortest_command_takes_a_quarter_of_a_small_set_in_whole_ghosts(train, capsys, refused):
    digits = ('--dataset', 'digits', *SHORT)  # 1,280 examples
    run = train(*digits)
    assert batch_of(run) == 256  # of 320, in ghosts of 128
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith('warning: ')]
    assert warnings == ['warning: --batch-size is 256: 2048, if not given, is more than the 1,280 examples to train on']
    assert train(*digits, '--resume', str(run), '--epochs', '2') == run
    assert batch_of(train(*digits, '-mb', '32', save='ghosts of 32')) == 320
    small = ('--dataset', 'fake:90:1x8x8:4', *SHORT)
    assert batch_of(train(*small, script=main_normal, save='normal')) == 22
    assert batch_of(train(*small, '-mb', '32', '--swap-epochs', '1', script=main_swap, save='swap')) == 32
    for asked in (('--b', '2048'), ('-bm', '2'), ('--micro-batch-size', '128'), ('--base-lr-per-example', '1e-4')):
        refused(*digits, *asked, words=('more than the 1,280 examples',))
