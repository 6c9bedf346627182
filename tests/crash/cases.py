"""What is killed: small runs that write often, each of another kind."""

from typing import NamedTuple

DIGITS = (
    '--dataset', 'digits', '--model', 'mnist_f1', '--model_config', "{'width': 16, 'depth': 2}", '--b', '128',
    '--device', 'cpu', '--results_dir', 'results', '--save', 'run', '--checkpoint-minutes', '0.0005',
)  # fmt: skip
METHODS = ('--save_all', '--val-fraction', '0.1', '--swa-start', '3', '--augment')
ADAM = ('--optimizer', 'Adam', '--lr', '0.01')
SUITE = """# Two rows.
# seeds: 1
python main_gbn.py --dataset digits --model mnist_f1 --b 128 -mb 32 --epochs 5 --checkpoint-minutes 0.0005 --save a
python main_normal.py --dataset digits --model mnist_f1 --b 128 --epochs 5 --checkpoint-minutes 0.0005 --save b
"""


class Case(NamedTuple):
    name: str
    script: str  # module of the entry script
    argv: tuple[str, ...]  # of the first start
    again: tuple[str, ...] | None = ('--resume', 'results/run')  # of each later one; None: argv again
    runs: tuple[str, ...] = ('results/run',)  # folders that it makes
    results: tuple[str, ...] = ()  # folders like that, which are there at the end alone
    ranks: int = 1  # processes that train together
    share: float = 1.0  # of all kills
    has_children: bool = False  # whether it starts processes of its own, in which the kill may fall


CASES = (
    Case('plain', 'main_normal', (*DIGITS, '--epochs', '8')),
    Case('ghosts, micro-batches', 'main_gbn', (*DIGITS, '--epochs', '8', '-mb', '32', '--micro-batch-size', '64')),
    Case('smoothout, swa, copies', 'main_gbn',
         (*DIGITS, *METHODS, '--epochs', '6', '-mb', '32', '--ss', '0.01', '--duplicates', '2', '--relu_noise', '0.1')),
    Case('noise scale, swa', 'main_gbn', (*DIGITS, *METHODS, '--epochs', '6', '-mb', '32', '--noise-scale')),
    Case('adam, gradient noise', 'main_gbn',
         (*DIGITS, *ADAM, '--epochs', '8', '-mb', '32', '--gradient-noise', '0.5', '--tensorboard')),
    Case('2 ranks', 'main_gbn', (*DIGITS, '--epochs', '6', '-mb', '32', '--checkpoint-minutes', '0.002'), ranks=2),
    Case('sweep', 'utils.sweeps.__main__', ('suite.sh', '--results_dir', 'results', '--jobs', '2'), None, share=0.3,
         runs=('results/suite/a_seed0', 'results/suite/b_seed0'), has_children=True),
    Case('swap', 'main_swap', (*DIGITS, '--epochs', '4', '-mb', '32', '--swap-workers', '2', '--swap-batch-size', '64',
                               '--swap-epochs', '3', '--jobs', '2'),
         runs=('results/run/phase1', 'results/run/worker0', 'results/run/worker1'), results=('results/run',),
         share=0.3, has_children=True),
)  # fmt: skip
