"""Arrays of an .npz file that look like something else, or are not used: taken, refused, or named."""

from __future__ import annotations

import numpy as np
import pytest

import data
import main_normal
from tests.data_helpers import assert_refused

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (64, 12, 10, 3), dtype=np.uint8), np.arange(64) % 4


@pytest.fixture
def save(tmp_path):
    def write(x=IMAGES, y=LABELS, y_test=None, **more) -> str:
        path = tmp_path / 'set.npz'
        y_test = y if y_test is None else y_test
        np.savez(path, x_train=x, y_train=y, x_test=x[:32], y_test=y_test[:32], **more)
        return str(path)

    return write


@pytest.fixture
def plan(save, capsys):
    """Return the lines of the plan for a file by their names, and what is printed on standard error."""

    def make(**arrays) -> tuple[dict[str, str], list[str]]:
        flags = ('--model', 'mnist_f1', '--model_config', "{'width': 8}", '--b', '16', '--dry-run')
        assert main_normal.main(['--dataset', save(**arrays), *flags]) == 0
        captured = capsys.readouterr()
        return {line[:14].strip(): line[14:] for line in captured.out.splitlines()}, captured.err.splitlines()

    return make


def test_floats_with_channels_last_are_refused_and_other_floats_are_features(save):
    for x in (IMAGES.astype(np.float32), IMAGES / 255, IMAGES[..., :1] / 255):
        assert_refused(r'x_train has floats of the shape \(64, 12, 10, .*uint8', lambda x=x: data.get_dataset(save(x)))
    for x in (IMAGES.transpose(0, 3, 1, 2) / 255, IMAGES[:, 0, 0] / 255, IMAGES.transpose(0, 3, 1, 2)[..., :3] / 255):
        np.testing.assert_array_equal(data.get_dataset(save(x)).images, x.astype(np.float32))
    np.testing.assert_array_equal(data.get_dataset(save()).images, IMAGES.transpose(0, 3, 1, 2))


def test_one_hot_labels_are_refused_with_the_remedy(save):
    assert_refused(r'shape \(64, 4\).*argmax', lambda: data.get_dataset(save(y=np.eye(4, dtype=int)[LABELS])))


def test_what_could_be_meant_otherwise_is_said_in_one_line(plan):
    square = IMAGES.transpose(0, 3, 1, 2)[:, :, :4, :4]
    cases = [
        ({'x': square}, 'x_train has the shape (64, 3, 4, 4), taken for 3x4 pixels, channels last'),
        ({'x': square.astype(np.float32)}, 'x_train holds floats up to 255 like pixels, used as they are'),
        ({'x_val': IMAGES, 'y_val': LABELS, 'names': LABELS}, '3 arrays not used: x_val, y_val, names'),
        ({'y': LABELS + 1}, '1 of 5 classes without a training example: 0'),
        ({'y': LABELS * 1000}, '2,997 of 3,001 classes without a training example: 1, 2, 3, 4, 5 and 2,992 more'),
        ({'y': np.where(LABELS == 3, 255, LABELS)}, '252 of 256 classes without a training example: 3, 4, 5, 6, 7 and'),
        ({'y': LABELS % 2, 'y_test': LABELS}, '2 of 4 classes without a training example: 2, 3'),
    ]
    found = [(plan(**arrays)[1], words) for arrays, words in cases]
    assert [(lines, words) for lines, words in found if len(lines) != 1 or words not in lines[0]] == []
    assert [lines for arrays in ({}, {'x': IMAGES[:, :, :, 0] / 255}) for lines in plan(**arrays)[1]] == []


def test_the_plan_names_the_classes(plan):
    assert plan()[0]['classes'] == '4: 0, 1, 2, 3'
    assert plan(y=np.arange(64))[0]['classes'] == '64: 0, 1, 2, 3, 4 and 59 more'
