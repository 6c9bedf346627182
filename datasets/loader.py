"""Loaders: an epoch is a sequence of batches, one per update, and a batch a sequence of micro-batches.

The order of the examples is a pure function of (seed, epoch), their augmentation of (seed, epoch, example);
neither depends on the size of batches or micro-batches, on workers, or on what was loaded before. The
original used torch's DataLoader with the global generators, where all of these matter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

from datasets.arrays import ArrayDataset
from utils.seeding import make_generator

if TYPE_CHECKING:
    from preprocess import Transform


class MicroBatch(NamedTuple):
    """Examples of one forward pass, on the device.

    inputs: (n, ...), normalised; to be read only, as they may be a view of the data set. targets: int64 (n,).
    indices: int64 (n,), places of the examples in the data set.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    indices: torch.Tensor


class Batch:
    """The examples of one update; len() is the number of micro-batches, iterating makes them.

    It can be iterated any number of times, with the same result.

    Args:
        indices: int64 (n,), places of the examples in the data set, on the device.
        micro_batch_size: at most this many examples at once.
        gather: makes the MicroBatch of the examples from start to stop within the batch.
    """

    def __init__(
        self, indices: torch.Tensor, micro_batch_size: int, gather: Callable[[int, int], MicroBatch]
    ):
        self.indices = indices
        self._bounds = split_evenly(len(indices), micro_batch_size)
        self._gather = gather

    @property
    def num_examples(self) -> int:
        """Number of examples in all micro-batches."""
        return len(self.indices)

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[MicroBatch]:
        for start, stop in self._bounds:
            yield self._gather(start, stop)


def split_evenly(num: int, size: int) -> list[tuple[int, int]]:
    """Cut range(num) into pieces of `size`, in order, as (start, stop).

    What is left over is a piece of its own, but a single example joins the piece before it (unless all pieces
    are that small): batch norm has no variance for one value, and ghosts are then cut as in the whole batch.
    """
    starts = list(range(0, num, size))
    if len(starts) > 1 and size > 1 and num - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], num], strict=True))


class Loader:
    """What both loaders share: sizes, order and the walk through an epoch.

    num_workers: processes that read and transform examples one by one; 0: this one does; None: they are all there.

    Args:
        dataset: sized; examples are (image, label).
        transform: see the subclass.
        batch_size: examples per update.
        device: where the inputs are wanted.
        dtype: of the inputs.
        seed: of order and augmentation.
        micro_batch_size: examples per forward pass; None: the batch in one piece.
        shuffle: a new order in each epoch; else that of the data set.
        drop_last: leave out what does not fill a batch; the order decides what that is.
    """

    num_workers: int | None = None

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
    ):
        self.num_examples = len(dataset)
        for label, size in (('batch size', batch_size), ('micro-batch size', micro_batch_size)):
            if size is not None and size < 1:
                raise ValueError(f'{label} {size} is not a number of examples; expected 1 or more')
        if drop_last and batch_size > self.num_examples:
            raise ValueError(
                f'batch size {batch_size} is more than the {self.num_examples} examples of the set, and an '
                f'incomplete batch is dropped: use --no-drop-last or a batch of at most {self.num_examples}'
            )
        self.dataset = dataset
        self.transform = transform
        self.batch_size = batch_size
        self.micro_batch_size = micro_batch_size or batch_size
        self.device = torch.device(device)
        self.dtype = dtype
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last

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
        """Iterate over the batches of an epoch, leaving out the first `start_step`.

        Raises:
            ValueError: `start_step` is outside 0..num_steps.
        """
        if not 0 <= start_step <= self.num_steps:
            raise ValueError(f'step {start_step} is not in the epoch; expected 0 to {self.num_steps}')
        bounds = [
            (step * self.batch_size, min((step + 1) * self.batch_size, self.num_examples))
            for step in range(start_step, self.num_steps)
        ]
        return self._batches(epoch, bounds)

    def peek(self, num: int) -> MicroBatch:
        """Return the first `num` examples of the data set as they are in epoch 0, and read no others."""
        raise NotImplementedError

    def _batches(self, epoch: int, bounds: list[tuple[int, int]]) -> Iterator[Batch]:
        raise NotImplementedError

    def _draw_choices(self, epoch: int, image_size: tuple[int, ...]) -> torch.Tensor | None:
        """Draw the augmentation of every example at once: row i belongs to example i in any batch."""
        if not hasattr(self.transform, 'draw'):
            return None
        generator = make_generator(self.seed, 'augmentation', epoch)
        choices = self.transform.draw(self.num_examples, generator, image_size=image_size)
        return None if choices is None else choices.to(self.device)


class DeviceLoader(Loader):
    """Keep the decoded set on the device; gather, crop, mirror and normalise whole micro-batches there.

    Args:
        dataset: an ArrayDataset without a transform of its own.
        transform: a preprocess.Transform; None for float features, which are only cast.
        settings: see Loader.
    """

    def __init__(self, dataset: ArrayDataset, transform: Transform | None, **settings):
        super().__init__(dataset, transform, **settings)
        if dataset.transform is not None:
            raise ValueError('the data set has a transform of its own; give it to the loader instead')
        if dataset.is_float and transform is not None:
            raise ValueError('float features are not transformed; expected transform None')
        if not dataset.is_float and transform is None:
            raise ValueError('images need a transform; expected one of preprocess.get_transform')
        self.input_shape = dataset.input_shape
        if transform is not None:
            self.input_shape = (dataset.input_shape[0], *transform.output_size(dataset.input_shape))
        self._images = dataset.images.to(self.device)
        self._targets = _transform_targets(dataset).to(self.device)

    def peek(self, num: int) -> MicroBatch:
        """Return the first `num` examples of the data set as they are in epoch 0."""
        order = torch.arange(num, device=self.device)
        return self._gather(order, self._draw_choices(0, self.dataset.input_shape), 0, 0, num)

    def _batches(self, epoch: int, bounds: list[tuple[int, int]]) -> Iterator[Batch]:
        # moved once an epoch: a transfer in each step would wait for the device
        order = self.order(epoch).to(self.device)
        choices = self._draw_choices(epoch, self.dataset.input_shape)
        for first, last in bounds:
            gather = functools.partial(self._gather, order, choices, first)
            yield Batch(order[first:last], self.micro_batch_size, gather)

    def _gather(
        self, order: torch.Tensor, choices: torch.Tensor | None, first: int, start: int, stop: int
    ) -> MicroBatch:
        indices = order[first + start : first + stop]
        if self.shuffle:
            select = functools.partial(torch.index_select, dim=0, index=indices)
        else:  # a view instead of a copy

            def select(tensor):
                return tensor[first + start : first + stop]

        images = select(self._images)
        if self.transform is None:
            inputs = images.to(self.dtype)
        else:
            chosen = None if choices is None else select(choices)
            inputs = self.transform.apply(images, chosen, dtype=self.dtype)
        return MicroBatch(inputs, select(self._targets), indices)


def _transform_targets(dataset: ArrayDataset) -> torch.Tensor:
    if dataset.target_transform is None:
        return dataset.targets
    return torch.tensor([dataset.target_transform(target) for target in dataset.targets.tolist()])
