"""Settings, each declared once: its flag, its default, its words in --help, and what it means to those who ask.

A group is a frozen dataclass whose fields are declared by `setting`; the first line of its docstring is its heading in
--help. Parsers, config.json, resumed runs, tables and sweeps ask the declarations; there is no other list of settings.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = object()  # no value


class Means(enum.Flag):
    """What a setting means besides to the run that it is a setting of."""

    ASKED = enum.auto()  # says how something was asked for, not what the run is: config.json does not hold it
    FREE = enum.auto()  # a resumed run may change it
    PLACE = enum.auto()  # where or how fast something runs and what is kept of it: it tells no rows apart
    OPEN = enum.auto()  # left open, the data or the device decide when the run begins
    RUN = enum.auto()  # names another run, of whatever seed and wherever that lies now
    FOLDER = enum.auto()  # a folder of the machine that a run was made on
    NETWORK = enum.auto()  # names a network and its data, with a checkpoint of which it is opened again
    SHAPE = enum.auto()  # decides which weights fit
    CONDITION = enum.auto()  # decides, besides the weights, what is measured on them
    SCORING = enum.auto()  # --evaluate heeds it, though it names neither network nor data
    MEASURING = enum.auto()  # a flag of the measuring scripts, too
    IDLE = enum.auto()  # the measuring scripts take its flag, as published, and it has no effect there
    KEY = enum.auto()  # what people look for first: shown at the head of a page
    SUMMARY = enum.auto()  # a column of the summary of a comparison
    SIZE = enum.auto()  # the batch size, or what goes with it: rows that differ in nothing else are points of a line
    DERIVED = enum.auto()  # says the same as another setting, or is made to suit it
    AXIS = enum.auto()  # of a heat map, against the batch size
    REGIME = enum.auto()  # takes the place of a setting of the regime
    LENGTH = enum.auto()  # goes by the length of a run, which then cannot change
    EACH = enum.auto()  # set for each run by whoever starts many
    PHASE = enum.auto()  # SWAP's own, or set by it for each of its phases
    LARGE = enum.auto()  # of SWAP's first phase alone: its workers do without it, or have one of their own


NOTHING = Means(0)


@dataclass(frozen=True)
class Setting:
    """The declaration of a setting."""

    flags: tuple[str, ...]  # its spellings on a command line; none where it follows from others
    means: Means
    default: object = None  # where nothing is given; ABSENT where it always follows from others
    before: object = ABSENT  # its value in runs that are older than it; ABSENT where no run is
    label: str = ''  # what people call it; its name in words if empty
    choose: Callable[[Iterable[str]], Callable[[str], object]] | None = None  # type of its values, given the known ones
    is_kept: bool = True  # as a field of its group; else its flag says in another way what fields are
    parsing: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # further arguments of add_argument

    @property
    def flag(self) -> str:
        """Return its usual spelling, the first long one."""
        return next(flag for flag in self.flags if flag.startswith('--'))

    @property
    def dest(self) -> str:
        """Return the name that the parser gives its value."""
        return self.flag[2:].replace('-', '_')

    @property
    def num_values(self) -> int:
        """Return how many words follow its flag at least."""
        return 0 if 'action' in self.parsing or self.parsing.get('nargs') == '?' else 1

    def write(self, value: object) -> str:
        """Return the flag with a value as on a command line: `--anneal-index 0.5`, `--no-denoise`."""
        if isinstance(value, bool):
            return self.flag if value else f'--no-{self.flag[2:]}'
        return f'{self.flag} {value:g}' if isinstance(value, float) else f'{self.flag} {value}'

    def add_to(self, parser, *, default: object = ABSENT, known: Sequence[str] | None = None) -> None:
        """Add the flag to a parser or a group of its flags; `{known}` in its words becomes the list of known values."""
        given = dict(self.parsing)
        if known is not None:
            given['help'] = given['help'].replace('{known}', ', '.join(known))
            if self.choose is not None:
                given['type'] = self.choose(known)
        if parser.argument_default is not argparse.SUPPRESS:
            given['default'] = self.default if default is ABSENT else default
        parser.add_argument(*self.flags, dest=self.dest, **given)


def setting(
    *flags: str, means: Means = NOTHING, default: object = None, before: object = ABSENT, label: str = '',
    choose: Callable | None = None, **parsing,
):  # fmt: skip
    """Declare a setting as a field of a group; see Setting."""
    default = _default(default, parsing)
    each = Setting(flags, means, default, before, label, choose, parsing=parsing)
    if default is ABSENT:
        return dataclasses.field(metadata={'setting': each})
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata={'setting': each})
    return dataclasses.field(default=default, metadata={'setting': each})


def asked(*flags: str, means: Means = NOTHING, default: object = None, **parsing) -> Setting:
    """Declare a flag that says in another way what a setting is, as a class variable of a group."""
    return Setting(flags, means | Means.ASKED, _default(default, parsing), is_kept=False, parsing=parsing)


def own_settings(group: type) -> Iterator[tuple[str, Setting]]:
    """Yield name and declaration of what a class itself declares, in order, without what it inherits."""
    fields = {field.name: field.metadata.get('setting') for field in dataclasses.fields(group)}
    for name in inspect.get_annotations(group):
        each = fields.get(name, vars(group).get(name))
        if isinstance(each, Setting):
            yield name, each


def declared(group: type) -> dict[str, Setting]:
    """Return the declarations of a group by name, in the order of its fields: inherited ones, its own, its parts'."""
    found: dict[str, Setting] = {}
    for each in reversed(group.__mro__):
        if dataclasses.is_dataclass(each):
            found |= own_settings(each)
    for part in getattr(group, 'PARTS', ()):
        found |= declared(part)
    return found


def names(group: type, means: Means) -> tuple[str, ...]:
    """Return the names of the settings that mean any of this, and of the values of their flags, in order."""
    found = [(name, each) for name, each in declared(group).items() if each.means & means]
    return tuple(dict.fromkeys(name for own, each in found for name in (own, each.dest if each.flags else own)))


def fields_that_mean(group: type, means: Means) -> tuple[str, ...]:
    """Return the names of the settings that mean all of this, without those of flags, in order."""
    return tuple(name for name, each in declared(group).items() if means in each.means and each.is_kept)


def values_before(group: type) -> dict[str, object]:
    """Return the values of those settings that runs may be older than, in such runs."""
    return {name: each.before for name, each in declared(group).items() if each.before is not ABSENT}


def changed(config) -> dict[str, object]:
    """Return the settings of a group that are not as they are by default, by name."""
    kept = {name: each for name, each in declared(type(config)).items() if each.is_kept}
    return {name: value for name, each in kept.items() if (value := getattr(config, name)) != each.default}


def written(config, name: str) -> str:
    """Return a setting of a group as it is written on a command line."""
    return declared(type(config))[name].write(getattr(config, name))


def given_values(group: type, flags) -> dict[str, Any]:
    """Return the values that a parsed command line has for the settings of a group, by name."""
    values = vars(flags)
    return {
        name: values[each.dest] for name, each in declared(group).items()
        if each.is_kept and each.flags and each.dest in values
    }  # fmt: skip


def heading(group: type) -> str:
    """Return the first line of a group's docstring as a heading of --help: without its end, small where no name."""
    assert group.__doc__, group
    text = group.__doc__.splitlines()[0].removesuffix('.')
    first = text.split()[0]
    return text if any(letter.isupper() for letter in first[1:]) else text[0].lower() + text[1:]


def add_settings(
    parser, *groups: type, title: str = '', known: Mapping[str, Sequence[str]] | None = None,
    only: Means | None = None, **defaults,
):  # fmt: skip
    """Add the flags that groups themselves declare to a parser, under a heading each; return the last one's place.

    Args:
        title: in place of the headings of the groups.
        known: lists of the values that there are, by name of the setting.
        only: add those that mean this.
        defaults: in place of the declared ones, by name.
    """
    for group in groups:
        place = parser.add_argument_group(title or heading(group))
        for name, each in own_settings(group):
            if each.flags and (only is None or each.means & only):
                each.add_to(place, default=defaults.get(name, ABSENT), known=(known or {}).get(name))
    return place


def _default(default: object, parsing: Mapping[str, object]) -> object:
    return False if parsing.get('action') == 'store_true' else default
