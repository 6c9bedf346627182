"""Decode all images of a set, with a bar on a terminal and a line now and then elsewhere."""

from __future__ import annotations

import io
import os

import torch

from bigbatch.distributed import is_first_rank
from data_sets import pixels
from data_sets.images import ImageFiles
from data_sets.stream import StreamLoader
from utils.bar import EvaluationProgress

PIECE = 512  # images that are copied at once
FEW = 4096  # images for which it does not pay to start processes


def decode_images(files: ImageFiles, num_workers: int | None = None) -> torch.Tensor:
    """Decode images of one size.

    Args:
        num_workers: processes; None: as many as there are processors, at most 8, for more than a few images.
    Returns: uint8 (N, 3, H, W).
    """
    if num_workers is None:
        num_workers = 0 if len(files) <= FEW else min(8, _num_processors())
    images = torch.empty((len(files), *files.input_shape), dtype=torch.uint8)
    loader = StreamLoader(files, pixels.to_tensor, batch_size=PIECE, dtype=torch.uint8, num_workers=num_workers)
    stream = None if is_first_rank() else io.StringIO()
    with EvaluationProgress(len(files), f'images of {files.folder} decoded', stream=stream) as progress:
        for batch in loader.epoch(0):
            for part in batch:
                images[part.indices] = part.inputs
            progress.advance(batch.num_examples)
    return images


def _num_processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
