"""A group of settings: its flags, its values and what it answers about itself."""

from argparse import BooleanOptionalAction
from dataclasses import FrozenInstanceError, asdict, dataclass
from typing import ClassVar

import pytest

from utils.parser import Parser, one_of, whole
from utils.settings import (
    ABSENT,
    Means,
    Setting,
    add_settings,
    asked,
    changed,
    declared,
    given_values,
    names,
    setting,
    values_before,
    written,
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of things."""

    width: int = setting('-w', '--width', '--w', type=whole(1), default=8, means=Means.FREE, help='how wide')
    tall: ClassVar[Setting] = asked('--tall', action='store_true', means=Means.PLACE, help='in other words')
    shape: str = setting('--shape-of-it', default='round', choose=lambda known: one_of('shape', known), help='{known}')
    scale: float = setting('--scale', type=float, default=0.5, means=Means.FREE | Means.PLACE, before=1.0, help='times')


@dataclass(frozen=True, kw_only=True)
class Colors:
    """SWATCH, colours of things."""

    bright: bool = setting('--bright', action=BooleanOptionalAction, default=True, help='not dark')
    options: dict = setting('--options', type=dict, default={}, help='more')
    told: str = setting(default=ABSENT, means=Means.ASKED)


@dataclass(frozen=True, kw_only=True)
class Both(Colors, Sizes):
    """All of it."""


def make_parser() -> Parser:
    parser = Parser(prog='x')
    add_settings(parser, Sizes, Colors, known={'shape': ['round', 'square']}, width=16)
    return parser


def test_fields_are_the_settings_that_are_kept():
    config = Both(told='so', **given_values(Both, make_parser().parse_args(['--shape-of-it', 'square'])))
    assert asdict(config) == {
        'width': 16, 'shape': 'square', 'scale': 0.5, 'bright': True, 'options': {}, 'told': 'so'
    }  # fmt: skip
    assert changed(config) == {'width': 16, 'shape': 'square', 'told': 'so'}
    with pytest.raises(FrozenInstanceError):
        config.width = 1
    assert Both(told='').options is not Both(told='').options


def test_names_are_those_that_mean_any_of_it_and_their_flags():
    class Whole(Sizes):
        PARTS = (Colors,)

    for group in (Both, Whole):
        assert list(declared(group)) == ['width', 'tall', 'shape', 'scale', 'bright', 'options', 'told']
    assert names(Both, Means.FREE) == ('width', 'scale')
    assert names(Both, Means.PLACE | Means.ASKED) == ('tall', 'scale', 'told')
    assert names(Both, Means.NETWORK) == ()
    assert values_before(Both) == {'scale': 1.0}


def test_settings_are_written_as_they_are_typed():
    config = Both(width=3, scale=1e-7, bright=False, shape='square', told='')
    found = {name: written(config, name) for name in ('width', 'scale', 'bright', 'shape')}
    assert found == {
        'width': '--width 3', 'scale': '--scale 1e-07', 'bright': '--no-bright', 'shape': '--shape-of-it square'
    }  # fmt: skip
    words = [word for text in found.values() for word in text.split()]
    assert given_values(Both, make_parser().parse_args(words)) == {
        'width': 3, 'scale': 1e-7, 'bright': False, 'shape': 'square', 'options': {},
    }  # fmt: skip
