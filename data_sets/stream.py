"""A loader of examples that are read and transformed one by one, by worker processes if wanted.

Memory stays bounded however large a batch is: examples come in pieces of a few, as uint8 where the transform lets them,
and only the present batch is kept, in the memory of the host. The workers stay from epoch to epoch; what they are asked
for says all that they need to know.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, default_collate

from bigbatch.errors import UserError
from bigbatch.seeding import derive_seed, isolated_rng, make_generator
from data_sets.loader import Batch, Contents, Loader, MicroBatch, purpose_of

PIECE = 64  # examples that a worker makes at a time: 64 of 3x224x224 bytes are 9 MiB
LONGEST_FOLDER = 75  # letters of a path that leave room for the names of multiprocessing's sockets, of 107 in all
# What loader processes may run out of, by words in what torch or the system says of it, and what gives them more.
SHORTAGES = {
    'shared memory': 'give it more shared memory (docker run --shm-size 1g)',
    'no space left': 'give it more shared memory (docker run --shm-size 1g)',
    'bus error': 'give it more shared memory (docker run --shm-size 1g)',
    'too many open files': 'allow more open files (ulimit -n)',
    'temporarily unavailable': 'allow more processes (ulimit -u)',
    "can't start new thread": 'allow more processes (ulimit -u)',
    'cannot allocate memory': 'give it more memory',
    'signal: killed': 'give it more memory',
    'exited unexpectedly': 'give it more memory or processes (ulimit -u)',
}


class StreamLoader(Loader):
    """Read and transform examples one by one with torch's DataLoader.

    A transform of two stages, as preprocess makes them, has `prepare`, which a worker calls on the image and which
    returns uint8 (C, H, W), and `draw` and `apply`, which do the rest with whole micro-batches on the device.

    Any other callable on the image returns a tensor, as a torchvision Compose; without one the data set's own does it
    all. What runs in a worker does so with the global generators seeded from (seed, epoch, index, copy).
    """

    def __init__(self, dataset: Dataset, transform: Callable | None, *, num_workers: int = 0, **settings):
        super().__init__(dataset, transform, **settings)
        self.num_workers = num_workers
        staged = hasattr(transform, 'prepare')
        self._apply = transform.apply if staged else None
        self._examples = _SeededExamples(dataset, transform.prepare if staged else transform, self.seed)
        self._image_size = self.input_shape = self._read_shape()
        if staged:
            self.input_shape = (self._image_size[0], *transform.output_size(self._image_size))
        _check_socket_folder(num_workers)
        self._keys: list[Iterator] = []  # one iterator over the pieces of the present epoch
        self._source = DataLoader(
            self._examples,
            batch_sampler=_Sampler(self._keys),
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=self.device.type == 'cuda',
            collate_fn=_collate,
            worker_init_fn=_heed_loader_alone,
            generator=make_generator(self.seed, 'workers'),  # else it draws from the global one
        )

    def _peek(self, contents: Contents) -> MicroBatch:
        pieces = self._first_pieces(contents.whole_size)
        return self._gather(_Received(functools.partial(next, pieces), copy=False), contents, 0, contents.whole_size)

    def _read_shape(self) -> tuple[int, ...]:
        try:
            return tuple(_check_piece(next(self._first_pieces(1)))[0].shape[1:])
        except UserError:
            raise
        except Exception as error:  # whatever a network's own transform may raise
            reason = ' '.join(f'{type(error).__name__}: {error}'.split())
            raise ValueError(f'the transform cannot read the first example: {reason}') from error

    def _first_pieces(self, num: int) -> Iterator:
        """Make the first examples of the set in this process."""
        keys = BatchSampler([(0, index, 0) for index in range(num)], PIECE, drop_last=False)
        return (_collate(self._examples.__getitems__(piece)) for piece in keys)

    def _batches(self, epoch: int, bounds: list[tuple[int, int]]) -> Iterator[Batch]:
        order, choices = self.order(epoch), self._draw_choices(epoch)
        keys = (self._keys_of(epoch, order[first:last]) for first, last in bounds)
        pieces = (piece for batch in keys for piece in BatchSampler(batch, PIECE, drop_last=False))
        present, self._keys[:] = pieces, [pieces]
        with _keeping_sigterm_from_workers():
            source = self._ask_workers(lambda: iter(self._source))

        def fetch() -> tuple[torch.Tensor, torch.Tensor]:
            assert self._keys[0] is present, 'a later epoch of this loader was begun before this one ended'
            return self._ask_workers(lambda: next(source))

        examples = order.to(self.device)
        self._side_stream.mark()
        for first, last in bounds:
            received = _Received(fetch, copy=self.num_workers > 0 and self.device.type != 'cuda')
            contents = self._side_stream.make(self._lay_out, examples[first:last], choices, first)
            yield self._batch_of(contents, functools.partial(self._gather, received, contents))
            received.pieces(0, len(contents.indices))  # what was not asked for

    def _ask_workers(self, ask: Callable):
        """Return what they answer; a UserError says what they have too little of."""
        hook = sys.unraisablehook
        try:
            return ask()
        except (OSError, RuntimeError, MemoryError) as error:
            text = str(error).strip() or type(error).__name__
            lacks = next((more for words, more in SHORTAGES.items() if words in text.lower()), None)
            if lacks is None or not self.num_workers:
                raise
            sys.unraisablehook = lambda _: None  # for what torch has half made, which fails once more as it goes
        finally:  # `error` is gone by now, and with it the open files and processes that it held
            sys.unraisablehook = hook
        reason = text.splitlines()[-1].partition('. ')[0]
        raise UserError(
            f'--workers {self.num_workers}: too many loader processes ({reason}): ask for fewer, or {lacks}'
        )

    def _keys_of(self, epoch: int, examples: torch.Tensor) -> list[tuple[int, int, int]]:
        """Return (epoch, index, copy) of this rank's part of a batch of these distinct examples, in its order."""
        rows = self._rows_of(examples)
        own = rows[slice(*self.ranks.share(len(rows)))].tolist()
        return [(epoch, row % self.num_examples, row // self.num_examples) for row in own]

    def _gather(self, received: _Received, contents: Contents, start: int, stop: int, step: int = 1) -> MicroBatch:
        part, pieces = slice(start, stop, step), received.pieces(start, stop)
        moved = [[tensor.to(self.device, non_blocking=True) for tensor in piece] for piece in pieces]
        inputs, targets = (torch.cat(parts)[::step] for parts in zip(*moved, strict=True))
        if self._apply is None:
            return MicroBatch(inputs.to(self.dtype), targets, contents.indices[part])
        choices = None if contents.choices is None else contents.choices[part]
        return MicroBatch(self._apply(inputs, choices, dtype=self.dtype), targets, contents.indices[part])


class _Received:
    """What has come of one batch so far, in pieces that are kept so that it can be read again."""

    def __init__(self, fetch: Callable, *, copy: bool):
        self._fetch = fetch  # waits for the next piece
        self._copy = copy  # out of the memory that is shared with the workers, of which systems have little
        self._pieces: list[tuple[torch.Tensor, ...]] = []

    def pieces(self, start: int, stop: int) -> list[tuple[torch.Tensor, ...]]:
        """Return (images, targets) of the examples from start to stop, waiting for those that are not there yet."""
        while len(self._pieces) * PIECE < stop:
            piece = _check_piece(self._fetch())
            self._pieces.append(tuple(tensor.clone() for tensor in piece) if self._copy else piece)
        return [
            tuple(tensor[max(0, start - first) : stop - first] for tensor in self._pieces[first // PIECE])
            for first in range(start // PIECE * PIECE, stop, PIECE)
        ]


class _Sampler:
    """Hand the keys of the present epoch to a DataLoader, which keeps its sampler for good."""

    def __init__(self, keys: list[Iterator]):
        self._keys = keys

    def __iter__(self) -> Iterator:
        return self._keys[0]


class _SeededExamples(Dataset):
    """Examples by (epoch, index, copy), each made with generators of its own: (input, label)."""

    def __init__(self, dataset: Dataset, transform: Callable | None, seed: int):
        self.dataset = dataset
        self.transform = transform
        self.seed = seed

    def __getitems__(self, keys: list[tuple[int, int, int]]) -> list[tuple] | UserError:
        """Make the examples of a piece; saving the generators once for all of them saves 0.3 ms for each."""
        with isolated_rng() as seed_generators:
            try:
                return [self._make_example(*key, seed_generators) for key in keys]
            except UserError as error:
                return error  # raised in a worker it would come out as a traceback in words

    def _make_example(self, epoch: int, index: int, copy: int, seed_generators: Callable[[int], None]) -> tuple:
        seed_generators(derive_seed(self.seed, 'augmentation', epoch, index, *purpose_of(copy)))
        image, target = self.dataset[index]
        image = image if self.transform is None else self.transform(image)
        if not isinstance(image, torch.Tensor):
            raise UserError(f'the transform returns a {type(image).__name__}; expected a tensor')
        return image, target


def _check_socket_folder(num_workers: int) -> None:
    """Refuse loader processes whose sockets could have no names: they would be waited for without an end."""
    folder = tempfile.gettempdir()
    if num_workers and len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise UserError(
            f'--workers {num_workers}: $TMPDIR is {folder}, too long for the sockets of loader processes: set it to a '
            f'folder of at most {LONGEST_FOLDER} letters, such as /tmp, or take --workers 0'
        )


@contextlib.contextmanager
def _keeping_sigterm_from_workers() -> Iterator[None]:
    """Have the processes that are started in the block begin deaf to SIGTERM, with all of their threads."""
    if not hasattr(signal, 'sigwaitinfo'):  # macOS, Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heed_loader_alone(_: int) -> None:
    """Let no signal to all processes of a run, such as Ctrl-C, end a worker in the midst of a step."""
    if hasattr(os, 'setpgid'):  # not on Windows
        os.setpgid(0, 0)
    if hasattr(signal, 'sigwaitinfo'):
        threading.Thread(target=_end_by_sigterm_of, args=(os.getppid(),), daemon=True).start()


def _end_by_sigterm_of(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _collate(examples: list[tuple] | UserError) -> list[torch.Tensor] | UserError:
    if isinstance(examples, UserError):
        return examples
    shapes = sorted({tuple(image.shape) for image, _ in examples})
    if len(shapes) > 1:
        return UserError(
            f'the transform returns tensors of different shapes, {shapes[0]} and {shapes[-1]}; expected one shape: '
            'end it with a crop of fixed size'
        )
    return default_collate(examples)


def _check_piece(piece: list[torch.Tensor] | UserError) -> tuple[torch.Tensor, ...]:
    if isinstance(piece, UserError):
        raise UserError(str(piece))  # a new one: raised, `piece` would hold this frame and itself, and keep the workers
    return tuple(piece)
