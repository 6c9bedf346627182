"""Random command lines for every script, most of them nearly right, and what each of them has to end in.

    python -m tests.fuzz --examples 5000 --seed 0

The words are drawn from the parsers themselves: their flags, choices, types and bounds. A command line ends in a plan
or a page of help and status 0, or in one line on standard error and status 2, and leaves no file.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import os
import pickle
import shutil
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import hypothesis
import matplotlib.font_manager  # noqa: F401 - which writes into the home, once
import numpy as np
import torch
from hypothesis import strategies as st

import compare_experiments
import evaluate
import main_gbn
import main_normal
import main_swap
import measure_sharpness
import plot_parametric_plot
import visualize2_sharpness
import visualize_sharpness
from tests.conftest import TINY
from tests.goldens.text import Runner, place
from utils.parser import Parser
from utils.sweeps import __main__ as sweep

SECONDS = 15  # of a processor that a command line may take
RUN = 'results/run'  # of main_gbn.py, in the place that the commands run in
HOSTILE = (
    '', ' ', '-', '--', '-1', '0', '-0', '1.5', '1e400', 'nan', '-inf', '1_0', '\u0663', '9' * 25, '9' * 5000,
    'x' * 300, 'None', 'True', '%s %d {}', 'two\nlines', '\udcff', '\u202eabc', '\u00e9', '$HOME', '~', '..', '/',
    '/dev/null',
    '/proc/self/nothing', "{'a': 1}", '{0: ', '[' * 200, "__import__('os').mkdir('executed')", 'text.txt', 'empty',
    'damaged.pth.tar', RUN, f'{RUN}/checkpoint.pth.tar', 'no/such/place', 'c:\\con', '--help', '-h', 'fake', 'digits',
)  # fmt: skip
ODD_SETS = (
    'classes', 'odd', 'odd/train', 'features.npz', 'channels_last.npz', 'gaps.npz', 'words.npz', 'objects.npz',
    'more.npz', 'one.npz', 'cut.npz', 'pointer.npz',
)  # fmt: skip
FOREIGN = ('lightning.ckpt', 'averaged.pth', 'half.pth', 'nan.pth')  # weights of the run, as others keep them
NO_WEIGHTS = ('flags.pth', 'numbers.pth', 'plain.pkl', 'page.pth', 'cut.pth')
CHECKPOINTS = (
    RUN, f'{RUN}/model_best.pth.tar', f'{RUN}/initial.pth.tar', 'empty', 'damaged.pth.tar', *FOREIGN, *NO_WEIGHTS
)  # fmt: skip
PLACES = ({}, {}, {'HOME': None}, {'HOME': 'no'}, {'OMP_NUM_THREADS': 'x'}, {'TMPDIR': 'no'}, {'LC_ALL': 'C'})
TEXTS = {  # by the name that a parser gives to a value that may be any text
    'dataset': ('digits', 'fake:64:1x8x8:4', 'fake:32:3x16x16:3', 'fake', 'mnist', 'empty', 'fake:9:1x1x1:9',
                'fake:100000000000:3x32x32:10', 'no.npz', *ODD_SETS),
    'save': ('name', 'new', 'a b', 'run', '../up', 'a/b', '.hidden'),
    'results_dir': ('results', 'new', 'text.txt', 'empty/deeper'),
    'datasets_dir': ('empty', 'no', 'text.txt', '.'),
    'device': ('cpu', 'auto', 'cuda', 'cuda:9', 'CPU', 'mps', 'cuda:'),
    'gpus': ('0', '1', '0,1', ''),
    'resume': (RUN, f'{RUN}/checkpoint.pth.tar', f'{RUN}/initial.pth.tar', 'empty', 'damaged.pth.tar'),
    'init_from': CHECKPOINTS,
    'evaluate': CHECKPOINTS,
    'suite': ('quickstart', 'figure3', 'methods_digits', 'suite.sh', 'text.txt', 'no'),
    'filter': ('gbn', 'seed0', 'zzz'),
    'compare': ('val_error1', 'train_loss', 'no'),
    'group_by': ('lr', 'batch_size', 'seed', 'no'),
}  # fmt: skip
LITERALS = {
    'options_literal': ('{}', '', "{'width': 8}", "{'width': 8, 'depth': 2}", "{'depth': 8}", "{'norm': 'none'}",
                        "{'width': True}", "{'width': 10000000000}", "{'num_classes': 2}", "{'width': '8'}", '{1: 2}',
                        "{'input_shape': None}", "{'width': [8]}", "{'width': -1}", "{'width': 1e300}"),
    'regime_literal': ("{0: {'lr': 0.1}}", "{0: {'optimizer': 'Adam', 'lr': 1e-3}, 2: {'lr': 1e-4}}", '[]', '{}',
                       "[{'epoch': 0, 'lr': 1}]", "{0: {'lr': 0}}", "{0: {'lr': 'x'}}", "{0: {'lr': 1e9}}", 'text.txt',
                       "{0: {'lr': 0.1, 'betas': (2, 3)}}", "{0: {'optimizer': None}}", "{0.0: {'lr': 0.1}}", '{0: []}',
                       "{0: {'lr': 0.1, 'momentum': 'x'}}", "{0: {'lr': 0.1, 'momentum': 5}}", "{0: {'lr': True}}",
                       "{0: {'lr': 0.1, 'nesterov': 1}}", "{-1: {'lr': 1}}", "{0: {'lr': 1e308}}"),
    'alpha_grid': ('-1:0.1:1.01', '0:1:1', '0:0:1', '1:2', 'a:b:c', '0:1e-9:1', '1:-0.5:0'),
    '_gradient_noise': ('auto', '0.5', '0'),
    'Path': ('no/page.html', 'empty'),
}  # fmt: skip


class Script(NamedTuple):
    """An entry script and how its command lines begin and end.

    Args:
        base: flags that most command lines begin with.
        always: words behind all others.
        texts: in place of those of TEXTS.
        without: names of values that are left out.
    """

    main: Callable[[list[str]], int]
    base: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    texts: Mapping[str, tuple[str, ...]] = {}
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The module's."""
        return inspect.unwrap(self.main).__module__

    def parser(self) -> Parser:
        """Return the parser that the script parses with."""
        with mock.patch.object(Parser, 'parse_args', lambda parser, *_: (_ for _ in ()).throw(_Found(parser))):
            try:
                inspect.unwrap(self.main)([])
            except _Found as found:
                return found.args[0]
        raise AssertionError(f'{self.name} parses nothing')


class _Found(BaseException):
    pass


NOTHING_THERE = ('no/such', 'empty', 'damaged.pth.tar', 'text.txt', *NO_WEIGHTS)
NO_CHECKPOINT = {'evaluate': NOTHING_THERE, 'slave_evaluate': NOTHING_THERE}
TINY_RUN, PLAN = (*TINY, '--epochs', '3'), ('--dry-run',)
SWAP = ('--swap-workers', '2', '--swap-epochs', '2')
SCRIPTS = (
    Script(main_gbn.main, (*TINY_RUN, '-mb', '4'), PLAN),
    Script(main_normal.main, TINY_RUN, PLAN),
    Script(main_swap.main, (*TINY_RUN, *SWAP), PLAN),
    Script(sweep.main, (), PLAN),
    # These have no plan: what they measure is never there.
    Script(evaluate.main, ('-e', 'no/such'), texts=NO_CHECKPOINT),
    Script(measure_sharpness.main, ('-e', 'empty'), texts=NO_CHECKPOINT),
    Script(visualize_sharpness.main, ('-e', 'no/such', '-se', 'damaged.pth.tar'), texts=NO_CHECKPOINT),
    Script(visualize2_sharpness.main, ('-e', 'damaged.pth.tar'), texts=NO_CHECKPOINT),
    Script(compare_experiments.main, (), texts={'experiments': NOTHING_THERE}, without=('watch',)),
    Script(
        plot_parametric_plot.main, ('-n', 'F1'), ('--dataset', 'no.npz'), without=('download', 'dataset'),
    ),
)  # fmt: skip
WEIGHTS = (8, 4, 4, 2, 1, 1, 1, 1, 1, 1)
# Of scripts that act unless something is wrong, no word may be a run or a data set that is there.
THERE = (RUN, f'{RUN}/checkpoint.pth.tar', 'digits', 'fake', '..', '.', '/')


def make_odd_files(folder: Path) -> None:
    """Write data sets and checkpoints as people keep them, right ones and wrong ones, beside the files of `place`."""
    images, labels = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8), np.arange(32) % 4
    objects, words = np.array([{}] * 32), np.array(['cat', 'dog', 'cow', 'pig'])[labels]
    for name, x, y, more in (
        ('channels_last', images / 255, labels, {}), ('gaps', images, 1000 * labels + 1, {}),
        ('words', images, words, {}), ('objects', objects, labels, {}),
        ('more', images, labels, {'names': words, 'seed': 3}),
    ):  # fmt: skip
        np.savez(folder / name, x_train=x, y_train=y, x_test=x[:8], y_test=y[:8], **more)
    np.savez(folder / 'one', x=images, y=labels)
    (folder / 'cut.npz').write_bytes((folder / 'more.npz').read_bytes()[:999])
    (folder / 'pointer.npz').write_text('version https://git-lfs.github.com/spec/v1\n')
    odd = shutil.copytree(folder / 'classes', folder / 'odd')
    (odd / 'val' / 'c').mkdir()
    shutil.copy(odd / 'val' / 'a' / '1.png', odd / 'val' / 'c')
    (odd / 'train' / 'a' / 'up').symlink_to('..')
    for name in ('.DS_Store', 'Thumbs.db', 'notes.txt', 'two\nlines.png'):
        (odd / 'train' / 'a' / name).write_bytes(b'junk')
    state = torch.load(folder / RUN / 'checkpoint.pth.tar', weights_only=True)['state_dict']
    floats = {name: value for name, value in state.items() if value.is_floating_point()}
    for name, content in {
        'lightning.ckpt': {'state_dict': {f'model.{key}': value for key, value in state.items()}, 'epoch': 3},
        'averaged.pth': {'n_averaged': torch.tensor(3), **{f'module.{key}': value for key, value in state.items()}},
        'half.pth': {**state, **{key: value.half() for key, value in floats.items()}},
        'nan.pth': {**state, **{key: value * float('nan') for key, value in floats.items()}},
        'flags.pth': {'state_dict': state, 'args': argparse.Namespace(lr=0.1)},
        'numbers.pth': dict(enumerate(state.values())),
    }.items():
        torch.save(content, folder / name)
    (folder / 'plain.pkl').write_bytes(pickle.dumps({'state_dict': {}}))
    (folder / 'page.pth').write_text('<html>Sign in</html>')
    (folder / 'cut.pth').write_bytes((folder / 'half.pth').read_bytes()[:-99])


def command_lines(script: Script) -> st.SearchStrategy[list[str]]:
    """Return random argument lists of a script."""
    parser = script.parser()
    anything = st.sampled_from([text for text in HOSTILE if script.always == PLAN or text not in THERE])
    if script.always == PLAN:  # else no path that happens to be there
        anything = st.one_of(anything, anything, st.text(max_size=12))
    actions = [action for action in parser.actions() if action.dest not in (*script.without, 'dry_run')]
    words = st.one_of([_given(action, anything, script.texts) for action in actions])
    stray = st.one_of(anything, st.sampled_from(['--no-such-flag', '--batch', '-zz', '--no-lr', '--b=']))
    part = _weighted((words, 30), (stray.map(lambda word: [word]), 1))
    base = _weighted((st.just(script.base), 9), (st.just(()), 1))
    parts = st.lists(part, max_size=6).map(lambda lists: [word for words in lists for word in words])
    return st.tuples(base, parts).map(lambda both: [*both[0], *both[1], *script.always])


def all_command_lines() -> st.SearchStrategy[tuple[Script, list[str]]]:
    """Return random command lines of all scripts."""
    pairs = [st.tuples(st.just(script), command_lines(script)) for script in SCRIPTS]
    return _weighted(*zip(pairs, WEIGHTS, strict=True))


def _weighted(*pairs: tuple[st.SearchStrategy, int]) -> st.SearchStrategy:
    each = [strategy for strategy, weight in pairs for _ in range(weight)]
    return st.integers(0, len(each) - 1).flatmap(lambda index: each[index])


def _given(action: argparse.Action, anything: st.SearchStrategy[str], texts: Mapping) -> st.SearchStrategy[list[str]]:
    """Return the words that give an action its values: right ones mostly."""
    right = st.sampled_from([str(value) for value in _right_values(action, texts)] or ['x'])
    value = _weighted((right, 12), (anything, 1))
    least, most = {'?': (0, 1), '+': (1, 3), '*': (0, 3), None: (1, 1)}.get(action.nargs) or (action.nargs,) * 2
    values = st.lists(value, min_size=least, max_size=most)
    if not action.option_strings:
        return values
    spellings = [*action.option_strings, *(name.replace('_', '-') for name in action.option_strings)]
    flag = st.sampled_from(spellings)
    apart = st.tuples(flag, values).map(lambda pair: [pair[0], *pair[1]])
    joined = st.tuples(flag, values).map(lambda pair: ['='.join([pair[0], *pair[1][:1]]), *pair[1][1:]])
    return _weighted((apart, 6), (joined, 1))


def _right_values(action: argparse.Action, texts: Mapping) -> list:
    """List values that an action's type takes, at its bounds and inside."""
    if action.choices:
        return list(action.choices)
    kind = getattr(action.type, '__qualname__', '').partition('.')[0]
    if kind in LITERALS:
        return list(LITERALS[kind])
    inside = inspect.getclosurevars(action.type).nonlocals if inspect.isfunction(action.type) else {}
    if kind == 'one_of':
        return list(inside['known'])
    if kind == 'whole':
        numbers = [inside['low'], 1, 2, 3, 4, 8, 16, 32, 64, 10**6, 10**12, inside['high']]
        return [number for number in numbers if number is not None]
    if kind == 'real':
        return [inside['low'], 1e-300, 0.001, 0.1, 0.25, 0.5, 1, 2.5, 100, 1e300, inside['high']]
    return list(texts.get(action.dest) or TEXTS.get(action.dest, ('value',)))


class Outcome(NamedTuple):
    """How a command line ended, and what is wrong with that, if anything."""

    status: int | None
    output: str
    errors: str
    fault: str


def run_here(script: Script, argv: list[str], environment: Mapping[str, str | None] = PLACES[0]) -> Outcome:
    """Run a command line in the present folder, which it must leave as it is."""
    before = _listing()
    streams = [io.TextIOWrapper(io.BytesIO(), 'utf-8', errors) for errors in ('strict', 'backslashreplace')]
    status, failure = None, ''
    with _limits(), warnings.catch_warnings():
        for name, value in environment.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        warnings.simplefilter('default')
        for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter('ignore', quiet)  # as Python itself
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            try:
                status = script.main(list(argv))
            except BaseException:  # whatever it is, it is a fault
                failure = traceback.format_exc()
    texts = [(stream.flush(), stream.buffer.getvalue().decode())[1] for stream in streams]
    faults = [failure, 'files were changed or made' * (_listing() != before), _judge(script, status, *texts)]
    return Outcome(status, *texts, next(filter(None, faults), ''))


def _judge(script: Script, status: int | None, output: str, errors: str) -> str:
    lines = [line for line in errors.splitlines() if not line.startswith('warning: ')]
    if 'Traceback' in output + errors:
        return 'a traceback is printed'
    if 'Warning: ' in errors:
        return 'a warning of a library'
    if status == 0:
        helps = output.startswith('usage: ')
        signs = ('regime\n', 'runs', '\n1 run: ', 'epochs are done', 'only epoch is done')
        plans = script.always == PLAN and any(sign in output for sign in signs)
        return '' if (helps or plans) and not lines else 'status 0 without a plan, or with errors'
    if status != 2:  # but 1 of a suite some of whose commands are refused, as said above each
        return '' if status == 1 and script.main is sweep.main else f'status {status}'
    return '' if errors.count('\n') == 1 and 'error: ' in errors and not output else 'status 2 not in one line'


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Bound the time of a command, and take back what it changes in the process."""

    def stop(*_):
        raise TimeoutError(f'more than {SECONDS} seconds of a processor')

    threads, before = torch.get_num_threads(), signal.signal(signal.SIGPROF, stop)
    quick = mock.patch.object(sweep, '_plan', lambda *_: 0)  # those are main_gbn's
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with quick, mock.patch.dict(os.environ):
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)


def _listing() -> list[tuple[str, int, int]]:
    paths = sorted(Path().rglob('*'))
    return [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths]


@contextlib.contextmanager
def in_a_place() -> Iterator[None]:
    """Work in a folder of its own, with files and a run to name, where there are no data sets."""
    with mock.patch.dict(os.environ, DATASETS_DIR='empty'), place(Runner()):
        make_odd_files(Path())
        yield


def try_many(num: int, seed: int) -> tuple[Counter, dict[str, tuple]]:
    """Run random command lines; count how they end, and keep the shortest with each kind of fault.

    Returns:
        The number of command lines by (script, status, whether it printed a plan), and (number, script, words, outcome)
        by the last lines of a fault.
    """
    counts, faults = Counter(), {}

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=num, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(all_command_lines(), st.sampled_from(PLACES))
    def attempt(pair, environment):
        script, words = pair
        outcome = run_here(script, words, environment)
        counts[script.name, outcome.status, 'regime\n' in outcome.output] += 1
        if outcome.fault:
            kind = ' | '.join(outcome.fault.strip().splitlines()[-3:])
            number, *before = faults.get(kind, (0, script.name, words, outcome))
            shortest = before if len(before[1]) <= len(words) else (script.name, words, outcome)
            faults[kind] = (number + 1, *shortest)

    attempt()
    return counts, faults


def main() -> int:
    """Try many command lines, count how they end and print each kind of fault once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--examples', type=int, default=5000)
    parser.add_argument('--seed', type=int, default=0)
    flags = parser.parse_args()
    with in_a_place():
        counts, faults = try_many(flags.examples, flags.seed)
    for (name, status, is_plan), number in sorted(counts.items(), key=str):
        print(f'{name:24} status {status}{", a plan" if is_plan else ""}: {number:6}')
    print(f'{counts.total()} command lines, {len(faults)} kinds of faults')
    for kind, (number, name, words, outcome) in faults.items():
        print(f'\n{number} x {kind}\n  {name} {words}\n  {outcome.output[-300:]!r}\n  {outcome.errors[-600:]!r}')
    return bool(faults)


if __name__ == '__main__':
    sys.exit(main())
