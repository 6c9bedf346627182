"""Run the cases in two checkouts, each command a process of its own, and compare all that is printed and left."""

from __future__ import annotations

import csv
import difflib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.goldens.cases import CASES
from tests.goldens.masks import CHECKPOINT, LEFT_OUT, PDF, STAR, TABLE, mask, mask_config, mask_page, mask_printed
from tests.goldens.text import CHECKOUT, FILES, TEXTS, make_files, scalars

MOST_SHOWN = 20  # lines of what differs in a file
RECORDED = 'texts'  # the case that records the text goldens on both sides


def compare(old: Path, *, new: Path = CHECKOUT, jobs: int = 2, only: str = '') -> bool:
    """Run the cases with this text in their name on both sides, print how they end, and return whether all agree."""
    start, names = time.monotonic(), [name for name in (RECORDED, *CASES) if only in name]
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(jobs) as pool:
        sides = {'old': old.resolve(), 'new': new.resolve()}
        found = [pool.submit(_differences, name, sides, Path(root)) for name in names]
        counts = []
        for name, future in zip(names, found, strict=True):
            lines = future.result()
            counts.append(len(lines))
            print(f'{name}: {"differs" if lines else "same"}', *lines, sep='\n', flush=True)
    print(f'{len(names)} cases, {sum(map(bool, counts))} differ; {time.monotonic() - start:.0f} s')
    return not any(counts)


def _differences(name: str, sides: Mapping[str, Path], root: Path) -> list[str]:
    """Run a case on both sides, in the same folder one after the other, for its name is part of pages."""
    place = root / re.sub(r'\W+', '_', name)
    old, new = (_record if name == RECORDED else _run)(CASES.get(name, ''), list(sides.values()), place)
    lines = []
    for file in sorted(old.keys() | new.keys()):
        texts = [side.get(file, 'is not there') for side in (old, new)]
        if texts[0] != texts[1]:
            halves = [text.splitlines() for text in texts]
            found = list(difflib.unified_diff(*halves, f'old {file}', f'new {file}', lineterm='', n=1))
            more = [f'and {len(found) - MOST_SHOWN} lines more'] if found[MOST_SHOWN:] else []
            lines += [*found[:MOST_SHOWN], *more]
    return lines


def _record(_: str, sides: Sequence[Path], place: Path) -> list[dict[str, str]]:
    """Return the text goldens of both sides."""
    found = []
    for checkout in sides:
        place.mkdir()
        call = [sys.executable, '-m', 'tests.goldens', 'record', '--checkout', str(checkout), '--to', str(place)]
        subprocess.run(call, cwd=CHECKOUT, check=True)
        found.append({name: (place / f'{name}.txt').read_text() for name in TEXTS})
        shutil.rmtree(place)
    return found


def _run(case: str, sides: Sequence[Path], place: Path) -> list[dict[str, str]]:
    """Return what both sides print and leave."""
    lines = [line.strip() for line in case.splitlines()]
    begun = [line.removeprefix('old: ') for line in lines if line.startswith('old: ')]
    place.mkdir()
    make_files(place)
    for line in begun:
        _call(line, sides[0], place)
    begin, found = place.rename(place.with_name(f'{place.name} begun')), []
    for checkout in sides:
        shutil.copytree(begin, place)
        printed = {f'$ {line}': _call(line, checkout, place) for line in lines[len(begun) :]}
        found.append(printed | dict(_left(place)))
        shutil.rmtree(place)
    return found


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
        import torch

        return '\n'.join(_described('', torch.load(path, weights_only=True)))
    content = path.read_bytes()
    if path.suffix in ('.npz', '.png', '.pdf'):
        return hashlib.sha256(re.sub(PDF.pattern.encode(), b'', content)).hexdigest()
    text = content.decode()
    if path.suffix == '.csv':
        return _table(text)
    if path.suffix == '.html':
        return mask_page(text)
    return mask_config(text) if path.name == 'config.json' else mask(text)


def _table(text: str) -> str:
    """Return a CSV with the columns that TABLE names masked."""
    head, *rows = csv.reader(text.splitlines())
    shown = [[STAR if name in TABLE else cell for name, cell in zip(head, row, strict=True)] for row in rows]
    return '\n'.join(','.join(row) for row in [head, *shown])


def _described(name: str, value: object) -> Iterator[str]:
    """Yield a line for each tensor and plain value within one of a checkpoint."""
    import torch

    if isinstance(value, (dict, list, tuple)):
        kind = 'dict' if isinstance(value, dict) else type(value).__name__  # ordered or not: by when it was saved
        yield f'{name} {kind} of {len(value)}'
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        for key, each in sorted(items) if name == '.config' else items:  # the order of settings says nothing
            yield from _described(f'{name}.{key}', STAR if key in CHECKPOINT else each)
    elif isinstance(value, torch.Tensor):
        content = value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        yield f'{name} {value.dtype} {tuple(value.shape)} {digest}'
    else:
        yield f'{name} {value!r}'
