"""What to do with a GPU for some minutes: measure the figures of speed, then train the tables of the paper.

    benchmarks/gpu_plan.sh --minutes 25
    benchmarks/gpu_plan.sh --minutes 9 --results_dir /data/runs -- --compile reduce-overhead

Each call goes on where the last one stopped: figures that benchmarks/results.csv has from this commit and machine are
left out, and runs are resumed. Then come table1_mnist over 3 seeds, +RA included, and table1_cifar10 on CIFAR-10 (JPEG)
as far as the time goes; flags behind -- go to these two. They train in float32 as the paper did, with TF32 in
convolutions alone, which is what torch does. When the time is up, what runs is asked to save and stop. Without a GPU
every command is only tried out, with --dry-run.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from bigbatch.errors import UserError  # noqa: E402
from utils.command import command  # noqa: E402
from utils.parser import Parser, real  # noqa: E402

PACKAGES = ('torch', 'torchvision', 'numpy', 'pandas', 'bokeh', 'tqdm')
FAST = ('--amp', 'bf16', '--compile', 'default')
# Programs of benchmarks/ with their flags, the most important ones first.
FIGURES = (
    ('throughput.py', '--row', 'f1', 'f1_step'),
    ('throughput.py', '--row', 'c1', 'resnet44', *FAST, '--channels-last'),
    ('throughput.py', '--row', 'c1', 'resnet44'),
    ('small_batches.py', '--b', '128'),
    ('layers.py',),
    ('throughput.py', '--row', 'f1', 'f1_step', '--compile', 'reduce-overhead'),
    ('throughput.py', '--row', 'c1', 'resnet44', '--channels-last'),
    ('throughput.py', '--row', 'resnet44', *FAST),
    ('small_batches.py', '--amp', 'bf16', '--channels-last'),
    ('layers.py', '--amp', 'bf16'),
    ('augmentation.py', '--model', 'resnet', '--b', '2048', '--mb', '256'),
    ('augmentation.py', '--model', 'resnet', '--b', '2048', '--mb', '256', *FAST, '--channels-last'),
    ('memory.py', '--model', 'resnet', '--dataset', 'fake:65536:3x32x32:10', '--mb', '256'),
    ('jobs.py', '--b', '128', '--epochs', '5'),
    ('first_update.py',),
)
# suite -> its flags, its data set, flags behind --, and made-up data that stand in for a trial
SUITES = {
    'table1_mnist': (('--seeds', '3', '--jobs', '4'), 'mnist', (), 'fake:8192:1x28x28:10'),
    'table1_cifar10': (('--jobs', '2'), 'cifar10_jpg', ('--dataset', 'cifar10_jpg'), 'fake:8192:3x32x32:10'),
}
RESERVE = 20.0  # seconds of the time that are left for saving
PATIENCE = 60.0  # seconds until what does not stop when asked to is killed
INTERRUPTED = 75  # what a command returns that was asked to stop


class Step(NamedTuple):
    """A command of the plan: its words behind the interpreter's, a program of benchmarks/ or a suite."""

    program: str
    words: tuple[str, ...]
    extra: tuple[str, ...] = ()  # behind --

    def call(self, *flags: str) -> list[str]:
        """Return the command with more flags."""
        program = ['bash', 'run_experiments.sh', self.program]
        if self.program.endswith('.py'):
            program = [sys.executable, f'benchmarks/{self.program}']
        return [*program, *self.words, *flags, *(('--', *self.extra) if self.extra else ())]


@command
def main(argv: list[str] | None = None) -> int:
    """Carry out the plan as far as the time goes, or try it out; return 1 if one of its commands failed."""
    begin, given = time.monotonic(), list(sys.argv[1:] if argv is None else argv)
    split = given.index('--') if '--' in given else len(given)
    parser = Parser(prog='gpu_plan.sh', description=__doc__)
    parser.add_argument('--minutes', type=real(0, above=True), required=True, metavar='N', help='time to spend')
    parser.add_argument('--results_dir', default='./TrainingResults', metavar='DIR', help='parent folder of the suites')
    parser.add_argument('--results', metavar='FILE', help='table of figures; benchmarks/results.csv if not given')
    flags = parser.parse_args(given[:split])
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'{sys.executable} lacks {", ".join(missing)}: install them, or name a python by $PYTHON')
    steps = [*_figures(flags.results), *_suites(flags.results_dir, tuple(given[split + 1 :]))]
    import torch  # not before it is known to be there

    if not torch.cuda.is_available():
        return _try_out(steps)
    unread = {name: reason for name in _datasets() if (reason := _why_unread(name))}
    if unread:
        raise UserError('; '.join(unread.values()))
    return _carry_out(steps, begin + 60 * flags.minutes - min(RESERVE, 6 * flags.minutes))


def _figures(results: str | None) -> Iterable[Step]:
    table = ('--results', str(Path(results).absolute())) if results else ()
    for program, *words in FIGURES:
        yield Step(program, (*words, '--skip-measured', *table))


def _suites(results_dir: str, extra: tuple[str, ...]) -> Iterable[Step]:
    for name, (words, _, data_flags, _) in SUITES.items():
        yield Step(name, (*words, '--results_dir', str(Path(results_dir).absolute())), (*data_flags, *extra))


def _carry_out(steps: list[Step], deadline: float) -> int:
    """Run the commands one after the other until the deadline, by the clock time.monotonic."""
    failed = []
    for number, step in enumerate(steps, 1):
        print(f'\n[{number}/{len(steps)}] {shlex.join(step.call())}', flush=True)
        status = _run(step.call(), deadline)
        if time.monotonic() >= deadline:
            print(f'\ntime is up in command {number} of {len(steps)}; the same command goes on from here', flush=True)
            break
        if status:
            print(f'ended with status {status}', flush=True)
            failed.append(step.program)
    else:
        print('\nthe plan is done', flush=True)
    if failed:
        print(f'failed: {", ".join(failed)}', file=sys.stderr)
    return int(bool(failed))


def _run(call: list[str], deadline: float) -> int:
    """Run a command, ask it to stop at the deadline, and return its status."""
    process = subprocess.Popen(call, cwd=PROJECT, env=_environment())
    try:
        return process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return INTERRUPTED
    finally:  # however it ends, nothing is left behind
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _try_out(steps: list[Step]) -> int:
    """Dry-run every command."""
    print('no GPU here: nothing is measured or trained, each command of the plan is tried out with --dry-run')
    failed = []
    for number, step in enumerate(steps, 1):
        if step.program in SUITES:
            _, name, _, made_up = SUITES[step.program]
            if reason := _why_unread(name):
                print(f'{reason}: tried out on {made_up} instead')
                step = step._replace(extra=(*step.extra, '--dataset', made_up))
        print(f'\n[{number}/{len(steps)}] {shlex.join(step.call("--dry-run"))}', flush=True)
        if _dry_run(step):
            failed.append(step.program)
    print(f'\nno GPU here: {len(steps)} commands tried out, {len(failed)} of them refused')
    return int(bool(failed))


def _dry_run(step: Step) -> int:
    """Dry-run a command and return its status: a suite as it is, a benchmark in this process, where torch is loaded."""
    if step.program in SUITES:
        return subprocess.run(step.call('--dry-run'), cwd=PROJECT, env=_environment(), check=False).returncode
    benchmark = importlib.import_module(f'benchmarks.{step.program.removesuffix(".py")}')
    return benchmark.main([*step.words, '--dry-run'])


def _environment() -> dict[str, str]:
    return {**os.environ, 'PYTHON': sys.executable}


def _datasets() -> list[str]:
    return [name for _, name, _, _ in SUITES.values()]


def _why_unread(name: str) -> str:
    """Say why a data set cannot be read; empty where it can."""
    import data

    try:
        data.get_dataset(name, 'train', memory_limit=0)
    except (ValueError, OSError) as error:
        return ' '.join(str(error).split())
    return ''


if __name__ == '__main__':
    sys.exit(main())
