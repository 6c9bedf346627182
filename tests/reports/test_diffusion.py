"""The laws of diffusion: planted ones are recovered, from the right updates, and shown."""

import csv
import io
import json
import math

import numpy as np
import pytest

import compare_experiments
from bigbatch.analysis.diffusion import fit_diffusion, r_squared
from bigbatch.weights import is_log_spaced
from tests.fake_runs import write_run
from utils.reports.diffusion import diffusion_section, last_step_before_drop
from utils.reports.groups import group_runs, varying_between
from utils.reports.summary import summarise
from utils.reports.tables import FORMATS, format_summary
from utils.runs.reader import load_runs

STEPS = np.array([step for step in range(1, 3000) if is_log_spaced(step)], dtype=float)


def write_law(folder, name, distances, *, seed=1, **settings):
    path = write_run(folder / name, seed=seed, **settings)
    rows = [f'{step:.0f},{distance!r},1.0\n' for step, distance in zip(STEPS, distances.tolist(), strict=False)]
    (path / 'weight_distance.csv').write_text(''.join(['step,weight_distance,train_loss\n', *rows]))


def section_of(folder):
    return diffusion_section(group_runs(load_runs([folder])))


def test_planted_laws_are_recovered():
    fit = fit_diffusion(STEPS, 1.5 + 0.7 * np.log(STEPS))
    assert (fit.intercept, fit.slope, fit.log_r2) == pytest.approx((1.5, 0.7, 1.0))
    assert (fit.num_points, fit.last_step) == (len(STEPS), STEPS[-1])
    assert fit.power_r2 < 0.99
    fit = fit_diffusion(STEPS, 0.3 * STEPS**0.5)
    assert (fit.factor, fit.exponent, fit.power_r2) == pytest.approx((0.3, 0.5, 1.0))
    assert fit.log_r2 < 0.9
    fit = fit_diffusion([1, 2, 4, 8], [0.0, *(1 + np.log([2, 4, 8]))])
    assert (fit.num_points, fit.slope) == (3, pytest.approx(1.0))  # a distance of zero is left out
    with pytest.raises(ValueError, match='1 different updates: at least 2'):
        fit_diffusion([3, 3], [1.0, 2.0])


def test_r2_is_scikit_learns():
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    values, fitted = rng.random(30), rng.random(30)
    assert r_squared(values, fitted) == pytest.approx(r2_score(values, fitted))
    assert math.isnan(r_squared(np.ones(5), np.ones(5)))


def test_the_last_update_before_the_drop():
    failures = []
    for regime, start, last in (
        ([(0, 0.1), (15, 0.01), (25, 0.001)], 0, 150),
        ([(0, 0.1)], 0, math.inf),
        ([], 0, math.inf),
        ([(0, 0.001), (60, 0.01), (120, 0.001)], 0, 1200),  # a rise is no drop
        ([(0, 0.1), (15, 0.01), (25, 0.001)], 15, 100),  # begun with the dropped rate
        ([(0, 0.1), (15, 0.01), (25, 0.001)], 5, 100),
        ([(0, 0.1), (15, 0.1), (25, 0.001)], 0, 250),  # weight decay alone changed
    ):
        rows = [{'epoch': epoch, 'lr': lr} for epoch, lr in regime]
        config = {'regime': rows, 'steps_per_epoch': 10, 'settings': {'start_epoch': start}}
        found = last_step_before_drop(config)
        failures += [(regime, start, found)] if found != last else []
    assert not failures, failures


def test_points_past_the_drop_are_not_fitted(tmp_path):
    before, is_early = 2 + 0.5 * np.log(STEPS), STEPS <= 97 * 15  # 50,000 // 512 = 97 updates an epoch
    write_law(tmp_path, 'a', np.where(is_early, before, before[is_early][-1]))
    section = section_of(tmp_path)
    assert section.values['diffusion_slope'].tolist() == [pytest.approx(0.5)]
    assert section.values['diffusion_last_step'].tolist() == [STEPS[is_early][-1]]
    assert section.runs is None  # runs alone are shown once
    write_law(tmp_path / 'short', 'c', STEPS[:9], config={'regime': []})
    assert section_of(tmp_path / 'short') is None


@pytest.fixture
def laws(tmp_path):
    for seed, slope in ((0, 0.9), (1, 1.1)):
        write_law(tmp_path, f'log_seed{seed}', 1 + slope * np.log(STEPS), seed=seed, config={'regime': []})
    write_law(tmp_path, 'power', STEPS**0.5, batch_size=64, config={'regime': []})
    write_law(tmp_path, 'short', STEPS[:5], batch_size=32, config={'regime': []})
    return tmp_path


def test_a_group_has_mean_and_deviation_of_its_runs(laws):
    section = section_of(laws)
    rows = {row['run']: row for row in section.cells.to_dict('records')}
    assert (rows['log']['b'], rows['log']['runs'], rows['power']['p']) == ('1 +- 0.14', '2', '0.5')
    assert rows['short'] == {**dict.fromkeys(section.cells, '-'), 'run': 'short', 'runs': '0'}
    assert section.runs['run'].tolist() == ['log_seed0', 'log_seed1', 'power']
    assert section.runs['b'].tolist()[:2] == ['0.9', '1.1']
    assert section.values['diffusion_slope_std'].tolist()[0] == pytest.approx(np.std([0.9, 1.1], ddof=1))


def test_the_page_and_the_table_in_every_format_show_groups_and_runs(laws, capsys):
    path = laws / 'power' / 'config.json'  # damaged, which ends no comparison
    path.write_text(json.dumps({**json.loads(path.read_text()), 'regime': None, 'steps_per_epoch': None}))
    groups = group_runs(load_runs([laws]))
    summary, settings, section = summarise(groups), varying_between(groups), diffusion_section(groups)
    out = {style: format_summary(summary, settings, style, [section]) for style in FORMATS}
    rows = list(csv.DictReader(io.StringIO(out.pop('csv'))))
    assert [row['diffusion_n'] for row in rows] == ['2', '1', '0']
    assert [float(rows[0][f'diffusion_{name}']) for name in ('slope', 'log_r2')] == pytest.approx([1, 1])
    assert float(rows[1]['diffusion_exponent']) == pytest.approx(0.5)
    for style, table in out.items():
        assert table.count('R2 of a + b log t') == 1
        assert ('\\toprule' in table) == (style == 'latex')
        assert ('| ---' in table) == (style == 'markdown')
    assert max(map(len, out['text'].splitlines())) <= 120
    assert compare_experiments.main([str(laws)]) == 0
    assert 'R2 of a + b log t' in capsys.readouterr().out
    page = (laws / 'comparison.html').read_text()
    for words in ('<h2>Diffusion: ', 'Each run</summary>', '1 +- 0.14', 'data-heading="R2 of c t**p"'):
        assert words in page
