"""Loaders: an epoch is a sequence of batches, one per update, and a batch a sequence of micro-batches.

The order of the examples is a pure function of (seed, epoch), their augmentation of (seed, epoch, example);
neither depends on the size of batches or micro-batches, on workers, or on what was loaded before. The
original used torch's DataLoader with the global generators, where all of these matter.

A batch may hold several copies of each example, each transformed anew (Hoffer et al. 2019, arXiv 1901.09335, "Augment
your batch"). Copy 0 is what the batch holds without the others; the choices of the others are functions of their
numbers as well. The published code lays the copies of an image side by side ('together' here), but copy after copy
('spread') where a batch is taken in pieces; here that is a setting.

Of several ranks each has its part of every batch, in order; all parts together are the batch of one process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from bigbatch.distributed import ALONE, Ranks
from bigbatch.messages import counted, suggest
from bigbatch.seeding import make_generator
from bigbatch.splits import split_evenly
from data_sets.arrays import ArrayDataset
from data_sets.side_stream import SideStream

LAYOUTS = ('spread', 'together')  # of copies: copy after copy, or those of an example one after the other


class MicroBatch(NamedTuple):
    """Examples of one forward pass, on the device."""

    inputs: torch.Tensor  # (n, ...), normalised; to be read only, as they may be a view of the data set
    targets: torch.Tensor  # int64 (n,)
    indices: torch.Tensor  # int64 (n,), places of the examples in the data set


class Contents(NamedTuple):
    """What a batch is made of, or this rank's part of it, copies counted."""

    indices: torch.Tensor  # int64 (n,), places of the examples in the data set
    choices: torch.Tensor | None  # (n, k), those of the transform for each
    first: int  # place of the first one in the epoch, where there are no copies
    start: int  # its place in the whole batch
    whole_size: int


class Batch:
    """The examples of one update, or this rank's part of them, copies counted.

    Its length is the number of micro-batches. Iterating makes them, any number of times, with the same result.

    Args:
        indices: int64 (n,), places of the examples in the data set, on the device.
        gather: makes the MicroBatch of the examples from start to stop within the batch; with duplicates a third
            argument, the step, takes every so many of them.
        duplicates, copies: of each example in the whole batch, and their layout, one of LAYOUTS.
        start: place of the first example here in the whole batch.
        whole_size: examples of the whole batch, over all ranks; None: there is one rank.
    """

    def __init__(
        self, indices: torch.Tensor, micro_batch_size: int, gather: Callable[..., MicroBatch], *,
        duplicates: int = 1, copies: str = 'spread', start: int = 0, whole_size: int | None = None,
    ):  # fmt: skip
        self.indices, self.start = indices, start
        self.whole_size = len(indices) if whole_size is None else whole_size
        self.duplicates, self._together = duplicates, copies == 'together'
        self._micro_batch_size = micro_batch_size
        self._bounds = split_evenly(len(indices), micro_batch_size)
        self._gather = gather

    @property
    def num_examples(self) -> int:
        """Number of examples in all micro-batches."""
        return len(self.indices)

    def copy(self, number: int) -> Batch:
        """Return the batch of that copy of each example, 0 to duplicates - 1; what of it is here may be nothing."""
        if self.duplicates == 1:
            return self
        size, num = len(self.indices), self.whole_size // self.duplicates
        places = range((number - self.start) % self.duplicates, size, self.duplicates)
        if not self._together:
            places = range(size)[max(0, number * num - self.start) : max(0, (number + 1) * num - self.start)]

        def gather(start: int, stop: int) -> MicroBatch:
            part = places[start:stop]
            return self._gather(part[0], part[-1] + 1, part.step)

        indices = self.indices[places.start : places.stop : places.step]
        return Batch(indices, self._micro_batch_size, gather, whole_size=num)

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[MicroBatch]:
        for start, stop in self._bounds:
            yield self._gather(start, stop)


class Loader:
    """What both loaders share: sizes, order and the walk through an epoch.

    Args:
        batch_size: distinct examples per update.
        device, dtype: of the inputs.
        seed: of order and augmentation.
        micro_batch_size: examples per forward pass, copies counted; None: the batch in one piece.
        shuffle: a new order in each epoch; else that of the data set.
        drop_last: leave out what does not fill a batch; the order decides what that is.
        duplicates, copies: of each example in its batch, each with choices of its own, and their layout.
        ranks: whose part of each batch is loaded; sizes are those of whole batches.
    """

    num_workers: int | None = None  # that read examples one by one; 0: this process does; None: they are all there

    def __init__(
        self,
        dataset,
        transform: Callable | None,
        *,
        batch_size: int,
        device: torch.device | str = 'cpu',
        dtype: torch.dtype = torch.float32,
        seed: int = 0,
        micro_batch_size: int | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        duplicates: int = 1,
        copies: str = 'spread',
        ranks: Ranks = ALONE,
    ):
        self.num_examples = len(dataset)
        if copies not in LAYOUTS:
            raise ValueError(f'copies {copies!r} is no layout; {suggest(copies, LAYOUTS)}')
        if duplicates < 1:
            raise ValueError(f'duplicates {duplicates} is not a number of copies; expected 1 or more')
        for label, size in (('batch size', batch_size), ('micro-batch size', micro_batch_size)):
            if size is not None and size < 1:
                raise ValueError(f'{label} {size} is not a number of examples; expected 1 or more')
        if drop_last and batch_size > self.num_examples:
            raise ValueError(
                f'batch size {batch_size} is more than the {counted(self.num_examples, "example")} of the set, and an '
                f'incomplete batch is dropped: use --no-drop-last or a batch of at most {self.num_examples}'
            )
        self.dataset, self.transform = dataset, transform
        self.batch_size = batch_size
        self.duplicates, self.copies = duplicates, copies
        self.micro_batch_size = micro_batch_size or batch_size * duplicates
        self.device, self.dtype = torch.device(device), dtype
        self.seed, self.shuffle, self.drop_last = seed, shuffle, drop_last
        self.ranks = ranks
        self._side_stream = SideStream(self.device)

    @property
    def num_steps(self) -> int:
        """Number of updates in an epoch."""
        full, rest = divmod(self.num_examples, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def order(self, epoch: int) -> torch.Tensor:
        """Return the order of all examples in that epoch, int64 (num_examples,) on the CPU."""
        if not self.shuffle:
            return torch.arange(self.num_examples)
        return torch.randperm(self.num_examples, generator=make_generator(self.seed, 'order', epoch))

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Iterate over the batches of an epoch, leaving out the first `start_step`, of 0..num_steps."""
        if not 0 <= start_step <= self.num_steps:
            raise ValueError(f'step {start_step} is not in the epoch; expected 0 to {self.num_steps}')
        firsts = [step * self.batch_size for step in range(start_step, self.num_steps)]
        return self._batches(epoch, [(first, min(first + self.batch_size, self.num_examples)) for first in firsts])

    def peek(self, num: int) -> MicroBatch:
        """Return the first `num` examples of the set, or all, as they are in epoch 0, and read no others."""
        num = min(num, self.num_examples)
        choices = self._draw_choices(0)
        indices = torch.arange(num, device=self.device)
        return self._peek(Contents(indices, None if choices is None else choices[:num], 0, 0, num))

    def _peek(self, contents: Contents) -> MicroBatch:
        raise NotImplementedError

    def _batches(self, epoch: int, bounds: list[tuple[int, int]]) -> Iterator[Batch]:
        raise NotImplementedError

    def _draw_choices(self, epoch: int) -> torch.Tensor | None:
        """Draw the augmentation of every example at once, in any batch the same: a row each, copy after copy."""
        if not hasattr(self.transform, 'draw'):
            return None
        choices = []
        for copy in range(self.duplicates):
            generator = make_generator(self.seed, 'augmentation', epoch, *purpose_of(copy))
            choices.append(self.transform.draw(self.num_examples, generator, image_size=self._image_size))
        return None if choices[0] is None else torch.cat(choices).to(self.device)

    def _rows_of(self, examples: torch.Tensor) -> torch.Tensor:
        """Return the rows that _draw_choices gives the copies of these examples, in the order of their batch."""
        copies = torch.arange(self.duplicates, device=examples.device).unsqueeze(1)
        rows = copies * self.num_examples + examples  # (copies, examples)
        return (rows.t() if self.copies == 'together' else rows).flatten()

    def _lay_out(self, examples: torch.Tensor, choices: torch.Tensor | None, first: int) -> Contents:
        """Return this rank's part of a batch of these examples."""
        rows = self._rows_of(examples)
        start, stop = self.ranks.share(len(rows))
        own = rows[start:stop]
        chosen = None if choices is None else choices.index_select(0, own)
        return Contents(own % self.num_examples, chosen, first + start, start, len(rows))

    def _batch_of(self, contents: Contents, gather: Callable[..., MicroBatch]) -> Batch:
        return Batch(
            contents.indices, self.micro_batch_size, functools.partial(self._side_stream.hand_out, gather),
            duplicates=self.duplicates, copies=self.copies, start=contents.start, whole_size=contents.whole_size,
        )  # fmt: skip


def purpose_of(copy: int) -> tuple[int | str, ...]:
    """Return what a copy adds to the purpose of its random numbers: nothing for copy 0."""
    return ('copy', copy) if copy else ()


class DeviceLoader(Loader):
    """Keep the decoded set on the device; transform whole micro-batches there, by a preprocess.Transform.

    Float features, which have none, are only cast.
    """

    def __init__(self, dataset: ArrayDataset, transform: Callable | None, **settings):
        super().__init__(dataset, transform, **settings)
        if dataset.transform is not None:
            raise ValueError('the data set has a transform of its own; give it to the loader instead')
        if dataset.is_float and transform is not None:
            raise ValueError('float features are not transformed; expected transform None')
        if not dataset.is_float and transform is None:
            raise ValueError('images need a transform; expected one of preprocess.get_transform')
        self._image_size = self.input_shape = dataset.input_shape
        if transform is not None:
            self.input_shape = (dataset.input_shape[0], *transform.output_size(dataset.input_shape))
        self._images = dataset.images.to(self.device)
        self._targets = _transform_targets(dataset).to(self.device)

    def _peek(self, contents: Contents) -> MicroBatch:
        return self._gather(contents, 0, contents.whole_size)

    def _batches(self, epoch: int, bounds: list[tuple[int, int]]) -> Iterator[Batch]:
        # moved once an epoch: a transfer in each step would wait for the device
        order = self.order(epoch).to(self.device)
        choices = self._draw_choices(epoch)
        self._side_stream.mark()
        for first, last in bounds:
            contents = self._side_stream.make(self._lay_out, order[first:last], choices, first)
            yield self._batch_of(contents, functools.partial(self._gather, contents))

    def _gather(self, contents: Contents, start: int, stop: int, step: int = 1) -> MicroBatch:
        part = slice(start, stop, step)
        indices = contents.indices[part]
        if self.shuffle or self.duplicates > 1:
            images, targets = (tensor.index_select(0, indices) for tensor in (self._images, self._targets))
        else:  # a view instead of a copy
            place = slice(contents.first + start, contents.first + stop)
            images, targets = self._images[place], self._targets[place]
        if self.transform is None:
            return MicroBatch(images.to(self.dtype), targets, indices)
        choices = None if contents.choices is None else contents.choices[part]
        return MicroBatch(self.transform.apply(images, choices, dtype=self.dtype), targets, indices)


def _transform_targets(dataset: ArrayDataset) -> torch.Tensor:
    if dataset.target_transform is None:
        return dataset.targets
    return torch.tensor([dataset.target_transform(target) for target in dataset.targets.tolist()])
