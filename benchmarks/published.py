"""The published pipeline (bigBatch, main_gbn.py), written anew from its description and no slower than it need be.

A DataLoader whose workers start anew for each epoch, transforms of one PIL image at a time, one forward and backward
pass per chunk of the ghost size through ordinary batch norm, top-1, top-5 and their `.item()` per chunk, averaged
gradients, clipping, one SGD step. On a GPU: pinned memory, a `.cuda()` copy of each batch that does not wait, and
cuDNN's own choice of kernels (`benchmark`). Images come decoded from memory, where the published code would read the
JPEG files of a folder anew in each epoch; its ResNets and shallow networks are the same as here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset

import data
import models
from benchmarks.machine import synchronize

CLIP = 5.0
SETTINGS = {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}
MAX_WORKERS = 8  # the published default


class PublishedRun:
    """A network in training by the published pipeline.

    Args:
        flags: model, dataset, datasets_dir, b (examples per update) and mb (examples per chunk) are used.
        device: where it trains.
        seed: of weights, order and transforms.
    """

    def __init__(self, flags, device: torch.device, seed: int = 0):
        self._device, self._batch_size, self._chunk_size = device, flags.b, flags.mb
        dataset = data.get_dataset(flags.dataset, 'train', datasets_path=flags.datasets_dir)
        dataset.transform = published_transform(dataset.input_shape)
        self._dataset = dataset
        torch.manual_seed(seed)
        shape, options = dataset.input_shape, models.model_options(flags.model)
        known = {'input_shape': shape, 'num_classes': dataset.num_classes, 'dataset': flags.dataset}
        known = {name: value for name, value in known.items() if options is None or name in options}
        self._model = models.create_model(flags.model, **known).to(device).train()
        self._optimizer = torch.optim.SGD(self._model.parameters(), **SETTINGS)

    @property
    def regime(self) -> dict[int, dict]:
        """Settings of the optimizer by the epoch, from 0, from which they hold."""
        return self._model.regime

    def train_epoch(self, settings: dict) -> None:
        """Train an epoch, with its last incomplete batch and, as published, an optimizer built anew: no momentum yet.

        Args:
            settings: of SGD.
        """
        self._optimizer = torch.optim.SGD(self._model.parameters(), **settings)
        for inputs, targets in DataLoader(self._dataset, batch_size=self._batch_size, shuffle=True):
            self._update(inputs, targets)

    @torch.no_grad()
    def accuracy(self, dataset) -> float:
        """Return the percentage of a test set that it classifies correctly, by running statistics."""
        dataset.transform = _test_transform(dataset.input_shape)
        self._model.eval()
        num_right = 0
        for inputs, targets in DataLoader(dataset, batch_size=self._batch_size):
            num_right += (self._model(inputs.to(self._device)).argmax(1).cpu() == targets).sum().item()
        self._model.train()
        return 100 * num_right / len(dataset)

    def images_per_second(self, num_updates: int | None = None) -> float:
        """Train an epoch, without the last incomplete batch, or its first updates, and return the speed.

        The start of the workers counts in a whole epoch, since each epoch begins with it; in a part of one the clock
        starts with the first batch at hand.
        """
        num_images = (num_updates or len(self._dataset) // self._batch_size) * self._batch_size
        loader = DataLoader(
            Subset(self._dataset, torch.randperm(len(self._dataset))[:num_images].tolist()),
            batch_size=self._batch_size,
            shuffle=True,
            num_workers=min(MAX_WORKERS, os.cpu_count() or 1),
            pin_memory=self._device.type == 'cuda',
        )
        synchronize(self._device)
        start = time.perf_counter()
        with _kernels_chosen(self._device):
            for number, (inputs, targets) in enumerate(loader):
                if num_updates and number == 0:
                    start = time.perf_counter()
                self._update(inputs, targets)
        synchronize(self._device)
        return num_images / (time.perf_counter() - start)

    def _update(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        inputs, targets = (each.to(self._device, non_blocking=True) for each in (inputs, targets))
        num_chunks = self._batch_size // self._chunk_size
        chunks = inputs.chunk(num_chunks)  # fewer, of another size, where the batch is short
        self._optimizer.zero_grad()
        for chunk, labels in zip(chunks, targets.chunk(num_chunks), strict=True):
            logits = self._model(chunk)
            loss = F.cross_entropy(logits, labels)
            top = logits.detach().topk(5, dim=1).indices == labels.unsqueeze(1)
            loss.item(), top[:, 0].sum().item(), top.sum().item()
            loss.backward()
        for parameter in self._model.parameters():
            parameter.grad /= len(chunks)
        nn.utils.clip_grad_norm_(self._model.parameters(), CLIP)
        self._optimizer.step()


def published_transform(shape: tuple[int, ...]) -> Callable:
    """Return the transforms of one PIL image (C, H, W): pad, crop and mirror at random, convert, normalise."""
    from torchvision import transforms

    size = shape[-1]
    return transforms.Compose(
        [
            transforms.Pad(4 if size >= 32 else 2),
            transforms.RandomCrop(size),
            transforms.RandomHorizontalFlip(),
            _test_transform(shape),
        ]
    )


def _test_transform(shape: tuple[int, ...]) -> Callable:
    from torchvision import transforms

    grey = (0.5,) * shape[0]
    return transforms.Compose([transforms.ToTensor(), transforms.Normalize(grey, grey)])


def _kernels_chosen(device: torch.device):
    if device.type != 'cuda':
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=True)
