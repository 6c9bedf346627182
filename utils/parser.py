"""The argument parser of every script: errors that are raised, both spellings of a flag, no abbreviations."""

from __future__ import annotations

import argparse
import ast
import itertools
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from gettext import gettext
from pathlib import Path
from typing import NoReturn

from bigbatch import __version__
from bigbatch.distributed import world_size
from bigbatch.errors import UserError
from bigbatch.messages import suggest

ABOUT_SCRIPTS = ('help', 'version')  # what asks about a script itself


class UsageError(UserError):
    """Say what is wrong with a command line of a script, `prog`."""

    def __init__(self, message: str, prog: str):
        super().__init__(message)
        self.prog = prog


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keep the line breaks of a script's docstring and name each default that says something."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = (action.help or '').removesuffix(' (default: %(default)s)')  # argparse before 3.13 adds it to switches
        silent = action.default is None or action.default is False or action.default == ''
        return text if silent or action.default is argparse.SUPPRESS else f'{text} (default: %(default)s)'


def split_flags(words: Sequence[str]) -> list[Sequence[str]]:
    """Split a command line before each flag, so that each piece is a flag with its values."""
    starts = [index for index, word in enumerate(words) if index == 0 or re.match('--?[a-z]', word)]
    return [words[start:end] for start, end in itertools.pairwise([*starts, len(words)])]


class Parser(argparse.ArgumentParser):
    """Parse flags in either spelling (`--lr_bb_fix`, `--lr-bb-fix`); refuse prefixes, name the nearest flags.

    Args:
        takes_ranks: whether torchrun may start the script.
        related: makes parsers of other scripts, the nearest first: a flag of theirs that is unknown here names them.
    """

    def __init__(
        self, description: str | None = None, *, takes_ranks: bool = False,
        related: Callable[[], Iterable[Parser]] = tuple, **settings,
    ):  # fmt: skip
        settings.setdefault('formatter_class', _Formatter)
        self._takes_ranks, self._related = takes_ranks, related
        self._record: list[tuple[str, argparse.Action]] = []  # with the titles of their groups
        self._by_spelling: dict[str, argparse.Action] = {}
        self._by_plain_spelling: dict[str, str] = {}  # the declared one
        super().__init__(description=description, allow_abbrev=False, exit_on_error=False, **settings)  # declares -h
        if self.add_help:
            self.add_argument('--version', action='version', version=f'bigbatch {__version__}')

    def add_argument(self, *names, **settings) -> argparse.Action:
        return self._recorded('', super().add_argument(*names, **settings))

    def add_argument_group(self, title: str | None = None, *others, **settings):
        group = super().add_argument_group(title, *others, **settings)
        add = group.add_argument  # replaced in the group itself, as argparse keeps its class private
        vars(group)['add_argument'] = lambda *names, **each: self._recorded(title or '', add(*names, **each))
        return group

    def _recorded(self, title: str, action: argparse.Action) -> argparse.Action:
        if action.dest not in ABOUT_SCRIPTS:
            self._record.append((title, action))
        self._by_spelling |= dict.fromkeys(action.option_strings, action)
        for flag in action.option_strings:
            self._by_plain_spelling.setdefault(flag.replace('-', '_'), flag)
        return action

    def parse_known_args(self, args=None, namespace=None):
        arguments = sys.argv[1:] if args is None else args
        words = [self._declared(argument) for argument in arguments]
        for before, word in itertools.pairwise(['', *words]):
            self._check_word(before, word)
        try:
            return super().parse_known_args(words, namespace)
        except argparse.ArgumentError as error:
            remark = ''
            if error.message == gettext('expected one argument'):
                flag = (error.argument_name or '').rpartition('/')[2]
                choices = getattr(self._by_spelling.get(flag), 'choices', None)
                known = ', '.join(map(str, choices or ()))
                joined = f'one that begins with "-" is joined to it by "=": {flag}=-1'
                remark = f'; {f"known: {known}" if choices else joined}'
            self.error(f'{error}{remark}')

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        flags = [argument.split('=')[0] for argument in unknown if argument.startswith('-')]
        if flags:
            self.error(f'unknown flag {flags[0]}: {self._suggest_flag(flags[0])}')
        if unknown:
            self.error(f'unexpected argument {unknown[0]!r}: a value belongs to the flag before it')
        if not self._takes_ranks and world_size() != '1':
            self.error(f'{world_size()} ranks (WORLD_SIZE) would do the same: start it without torchrun')
        return parsed

    def _check_word(self, before: str, word: str) -> None:
        """Refuse what no flag takes: names that no file can have, and no name at all, which would mean the default."""
        if any('\ud800' <= letter <= '\udfff' for letter in word):  # which Python makes of such bytes
            is_utf8 = sys.getfilesystemencoding() == 'utf-8'
            remedy = 'use another name' if is_utf8 else 'start it with PYTHONUTF8=1, or use another name'
            self.error(f'{word!a} is not in UTF-8, so it can be written to no file: {remedy}')
        flag, equals, value = word.partition('=') if word.startswith('--') else (before, '', word)
        action = self._by_spelling.get(flag)
        if not value and (equals or not word) and (action is None or action.type is None):
            of = f' of {flag}' if action else ''
            self.error(f'the value{of} is empty, as from a variable that is not set: leave it out, or give one')
        if equals and value == '--':  # which argparse would take for the end of the flags
            self.error(f'{flag} cannot be --')

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.prog)

    def actions(self) -> list[argparse.Action]:
        """Return what is declared, in order of declaration; what asks about the script itself is left out."""
        return [action for _, action in self._record]

    def groups(self) -> dict[str, list[argparse.Action]]:
        """Return what is declared in each group by its title; what is in none has the empty title."""
        groups: dict[str, list[argparse.Action]] = {}
        for title, action in self._record:
            groups.setdefault(title, []).append(action)
        return groups

    def flags(self) -> set[str]:
        """Return every declared spelling."""
        return {*self._by_spelling}

    def last_of_each(self, words: Sequence[str]) -> list[str]:
        """Return a command line without the flags, and their values, that later ones of the same setting undo."""
        pieces = split_flags(words)
        last = {self._setting(piece[0]): place for place, piece in enumerate(pieces)}
        return [word for place in sorted(last.values()) for word in pieces[place]]

    def _setting(self, argument: str) -> str:
        """Return the name of the setting that a flag sets; the flag itself where it is unknown."""
        name = self._declared(argument).partition('=')[0]
        if not name.startswith('--'):  # its value may be joined to it, as in -b32
            name = max((flag for flag in self.flags() if name.startswith(flag)), key=len, default=name)
        action = self._by_spelling.get(name)
        return action.dest if action else name

    def _declared(self, argument: str) -> str:
        """Return the declared spelling of a flag whose hyphens and underscores differ from it."""
        name, equals, value = argument.partition('=')
        if not name.startswith('--') or name in self._by_spelling:
            return argument
        declared = self._by_plain_spelling.get(name.replace('-', '_'), name)
        return f'{declared}{equals}{value}'

    def _suggest_flag(self, flag: str) -> str:
        for other in self._related():
            if other._declared(flag) in other.flags():
                return f'it is a flag of {other.prog}'
        hint = suggest(flag, self.flags()).split(' known: ')
        return hint[0] if len(hint) == 2 else '--help lists them'


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a type for whole numbers from low to high."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < low or (high is not None and value > high):
            limit = f'from {low}' if high is None else f'from {low} to {high}'
            raise argparse.ArgumentTypeError(f'{text!r} is not a whole number {limit}')
        return value

    return convert


def auto_or(convert: Callable[[str], object]) -> Callable[[str], object]:
    """Return a type for the word auto, or else what another type takes."""

    def convert_or_keep(text: str) -> object:
        if text == 'auto':
            return text
        try:
            return convert(text)
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f'{error}, nor auto') from error

    return convert_or_keep


def real(low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False) -> Callable:
    """Return a type for finite numbers from low (or above it) to high (or below it)."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        inside = (value > low if above else value >= low) and (value < high if below else value <= high)
        if not (math.isfinite(value) and inside):
            bounds = [f'{"above" if above else "from"} {low:g}'] if low > -math.inf else []
            bounds += [f'{"below" if below else "up to"} {high:g}'] if high < math.inf else []
            raise argparse.ArgumentTypeError(f'{text!r} is not a finite number {" and ".join(bounds)}'.rstrip())
        return value

    return convert


def one_of(what: str, names: Iterable[str]) -> Callable[[str], str]:
    """Return a type for a name out of a list; the nearest names are part of the error."""
    known = list(names)

    def convert(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f'unknown {what} {text!r}: {suggest(text, known)}')
        return text

    return convert


def options_literal(text: str) -> dict:
    """Convert a dict literal with names as keys, for example "{'depth': 44}"; the empty text is the empty dict."""
    value = _literal(text or '{}', "{'depth': 44}")
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise argparse.ArgumentTypeError(f'{text!r} is not a dict of options such as "{{\'depth\': 44}}"')
    return value


def regime_literal(text: str) -> dict | list:
    """Convert a regime: a dict or list literal, or the name of a file that holds one."""
    path = Path(text)
    is_file = '{' not in text and '[' not in text
    if is_file:
        try:
            content = path.read_text(encoding='utf-8')
        except (OSError, UnicodeDecodeError) as error:
            raise argparse.ArgumentTypeError(
                f'{text!r} is neither a regime such as "{{0: {{\'lr\': 0.1}}}}" nor a readable file ({error})'
            ) from error
    value = _literal(content if is_file else text, "{0: {'lr': 0.1}}", file=text if is_file else '')
    if not isinstance(value, (dict, list)):
        raise argparse.ArgumentTypeError(f'{text!r} is not a regime such as "{{0: {{\'lr\': 0.1}}}}"')
    return value


def _literal(text: str, example: str, *, file: str = '') -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        place = f'{file}:{error.lineno}' if file and isinstance(error, SyntaxError) else repr(file or text)
        raise argparse.ArgumentTypeError(f'{place} is not a Python literal such as "{example}"') from error
