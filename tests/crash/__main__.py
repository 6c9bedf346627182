"""Kill small runs again and again, go on with each until it is done, and compare with runs that nobody killed.

python -m tests.crash --kills 100 --seed 0 --out /tmp/crash
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

# One thread, so that a fork finds no other; before anything heavy is imported.
os.environ.update(OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1', MKL_NUM_THREADS='1')

from tests.crash.cases import CASES, SUITE, Case
from tests.crash.equality import check_after_kill, differences
from tests.crash.processes import Death, Ending, preload, run_and_kill

PROJECT = Path(__file__).resolve().parent.parent.parent
MOST_SHOWN = 20
MOST_KILLS = 12  # of one run, which is then left to end
WAITS = 120  # times half a second for processes that outlive the one that started them


def main() -> int:
    """Print a table of what was killed and how it ended; return 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=100, help='of all cases together, at least')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, required=True, help='an empty or a new folder, which keeps what differs')
    parser.add_argument('--cases', nargs='+', help='only those whose names begin so')
    flags = parser.parse_args()
    cases = [case for case in CASES if not flags.cases or case.name.startswith(tuple(flags.cases))]
    preload(cases)
    flags.out.mkdir(parents=True, exist_ok=True)
    start, failed = time.monotonic(), []
    shares = sum(case.share for case in cases)
    rows = []
    for case in cases:
        trial = Trial(case, flags.out.resolve() / case.name.replace(' ', '_').replace(',', ''), flags.seed)
        trial.run(round(flags.kills * case.share / shares + 0.5))
        rows.append(trial.row())
        print(*(f'{name} {value};' for name, value in rows[-1].items()), flush=True)
        failed += trial.faults
    total = {name: sum(row[name] for row in rows) for name in ('kills', 'while_saving', 'runs')}
    print(f'{total} in {time.monotonic() - start:.0f} s; {len(failed)} faults')
    print('\n'.join(failed[:MOST_SHOWN]))
    (flags.out / 'kills.json').write_text(json.dumps({'rows': rows, 'faults': failed}, indent=1))
    return bool(failed)


class Trial:
    def __init__(self, case: Case, folder: Path, seed: int):
        self.case, self.folder = case, folder
        self.random = random.Random(f'{seed} {case.name}')
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.rehearsal: Ending | None = None

    def run(self, kills: int) -> None:
        """Make a run that is left alone and then others, until so many kills are made."""
        self._rehearse()
        while self.counts['kills'] < kills and not self.faults:
            self.counts['runs'] += 1
            place = self._new_place(f'killed{self.counts["runs"]}')
            try:
                self._kill_until_done(place, min(MOST_KILLS, kills - self.counts['kills']))
            except Exception as error:  # whatever it is, the others are still tried
                self._fault(place, f'{type(error).__name__}: {error}')
            if not self.faults:
                shutil.rmtree(place)

    def row(self) -> dict:
        names = ('runs', 'kills', 'while_saving', 'before_a_folder')
        return {'case': self.case.name, **{name: self.counts[name] for name in names}, 'faults': len(self.faults)}

    def _rehearse(self) -> None:
        """Run once as a user would, which the killed ones have to equal, and once more in a fork, left alone."""
        straight = self._new_place('straight')
        name, start = self.case.script, time.monotonic()
        command = [sys.executable, '-m', name] if '.' in name else [sys.executable, str(PROJECT / f'{name}.py')]
        if self.case.ranks > 1:
            command[1:1] = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(self.case.ranks)]
        settings = {'env': {**os.environ, 'PYTHONPATH': str(PROJECT)}, 'timeout': 170, 'check': False}
        done = subprocess.run([*command, *self.case.argv], cwd=straight, capture_output=True, text=True, **settings)
        assert done.returncode == 0, done.stderr[-2000:]
        place = self._new_place('forked')
        self.rehearsal = run_and_kill(self.case, self.case.argv, place, Death())
        assert set(self.rehearsal.statuses) == {0}, self.rehearsal.output[-2000:]
        alone, seconds = time.monotonic() - start - self.rehearsal.seconds, self.rehearsal.seconds
        times = f'alone {alone:.1f} s, in a fork {seconds:.1f} s and {self.rehearsal.events} changes of files'
        print(f'{self.case.name}: {times}', flush=True)
        self._compare(place)

    def _kill_until_done(self, place: Path, kills: int) -> None:
        waits = 0
        for attempt in range(10 * kills + WAITS):
            argv = self.case.argv if self._starts_anew(place) else self.case.again
            death = self._choose() if attempt - waits < kills else Death()
            ending = run_and_kill(self.case, argv, place, death)
            if ending.killed or ending.hurt:
                self._count_kill(ending, place)
            if ending.killed or (ending.hurt and set(ending.statuses) != {0}):
                continue
            if set(ending.statuses) == {0}:
                self._compare(place)
                return
            if self._is_held(ending):
                waits += 1
                time.sleep(0.5)
            else:
                raise AssertionError(f'status {ending.statuses}: {ending.output[-3000:]}')
        raise AssertionError('it never ended')

    def _starts_anew(self, place: Path) -> bool:
        first = Path(self.case.again[1]) if self.case.again else None
        return first is None or not (place / first).exists()

    def _is_held(self, ending: Ending) -> bool:
        """Tell whether processes that outlived the one that started them still write."""
        return self.case.has_children and 'is being written by' in ending.output and 'Traceback' not in ending.output

    def _count_kill(self, ending: Ending, place: Path) -> None:
        self.counts['kills'] += 1
        self.counts['while_saving'] += ending.saving
        runs = [place / run for run in self.case.runs if (place / run).exists()]
        self.counts['before_a_folder'] += not runs
        for run in runs:
            check_after_kill(run)

    def _choose(self) -> Death:
        """Choose a moment: before a change of a file, while one is being written, or any."""
        draw, whole = self.random.random, self.random.random() < 0.7
        kind = self.random.choices(('event', 'partial', 'seconds'), (0 if self.case.has_children else 4, 3, 3))[0]
        if kind == 'event':
            return Death(event=1 + int(self.rehearsal.events * draw()), whole_family=whole)
        member = draw() if self.case.has_children and self.random.random() < 0.5 else None
        if kind == 'partial':
            return Death(partial=1 + int(8 * draw()), delay=0.003 * draw(), whole_family=whole, member=member)
        return Death(seconds=1.1 * self.rehearsal.seconds * draw(), whole_family=whole, member=member)

    def _compare(self, place: Path) -> None:
        for run in (*self.case.runs, *self.case.results):
            for difference in differences(place / run, self.folder / 'straight' / run, page=not self.case.has_children):
                self._fault(place, f'{run}: {difference}')

    def _fault(self, place: Path, text: str) -> None:
        self.faults.append(f'{self.case.name}: {place}: {text}')

    def _new_place(self, name: str) -> Path:
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (place / 'suite.sh').write_text(SUITE)
        return place


if __name__ == '__main__':
    sys.exit(main())
