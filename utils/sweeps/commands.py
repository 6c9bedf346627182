"""What a training command asks for, read from its flags without running it.

With it a suite's lines are checked before anything starts, runs of other settings are told apart and folders named.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Any

from bigbatch.errors import UserError
from utils.config.every import every_setting, names_of
from utils.config.network import DATASET, TENSOR_TYPES
from utils.config.parse import build_given_parser
from utils.parser import Parser, split_flags
from utils.settings import Means

SCRIPTS = ('main_normal.py', 'main_gbn.py', 'main_swap.py')
MEASURING = ('measure_sharpness.py', 'evaluate.py')  # scripts that read what --evaluate names
MAX_VALUE, MAX_SUFFIX = 24, 120  # characters


def places() -> set[str]:
    """Return the flags that say where or how fast something runs, not what is computed, and which run it is of many."""
    return {*names_of(Means.FREE)} & {*names_of(Means.PLACE)} | {*names_of(Means.EACH)}


def given_flags(script: str, words: Sequence[str]) -> dict[str, Any]:
    """Return the values of the flags that are given to one of SCRIPTS, by their names, the last one of each.

    Raises:
        UserError: an unknown flag, or a value that its flag does not take. Names of networks are not looked up.
    """
    asked = {'-h', '--help', '--version'}.intersection(words)
    if asked:
        raise UserError(f'{asked.pop()} is no setting of a run: take it out')
    return vars(_parser(script).parse_args(list(words)))


def settings_of(script: str, words: Sequence[str]) -> dict[str, Any]:
    """Return given_flags without those that only say where or how fast something runs."""
    where = places()
    given = {name: value for name, value in given_flags(script, words).items() if name not in where}
    if 'type' in given and TENSOR_TYPES[given['type']][1] == every_setting()['dtype'].default:
        del given['type']  # which then names a device alone
    return given


def data_of(script: str, words: Sequence[str]) -> tuple[str, str | None, bool]:
    """Return the data set of a training command, the folder of the sets, if given, and whether it may be fetched."""
    given = given_flags(script, words)
    return given.get('dataset', DATASET), given.get('datasets_dir'), given.get('download', False)


def place_words(script: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return those flags of a training command, with their values, that a measuring script takes as well."""
    return select_words(script, words, places() & {*names_of(Means.MEASURING)})


def select_words(script: str, words: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """Return those flags of a training command, with their values, that set these settings, as they are written."""
    pieces = (piece for piece in split_flags(words) if given_flags(script, piece).keys() <= {*names})
    return tuple(word for piece in pieces for word in piece)


def name_suffix(settings: dict[str, object]) -> str:
    """Return the end of a folder's name that tells settings apart: `_epochs5_no_flip`; empty without any.

    It does not depend on the order of the flags. A value that is long, or no name for a file, is cut and followed by a
    short hash of it. A seed comes last, where seeds of one setting are looked for.
    """
    names = sorted(settings, key=lambda name: (name == 'seed', name))
    text = ''.join(f'_{_readable(name, settings[name])}' for name in names)
    return text if len(text) <= MAX_SUFFIX else f'{text[:MAX_SUFFIX]}-{_digest(text)}'


def differences(before: dict[str, object], now: dict[str, object]) -> str:
    """Name the first settings in which two commands differ: `epochs 5 there, 3 here`."""
    names = [name for name in sorted(before | now) if before.get(name) != now.get(name)]
    texts = [f'{name} {before.get(name, "not given")} there, {now.get(name, "not given")} here' for name in names[:3]]
    return '; '.join(texts) + (f'; and {len(names) - 3} more' if len(names) > 3 else '')


@functools.cache
def _parser(script: str) -> Parser:
    """Build the parser of a script, so that it returns only what is given."""
    return build_given_parser(script, ghosts=script != 'main_normal.py', phases=script == 'main_swap.py')


def _readable(name: str, value: object) -> str:
    if isinstance(value, bool):
        return name if value else f'no_{name}'
    text = f'{value:.17g}' if isinstance(value, float) and value.is_integer() else str(value)  # 5.0 was typed as 5
    plain = re.sub('[^A-Za-z0-9.+]+', '-', text).strip('-.')
    if plain != text or len(plain) > MAX_VALUE:
        plain = f'{plain[:MAX_VALUE]}-{_digest(text)}'
    return f'{name}{plain}' if plain[0].isdigit() else f'{name}-{plain}'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
