"""TensorBoard export: its curves are the rows of the tables, also after a resume; without the package it is refused."""

import importlib.util

import pytest

from tests.conftest import TINY_GBN, main_gbn, read_rows
from utils.runs.columns import COLUMNS
from utils.runs.layout import DISTANCES, RESULTS, TENSORBOARD

NOT_CURVES = {'epoch', 'step', 'weight_distance'}


def read_curves(run) -> dict[str, list[tuple[int, float]]]:
    """Return (step, value) by tag, by TensorBoard's own reader."""
    reader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    events = reader.EventAccumulator(str(run / TENSORBOARD), size_guidance={'scalars': 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()['scalars']}


def assert_curves_are_the_tables(run):
    curves, rows = read_curves(run), read_rows(run / RESULTS)
    scores = {'loss/train', 'loss/val', 'error1/train', 'error1/val', 'error5/train', 'error5/val'}
    others = {column.name for column in COLUMNS if not column.split} - {'epoch', 'step'}
    assert scores | others == set(curves)
    for tag, points in curves.items():
        column = '_'.join(reversed(tag.split('/')))
        table = read_rows(run / DISTANCES) if column == 'weight_distance' else rows
        assert [step for step, _ in points] == [int(row['step']) for row in table], tag
        assert [value for _, value in points] == pytest.approx([float(row[column]) for row in table], rel=1e-6), tag


def test_the_curves_are_the_tables_also_after_a_resume(train):
    run = train(*TINY_GBN, '--tensorboard', '--save_all')
    assert_curves_are_the_tables(run)
    assert main_gbn.main(['--resume', str(run / 'checkpoint_epoch_1.pth.tar'), '--epochs', '2']) == 0
    assert len(read_rows(run / RESULTS)) == 2
    assert_curves_are_the_tables(run)


def test_without_the_package_nothing_is_begun(refused, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'tensorboard' else find(name))
    refused(*TINY_GBN, '--tensorboard', words=('--tensorboard', 'pip install tensorboard'))
