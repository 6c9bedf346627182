"""Files that users add, with whatever may be wrong in them: one line of a command, with file and line."""

# ruff: noqa: F811 - fixtures are imported by name
import pytest

from data_sets import catalog
from tests.conftest import TINY
from tests.networks import registry  # noqa: F401

NETWORK = 'from torch import nn\n'
LOAD = 'DOWNLOADS = NEEDS_FILES = False\ndef load(name, split, *, datasets_path, download):\n    '
FAKE = "from data_sets import fake\n    return fake.load('fake:64:1x8x8:4', split, datasets_path=None, download=False)"
PRESET = 'from data_sets.catalog import Preset\nPRESET = Preset(1, 0, False, True, (0.5,), (0.5,))\n'
FORWARD = """from torch import nn
class Own(nn.Module):
    regime = {0: {'optimizer': 'SGD', 'lr': 0.1}}
    def forward(self, inputs):
        return self.body(inputs)
def own(**options):
    return Own()
"""
NETWORKS = [  # the text of a file, where the fault is, and words
    ('\ndef own(:\n', 2, 'SyntaxError: invalid syntax'),
    ('\n\nimport no_such_library', 3, "No module named 'no_such_library'"),
    ('from models.resnet import none', 1, 'ImportError: cannot import name'),
    ('1 / 0', 1, 'ZeroDivisionError: division by zero'),
    ('import sys\nsys.exit(3)', 2, 'ends the program'),
    ("def own(**options):\n    return {}['a']", 2, "KeyError: 'a'"),
    ("def own(**options):\n    return int('a')", 2, "invalid literal for int() with base 10: 'a'"),
    ("def own(**options):\n    return open('/none/file')", 2, 'FileNotFoundError'),
    (FORWARD, 5, "'Own' object has no attribute 'body'"),
    ('def own(**options):\n    pass', None, 'returns NoneType; expected a torch.nn.Module'),
]
SETS = [
    ('def load(:', 1, 'SyntaxError'),
    ('import no_such_library', 1, "No module named 'no_such_library'"),
    (LOAD + "return {}['a']", 3, "KeyError: 'a'"),
    (LOAD + "return int('a')", 3, "invalid literal for int() with base 10: 'a'"),
    (LOAD + "return open('/none/file')", 3, 'FileNotFoundError'),
    (PRESET + LOAD + 'pass', None, 'own_file.load returns NoneType for own; expected an ArrayDataset'),
    (PRESET + LOAD + 'return [(1, 2)]', None, 'own_file.load returns list for own'),
    ('PRESET = 3\n' + LOAD + FAKE, None, 'PRESET is 3; expected a Preset'),
]


@pytest.mark.parametrize(('flag', 'cases'), [('--model', NETWORKS), ('--dataset', SETS)])
def test_what_is_wrong_in_a_users_file_is_one_line(flag, cases, registry, own_module, refused, monkeypatch, tmp_path):
    registry['own'] = 'own_file'
    monkeypatch.setitem(catalog.MODULES, 'own', 'own_file')
    for text, line, words in cases:
        own_module('own_file', text)
        place = () if line is None else (f'{tmp_path / "own_file.py"}:{line}',)
        refused(*TINY, '-mb', '4', flag, 'own', words=(words, *place))


def test_a_regime_in_a_file_is_refused_by_its_name_and_line(refused, tmp_path):
    path = tmp_path / 'regime.txt'
    path.write_text("{0: {'lr': 0.1},\n 5: {'lr' 0.01}}\n", encoding='utf-8')
    said = refused(*TINY, '-mb', '4', '--regime', path, words=(f'{path}:2 is not a Python literal',))
    assert '0.01' not in said
    path.write_text("{0: {'lr': lr}}", encoding='utf-8')
    refused(*TINY, '-mb', '4', '--regime', path, words=(f"'{path}' is not a Python literal",))
