"""Read a suite of experiments: a shell file with one training or measuring command a line.

    # What the suite shows: the first comment is its description.
    # seeds: 3
    python main_gbn.py --dataset digits --b 640 --mini-batch-size 32 --save lr_gbn
    python measure_sharpness.py --evaluate TrainingResults/lr_gbn --save sharpness

Lines may be continued by a backslash. `--save` names the row and the folder of its runs; flags that are added to every
command follow it (`lr_gbn_epochs5`), then the seeds (`lr_gbn_seed0`). A path below TrainingResults, where a command
that is typed by hand finds the run of another, stands for that row's run with the same seed, and waits for it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigbatch.errors import UserError
from bigbatch.messages import suggest
from utils.config.every import names_of
from utils.files import PROJECT
from utils.settings import Means
from utils.sweeps.commands import MEASURING, SCRIPTS, given_flags, name_suffix, place_words, settings_of

SUITES = PROJECT / 'experiments'
RUN_PATH = re.compile(r'(?:\./)?TrainingResults/([^/]+)(/.+)?')


@dataclass(frozen=True)
class PlannedRun:
    """One command of a suite with one seed."""

    name: str  # of its folder
    row: str  # the same without the seed
    script: str
    argv: tuple[str, ...]  # without --results_dir
    extra: tuple[str, ...] = ()  # those of argv that were added to every command
    inputs: tuple[str, ...] = ()  # those of argv that are paths to other runs of the suite, or to files in them
    needs: tuple[str, ...] = ()  # names of those runs

    @property
    def measures(self) -> bool:
        """Whether it measures what other runs have trained, rather than train."""
        return self.script in MEASURING

    def flags(self, results_dir: Path, *, begins: bool = True) -> list[str]:
        """Return the flags that begin it in a folder of this parent, or go on with it."""
        if begins:
            return [*self.argv, '--results_dir', str(results_dir)]
        # What a run does not depend on, such as --device, may be given anew when it goes on.
        return ['--resume', str(results_dir / self.name), *self.extra]


@dataclass(frozen=True)
class Suite:
    """The commands of a suite file."""

    name: str
    description: str
    num_seeds: int | None  # None: the commands run as printed
    commands: tuple[tuple[str, ...], ...]  # (script, argument, ...)

    def runs(
        self, *, results_dir: Path | None = None, num_seeds: int | None = None, extra: tuple[str, ...] = (),
        pattern: str = '',
    ) -> list[PlannedRun]:  # fmt: skip
        """List the runs, all commands of one seed before the next seed.

        Args:
            results_dir: parent of the folders of the runs; TrainingResults/NAME of the suite if not given.
            num_seeds: seeds 0, 1, ... for every command; None: as the suite says.
            extra: flags that follow those of every command; what they set becomes part of the names.
            pattern: only the runs with this text in their name.

        Raises:
            UserError: extra flags that a command does not take, or that the sweep sets; a seed given twice.
        """
        count = num_seeds or self.num_seeds
        suffix = _check_extra(extra)
        results_dir = results_dir or Path('TrainingResults') / self.name
        runs = []
        for seed in range(count or 1):
            names = {row: f'{row}{suffix}_seed{seed}' if count else row + suffix for row in map(_row_of, self.commands)}
            for command in self.commands:
                row = _row_of(command)
                if pattern in names[row]:
                    ending = ('--seed', str(seed)) if count else ()
                    runs.append(_plan(command, row + suffix, names, results_dir, extra=extra, ending=ending))
        return runs


def list_suites() -> list[Suite]:
    """Read every suite that comes with the project."""
    return [read_suite(path) for path in sorted(SUITES.glob('*.sh'))]


def find_suite(name: str) -> Suite:
    """Read a suite by its name, or from a file; a UserError where there is none, or where read_suite has one."""
    known = {path.stem: path for path in SUITES.glob('*.sh')}
    path = known.get(name, Path(name))
    if not path.is_file():
        raise UserError(f'unknown suite {name!r}, and no such file: {suggest(name, known)}')
    return read_suite(path)


def read_suite(path: Path) -> Suite:
    """Read a suite file; a UserError names a line that is no command, has no --save, or names a row twice."""
    commands: dict[str, tuple[str, ...]] = {}  # by the names of their rows
    description, num_seeds = '', None
    for number, line in _logical_lines(path):
        comment = line.lstrip('# ')
        with _naming(f'{path}:{number}'):
            if line.startswith('#!'):
                continue
            if line.startswith('#') and comment.startswith('seeds:'):
                num_seeds = _parse_seeds(comment)
            elif line.startswith('#'):
                description = description or comment
            else:
                command = _parse_command(line)
                name = _row_of(command)
                if name in commands:
                    raise UserError(f'--save {name} is there already: two rows need two names')
                _check_paths(command, commands)
                commands[name] = command
    if not commands:
        raise UserError(f'{path}: no command in it: lines such as "python main_gbn.py --save NAME ..." are needed')
    return Suite(path.stem, description, num_seeds, tuple(commands.values()))


@contextlib.contextmanager
def _naming(place: str) -> Iterator[None]:
    """Say in an error where it is."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{place}: {error}') from error


def _row_of(command: Sequence[str]) -> str:
    return command[command.index('--save') + 1]


def _plan(
    command: Sequence[str], row: str, names: Mapping[str, str], results_dir: Path, *,
    extra: tuple[str, ...], ending: tuple[str, ...],
) -> PlannedRun:  # fmt: skip
    """Plan a command for one seed, whose runs have these names by what --save calls them, and whose flags come last."""
    script, *flags = command
    if script in MEASURING:
        extra = place_words('main_gbn.py', extra)
        has_seed = '--seed' in flags
    else:
        with _naming(f'{row}: {script}'):
            has_seed = 'seed' in given_flags(script, (*flags, *extra))
    if ending and has_seed:
        raise UserError(f'{row}: --seed is given, and seeds 0, 1, ... by the suite or --seeds too: leave out one')
    position, inputs, needs = flags.index('--save') + 1, [], []
    flags[position] = names[flags[position]]
    for index, word in enumerate(flags):
        match = RUN_PATH.fullmatch(word)
        if match and match[1] in names:
            flags[index] = f'{results_dir / names[match[1]]}{match[2] or ""}'
            inputs.append(flags[index])
            needs.append(names[match[1]])
    argv = (*flags, *extra, *ending)
    return PlannedRun(flags[position], row, script, argv, extra, tuple(inputs), tuple(dict.fromkeys(needs)))


def _check_paths(command: Sequence[str], names: Collection[str]) -> None:
    """Refuse a path to a run that no line above makes and that is not there."""
    for word in command:
        match = RUN_PATH.fullmatch(word)
        if match and match[1] not in names and not Path(word).exists():
            raise UserError(f'{word}: no line above has --save {match[1]}: {suggest(match[1], names)}')


def _check_extra(extra: tuple[str, ...]) -> str:
    """Check the flags that are added to every command and return what they add to its name."""
    script = 'main_gbn.py'  # takes every flag that the others take
    with _naming('behind --'):
        given = given_flags(script, extra)
    for name in names_of(Means.EACH):
        if name in given:
            raise UserError(f'--{name} behind --: the sweep sets it for each run, so it cannot be given to all of them')
    return name_suffix(settings_of(script, extra))


def _parse_seeds(comment: str) -> int:
    text = comment.removeprefix('seeds:').strip()
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f'{comment!r}: a whole number of seeds from 1 is needed')
    return int(text)


def _logical_lines(path: Path) -> list[tuple[int, str]]:
    """Return (number, text) of the lines that are not empty, with continued ones joined."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path}: not a readable suite file ({error})') from error
    joined, start, text = [], 1, ''
    for number, line in enumerate(lines, 1):
        start = start if text else number
        continued = line.rstrip().endswith('\\') and not line.lstrip().startswith('#')
        text += line.rstrip().removesuffix('\\') + ' ' if continued else line
        if not continued:
            joined.append((start, text.strip()))
            text = ''
    joined.append((start, text.strip()))
    return [(number, text) for number, text in joined if text]


def _parse_command(line: str) -> tuple[str, ...]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise UserError(f'does not parse ({error}): {line[:80]}') from error
    for word in words:
        if '$' in word or '`' in word:
            raise UserError(f'{word}: no shell reads these lines, so write out what $ or ` stands for')
    words = [part for word in words for part in (word.split('=', 1) if word.startswith('--save=') else [word])]
    if words and words[-1].endswith(';'):  # as the published lines do
        words = [*words[:-1], *filter(None, [words[-1].rstrip(';')])]
    if len(words) < 2 or words[0] not in ('python', 'python3') or words[1] not in SCRIPTS + MEASURING:
        raise UserError(f'no command of this project, such as "python main_gbn.py": {line[:80]}')
    if words.count('--save') != 1 or words[-1] == '--save':
        raise UserError('one --save NAME is needed, which names the row')
    name = _row_of(words)
    if name in ('', '.', '..') or '/' in name:
        raise UserError(f'--save {name!r} is no name of a folder')
    if words[1] in SCRIPTS:
        given = given_flags(words[1], words[2:])
        for each in names_of(Means.EACH):
            if each != 'save' and each in given:
                raise UserError(f'--{each} is set for each run by whoever runs the suite: take it out')
    elif not {'-e', '--evaluate'}.intersection(words):
        raise UserError(f'--evaluate TrainingResults/NAME is needed: what {words[1]} measures')
    return tuple(words[1:])
