"""Run the cases in two checkouts, each command a process of its own, and compare all that is printed and left."""

from __future__ import annotations

import csv
import difflib
import hashlib
import os
import re
import shlex
import shutil
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from tests.goldens.masks import CHECKPOINT, LEFT_OUT, PDF, STAR, TABLE, mask, mask_config, mask_page, mask_printed
from tests.goldens.text import CHECKOUT, FILES, FOLDER, make_files, scalars

MOST_SHOWN = 20  # lines of what differs in a file


def cases() -> dict[str, str]:
    """Return the lines of each case of cases.txt, in full."""
    head, *sections = re.split('^## ', (FOLDER / 'cases.txt').read_text(), flags=re.MULTILINE)
    words: dict[str, str] = {}
    for name, text in re.findall(r'^(\w+) = (.*)$', head, flags=re.MULTILINE):
        words[name] = string.Template(text).substitute(words)
    titled = (section.partition('\n') for section in sections)
    return {title: string.Template(lines).substitute(words).strip() for title, _, lines in titled}


def compare(old: Path, *, jobs: int = 2, only: str = '') -> bool:
    """Run the cases with this text in their name on both sides, print how they end, and return whether all agree."""
    start, known = time.monotonic(), cases()
    names, sides, num_different = [name for name in known if only in name], (old.resolve(), CHECKOUT), 0
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda name: _differences(name, known[name], sides, root), names)
        for name, lines in zip(names, found, strict=True):
            num_different += bool(lines)
            print(f'{name}: {"differs" if lines else "same"}', *lines, sep='\n', flush=True)
    print(f'{len(names)} cases, {num_different} differ; {time.monotonic() - start:.0f} s')
    return not num_different


def _differences(name: str, case: str, sides: tuple[Path, Path], root: str) -> list[str]:
    """Run a case on both sides, in the same folder one after the other, for its name is part of pages."""
    place = Path(root) / re.sub(r'\W+', '_', name)
    old, new = _run(case, sides, place)
    lines = []
    for file in sorted(old.keys() | new.keys()):
        halves = [side.get(file, 'is not there').splitlines() for side in (old, new)]
        found = list(difflib.unified_diff(*halves, f'old {file}', f'new {file}', lineterm='', n=1))
        more = [f'and {len(found) - MOST_SHOWN} lines more'] if found[MOST_SHOWN:] else []
        lines += [*found[:MOST_SHOWN], *more]
    return lines


def _run(case: str, sides: tuple[Path, Path], place: Path) -> Iterator[dict[str, str]]:
    """Yield what each side prints and leaves."""
    place.mkdir()
    make_files(place)
    begun = [line for line in case.splitlines() if line.startswith('old: ')]
    for line in begun:
        _call(line.removeprefix('old: '), sides[0], place)
    begin = place.rename(place.with_name(f'{place.name} begun'))
    for checkout in sides:
        shutil.copytree(begin, place)
        printed = {f'$ {line}': _call(line, checkout, place) for line in case.splitlines()[len(begun) :]}
        yield printed | dict(_left(place))
        shutil.rmtree(place)


def _call(line: str, checkout: Path, place: Path) -> str:
    """Run a line as a process and return what it prints, and its status."""
    known = {'python': [sys.executable], 'torchrun': [sys.executable, '-m', 'torch.distributed.run']}
    known |= {path.name: [str(path)] for path in checkout.glob('*.py')}
    known['./run_experiments.sh'] = [str(checkout / 'run_experiments.sh')]
    call = [part for word in shlex.split(line) for part in known.get(word, [word])]
    environment = {**os.environ, 'PYTHON': sys.executable, 'DATASETS_DIR': '.', 'COLUMNS': '120'}
    environment.pop('PYTHONPATH', None)
    done = subprocess.run(call, cwd=place, env=environment, capture_output=True, text=True, check=False)
    text = f'{done.stdout}{done.stderr}[{done.returncode}]\n'
    return mask_printed(text.replace(str(checkout), 'CHECKOUT'))


def _left(place: Path) -> Iterator[tuple[str, str]]:
    """Yield each file that commands left, and its content as text."""
    for path in sorted(place.rglob('*')):
        name = str(path.relative_to(place))
        if path.is_file() and name not in FILES and 'tensorboard' not in path.parts:
            yield name, _content(path)
        elif path.name == 'tensorboard':
            yield name, '\n'.join(f'{tag} {STAR if tag in TABLE else values}' for tag, values in scalars(path).items())


def _content(path: Path) -> str:
    if path.name in LEFT_OUT:
        return STAR
    if path.name.endswith('.pth.tar'):
        return '\n'.join(described('', torch.load(path, weights_only=True)))
    content = path.read_bytes()
    if path.suffix in ('.npz', '.png', '.pdf'):
        return hashlib.sha256(re.sub(PDF, b'', content)).hexdigest()
    kind = 'config' if path.name == 'config.json' else path.suffix
    return {'.csv': stable_table, '.html': mask_page, 'config': mask_config}.get(kind, mask)(content.decode())


def stable_table(text: str) -> str:
    """Return a CSV with the columns that TABLE names masked."""
    head, *rows = csv.reader(text.splitlines())
    shown = [[STAR if name in TABLE else cell for name, cell in zip(head, row, strict=True)] for row in rows]
    return '\n'.join(','.join(row) for row in [head, *shown])


def described(name: str, value: object) -> Iterator[str]:
    """Yield a line for each tensor, down to the last bit, and each plain value within one of a checkpoint."""
    if isinstance(value, (dict, list, tuple)):
        kind = 'dict' if isinstance(value, dict) else type(value).__name__  # ordered or not: by when it was saved
        yield f'{name} {kind} of {len(value)}'
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        for key, each in sorted(items) if name == '.config' else items:  # the order of settings says nothing
            yield from described(f'{name}.{key}', STAR if key in CHECKPOINT else each)
    elif isinstance(value, torch.Tensor):
        content = value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        yield f'{name} {value.dtype} {tuple(value.shape)} {hashlib.sha256(content).hexdigest()[:16]}'
    else:
        yield f'{name} {value!r}'
