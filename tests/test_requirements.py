"""Ranges in requirements*.txt, what is tested in constraints.txt, the oldest in requirements-lowest.txt."""

import re

from packaging.requirements import Requirement

from tests.conftest import PROJECT

RANGES = ('requirements.txt', 'requirements-dev.txt')
FREE = {'torch', 'torchvision'}  # have to suit the machine
NOT_LOWEST = {'build', 'mypy', 'ruff', 'setuptools'}  # look at the code or pack it, and do not run it


def required(*files: str) -> list[Requirement]:
    lines = [line for file in files for line in (PROJECT / file).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


def version(pin: Requirement) -> str:
    (only,) = pin.specifier
    assert only.operator == '==', pin
    return only.version


def is_for(pin: Requirement, python: str) -> bool:
    return pin.marker is None or pin.marker.evaluate({'python_version': python})


def test_every_range_but_that_of_torch_is_pinned_within_itself_for_each_python():
    pins, wrong = required('constraints.txt'), []
    for asked in required(*RANGES, 'requirements-optional.txt'):
        for python in ('3.10', '3.11', '3.13'):
            met = [pin for pin in pins if pin.name == asked.name and is_for(pin, python)]
            if len(met) != (asked.name not in FREE) or any(not asked.specifier.contains(version(pin)) for pin in met):
                wrong.append(f'{asked} with Python {python}: {[str(pin) for pin in met]}')
    assert wrong == []
    assert [pin.name for pin in pins if re.match('torch$|torchvision$|triton$|nvidia-|cuda-', pin.name)] == []


def test_the_lowest_versions_are_the_lower_bounds_of_the_ranges():
    lowest = {pin.name: version(pin) for pin in required('requirements-lowest.txt')}
    asked = {range_.name: range_.specifier for range_ in required(*RANGES) if range_.name not in NOT_LOWEST}
    assert set(lowest) == set(asked)
    bounds = {name: bound.version for name, (bound,) in asked.items() if bound.operator == '>='}
    assert {name: pinned for name, pinned in lowest.items() if not f'{pinned}.'.startswith(f'{bounds[name]}.')} == {}


def test_pre_commit_runs_the_ruff_of_the_constraints():
    (pin,) = (pin for pin in required('constraints.txt') if pin.name == 'ruff')
    used = re.findall(r'ruff==[\w.]+', (PROJECT / '.pre-commit-config.yaml').read_text())
    assert used
    assert set(used) == {str(pin)}
