"""Every flag that the measuring scripts share has an effect that can be observed, seen through evaluate.py."""

import contextlib
import io

import evaluate
from tests.conftest import read_rows
from tests.each import check_deterministic, check_effects
from utils.config.measure import idle_flags

EFFECTS = (
    '--evaluate RUN/initial.pth.tar', '--model resnet', '--model_config "{\'width\': 9}"',
    '--dataset fake:64:1x8x8:3', '--datasets-dir /no/such/folder', '--input_size 6', '--pixels unit',
    '--mode train | --augment', '--mode train --augment | --no-augment', '--num-examples 5',
    '--ss 0.3 | --batch-size 3', '--workers 3', '--ss 0.3 | --seed 5', '--device cuda:99',
    '--type torch.DoubleTensor', '--gpus 99', '--deterministic', '--results_dir OTHER', '--save other',
    '--mode train', '--sharpness-smoothing 0.3', '--ss 0.3 -b 3 | --noise-per copy', '--ss 0.3 | --times 2',
    '--augment --duplicates 2 --avg-out | --duplicates 3', '--avg-out --augment --duplicates 2',
)  # fmt: skip
SCORES = ('loss', 'error1', 'error5', 'examples', 'checkpoint')


def observe(run, folder, flags):
    """Return exit status, rows and places of the files, and what is printed on standard error."""
    given = [flag.replace('RUN', str(run)).replace('OTHER', str(folder / 'other')) for flag in flags]
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        status = evaluate.main(['--evaluate', str(run), '--results_dir', str(folder), *given])
    files = sorted(folder.rglob('*.csv'))
    rows = [[row[name] for name in SCORES] for path in files for row in read_rows(path)]
    places = [path.relative_to(folder).as_posix() for path in files]
    return status, rows, places, err.getvalue().replace(str(folder), '')


def test_each_flag_has_an_effect(finished, tmp_path):
    check_effects(
        (text for text in EFFECTS if text != '--deterministic'),
        lambda flags, name: observe(finished, tmp_path / name, flags),
    )


def test_deterministic_asks_for_deterministic_kernels(finished, tmp_path):
    check_deterministic(lambda *flags: observe(finished, tmp_path / str(len(flags)), flags))


def test_every_flag_is_in_the_table():
    useless = {flag for spellings, _ in idle_flags() for flag in spellings}
    known = {text.rpartition('|')[2].split()[0] for text in EFFECTS}
    parser = evaluate.build_parser()
    for action in parser.actions():
        spellings = {*action.option_strings}
        assert spellings & known or spellings <= useless, spellings
        assert all(flag in known for flag in spellings - useless if flag.startswith('--no-'))
    assert known | (useless - {'--ss'}) <= parser.flags()


def test_what_is_useless_is_hidden_and_said(finished, tmp_path):
    shown = evaluate.build_parser().format_help()
    for spellings, num_values in idle_flags():
        if '--ss' in spellings:
            continue
        assert max(spellings, key=len) not in shown
        for flag in spellings:
            status, rows, _, err = observe(finished, tmp_path, (flag, *['3'] * num_values))
            assert (status, len(rows)) == (0, 1)
            assert f'{flag} has no effect' in err
