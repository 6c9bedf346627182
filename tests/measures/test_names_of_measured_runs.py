"""Runs of one name in several folders are told apart wherever they are measured together."""

import csv
import shutil

import pytest

import evaluate
import measure_sharpness
from utils.runs.layout import distinct_name


@pytest.fixture
def alike(run, tmp_path):
    other = shutil.copytree(run, tmp_path / 'other' / 'run')
    return [str(path) for path in (run, other, run / 'initial.pth.tar')]


def test_names_have_as_many_folders_before_them_as_it_takes(tmp_path):
    folders = [tmp_path / name for name in ('a/x/run', 'b/x/run', 'b/y/run', 'run2')]
    expected = ['a/x/run', 'b/x/run', 'y/run', 'run2']
    assert [distinct_name(folder, folders) for folder in folders] == expected
    assert distinct_name(folders[0], folders[:1] * 2) == distinct_name(folders[0], ()) == 'run'


def test_each_row_of_a_table_has_a_name_of_its_own(alike, tmp_path, capsys):
    place = ('--results_dir', str(tmp_path / 'measured'))
    expected = ['results/run', 'other/run', 'results/run/initial']
    assert evaluate.main(['--evaluate', *alike, *place]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == expected
    assert [line.split()[0] for line in lines if ' on fake:' in line] == expected
    assert measure_sharpness.main(['--evaluate', *alike, *place, '--epsilon', '1e-3', '--max-iterations', '1']) == 0
    table = next((tmp_path / 'measured').glob('sharpness/*_table.csv'))
    with table.open() as file:
        assert [row['checkpoint'] for row in csv.DictReader(file)] == expected
