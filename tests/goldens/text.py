"""Run command lines in this process and write down what they print, as files that read well in a diff.

The files hold the command lines themselves: each line that begins with `$ ` is run, and what follows it is written
anew; `...` stands for the words that the lines of a part share. To add one, write its line and record. Only scripts are
named, never a module of the project, so that the files outlive a move.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from tests.goldens.masks import mask, mask_config

CHECKOUT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(__file__).resolve().parent
SUITES = './run_experiments.sh'
TINY = '--dataset digits --model mnist_f1 --model_config "{\'width\': 8}" --base-batch-size 64 --device cpu'
LEAST_FOLDED = 3  # lines in a row that are those of the plan before
WIDTH = '120'  # of a terminal, by which argparse breaks lines
SUITE = 'python main_gbn.py --dataset digits --model mnist_f1 --b 64 -mb 16 --epochs 2 --save {}\n'
FILES = {
    'text.txt': 'text\n',
    'damaged.pth.tar': 'PK and no more',
    'suite.sh': '# Two rows\n' + SUITE.format('a') + SUITE.format('b'),
    'wrong_script.sh': SUITE.format('a') + 'python train.py --save b\n',
    'wrong_flag.sh': SUITE.format('a --batchsize 3'),
    'wrong_twice.sh': SUITE.format('a') + SUITE.format('a'),
    'wrong_path.sh': SUITE.format('a') + 'python evaluate.py --evaluate TrainingResults/c --save d\n',
}


class Outcome(NamedTuple):
    """How a command line ended."""

    status: int
    output: str
    errors: str

    def __str__(self) -> str:
        return f'{self.output}{self.errors}[{self.status}]\n'


class Runner:
    """Runs the scripts in this process, in the present folder."""

    def run(self, line: str) -> Outcome:
        """Run a command line; the plans of a suite follow what it prints itself."""
        words = shlex.split(line)
        variables = [word for word in words if re.match('[A-Z_]+=', word)]
        program, *argv = [word for word in words if word not in variables]
        plans = []

        def note(run, results_dir: Path) -> int:
            plans.append(shlex.join([run.script, *run.flags(results_dir), '--dry-run']))
            return 0

        patched = mock.patch('utils.sweeps.__main__._plan', note) if program == SUITES else contextlib.nullcontext()
        with patched, mock.patch.dict(os.environ, dict(word.split('=') for word in variables)):
            outcome = self._call(self._main(program), program, argv)
        plans.sort()  # the order in which they are made is nobody's business
        titles = [re.sub(r'--save (\S+) .*', r'--save \1', f'> {plan}') for plan in plans]
        shown = fold(titles, [str(self.run(plan)) for plan in plans])
        return Outcome(outcome.status, outcome.output + ''.join(shown), outcome.errors)

    def _main(self, program: str) -> Callable[[list[str]], int]:
        """Return the entry function of a script; a shell script names a module or a script of Python."""
        if program.endswith('.sh'):
            text = (CHECKOUT / program).read_text()
            program = ''.join(re.findall(r'exec .* -m ([\w.]+)|exec .*here/([\w/]+\.py)', text)[-1])
        return importlib.import_module(program.removesuffix('.py').replace('/', '.')).main

    def _call(self, main: Callable[[list[str]], int], program: str, argv: list[str]) -> Outcome:
        streams = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]), _as_new(program):
            status = main(argv)
        here = str(Path.cwd())
        texts = [each.getvalue().replace(here, 'HERE').replace(str(CHECKOUT), 'CHECKOUT') for each in streams]
        return Outcome(status, *(mask(text, numbers=True) for text in texts))


@contextlib.contextmanager
def _as_new(program: str) -> Iterator[None]:
    """Give a command what a process of its own has, and take back what it changes in this one."""
    with mock.patch.dict(os.environ, COLUMNS=WIDTH, DATASETS_DIR='empty'), mock.patch('sys.argv', [program]):
        yield
    if torch := sys.modules.get('torch'):
        torch.use_deterministic_algorithms(False)


def fold(titles: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Put titles before texts, and leave out of each but the first what is as in the first."""
    shown = [_folded(text, texts[0]) if index else text for index, text in enumerate(texts)]
    return [f'{title}\n{text}' for title, text in zip(titles, shown, strict=True)]


def _folded(text: str, first: str) -> str:
    old, new, lines = first.splitlines()[:-1], text.splitlines(), []
    for kind, _, _, start, end in difflib.SequenceMatcher(None, old, new[:-1], autojunk=False).get_opcodes():
        is_same = kind == 'equal' and end - start >= LEAST_FOLDED
        lines += [f'  = {end - start} lines as in the first'] if is_same else new[start:end]
    return ''.join(f'{line}\n' for line in [*lines, *new[-1:]])


@contextlib.contextmanager
def place(runner: Runner) -> Iterator[None]:
    """Work in a folder of its own, which has what the command lines name: files, a run and a damaged one."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            make_files(Path(name))
            made = runner.run(f'main_gbn.py {TINY} --b 64 -mb 16 --epochs 2 --results_dir results --save run')
            assert made.status == 0, made.errors
            Path('results/damaged').mkdir()
            Path('results/damaged/config.json').write_text(Path('results/run/config.json').read_text()[:99])
            yield
        finally:
            os.chdir(here)


def make_files(folder: Path) -> None:
    """Write files, and data of features and of images."""
    import numpy as np
    from PIL import Image

    (folder / 'empty').mkdir()
    (folder / 'TrainingResults').mkdir()  # as some of the commands do, whatever the order they run in
    for name, content in FILES.items():
        (folder / name).write_text(content)
    x, y = np.random.RandomState(0).normal(size=(64, 5)), np.arange(64) % 4
    np.savez(folder / 'features.npz', x_train=x, y_train=y, x_test=x, y_test=y)
    for index in range(16):
        image = folder / 'classes' / ('train', 'val')[index % 2] / 'ab'[index // 2 % 2] / f'{index}.png'
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 16 * index, dtype=np.uint8)).save(image)


def command_lines(text: str) -> dict[str, str]:
    """Return the command lines of a text as they are written there: in full."""
    shared = re.search(r'^\.\.\. is (.*)$', text, flags=re.MULTILINE) or ['', '...']
    lines = [line for line in text.splitlines() if line.startswith('$ ')]
    return {line: line[2:].replace('...', shared[1], 1) for line in lines}


def helps(runner: Runner, text: str) -> str:
    """Return what --help prints of every script; argparse lays it out by the version of Python."""
    return f'# Python {sys.version_info[0]}.{sys.version_info[1]}\n\n{printed(runner, text)}'


def sections(text: str) -> list[str]:
    """Split commands.txt into groups of command lines."""
    return re.split('^(?=## )', text, flags=re.MULTILINE)[1:]


def group(runner: Runner, text: str) -> str:
    """Return what the command lines of a group print."""
    lines = command_lines(text)
    shown = fold(list(lines), [str(runner.run(full)) for full in lines.values()])
    return text[: text.index('$ ')] + '\n'.join(shown)


def commands(runner: Runner, text: str) -> str:
    """Return what the command lines of all groups print."""
    return '\n'.join(group(runner, each) for each in sections(text))


def printed(runner: Runner, text: str) -> str:
    """Return what the command lines of a text print."""
    return '\n'.join(f'{line}\n{runner.run(full)}' for line, full in command_lines(text).items())


def runs(runner: Runner, text: str) -> str:
    """Return what short runs leave: each config.json, the heads of tables, the tags of TensorBoard, and all files."""
    texts = [text[: text.index('$ ')].strip(), '']
    for line, full in command_lines(text).items():
        outcome = runner.run(full)
        texts.append(f'{line}\n{outcome.errors}[{outcome.status}]')
    places = sorted(path for root in ('runs', 'lines') for path in Path(root).rglob('*'))
    configs = [path for path in places if path.name == 'config.json' and path.parent.parent.name == 'runs']
    contents = [mask_config(path.read_text(), numbers=True) for path in configs]
    texts += ['', *fold([f'> {path}' for path in configs], contents)]
    texts += ['', *(f'{path}: {path.read_text().splitlines()[0]}' for path in places if path.suffix == '.csv')]
    boards = [path for path in places if path.name == 'tensorboard']
    texts += ['', *(f'{path}: {" ".join(scalars(path))}' for path in boards), '']
    for folder in (path for path in places if path.is_dir() and path not in boards):
        names = (re.sub(r'^bokeh-.*\.js', 'bokeh-VERSION.js', each.name) for each in folder.iterdir())
        texts.append(f'{folder}/ {" ".join(sorted(names))}')
    return '\n'.join(texts) + '\n'


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the curves in a folder of TensorBoard by their tags: (step, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in sorted(events.Tags()['scalars'])}


TEXTS = {'help': helps, 'commands': commands, 'suites': printed, 'runs': runs}  # each a file NAME.txt


def record() -> None:
    """Write the files of text goldens anew."""
    runner = Runner()
    for name, make in TEXTS.items():
        path = FOLDER / f'{name}.txt'
        with place(runner):
            path.write_text(make(runner, path.read_text()))
