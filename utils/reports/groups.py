"""Group runs by their settings, and tell in which settings runs differ."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bigbatch.errors import UserError
from bigbatch.messages import counted, suggest
from utils.config.every import before_flags, every_setting, names_of
from utils.runs.reader import Run, seedless
from utils.settings import Means
from utils.wording import cut

LONGEST_TEXT = 40  # characters of a setting in a table


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that are one row: by default those that differ in nothing but their seed."""

    label: str
    runs: tuple[Run, ...]  # in the order of their seeds
    # the settings that make the row, as JSON; the same in all runs
    key: Mapping[str, str] = field(default_factory=dict)
    mixed: tuple[str, ...] = ()  # names of other settings, in which its runs differ

    @property
    def counted(self) -> tuple[Run, ...]:
        """Return the runs that enter a mean: those that are done, else those with a row that have not diverged."""
        with_rows = tuple(run for run in self.runs if len(run.results))
        done = tuple(run for run in with_rows if run.status == 'done')
        return done or tuple(run for run in with_rows if run.status != 'diverged')

    @property
    def diverged(self) -> tuple[Run, ...]:
        """Return the runs that diverged."""
        return tuple(run for run in self.runs if run.status == 'diverged')

    @property
    def title(self) -> str:
        """Return the label and how many of the runs diverged, if any."""
        diverged = f' ({len(self.diverged)} of {len(self.runs)} diverged)' if self.diverged else ''
        return f'{self.label}{diverged}'


def group_runs(runs: Iterable[Run], by: Sequence[str] | None = None) -> list[Group]:
    """Group runs that agree in settings, in the order of their first runs.

    Args:
        runs: from load_runs.
        by: names of the settings to agree in; None: all but the seed and those that name places, and runs of one name
            in several folders are rows of their own.

    Raises:
        UserError: no run has a setting that `by` names.
    """
    runs = list(runs)
    if by is not None:
        return _group_by_settings(runs, by)
    members: dict[tuple, list[Run]] = {}
    for run in runs:
        settings = scientific_settings(run) if run.settings else {'name': seedless(run.name)}
        members.setdefault(tuple(sorted(settings.items())), []).append(run)
    groups = []
    for key, alike in members.items():
        by_folder = len({run.folder.name for run in alike}) < len(alike)
        parts: dict[Path | None, list[Run]] = {}
        for run in alike:
            parts.setdefault(run.folder.parent if by_folder else None, []).append(run)
        groups += [_group(seedless(part[0].name), part, dict(key)) for part in parts.values()]
    return _told_apart(groups)


def rename_groups(groups: Sequence[Group], labels: Sequence[str]) -> list[Group]:
    """Return the groups under other labels, one for each and no two the same."""
    if len(labels) != len(groups):
        have = ', '.join(group.label for group in groups)
        given = f'{counted(len(labels), "legend name")} for {counted(len(groups), "row")}'
        raise UserError(f'{given}: give one for each of {have}')
    if not all(label.strip() for label in labels):
        raise UserError(f'an empty legend name among {", ".join(map(repr, labels))}: rows need names that can be read')
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise UserError(f'legend name {twice[0]!r} is given twice: rows need different names')
    return [replace(group, label=label) for group, label in zip(groups, labels, strict=True)]


def varying_settings(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the settings in which runs differ, as short text for people.

    Args:
        runs: from load_runs, which makes their names differ.

    Returns:
        A row a run, in their order, the index (`run`) its name. A column a setting: first those that decide what is
        computed, in the order of reading, the seed the last of them, then places. `regime`, the adapted one, is a
        column only where the others do not tell all regimes apart. '-' where a run has no such setting.
    """
    return shorten_table(_varying(runs))


def varying_between(groups: Sequence[Group]) -> pd.DataFrame:
    """Return the settings in which groups differ, as text in full; the index (`run`) is the label.

    Seed and places are left out. Where the runs of a group differ, all of their values stand there.
    """
    runs = [run for group in groups for run in group.runs]
    owners = [index for index, group in enumerate(groups) for _ in group.runs]
    table = _varying(runs).drop(columns=['seed', *names_of(Means.PLACE)], errors='ignore')
    rows = [table[np.equal(owners, index)] for index in range(len(groups))]
    joined = {name: [' | '.join(dict.fromkeys(row[name])) for row in rows] for name in table}
    joined = {name: texts for name, texts in joined.items() if len(set(texts)) > 1}
    return pd.DataFrame(joined, index=pd.Index([group.label for group in groups], name='run'), dtype=object)


def unasked(groups: Sequence[Group]) -> dict[str, str]:
    """Return by flag the values of settings that follow from others, where groups differ and not every command says so.

    Such is the base of the rates, which in main_gbn.py follows from the ghosts.
    """
    table, runs = varying_between(groups), [run for group in groups for run in group.runs]
    found = {}
    for name in filter(table.__contains__, sorted(names_of(Means.DERIVED))):
        if '-' in set(table[name]):
            continue  # rows that do without it
        flag = f'--{name.replace("_", "-")}'
        given = [[str(word).partition('=')[0].replace('_', '-') for word in run.config.get('argv', ())] for run in runs]
        if not all(flag in words for words in given):
            found[flag] = ', '.join(dict.fromkeys(table[name]))
    return found


def scientific_settings(run: Run) -> dict[str, str]:
    """Return the settings that decide what a run computes, as JSON; the adapted regime is one of them.

    Names of other runs, such as `base_seed3` of a checkpoint to start from, count as the same for every seed.
    """
    own = {'script': run.config.get('script'), 'regime': run.config.get('regime')}
    settings = {**before_flags(), **run.settings, **own}
    ignored = {*names_of(Means.PLACE), 'save', 'seed'}
    kept = {name: json.dumps(value) for name, value in settings.items() if name not in ignored and value is not None}
    return kept | {name: re.sub(r'([_-]seed)\d+', r'\1', kept[name]) for name in names_of(Means.RUN) if name in kept}


def shorten(texts: Iterable[str]) -> list[str]:
    """Leave out the middle of long texts, unless they differ nowhere else."""
    texts = list(texts)
    short = [cut(text, LONGEST_TEXT) for text in texts]
    return short if len(set(short)) == len(set(texts)) else texts


def shorten_table(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten each column of a table of texts."""
    return pd.DataFrame({name: shorten(table[name]) for name in table}, index=table.index, dtype=object)


def _varying(runs: Sequence[Run]) -> pd.DataFrame:
    """Return what varying_settings returns, in full."""
    later = ('seed', *names_of(Means.PLACE))
    given = [{name: run.settings[name] for name in later if run.settings.get(name) is not None} for run in runs]
    texts = [{name: json.dumps(value) for name, value in each.items()} for each in given]
    table = _differing([scientific_settings(run) | each for run, each in zip(runs, texts, strict=True)])
    others = table.drop(columns=['regime', *later], errors='ignore')
    if 'regime' in table and len(others.columns):
        with_regime = table[[*others, 'regime']]
        if len(with_regime.drop_duplicates()) == len(others.drop_duplicates()):
            table = table.drop(columns='regime')
    return table.map(_plain).set_axis(pd.Index([run.name for run in runs], name='run'))


def _differing(settings: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Return the settings that are not everywhere the same, a column each, in the order of reading."""
    table = pd.DataFrame(settings, dtype=object)
    if 'num_epochs' in table and table['num_epochs'].equals(table.get('epochs')):  # as many as were asked for
        table = table.drop(columns='num_epochs')
    return table[[name for name in sorted(table, key=_reading_place) if table[name].nunique(dropna=False) > 1]]


def _plain(text: object) -> str:
    """Write a setting, given as JSON, for people; it is missing where it is no text."""
    value = json.loads(text) if isinstance(text, str) else None
    return repr(value) if isinstance(value, float) else _plain_value(value)


def _plain_value(value: object) -> str:
    if value is None or value == '':
        return '-'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, dict):
        return ' '.join(f'{name} {_plain_value(each)}' for name, each in value.items()) or '-'
    if isinstance(value, list):
        return '; '.join(map(_plain_value, value))
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def _reading_place(name: str) -> tuple[int, int, str]:
    later = ('seed', *names_of(Means.PLACE))
    if name in later:
        return 1, later.index(name), name
    order = ('script', *every_setting())
    declared_as = 'epochs' if name == 'num_epochs' else name
    return 0, order.index(declared_as) if declared_as in order else len(order), name


def _group(label: str, runs: Sequence[Run], key: dict[str, str], mixed: tuple[str, ...] = ()) -> Group:
    return Group(label, tuple(sorted(runs, key=_seed_order)), key, mixed)


def _seed_order(run: Run) -> tuple[float, str]:
    seed = run.settings.get('seed')
    return (seed if isinstance(seed, (int, float)) else np.inf), run.name


def _group_by_settings(runs: Sequence[Run], by: Sequence[str]) -> list[Group]:
    given = [{name: json.dumps(value) for name, value in run.settings.items() if value is not None} for run in runs]
    settings = [{**each, **scientific_settings(run)} for each, run in zip(given, runs, strict=True)]
    known = {name for each in settings for name in each} | {name for run in runs for name in run.settings}
    for name in by:
        if name not in known:
            raise UserError(f'--group-by {name}: no run has such a setting: {suggest(name, known)}')
    members: dict[tuple, list[int]] = {}
    for index, each in enumerate(settings):
        members.setdefault(tuple(each.get(name) for name in by), []).append(index)
    shown = {name: shorten(_plain(key[place]) for key in members) for place, name in enumerate(by)}
    groups = []
    for row, (key, places) in enumerate(members.items()):
        alike = [runs[place] for place in places]
        varying = varying_settings(alike)
        mixed = tuple(name for name in varying if name not in ('seed', *names_of(Means.PLACE), *by))
        label = ', '.join(f'{name} {shown[name][row]}' for name in by)
        groups.append(_group(label, alike, {name: text for name, text in zip(by, key, strict=True) if text}, mixed))
    return groups


def _told_apart(groups: list[Group]) -> list[Group]:
    """Tell groups of one label apart by the settings in which they differ, else by their number."""
    for label in {label for label, count in Counter(group.label for group in groups).items() if count > 1}:
        same = [index for index, group in enumerate(groups) if group.label == label]
        for index, text in zip(same, _differences([groups[index].key for index in same]), strict=True):
            groups[index] = replace(groups[index], label=f'{label} [{text}]')
    return groups


def _differences(keys: Sequence[Mapping[str, str]]) -> list[str]:
    table = _differing([{name: key[name] for name in key if name != 'regime'} for key in keys]).iloc[:, :3]
    shown = shorten_table(table.map(_plain))
    texts = [', '.join(map(' '.join, zip(shown, row, strict=True))) for row in shown.to_numpy()]
    return texts if len(set(texts)) == len(texts) else [f'{number}' for number in range(1, len(keys) + 1)]
